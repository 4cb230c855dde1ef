package selftest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The answers of the API server for the pods show whether pods are guarded, and which webhook does not guard them.
func TestJudgeSelfTest(t *testing.T) {
	denied := errors.New(`admission webhook "guard-pods.ovnguard.io" denied the request: ovnguard: no`)
	policy := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "selftest",
		errors.New(`ValidatingAdmissionPolicy 'ovnguard-floor' with binding 'ovnguard-floor' denied request: no`))
	silent := errors.New(
		`Internal error occurred: failed calling webhook "pods.ovnguard.io": failed to call webhook: EOF`,
	)
	others := errors.New(`admission webhook "pods.example.org" denied the request: not like ovnguard.io`)
	othersSilent := errors.New(`Internal error occurred: failed calling webhook "pods.example.org": EOF`)
	rights := apierrors.NewForbidden(
		schema.GroupResource{Resource: "pods"},
		"",
		errors.New(
			`User "system:serviceaccount:ovnguard-system:ovnguard" cannot create resource "pods" in the namespace "ovnguard-selftest"`,
		),
	)
	away := errors.New(`Post "https://localhost:6443/api/v1": connection refused`)
	for name, c := range map[string]struct {
		got                 fate
		ordinary, forbidden reason
	}{
		"as decided":          {fate{annotation: "true"}, passes, unguarded},
		"left as asked for":   {fate{annotation: "false"}, unchanged, unguarded},
		"nothing written":     {fate{}, unchanged, unguarded},
		"refused":             {fate{err: denied}, refused, passes},
		"refused by a policy": {fate{err: policy}, refused, passes},
		"no answer":           {fate{err: silent}, unanswered, unanswered},
		"refused by others":   {fate{err: others}, untried, untried},
		"no answer of others": {fate{err: othersSilent}, untried, untried},
		"no right":            {fate{err: rights}, untried, untried},
		"server away":         {fate{err: away}, untried, untried},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judgeOrdinary(
				"false",
				fate{annotation: "true"},
				c.got,
			); got.reason != c.ordinary ||
				(got.detail == "") != (got.reason == passes) {
				t.Errorf("an ordinary pod: %+v, want %s", got, c.ordinary)
			}
			if got := judgeForbidden(fate{err: errors.New("no")}, c.got); got.reason != c.forbidden {
				t.Errorf("a forbidden pod: %+v, want %s", got, c.forbidden)
			}
		})
	}
}

// Where policy does not enforce, a warning that the API server passes on shows that it asks the webhook; without a
// warning, the result claims nothing.
func TestSelfTestShowsWhatItCan(t *testing.T) {
	warned, other := fate{
		annotation: "false",
		warnings:   []string{"ovnguard: a"},
	}, fate{
		annotation: "false",
		warnings:   []string{"b"},
	}
	silent := fate{annotation: "false"}
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		want, got fate
		reason    reason
	}{
		"warned": {warned, warned, passes},
		"cut": {
			fate{annotation: "false", warnings: []string{long}},
			fate{annotation: "false", warnings: []string{long[:256]}},
			passes,
		},
		"not warned":      {warned, silent, unwarned},
		"others warned":   {warned, other, unwarned},
		"nothing to see":  {silent, other, unseen},
		"changed by some": {warned, fate{annotation: "true"}, unchanged},
		"not made": {
			warned, fate{err: errors.New(`failed calling webhook "pods.ovnguard.io": EOF`)}, unanswered,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judgeOrdinary("false", c.want, c.got); got.reason != c.reason || got.detail == "" {
				t.Errorf("%+v, want %s", got, c.reason)
			}
			if c.reason == unchanged {
				return
			}
			if got := judgeForbidden(c.want, c.got); got.reason != c.reason || got.detail == "" {
				t.Errorf("a forbidden pod: %+v, want %s", got, c.reason)
			}
		})
	}
	full, less, nothing, wrong := outcome{
		reason: passes,
	}, outcome{
		passes,
		"warns",
	}, outcome{
		unseen,
		"audits",
	}, outcome{
		unguarded,
		"made",
	}
	for _, c := range []struct{ ordinary, forbidden, want outcome }{
		{full, full, full},
		{full, less, less},
		{less, full, less},
		{less, nothing, nothing},
		{nothing, wrong, wrong},
		{full, wrong, wrong},
	} {
		if got := both(c.ordinary, c.forbidden); got != c.want {
			t.Errorf("%+v and %+v: %+v, want %+v", c.ordinary, c.forbidden, got, c.want)
		}
	}
}

