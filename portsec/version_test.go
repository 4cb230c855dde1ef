package portsec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/portsec"
)

func TestEraOf(t *testing.T) {
	const e0, e1, e2, e3 = portsec.E0, portsec.E1, portsec.E2, portsec.E3
	tests := []struct {
		version   string
		era       portsec.Era
		exact     bool
		plausible []portsec.Era
	}{
		{"20.03.0", e0, true, []portsec.Era{e0}},
		{"21.12.3", e0, true, []portsec.Era{e0}},
		{"22.03.0", e0, true, []portsec.Era{e0}},
		{"22.03.8", e0, true, []portsec.Era{e0}},
		{"22.06.0", e1, true, []portsec.Era{e1}},
		{"22.09.2", e1, true, []portsec.Era{e1}},
		{"22.09.3", e2, true, []portsec.Era{e2}},
		{"22.12.1", e1, true, []portsec.Era{e1}},
		{"22.12.2", e2, true, []portsec.Era{e2}},
		{"23.03.1", e1, true, []portsec.Era{e1}},
		{"23.03.2", e2, true, []portsec.Era{e2}},
		{"23.06.1", e1, true, []portsec.Era{e1}},
		{"23.06.2", e2, true, []portsec.Era{e2}},
		{"23.09.0", e2, true, []portsec.Era{e2}},
		{"24.03.7", e2, true, []portsec.Era{e2}},
		{"24.03.8", e3, true, []portsec.Era{e3}},
		{"24.09.3", e2, true, []portsec.Era{e2}},
		{"24.09.4", e3, true, []portsec.Era{e3}},
		{"25.03.2", e2, true, []portsec.Era{e2}},
		{"25.03.3", e3, true, []portsec.Era{e3}},
		{"25.09.2", e2, true, []portsec.Era{e2}},
		{"25.09.3", e3, true, []portsec.Era{e3}},
		{"26.03.0", e3, true, []portsec.Era{e3}},
		{"main", e3, true, []portsec.Era{e3}},
		{"master", e3, true, []portsec.Era{e3}},
		// As northd, Debian and git write it.
		{"23.03.1-20.27.0-70.6", e1, true, []portsec.Era{e1}},
		{"23.03.1-1~deb12u2", e1, true, []portsec.Era{e1}},
		{" v24.03.8-3-gabcdef\n", e3, true, []portsec.Era{e3}},
		{"24.03.8.", e3, true, []portsec.Era{e3}},
		{"24.03.8.1", e3, true, []portsec.Era{e3}},
		{"24.3.8", e3, true, []portsec.Era{e3}},
		// A release train without its patch level.
		{"22.03", e0, true, []portsec.Era{e0}},
		{"24.03", e2, false, []portsec.Era{e2, e3}},
		{"23.03", e1, false, []portsec.Era{e1, e2}},
		// Snapshots, trains that never were, and what is newer or older than all that is known.
		{"22.03.90", e1, false, []portsec.Era{e0, e1}},
		{"24.06.0", e2, false, []portsec.Era{e2, e3}},
		{"25.09.90", e3, false, []portsec.Era{e2, e3}},
		{"26.03.90", e3, false, []portsec.Era{e3}},
		{"26.09.0", e3, false, []portsec.Era{e3}},
		{"31.03.1", e3, false, []portsec.Era{e3}},
		{"2.12.0", e0, false, []portsec.Era{e0}},
	}
	for _, tt := range tests {
		era, exact, err := portsec.EraOf(tt.version)
		if era != tt.era || exact != tt.exact || err != nil {
			t.Errorf("EraOf(%q) = %v, %v, %v; want %v, %v", tt.version, era, exact, err, tt.era, tt.exact)
		}
		if diff := cmp.Diff(tt.plausible, portsec.PlausibleEras(tt.version)); diff != "" {
			t.Errorf("PlausibleEras(%q):\n%s", tt.version, diff)
		}
	}
}

func TestEraOfNoVersion(t *testing.T) {
	for _, text := range []string{"", "unknown", "24", "v", "x.y.z", "24..1", "1.03.0", "24.13.0", "24.03.99999999999999999999", "-24.03.1"} {
		if era, exact, err := portsec.EraOf(text); err == nil || exact || !strings.Contains(err.Error(), "want YEAR.MONTH.PATCH") {
			t.Errorf("EraOf(%q) = %v, %v, %v; want an error that says the form", text, era, exact, err)
		}
		if diff := cmp.Diff(portsec.Eras(), portsec.PlausibleEras(text)); diff != "" {
			t.Errorf("PlausibleEras(%q) are not all:\n%s", text, diff)
		}
	}
}

func TestParseEra(t *testing.T) {
	for _, era := range portsec.Eras() {
		if got, err := portsec.ParseEra(strings.ToLower(era.String())); got != era || err != nil {
			t.Errorf("ParseEra(%q) = %v, %v", era, got, err)
		}
		if era.Releases() == "" {
			t.Errorf("%s has no releases", era)
		}
	}
	if _, err := portsec.ParseEra("E4"); err == nil {
		t.Error("ParseEra takes E4")
	}
}
