package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// judged returns results, with pod and provider from their findings and permissions.
func judged(results map[string]audit.Result) (out []Judged) {
	for _, name := range slices.Sorted(maps.Keys(results)) {
		j := Judged{Verdict: monitor.Verdict{Port: name, Result: results[name]}}
		for _, f := range j.Findings {
			j.Pod = inventory.PodKey{Namespace: f.Namespace, Name: f.Pod}
			j.Provider, j.Class = f.Provider, f.Evidence.Class
		}
		for i := range j.Permitted {
			j.Pod = inventory.PodKey{Namespace: j.Permitted[i].Namespace, Name: j.Permitted[i].Pod}
			j.Provider = j.Permitted[i].Provider
		}
		out = append(out, j)
	}
	return out
}

func summary() Summary {
	rules := audit.Rules()
	return Summarise(judged(map[string]audit.Result{
		"a.ns": {State: audit.Compliant, Permitted: []audit.Permission{
			allowed("a.ns", "a", audit.PermittedExtended, policy.FromException, "router"),
			allowed("a.ns", "a", audit.PermittedForwarding, policy.FromException, "router"),
		}},
		"b.ns": {State: audit.Violation, Findings: []audit.Finding{
			{Rule: rules[4], Port: "b.ns", Namespace: "ns", Pod: "b", Provider: "ovn", Message: "third", Fix: "fix 1"},
		}},
		"c.ns": {State: audit.Violation, Findings: []audit.Finding{
			{
				Rule:      rules[0],
				Port:      "c.ns",
				Namespace: "ns",
				Pod:       "c",
				Provider:  "ovn",
				Message:   "second\x1b[2J\nforged line",
				Fix:       "fix 1",
			},
			{Rule: rules[1], Port: "c.ns", Namespace: "ns", Pod: "c", Provider: "ovn", Message: "first"},
		}},
		"d.ns": {State: audit.Unknown, Why: "no identity", Permitted: []audit.Permission{
			allowed("d.ns", "d", audit.PermittedOpen, policy.FromNamespace, "ovn.kubernetes.io/port_security"),
		}},
		"router": {State: audit.OutOfScope},
	}), Options{Notes: []string{"a note"}})
}

// allowed returns a permission of a pod's port in namespace ns.
func allowed(port, pod string, level audit.PermittedLevel, from policy.Source, name string) audit.Permission {
	return audit.Permission{
		Level: level, By: []audit.Permitter{{Source: from, Name: name}},
		Port: port, Namespace: "ns", Pod: pod, Provider: "ovn",
	}
}

// written returns the output of a writer.
func written(t *testing.T, write Writer, s Summary) string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Permissions stand before the findings, the loosest first.
func TestPermitted(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, summary()); err != nil {
		t.Fatal(err)
	}
	want := `
open or widened by permission:
  LEVEL       PORTS  NAMESPACE  BY
  open        1      ns         namespace's ovn.kubernetes.io/port_security
  extended    1      ns         PortSecurityException router
  forwarding  1      ns         PortSecurityException router
`
	if !strings.Contains(out.String(), want) {
		t.Errorf("%q is missing from\n%s", want, out.String())
	}

	// Of many groups the table has the first, and says how many more there are; -o json has all.
	results := make(map[string]audit.Result)
	for i := range 50 {
		name := fmt.Sprint("p", i)
		results[name] = audit.Result{State: audit.Compliant, Permitted: []audit.Permission{
			allowed(name, name, audit.PermittedMAC, policy.FromException, name),
		}}
	}
	out.Reset()
	if err := Table(&out, Summarise(judged(results), Options{})); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"and 30 more lines; -o wide lists them", "; 50 open or widened by permission"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing from\n%s", part, out.String())
		}
	}
	if n := strings.Count(out.String(), "PortSecurityException"); n != maxLines {
		t.Errorf("%d lines, want %d", n, maxLines)
	}
	out.Reset()
	if err := JSON(&out, Summarise(judged(results), Options{})); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Findings  []any
		Permitted []struct {
			Level, Port, Namespace, Pod, Provider string
			By                                    []struct{ Source, Name string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Findings) != 0 || len(doc.Permitted) != 50 {
		t.Fatalf("%d findings, %d permitted", len(doc.Findings), len(doc.Permitted))
	}
	if p := doc.Permitted[0]; p.Level != "mac" || p.Port != "p0" || p.Namespace != "ns" || p.Pod != "p0" ||
		p.Provider != "ovn" || len(p.By) != 1 || p.By[0].Source != "exception" || p.By[0].Name != "p0" {
		t.Errorf("%+v", p)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, summary()); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"note: a note", "4 ports: 1 compliant, 2 violation, 1 unknown; 3 findings; " +
		"2 open or widened by permission", "  fix 1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") || strings.Contains(text, "\nforged") {
		t.Errorf("control characters reach the terminal:\n%q", text)
	}
	if strings.Count(text, "fix 1") != 1 {
		t.Errorf("one fix is given more than once:\n%s", text)
	}
	first, second, third := strings.Index(text, "first"), strings.Index(text, "second"), strings.Index(text, "third")
	if first < 0 || first > second || second > third {
		t.Errorf("not ordered by severity, then rule:\n%s", text)
	}
}

func TestTableClean(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, Summarise(nil, Options{})); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "0 ports: 0 compliant, 0 violation, 0 unknown; 0 findings; "+
		"0 open or widened by permission\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := JSON(&out, summary()); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Ports    map[string]int
		Findings []struct {
			Rule, Message string
			Evidence      struct{ PortSecurity, Addresses []string }
		}
		Unknown map[string]string
		Notes   []string
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Findings) != 3 || doc.Ports["violation"] != 2 || doc.Unknown["d.ns"] != "no identity" ||
		len(doc.Notes) != 1 {
		t.Errorf("got %s", out.String())
	}
	if doc.Findings[0].Evidence.PortSecurity == nil {
		t.Errorf("an empty column must be [] and not null: %s", out.String())
	}
}
