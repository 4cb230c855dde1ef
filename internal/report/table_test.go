package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/audit"
)

func summary() Summary {
	rules := audit.Rules()
	return Summarise(map[string]audit.Result{
		"a.ns": {State: audit.Compliant},
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
		"d.ns":   {State: audit.Unknown, Why: "no identity"},
		"router": {State: audit.OutOfScope},
	}, []string{"a note"})
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, summary()); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"note: a note", "4 ports: 1 compliant, 2 violation, 1 unknown; 3 findings", "  fix " +
		"1\n"} {
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
	if err := Table(&out, Summarise(nil, nil)); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "0 ports: 0 compliant, 0 violation, 0 unknown; 0 findings\n"; got != want {
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
