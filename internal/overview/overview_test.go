package overview

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// rule returns a rule of that severity.
func rule(id string, s audit.Severity) audit.Rule { return audit.Rule{ID: id, Name: "n", Severity: s} }

func TestSum(t *testing.T) {
	high := func(namespace string) audit.Finding {
		return audit.Finding{Rule: rule("H", audit.High), Namespace: namespace}
	}
	of := func(namespace string, r audit.Result) monitor.Verdict {
		return monitor.Verdict{Pod: inventory.PodKey{Namespace: namespace}, Result: r}
	}
	p := Picture{Verdicts: []monitor.Verdict{
		of("a", audit.Result{State: audit.Compliant, Class: audit.ClassPod}),
		of("b", audit.Result{State: audit.Violation, Class: audit.ClassPod, Open: true, Findings: []audit.Finding{
			high("b"), {Rule: rule("L", audit.Low), Namespace: "b"},
		}}),
		of("b", audit.Result{State: audit.Unknown, Class: audit.ClassPod}),
		of("", audit.Result{State: audit.OutOfScope, Class: audit.ClassRouter}),
		// What is no port counts with its findings alone.
		of("", audit.Result{State: audit.OutOfScope, Findings: []audit.Finding{{Rule: rule("C", audit.Critical)}}}),
		of("a", audit.Result{State: audit.Violation, Findings: []audit.Finding{
			high("a"), {Rule: rule("H", audit.Critical), Namespace: "a"},
		}}),
	}}
	total, by, actions := p.Sum()
	b := Namespace{Name: "b", Counts: Counts{Open: 1, Unknown: 1}, Urgent: 1}
	if diff := cmp.Diff(Counts{Protected: 1, Open: 1, Unknown: 1, OutOfScope: 1}, total); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Namespace{b, {Name: "a", Counts: Counts{Protected: 1}, Urgent: 2}}, by); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Action{
		{Rule: "H", Name: "n", Severity: "critical", Findings: 3, Namespaces: 2},
		{Rule: "C", Name: "n", Severity: "critical", Findings: 1},
	}, actions); diff != "" {
		t.Error(diff)
	}
	p.Only = "b"
	total, by, actions = p.Sum()
	if diff := cmp.Diff(
		[]Namespace{b},
		by,
	); diff != "" || total != b.Counts || len(actions) != 1 ||
		total.Total() != 2 {
		t.Errorf("%s %+v %+v", diff, total, actions)
	}
}

func TestPoliciesAndNodes(t *testing.T) {
	inv := inventory.New()
	team := func(labels map[string]string) bool { return labels["team"] != "" }
	inv.SetPolicy(policy.Policy{Name: "warns", Mode: policy.Warn, Namespaces: team})
	inv.SetException(policy.Exception{Namespace: "a", Name: "e"})
	inv.SetNamespace(policy.Namespace{Name: "a"})
	inv.SetNamespace(policy.Namespace{Name: "b", Labels: map[string]string{"team": "x"}})
	inv.SetOVN(portsec.OVN{Version: "23.03.1"})
	inv.SetChassis(inventory.Chassis{UUID: "u", Name: "c", Host: "node1"})
	s := inv.Snapshot()
	want := Policies{Total: 1, Modes: map[string]int{"warn": 1}, Exceptions: 1, Namespaces: 2, Enforcing: 1}
	if diff := cmp.Diff(want, PoliciesOf(s, "")); diff != "" {
		t.Error(diff)
	}
	want = Policies{Total: 1, Modes: map[string]int{"warn": 1}, Namespaces: 1}
	if diff := cmp.Diff(want, PoliciesOf(s, "b")); diff != "" {
		t.Error(diff)
	}
	if got := NodesOf(s); len(got) != 1 || got[0].Name != "node1" || len(got[0].Eras) == 0 {
		t.Errorf("%+v", got)
	}
}
