package status

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

var testTime = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func verdict(namespace, pod, policyName string, state audit.State, exceptions ...string) monitor.Verdict {
	return monitor.Verdict{
		Port: pod + "." + namespace, Pod: inventory.PodKey{Namespace: namespace, Name: pod}, PodUID: "u",
		Result: audit.Result{State: state}, Policy: policyName, Exceptions: exceptions,
	}
}

// Whatever happens, the book has the last verdicts and nothing else.
func TestBookAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, last := NewBook(), make(map[string]monitor.Verdict)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			v := verdict(
				rapid.SampledFrom([]string{"a", "b"}).
					Draw(t, "namespace"),
				rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "pod"),
				rapid.SampledFrom([]string{"", "tight", "loose"}).Draw(t, "policy"),
				rapid.SampledFrom([]audit.State{"", audit.Compliant, audit.Violation, audit.Unknown, audit.OutOfScope}).
					Draw(t, "state"),
				rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y"}), 0, 2, rapid.ID[string]).
					Draw(t, "exceptions")...,
			)
			if rapid.IntRange(0, 4).Draw(t, "no pod") == 0 {
				v.Pod, v.PodUID, v.Policy, v.Exceptions = inventory.PodKey{}, "", "", nil
			}
			b.Judged(last[v.Port], v)
			last[v.Port] = v
		}
		for _, name := range []string{"", "tight", "loose"} {
			var want Decided
			namespaces := make(map[string]bool)
			for _, v := range last {
				if v.Policy == name && v.Counts() && v.Pod.Name != "" {
					want.Ports++
					namespaces[v.Pod.Namespace] = true
					if v.State == audit.Violation {
						want.Violations++
					}
				}
			}
			want.Namespaces = len(namespaces)
			if got := b.Policy(name); got != want {
				t.Fatalf("policy %q decides %+v, want %+v", name, got, want)
			}
		}
		for _, key := range []Key{{"a", "x"}, {"a", "y"}, {"b", "x"}, {"b", "y"}} {
			var want []string
			for port, v := range last {
				if v.Counts() && v.Pod.Namespace == key.Namespace && slices.Contains(v.Exceptions, key.Name) {
					want = append(want, port)
				}
			}
			slices.Sort(want)
			if got := b.Exception(
				key,
			); got.Count != len(want) || !slices.Equal(got.First, want) ||
				b.Used(key) != (len(want) > 0) {
				t.Fatalf("exception %v changes %+v, want %q", key, got, want)
			}
		}
	})
}

func TestManyPorts(t *testing.T) {
	b := NewBook()
	for i := range 100 {
		b.Judged(monitor.Verdict{}, verdict("a", fmt.Sprintf("p%02d", 99-i), "p", audit.Compliant, "x"))
	}
	if m := b.Exception(Key{"a", "x"}); m.Count != 100 || len(m.First) != maxPorts || m.First[0] != "p00.a" {
		t.Errorf("%+v", m)
	}
}

// honouring returns a policy that lets exceptions in namespace a count.
func honouring(change func(*v1alpha1.PortSecurityPolicy)) *v1alpha1.PortSecurityPolicy {
	p := &v1alpha1.PortSecurityPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "honouring", UID: "policy", Generation: 3},
		Spec:       v1alpha1.PortSecurityPolicySpec{Exceptions: &v1alpha1.ExceptionRules{Namespaces: []string{"a"}}},
	}
	if change != nil {
		change(p)
	}
	return p
}

func exception(change func(*v1alpha1.PortSecurityException)) *v1alpha1.PortSecurityException {
	e := &v1alpha1.PortSecurityException{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         "a",
			Name:              "x",
			UID:               "exception",
			Generation:        7,
			CreationTimestamp: metav1.NewTime(testTime.Add(-time.Hour)),
		},
		Spec: v1alpha1.PortSecurityExceptionSpec{
			Target: v1alpha1.Target{PodSelector: &metav1.LabelSelector{}},
			Grant:  v1alpha1.Grant{Pairs: []v1alpha1.AddressPair{{Prefix: "10.20.0.0/24"}}},
			Reason: "for a reason", Owner: "us", ExpiresAt: metav1.NewTime(testTime.Add(time.Hour)),
		},
	}
	if change != nil {
		change(e)
	}
	return e
}

func standing(e *v1alpha1.PortSecurityException, now time.Time, policies ...*v1alpha1.PortSecurityPolicy) Standing {
	compiled := kube.ExceptionOf(e)
	var list []policy.Policy
	for _, p := range policies {
		list = append(list, kube.PolicyOf(p))
	}
	policy.SortPolicies(list)
	return StandingOf(&compiled, list, policy.Namespace{Name: "a"}, now)
}

