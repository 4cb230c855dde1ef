package openreports

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// verdict returns the verdict on a port of the pod in the namespace; no pod claims the port where the namespace is
// Cluster.
func verdict(namespace, pod string, rules ...int) monitor.Verdict {
	v := monitor.Verdict{Port: pod + "." + namespace, Result: audit.Result{State: audit.Compliant}}
	if namespace != Cluster {
		v.Pod, v.PodUID = inventory.PodKey{Namespace: namespace, Name: pod}, "uid-"+pod
	}
	for _, i := range rules {
		rule := audit.Rules()[i]
		v.State = audit.Violation
		v.Findings = append(v.Findings, audit.Finding{
			Rule:      rule,
			Port:      v.Port,
			Namespace: v.Pod.Namespace,
			Pod:       v.Pod.Name,
			Provider:  "ovn",
			Message:   "is " + rule.Name,
			Fix:       "mend " + v.Port,
		})
	}
	return v
}

// nothing returns the verdict on a port that is not known.
func nothing(v monitor.Verdict) monitor.Verdict { return monitor.Verdict{Port: v.Port} }

func policies(failures []Failure) []string {
	var out []string
	for _, f := range failures {
		out = append(out, f.Rule.ID+" "+f.Port)
	}
	return out
}

func TestBook(t *testing.T) {
	b := NewBook()
	good, open, worse := verdict("a", "p"), verdict("a", "p", 0), verdict("a", "q", 0, 1)
	b.Judged(monitor.Verdict{}, good)
	if got := b.Changed(); len(got) > 0 {
		t.Errorf("%q changed though nothing was found", got)
	}
	b.Judged(good, open)
	b.Judged(monitor.Verdict{}, worse)
	b.Judged(monitor.Verdict{}, verdict("b", "p", 4))
	b.Judged(monitor.Verdict{}, verdict(Cluster, "ghost", 5))
	if diff := cmp.Diff([]string{"", "a", "b"}, b.Changed()); diff != "" {
		t.Errorf("changed: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"OVG002 q.a", "OVG001 p.a", "OVG001 q.a"}, policies(b.Failures("a"))); diff != "" {
		t.Errorf("the worst first: -want +got\n%s", diff)
	}
	b.Judged(open, open)
	if got := b.Changed(); len(got) > 0 {
		t.Errorf("%q changed though the same was found again", got)
	}
	b.Judged(worse, nothing(worse))
	b.Judged(open, good)
	if diff := cmp.Diff([]string{"a"}, b.Changed()); diff != "" {
		t.Errorf("changed: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "b"}, b.Namespaces()); diff != "" {
		t.Errorf("namespaces: -want +got\n%s", diff)
	}
}

// A finding that is only worth knowing is no failure.
func TestWorthKnowing(t *testing.T) {
	b := NewBook()
	v := verdict("a", "p", 0)
	known := v.Findings[0]
	known.Rule.Severity = audit.Info
	v.Findings = append([]audit.Finding{known}, v.Findings...)
	b.Judged(monitor.Verdict{}, v)
	if got := b.Failures("a"); len(got) != 1 || got[0].Rule.Severity == audit.Info || len(v.Findings) != 2 {
		t.Errorf("failures %v of %d findings", got, len(v.Findings))
	}
	fine := verdict("b", "p")
	fine.Findings = []audit.Finding{known}
	if b.Judged(monitor.Verdict{}, fine); len(b.Failures("b")) > 0 {
		t.Errorf("failures %v", b.Failures("b"))
	}
}

// The text of a finding may change while it lasts.
func TestEvidenceChanges(t *testing.T) {
	b := NewBook()
	before, after := verdict("a", "p", 2), verdict("a", "p", 2)
	after.Findings[0].Message = "is wider still"
	b.Judged(monitor.Verdict{}, before)
	b.Changed()
	b.Judged(before, after)
	if got := b.Changed(); len(got) != 1 || b.Failures("a")[0].Message != "is wider still" {
		t.Errorf("changed %q, failures %v", got, b.Failures("a"))
	}
}

// Whatever happens, the book has the last verdicts and nothing else.
func TestBookAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBook()
		last := make(map[string]monitor.Verdict)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			v := verdict(
				rapid.SampledFrom([]string{"a", "b", Cluster}).
					Draw(t, "namespace"),
				rapid.SampledFrom([]string{"p", "q"}).Draw(t, "pod"),
				rapid.SliceOfNDistinct(rapid.IntRange(0, 4), 0, 3, rapid.ID[int]).Draw(t, "rules")...,
			)
			before := last[v.Port]
			if rapid.Bool().Draw(t, "gone") {
				v = nothing(v)
			}
			b.Judged(before, v)
			last[v.Port] = v
		}
		want := make(map[string]int)
		for _, v := range last {
			for range v.Findings {
				want[v.Pod.Namespace]++
			}
		}
		got := make(map[string]int)
		for _, namespace := range b.Namespaces() {
			got[namespace] = len(b.Failures(namespace))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("findings by namespace: -want +got\n%s", diff)
		}
	})
}

