package kubeovn

import (
	"testing"
	"time"
)

func TestBuiltBetween(t *testing.T) {
	for tag, want := range map[string][2]string{
		"v1.14.27":       {"2026-01-22", "2026-01-23"},
		"1.14.28":        {"2026-01-27", "2026-01-28"},
		"v1.15.3-x86":    {"2026-02-08", "2026-02-09"},
		"v1.14.20-debug": {"2025-12-01", "2025-12-29"},
		"v1.14.99":       {"2026-06-21", ""},
		"v1.12.0":        {"2023-08-07", "2023-08-08"},
		"v1.11.9":        {"", ""},
		"v1.17.0":        {"", ""},
	} {
		from, until, err := BuiltBetween(tag)
		if err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		for i, got := range []time.Time{from, until} {
			if text := got.Format(time.DateOnly); text != want[i] && (!got.IsZero() || want[i] != "") {
				t.Errorf("%s: %s, want %s", tag, text, want[i])
			}
		}
	}
	for _, tag := range []string{
		"", "latest", "master", "v1.14", "v2.0.0", "v1.14.28-mine", "v1.14.28 ", "kubeovn/kube-ovn:v1.14.28",
		"v1.14.99999",
	} {
		if _, _, err := BuiltBetween(tag); err == nil {
			t.Errorf("%q is taken for a release", tag)
		}
	}
}

// The table is in order, and each day can be parsed.
func TestReleasesAreInOrder(t *testing.T) {
	for minor, all := range released {
		for i, r := range all {
			if r.at().IsZero() || i > 0 && (all[i-1].patch >= r.patch || all[i-1].at().After(r.at())) ||
				all[0].patch != 0 {
				t.Errorf("%s.%d", minor, r.patch)
			}
		}
	}
}