func TestStanding(t *testing.T) {
	approval := honouring(
		func(p *v1alpha1.PortSecurityPolicy) { p.Name, p.Spec.Exceptions.RequireApproval = "approval", true },
	)
	other := honouring(
		func(p *v1alpha1.PortSecurityPolicy) { p.Name, p.Spec.Providers = "other", []string{"blue.a.ovn"} },
	)
	for name, c := range map[string]struct {
		e        *v1alpha1.PortSecurityException
		policies []*v1alpha1.PortSecurityPolicy
		at       time.Time
		want     policy.Reason
		from     string
	}{
		"counts": {
			exception(nil), []*v1alpha1.PortSecurityPolicy{honouring(nil)}, testTime, policy.InEffect, "honouring",
		},
		"no policy": {exception(nil), nil, testTime, policy.NamespaceNotNamed, ""},
		"its end": {
			exception(nil),
			[]*v1alpha1.PortSecurityPolicy{honouring(nil)},
			testTime.Add(time.Hour), policy.Expired,
			"honouring",
		},
		"not approved": {
			exception(nil), []*v1alpha1.PortSecurityPolicy{approval}, testTime, policy.NotApproved, "approval",
		},
		"for some NIC only": {exception(nil), []*v1alpha1.PortSecurityPolicy{other}, testTime, policy.InEffect, "other"},
		"too wide": {
			exception(func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs[0].Prefix = "10.0.0.0/8" }),
			[]*v1alpha1.PortSecurityPolicy{honouring(nil)},
			testTime, policy.PrefixTooWide, "honouring",
		},
		"unreadable": {
			exception(func(e *v1alpha1.PortSecurityException) { e.Spec.Grant.Pairs[0].Prefix = "10.20.0.7/24" }),
			[]*v1alpha1.PortSecurityPolicy{honouring(nil)},
			testTime, policy.Unreadable, "honouring",
		},
		"begins later": {
			exception(
				func(e *v1alpha1.PortSecurityException) {
					e.Spec.NotBefore = new(metav1.NewTime(testTime.Add(time.Minute)))
				},
			),
			[]*v1alpha1.PortSecurityPolicy{honouring(nil)},
			testTime, policy.NotYet, "honouring",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := standing(c.e, c.at, c.policies...)
			if got.Reason != c.want || got.Policy != c.from || (got.Why == "") != (c.want == policy.InEffect) {
				t.Errorf("%+v, want %s from %q", got, c.want, c.from)
			}
			if !slices.Contains(Reasons(), got.Reason) {
				t.Errorf("%s is not among the reasons that are counted", got.Reason)
			}
		})
	}
}