func failures(n int) []Failure {
	b := NewBook()
	for i := range n {
		b.Judged(monitor.Verdict{}, verdict("a", fmt.Sprintf("p%04d", i), 0))
	}
	return b.Failures("a")
}

func TestReportIsBounded(t *testing.T) {
	list := failures(3 * MaxResults)
	list[0].Message = strings.Repeat("€", textLimit)
	list[0].Fix = strings.Repeat("x", textLimit+1)
	o, changed := Object("a", list, nil, time.Unix(5, 0))
	r := o.(*reportsv1alpha1.Report)
	if !changed || len(r.Results) != MaxResults || r.Summary.Fail != 3*MaxResults ||
		r.Annotations[LeftOut] != strconv.Itoa(2*MaxResults) {
		t.Errorf("%d results, %d failures, %q left out", len(r.Results), r.Summary.Fail, r.Annotations[LeftOut])
	}
	if got := len(r.Results[0].Description); got > textLimit || got < textLimit-8 {
		t.Errorf("a text of %d bytes", got)
	}
	if fix, there := r.Results[0].Properties[propertyFix]; there {
		t.Errorf("half a command: %s", fix)
	}
	// When there is room again, the rest is reported, and the annotation goes.
	o, changed = Object("a", list[:2], r, time.Unix(9, 0))
	r = o.(*reportsv1alpha1.Report)
	if !changed || len(r.Results) != 2 || len(r.Annotations) > 0 {
		t.Errorf("%d results, annotations %v", len(r.Results), r.Annotations)
	}
}

// A result keeps the time of its first report, and a report with the same content is not written again.
func TestReportChangesOnlyWhenItMust(t *testing.T) {
	first, _ := Object("a", failures(2), nil, time.Unix(5, 0))
	if same, changed := Object("a", failures(2), first, time.Unix(9, 0)); changed {
		t.Errorf("changed: %s", cmp.Diff(first, same))
	}
	o, changed := Object("a", failures(3), first, time.Unix(9, 0))
	var times []int64
	for _, r := range o.(*reportsv1alpha1.Report).Results {
		times = append(times, r.Timestamp.Seconds)
	}
	if diff := cmp.Diff([]int64{5, 5, 9}, times); diff != "" || !changed {
		t.Errorf("changed %v, times: -want +got\n%s", changed, diff)
	}
}

// A user who changes the label keeps the report: it is theirs then.
func TestOurs(t *testing.T) {
	o, _ := Object(Cluster, failures(1), nil, time.Unix(5, 0))
	if _, cluster := o.(*reportsv1alpha1.ClusterReport); !cluster || !Ours(o) {
		t.Errorf("%T of labels %v is not ours", o, o.GetLabels())
	}
	for _, spoil := range []func(client.Object){
		func(o client.Object) { o.SetLabels(map[string]string{Label: "kyverno"}) },
		func(o client.Object) { o.SetName("other") },
	} {
		o, _ := Object("a", failures(1), nil, time.Unix(5, 0))
		if spoil(o); Ours(o) {
			t.Errorf("%s with labels %v is not ours", o.GetName(), o.GetLabels())
		}
	}
}
