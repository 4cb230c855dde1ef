package audit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// result returns a result with findings of these rules.
func result(state State, ids ...string) Result {
	r := Result{State: state}
	for _, id := range ids {
		for _, rule := range Rules() {
			if rule.ID == id {
				r.Findings = append(r.Findings, Finding{Rule: rule})
			}
		}
	}
	return r
}

func TestLasting(t *testing.T) {
	earlier := map[string]Result{
		"goes":   result(Violation, "OVG006"),
		"lasts":  result(Violation, "OVG006"),
		"mended": result(Violation, "OVG006", "OVG001"),
		"other":  result(Violation, "OVG007"),
		"kept":   {State: OutOfScope, Why: "kept"},
	}
	later := map[string]Result{
		"lasts":  result(Violation, "OVG006"),
		"mended": result(Compliant),
		"other":  result(Violation, "OVG006"),
		"new":    result(Violation, "OVG007"),
		"both":   result(Violation, "OVG001", "OVG007"),
		"kept":   {State: OutOfScope, Why: "kept"},
	}
	want := map[string]Result{
		"lasts":  result(Violation, "OVG006"),
		"mended": result(Compliant),
		"other":  {State: Unknown, Why: notYet},
		"new":    {State: Unknown, Why: notYet},
		"both":   result(Violation, "OVG001"),
		"kept":   {State: OutOfScope, Why: "kept"},
	}
	if diff := cmp.Diff(want, Lasting(earlier, later)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSettling(t *testing.T) {
	for name, c := range map[string]struct {
		results map[string]Result
		want    time.Duration
	}{
		"nothing":        {nil, 0},
		"counts at once": {map[string]Result{"a": result(Violation, "OVG001", "OVG005")}, 0},
		"has to last": {
			map[string]Result{"a": result(Violation, "OVG001"), "b": result(Violation, "OVG005", "OVG006")}, settle,
		},
	} {
		if got := Settling(c.results); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
