package controller

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// An Event is about the workload that makes the pod, the pod, or else the namespace, and is the same for each try.
func TestRefusalOf(t *testing.T) {
	replicaSet := &policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-6d4", UID: "u"}
	cases := map[string]struct {
		refused   admission.Refused
		reason    string
		regarding corev1.ObjectReference
		text      string
	}{
		"a workload's pod": {
			admission.Refused{
				Operation: admissionv1.Create, Resource: "pods", Kind: "Pod", Namespace: "ns", Name: "web-6d4-x7k2f",
				GenerateName: "web-6d4-", Maker: replicaSet, Why: "port web-6d4-x7k2f.ns is another's",
			},
			events.ReasonPodRefused,
			corev1.ObjectReference{
				APIVersion: "apps/v1",
				Kind:       "ReplicaSet",
				Namespace:  "ns",
				Name:       "web-6d4",
				UID:        "u",
			},
			"pod web-6d4-* was refused: port web-6d4-*.ns is another's",
		},
		"a pod of somebody's own": {
			admission.Refused{
				Operation: admissionv1.Create, Resource: "pods", Kind: "Pod", Namespace: "ns", Name: "p", Why: "taken",
			},
			events.ReasonPodRefused,
			corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Namespace: "ns", Name: "ns"},
			"pod p was refused: taken",
		},
		"a change": {
			admission.Refused{
				Operation: admissionv1.Update, Resource: "pods", SubResource: "status", Kind: "Pod", Namespace: "ns",
				Name: "p", UID: "v", Why: "frozen",
			},
			events.ReasonChangeRefused,
			corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "ns", Name: "p", UID: "v"},
			"a change of the pod was refused: frozen",
		},
		"a Binding": {
			admission.Refused{
				Operation:   admissionv1.Create,
				Resource:    "pods",
				SubResource: "binding",
				Kind:        "Binding",
				Namespace:   "ns",
				Name:        "p",
				Why:         "frozen",
			},
			events.ReasonChangeRefused,
			corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Namespace: "ns", Name: "ns"},
			"binding pod p was refused: frozen",
		},
	}
	for name, c := range cases {
		c.refused.User = "alice"
		got := refusalOf(&c.refused)
		if got.Reason != c.reason || got.Regarding != c.regarding || got.Text != c.text || got.Namespace != "ns" {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.Contains(got.Text, "alice") {
			t.Errorf("%s: %q names the user", name, got.Text)
		}
	}
}

// logged returns lines with a clock that is moved by hand, and the texts that they write.
func logged(now *time.Time) (*lines, *[]string) {
	var out []string
	log := funcr.New(func(_, args string) { out = append(out, args) }, funcr.Options{})
	return newLines(log, func() time.Time { return *now }), &out
}

// A refusal is one line that says all about it.
func TestRefusalIsLogged(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	l, out := logged(&now)
	l.write("guard-pods", &admission.Refused{
		Operation: admissionv1.Create, Resource: "pods", Kind: "Pod", Namespace: "ns", GenerateName: "web-",
		Name: "web-x7k2f", User: "alice", DryRun: true, Checks: []string{"OVGA12"}, Why: "taken\nby nobody",
	})
	if len(*out) != 1 {
		t.Fatalf("%q", *out)
	}
	for _, part := range []string{
		`"check"="OVGA12"`, `"webhook"="guard-pods"`, `"namespace"="ns"`, `"kind"="Pod"`, `"generateName"="web-"`,
		`"user"="alice"`, `"reason"="taken\nby nobody"`, `"dryRun"=true`, `"resource"="pods"`,
	} {
		if !strings.Contains((*out)[0], part) {
			t.Errorf("the line lacks %s: %s", part, (*out)[0])
		}
	}
}

// A flood of refusals does not fill the log, and hides those of no other namespace. The log says how many lines are
// left out.
func TestLogIsNotFlooded(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	l, out := logged(&now)
	long := strings.Repeat("x", 1<<20)
	flood := func(n int) {
		for range n {
			l.write("guard-pods", &admission.Refused{Namespace: "loud", Name: long, User: long, Why: long})
		}
	}
	flood(1000)
	l.write("guard-pods", &admission.Refused{Namespace: "quiet", Name: "p"})
	if n := len(*out); n != linesBurst+1 || !strings.Contains((*out)[n-1], `"namespace"="quiet"`) {
		t.Errorf("%d lines", n)
	}
	for _, line := range *out {
		if len(line) > 4096 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	l.tellLeftOut()
	if last := (*out)[len(*out)-1]; !strings.Contains(last, fmt.Sprintf(`"leftOut"=%d`, 1000-linesBurst)) {
		t.Errorf("the log does not say how many are left out: %s", last)
	}
	before := len(*out)
	if l.tellLeftOut(); len(*out) != before {
		t.Error("the log says twice how many were left out")
	}
	now = now.Add(3 * linesRefill)
	if flood(100); len(*out) != before+3 {
		t.Errorf("%d lines after there was room for 3", len(*out)-before)
	}

	// Nor do many namespaces, and few limiters are kept.
	*out = nil
	for i := range 3 * maxShares {
		l.write("guard-pods", &admission.Refused{Namespace: fmt.Sprint("ns", i)})
	}
	if len(*out) > allLinesBurst || len(l.of) > maxShares {
		t.Errorf("%d lines, %d namespaces", len(*out), len(l.of))
	}
}

// A refusal leaves a line, and an Event where it is about a pod and no dry run; the self-test's pods leave nothing.
func TestRefusalsLeaveTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out []string
		log := funcr.New(func(_, args string) { out = append(out, args) }, funcr.Options{})
		api := fake.NewClientBuilder().WithScheme(scheme.Scheme).Build()
		wrote, err := newWrites(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		kept := books{refused: events.NewRefusals(time.Now), identity: "replica", wrote: wrote}
		r := newRefusals(Options{SelfTestNamespace: "selftest"}, api, kept, log)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if err := r.Start(ctx); err != nil {
				t.Error(err)
			}
		}()
		pod := admission.Refused{
			Operation: admissionv1.Create,
			Resource:  "pods",
			Kind:      "Pod",
			Namespace: "ns",
			Name:      "p",
		}
		dry, tested, vip := pod, pod, pod
		dry.DryRun, dry.Name = true, "dry"
		tested.DryRun, tested.Namespace = true, "selftest"
		vip.Group, vip.Resource, vip.Kind, vip.Name = "kubeovn.io", "vips", "Vip", "v"
		for _, x := range []admission.Refused{pod, dry, tested, vip} {
			r.leave("hook", &x)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		var list eventsv1.EventList
		if err := api.List(ctx, &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 || list.Items[0].Regarding.Name != "ns" ||
			list.Items[0].ReportingInstance != "replica" {
			t.Errorf("Events %+v", list.Items)
		}
		if len(out) != 3 || !strings.Contains(out[2], `"kind"="Vip"`) {
			t.Errorf("lines %q", out)
		}
		for range 2 * linesBurst {
			r.leave("hook", &vip)
		}
		time.Sleep(2 * leftOutEvery)
		synctest.Wait()
		if last := out[len(out)-1]; !strings.Contains(last, `"leftOut"`) {
			t.Errorf("the last line is %s", last)
		}
		cancel()
		synctest.Wait()
	})
}
