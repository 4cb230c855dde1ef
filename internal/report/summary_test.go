package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// Filters select ports and findings; OVG030 is in each namespace.
func TestFilters(t *testing.T) {
	rule := func(id string) audit.Rule {
		rules := audit.Rules()
		return rules[slices.IndexFunc(rules, func(r audit.Rule) bool { return r.ID == id })]
	}
	all := judged(map[string]audit.Result{
		"a.x": {State: audit.Violation, Class: audit.ClassPod, Findings: []audit.Finding{
			{
				Rule: rule("OVG001"), Port: "a.x", Namespace: "x", Pod: "a", Provider: "ovn",
				Evidence: audit.Evidence{Class: audit.ClassPod},
			},
			{
				Rule: rule("OVG005"), Port: "a.x", Namespace: "x", Pod: "a", Provider: "ovn",
				Evidence: audit.Evidence{Class: audit.ClassPod},
			},
		}},
		"b.y": {State: audit.Violation, Class: audit.ClassVM, Findings: []audit.Finding{{
			Rule: rule("OVG003"), Port: "b.y", Namespace: "y", Pod: "b", Provider: "net.y.ovn",
			Evidence: audit.Evidence{Class: audit.ClassVM},
		}}},
		"option": {State: audit.OutOfScope, Findings: []audit.Finding{{Rule: audit.CheckedNowhere}}},
		"node n": {State: audit.OutOfScope, Findings: []audit.Finding{{Rule: rule("OVG022")}}},
	})
	for name, c := range map[string]struct {
		filter Filter
		ports  int
		rules  string
		text   string
	}{
		"all":       {Filter{}, 2, "OVG030 OVG001 OVG003 OVG005 OVG022", ""},
		"namespace": {Filter{Namespace: "x"}, 1, "OVG030 OVG001 OVG005", "--namespace x"},
		"provider":  {Filter{Provider: "net.y.ovn"}, 1, "OVG030 OVG003", "--provider net.y.ovn"},
		"class":     {Filter{Class: audit.ClassVM}, 1, "OVG030 OVG003", "--class vm"},
		"rules":     {Filter{Rules: []string{"OVG003", "OVG022"}}, 2, "OVG003 OVG022", "--rule OVG003,OVG022"},
		"severity":  {Filter{Severity: audit.High}, 2, "OVG030 OVG001 OVG003", "--severity high"},
		"both": {
			Filter{Namespace: "x", Severity: audit.High}, 1, "OVG030 OVG001", "--namespace x --severity high",
		},
	} {
		s := Summarise(all, Options{Filter: c.filter})
		var ids []string
		for _, f := range s.Findings {
			ids = append(ids, f.Rule.ID)
		}
		if got := strings.Join(ids, " "); got != c.rules || s.Total() != c.ports || s.Filter.String() != c.text {
			t.Errorf("%s: %s of %d ports, filter %q", name, got, s.Total(), s.Filter.String())
		}
		counted := 0
		for _, r := range s.Rules {
			counted += r.Findings
		}
		ports := 0
		for _, n := range s.Namespaces {
			counted, ports = counted-n.Findings, ports+n.Ports()
		}
		if counted != 0 || ports != c.ports {
			t.Errorf("%s: tallies %+v and %+v", name, s.Namespaces, s.Rules)
		}
	}
}

func TestProgramOf(t *testing.T) {
	for command, want := range map[string]string{
		"kubectl delete pod a":                        "kubectl",
		"ovn-nbctl lsp-del a":                         "ovn-nbctl",
		"ovn-appctl -t ovn-northd inc-engine/x":       "ovn-appctl",
		"printf %s '{\"a\": 1}' | kubectl apply -f -": "kubectl",
		"kubectl rollout status x && ovn-nbctl set a": "kubectl and ovn-nbctl",
	} {
		if got := programOf(command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

// A finding breaks if it is at least as severe as FailOn.
func TestFailOn(t *testing.T) {
	for _, severity := range audit.Severities() {
		s := Summarise(judged(map[string]audit.Result{"a": {State: audit.Violation, Findings: []audit.Finding{
			{Rule: audit.Rule{ID: "OVG001", Severity: severity}, Port: "a"},
		}}}), Options{})
		if got, want := s.Breaks(), severity != audit.Info; got != want {
			t.Errorf("%s: breaks %t by default", severity, got)
		}
		for _, limit := range append(audit.Severities(), Never) {
			s.FailOn = limit
			if got, want := s.Breaks(), limit != Never && severity.Rank() <= limit.Rank(); got != want {
				t.Errorf("%s with --fail-on %s: %t", severity, limit, got)
			}
		}
	}
}

// Two findings are the same if rule and port are; findings without a port, if their messages are.
func TestCompare(t *testing.T) {
	at := func(id, port, message string) audit.Finding {
		return audit.Finding{Rule: audit.Rule{ID: id, Severity: audit.High}, Port: port, Message: message}
	}
	s := Summarise(judged(map[string]audit.Result{
		"a": {State: audit.Violation, Findings: []audit.Finding{at("OVG001", "a", "now"), at("OVG003", "a", "")}},
		"s": {State: audit.OutOfScope, Findings: []audit.Finding{at("OVG018", "", "set 1"), at("OVG018", "", "set 2")}},
	}), Options{Filter: Filter{Severity: audit.High}})
	info := at("OVG024", "", "is left out")
	info.Rule.Severity = audit.Info
	s.Compare("file", Earlier{Filter: Filter{Namespace: "x"}, Findings: []audit.Finding{
		at("OVG001", "a", "then"), at("OVG001", "b", ""), at("OVG018", "", "set 1"), at("OVG018", "", "set 3"), info,
	}})
	text := func(findings []audit.Finding) (words []string) {
		for _, f := range findings {
			words = append(words, f.Rule.ID+" "+f.Port+f.Message)
		}
		return words
	}
	if diff := cmp.Diff([]string{"OVG003 a", "OVG018 set 2"}, text(s.Changes.Came)); diff != "" {
		t.Errorf("came (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"OVG001 b", "OVG018 set 3"}, text(s.Changes.Went)); diff != "" {
		t.Errorf("went (-want +got):\n%s", diff)
	}
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "file was made with --namespace x") {
		t.Errorf("notes %q", s.Notes)
	}
	for _, bad := range []string{
		"", "hello", "[]", "{}", `{"findings":[]}`, `{"apiVersion":"report.ovnguard.io/v9","ports":{},"findings":[]}`,
		`{"kind":"RuleList","ports":{},"findings":[]}`, `{"time":"soon","ports":{},"findings":[]}`,
	} {
		if _, err := Read([]byte(bad)); err == nil {
			t.Errorf("%q is read as a report", bad)
		}
	}
	if _, err := Read([]byte(`{"ports":{"compliant":1},"findings":[],"unknown":{},"notes":[]}`)); err != nil {
		t.Errorf("a report from before there were versions: %v", err)
	}
}
