package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// Every rule and every check is listed, and has a page.
func TestRules(t *testing.T) {
	isolate(t)
	_, table, _ := runMain("rules")
	_, text, _ := runMain("rules", "-o", "json")
	var list ruleList
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Rules) != len(audit.Rules()) || len(list.Checks) != len(admission.Checks) || list.Kind != "RuleList" {
		t.Errorf("%d rules, %d checks", len(list.Rules), len(list.Checks))
	}
	for _, r := range append(list.Rules, list.Checks...) {
		for _, word := range []string{r.ID, r.Name, r.Summary, string(r.Severity), r.Mode} {
			if !strings.Contains(table, word) {
				t.Errorf("%s: the table lacks %q", r.ID, word)
			}
		}
		code, page, errs := runMain("rules", strings.ToLower(r.ID))
		if code != exitOK || !strings.Contains(page, "### "+r.ID+" "+r.Name) || strings.Count(page, "\n") < 2 {
			t.Errorf("%s: exit code %d\n%s%s", r.ID, code, page, errs)
		}
		var one listedRule
		if _, text, _ := runMain(
			"rules",
			r.ID,
			"-o",
			"json",
		); json.Unmarshal([]byte(text), &one) != nil ||
			one.Page != page {
			t.Errorf("%s: the page in JSON is %q", r.ID, one.Page)
		}
	}
}

func TestRulesWrongUsage(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"OVG3"}, []string{`"OVG3"`, "OVG003", "`ovnguard rules` lists all"}},
		{[]string{"OVGA9"}, []string{`"OVGA9"`, "OVGA09"}},
		{[]string{"something"}, []string{`"something"`, "`ovnguard rules` lists all"}},
		{[]string{""}, []string{`""`}},
		{[]string{"OVG001", "OVG002"}, []string{"2"}},
		{[]string{"-o", "xml"}, []string{"--output", `"xml"`, "table, wide, json"}},
	} {
		code, out, errs := runMain(append([]string{"rules"}, c.args...)...)
		if code != exitUsage || out != "" {
			t.Errorf("%q: exit code %d\n%s", c.args, code, out)
		}
		for _, part := range c.says {
			if !strings.Contains(errs, part) {
				t.Errorf("%q: %q is missing from %q", c.args, part, errs)
			}
		}
	}
}
