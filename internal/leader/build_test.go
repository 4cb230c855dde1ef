package leader

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// What a Lease says is what the replica is, and the API server takes every label.
func TestLeaseNamesTheBuild(t *testing.T) {
	plain := Build{Version: "v0.1.0-3-g0123456789ab", Commit: "0123456789abcdef", Date: "2030-01-02T03:04:05Z"}
	for name, c := range map[string]struct{ build, want Build }{
		"known":          {plain, plain},
		"unknown":        {Build{Version: "unknown"}, Build{Version: "unknown"}},
		"another zone":   {Build{Date: "2030-01-02T03:04:05+01:00"}, Build{Date: "2030-01-02T02:04:05Z"}},
		"no time":        {Build{Date: "yesterday"}, Build{}},
		"no label value": {Build{Version: "v1+dirty", Commit: strings.Repeat("a", 64)}, Build{}},
	} {
		labels := c.build.labels()
		for label, value := range labels {
			if wrong := validation.IsValidLabelValue(value); len(wrong) > 0 {
				t.Errorf("%s: label %s: %v", name, label, wrong)
			}
			if wrong := validation.IsQualifiedName(label); len(wrong) > 0 {
				t.Errorf("%s: label %s: %v", name, label, wrong)
			}
		}
		if got := buildOf(labels); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestHolderLeads(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		holder Holder
		want   bool
	}{
		"now":            {Holder{Identity: "a", Renewed: now}, true},
		"other clock":    {Holder{Identity: "a", Renewed: now.Add(-time.Minute)}, true},
		"not any longer": {Holder{Identity: "a", Renewed: now.Add(-2 * time.Minute)}, false},
		"given up":       {Holder{Renewed: now}, false},
	} {
		if got := c.holder.Leads(now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