// conditions returns type, status and reason of each.
func conditions(list []metav1.Condition) []string {
	var out []string
	for _, c := range list {
		out = append(out, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
	}
	return out
}

// The life of an exception: it is used, then it is not, then it ends.
func TestExceptionStatus(t *testing.T) {
	e := exception(nil)
	step := func(at time.Time, m Matched, want ...string) v1alpha1.PortSecurityExceptionStatus {
		t.Helper()
		e.Status = OfException(e, standing(e, at, honouring(nil)), m, at)
		if diff := cmp.Diff(want, conditions(e.Status.Conditions)); diff != "" {
			t.Errorf("at %s: -want +got\n%s", at, diff)
		}
		if e.Status.ObservedGeneration != 7 || e.Status.MatchedPorts != int32(m.Count) ||
			e.Status.Policy != "honouring" {
			t.Errorf("at %s: %+v", at, e.Status)
		}
		return e.Status
	}
	two := Matched{2, []string{"p.a", "q.a"}}
	first := step(testTime, two, "InEffect=True InEffect", "Used=True PortsMatched")
	if !first.LastMatched.Time.Equal(testTime) ||
		!strings.Contains(first.Conditions[0].Message, "2030-01-01T13:00:00Z") {
		t.Errorf("%+v", first)
	}
	if again := step(
		testTime.Add(time.Minute),
		two,
		"InEffect=True InEffect",
		"Used=True PortsMatched",
	); !cmp.Equal(
		first,
		again,
	) {
		t.Errorf("nothing changed: %s", cmp.Diff(first, again))
	}
	idle := step(testTime.Add(2*time.Minute), Matched{}, "InEffect=True InEffect", "Used=False NoPortMatches")
	if !idle.LastMatched.Time.Equal(testTime.Add(2*time.Minute)) || len(idle.Ports) > 0 {
		t.Errorf("it was last used when it ceased to be: %+v", idle)
	}
	over := step(testTime.Add(time.Hour), Matched{}, "InEffect=False Expired", "Used=False NoPortMatches")
	if since := over.Conditions[1].LastTransitionTime; !since.Time.Equal(testTime.Add(2 * time.Minute)) {
		t.Errorf("not used since %s", since)
	}
	if !over.Conditions[0].LastTransitionTime.Time.Equal(testTime.Add(time.Hour)) || over.Conditions[0].Message == "" {
		t.Errorf("%+v", over.Conditions[0])
	}
}

// An exception that is in use says so at least every hour.
func TestLastMatchedIsRefreshed(t *testing.T) {
	e := exception(nil)
	m := Matched{1, []string{"p.a"}}
	for _, c := range []struct{ at, want time.Duration }{{0, 0}, {59 * time.Minute, 0}, {time.Hour, time.Hour}} {
		e.Status = OfException(e, standing(e, testTime, honouring(nil)), m, testTime.Add(c.at))
		if got := e.Status.LastMatched.Time; !got.Equal(testTime.Add(c.want)) {
			t.Errorf("after %s it was last matched at %s", c.at, got)
		}
	}
}

func TestPolicyStatus(t *testing.T) {
	o := honouring(func(p *v1alpha1.PortSecurityPolicy) { p.Spec.Exceptions.TicketPattern = "(" })
	p := kube.PolicyOf(o)
	s := OfPolicy(o, &p, Decided{Ports: 5, Violations: 2, Namespaces: 3}, nil, testTime)
	if s.MatchedPorts != 5 || s.Violations != 2 || s.MatchedNamespaces != 3 || s.ObservedGeneration != 3 {
		t.Errorf("%+v", s)
	}
	if c := s.Conditions[0]; c.Type != v1alpha1.ConditionAccepted || c.Status != metav1.ConditionFalse ||
		!strings.Contains(c.Message, "ticketPattern") {
		t.Errorf("%+v", c)
	}
	o = honouring(nil)
	o.Status = s
	p = kube.PolicyOf(o)
	if diff := cmp.Diff(
		[]string{"Accepted=True Accepted"},
		conditions(OfPolicy(o, &p, Decided{}, nil, testTime).Conditions),
	); diff != "" {
		t.Error(diff)
	}
	for want, shadow := range map[string]policy.Shadow{
		"Decides=True Decides":       {Decides: true},
		"Decides=True DecidesPartly": {Decides: true, By: []string{"a"}},
		"Decides=False Shadowed":     {By: []string{"a", "b"}},
		"Decides=False NoNamespace":  {},
	} {
		got := OfPolicy(o, &p, Decided{}, &shadow, testTime).Conditions
		if diff := cmp.Diff([]string{"Accepted=True Accepted", want}, conditions(got)); diff != "" {
			t.Error(diff)
		}
		if message := got[1].Message; len(shadow.By) > 0 && !strings.Contains(message, "a") {
			t.Errorf("the message names nobody: %s", message)
		}
	}
}

func TestTally(t *testing.T) {
	inv := inventory.New()
	inv.SetNamespace(policy.Namespace{Name: "a"})
	inv.SetPolicy(kube.PolicyOf(honouring(nil)))
	for name, end := range map[string]time.Duration{
		"soon": 30 * time.Minute, "later": 30 * time.Hour, "over": -time.Second,
	} {
		inv.SetException(kube.ExceptionOf(exception(func(e *v1alpha1.PortSecurityException) {
			e.Name, e.Spec.ExpiresAt = name, metav1.NewTime(testTime.Add(end))
		})))
	}
	got := TallyOf(inv.Snapshot(), func(k Key) bool { return k.Name == "soon" }, testTime)
	if got.ByReason[policy.InEffect] != 2 || got.ByReason[policy.Expired] != 1 || len(got.ByReason) != len(Reasons()) ||
		got.Unused != 1 ||
		got.Next != 30*time.Minute {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(map[string]int{"1h": 1, "24h": 1, "168h": 2}, got.Ending); diff != "" {
		t.Error(diff)
	}
}

// The writer writes changes and nothing else; numbers that change often are written now and then.
func TestWriter(t *testing.T) {
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(honouring(nil), exception(nil)).
		WithStatusSubresource(&v1alpha1.PortSecurityPolicy{}, &v1alpha1.PortSecurityException{}).Build()
	now, writes := testTime, 0
	w := &Writer{
		Cache: c, Client: c, Book: NewBook(), Log: logr.Discard(), Now: func() time.Time { return now },
		Namespace:  func(name string) policy.Namespace { return policy.Namespace{Name: name} },
		Namespaces: func() []policy.Namespace { return []policy.Namespace{{Name: "a"}} },
		Standing:   inventory.New().Standing,
		Wrote: func(err error) {
			if err != nil {
				t.Error(err)
			}
			writes++
		},
	}
	look := func(pass time.Duration, want int) {
		t.Helper()
		now = now.Add(pass)
		if err := w.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if writes != want {
			t.Errorf("%d writes, want %d", writes, want)
		}
	}
	look(0, 2)
	look(time.Second, 2)
	var e v1alpha1.PortSecurityException
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "a", Name: "x"}, &e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		[]string{"InEffect=True InEffect", "Used=False NoPortMatches"},
		conditions(e.Status.Conditions),
	); diff != "" {
		t.Error(diff)
	}
	for i := range 5 { // ports come one by one
		w.Book.Judged(monitor.Verdict{}, verdict("a", fmt.Sprint("p", i), "honouring", audit.Compliant, "x"))
		look(100*time.Millisecond, 3) // its use is written at once, the number of ports later
	}
	look(settle, 5)
	look(time.Hour, 6) // the exception has ended
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(&e), &e); err != nil {
		t.Fatal(err)
	}
	if e.Status.MatchedPorts != 5 || conditions(e.Status.Conditions)[0] != "InEffect=False Expired" {
		t.Errorf("%+v", e.Status)
	}
}