// Only a proven fault fails readiness; every fault changes the metrics; the registration is checked when pods are not
// guarded.
func TestSelfTestTells(t *testing.T) {
	var next outcome
	looked := 0
	var announced []string
	s := newTest(
		func(context.Context) outcome { return next },
		time.Minute,
		serves,
		func() { looked++ },
		func(got outcome) { announced = append(announced, noticeOf("ns", got).Reason+" "+string(got.reason)) },
		logr.Discard(),
	)
	registry := prometheus.NewRegistry()
	registry.MustRegister(s)
	if err := s.Ready(nil); err == nil || s.Last() != (Last{}) {
		t.Error("ready before the first self-test")
	}
	for _, c := range []struct {
		got    outcome
		ready  bool
		ok     string
		looked int
	}{
		{outcome{untried, "forbidden"}, true, "0", 0},
		{outcome{reason: passes}, true, "1", 0},
		{outcome{unseen, "policy audits"}, true, "", 0},
		{outcome{passes, "policy warns"}, true, "1", 0},
		{outcome{unguarded, "a pod was created"}, false, "0", 1},
		{outcome{unguarded, "another pod was made"}, false, "0", 1},
		{outcome{untried, "away"}, true, "0", 0},
		{outcome{unanswered, "EOF"}, false, "0", 1},
		{outcome{reason: passes}, true, "1", 0},
		{outcome{untried, "away"}, true, "0", 0},
	} {
		next, looked = c.got, 0
		if got := s.once(t.Context()); got != c.got.reason {
			t.Errorf("%s: it ended with %s", c.got.reason, got)
		}
		last := s.Last()
		if last.Reason != string(c.got.reason) || last.Detail != c.got.detail || last.Faulty == c.ready ||
			last.Ended.IsZero() || (c.got.reason == passes) != last.Passed.Equal(last.Ended) {
			t.Errorf("%s: the last one is %+v", c.got.reason, last)
		}
		if err := s.Ready(nil); (err == nil) != c.ready || err != nil && !strings.Contains(err.Error(), c.got.detail) {
			t.Errorf("%s: ready says %v", c.got.reason, err)
		}
		if note := s.Note(); (note != "") != strings.HasPrefix(c.got.detail, "policy") {
			t.Errorf("%+v: the note is %q", c.got, note)
		}
		want := "# HELP ovnguard_selftest_ok 1 while the last self-test showed that the API server calls the " +
			"webhooks and applies policy, else 0. Absent where policy asks for nothing that the self-test " +
			"could see.\n# TYPE ovnguard_selftest_ok gauge\novnguard_selftest_ok " + c.ok + "\n"
		if c.ok == "" {
			want = ""
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "ovnguard_selftest_ok"); err != nil {
			t.Errorf("%s: %v", c.got.reason, err)
		}
		if looked != c.looked {
			t.Errorf("%s: the registration was looked at %d times, want %d", c.got.reason, looked, c.looked)
		}
	}
	if got := testutil.ToFloat64(s.failed.WithLabelValues(string(untried))); got != 3 {
		t.Errorf("%v failures for what could not be tried, want 3", got)
	}
	// A proven fault is announced once for each reason, and so is its end; a test that could not be made announces
	// nothing.
	want := []string{"SelfTestFailed unguarded", "SelfTestFailed unanswered", "SelfTestPassed pass"}
	if diff := cmp.Diff(want, announced); diff != "" {
		t.Errorf("announced: -want +got\n%s", diff)
	}
}

// A failed test is repeated soon, and a requested test runs at once.
func TestSelfTestIsMadeSoon(t *testing.T) {
	asked := make(chan struct{})
	s := newTest(func(ctx context.Context) outcome {
		select {
		case asked <- struct{}{}:
		case <-ctx.Done():
		}
		return outcome{reason: passes}
	}, time.Hour, serves, func() {}, func(outcome) {}, logr.Discard())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Start(ctx) }()
	<-asked
	s.Soon()
	<-asked
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func serves() error { return nil }

// There is nothing to test before the webhook serves.
func TestSelfTestWaitsForTheWebhook(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	asked := 0
	s := newTest(func(context.Context) outcome {
		asked++
		stop()
		return outcome{reason: passes}
	}, time.Hour, func() error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}, func() {}, func(outcome) {}, logr.Discard())
	if err := s.Start(ctx); err != nil || asked != 4 {
		t.Errorf("%d calls, want three looks and one test; %v", asked, err)
	}
}
