package portsec_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/portsec"
)

func TestEraOf(t *testing.T) {
	const e0, e1, e2, e2a, e2b, e3 = portsec.E0, portsec.E1, portsec.E2, portsec.E2a, portsec.E2b, portsec.E3
	late := []portsec.Era{e2, e2a, e2b, e3}
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
		{"22.09.3", e2, false, []portsec.Era{e1, e2}},
		{"22.12.1", e1, true, []portsec.Era{e1}},
		{"22.12.2", e2, false, []portsec.Era{e1, e2}},
		{"23.03.1", e1, true, []portsec.Era{e1}},
		{"23.03.2", e2, false, []portsec.Era{e1, e2}},
		{"23.06.1", e1, true, []portsec.Era{e1}},
		{"23.06.2", e2, false, []portsec.Era{e1, e2}},
		{"23.09.0", e2, true, []portsec.Era{e2}},
		{"24.03.7", e2, true, []portsec.Era{e2}},
		{"24.03.8", e3, false, late},
		{"24.09.3", e2, true, []portsec.Era{e2}},
		{"24.09.4", e3, false, late},
		{"25.03.2", e2, true, []portsec.Era{e2}},
		{"25.03.3", e3, false, late},
		{"25.09.2", e2, true, []portsec.Era{e2}},
		{"25.09.3", e3, false, late},
		{"26.03.0", e3, true, []portsec.Era{e3}},
		{"main", e3, true, []portsec.Era{e3}},
		{"master", e3, true, []portsec.Era{e3}},
		// The forms of northd, Debian and git.
		{"23.03.1-20.27.0-70.6", e1, true, []portsec.Era{e1}},
		{"23.03.1-1~deb12u2", e1, true, []portsec.Era{e1}},
		{" v24.03.8-3-gabcdef\n", e3, true, []portsec.Era{e3}},
		{"24.03.8.", e3, false, late},
		{"24.03.8.1", e3, false, late},
		{"24.3.8", e3, false, late},
		// Beyond the release in which an era changed; from the day of its last release on, the tip of its branch has the next
		// number.
		{"22.12.3", e2, true, []portsec.Era{e2}},
		{"24.03.9", e3, true, []portsec.Era{e3}},
		{"25.03.4-20.41.0-78.8", e3, true, []portsec.Era{e3}},
		// Kube-OVN's images since 2026-06-30 name the commit: each of these is the first of its era, and the one before it.
		{"25.03.3+g12e50879e88d", e2, true, []portsec.Era{e2}},
		{"25.03.3+g9a5278378df3-20.41.0-78.8", e2a, true, []portsec.Era{e2a}},
		{"25.03.3+g5db58e70c9ca", e2b, true, []portsec.Era{e2b}},
		{"25.03.3+g04ab770ea9bf", e3, true, []portsec.Era{e3}},
		{"24.03.8+gef8f5c1ac63e", e3, true, []portsec.Era{e3}}, // 1.13 and 1.14 pin it
		{"24.03.8+g7d0b7f11b791", e2b, true, []portsec.Era{e2b}},
		{"24.03.8+g4613d30139d8d5d0d9b23ae234adfab40d91f9af", e2a, true, []portsec.Era{e2a}},
		{"22.12.2+g08047a59f8c3", e2, false, []portsec.Era{e1, e2}}, // not a commit of OVN's
		{"25.03.3+g000000000000", e3, false, late},
		{"25.03.3+g9a52783", e3, false, late}, // too short to be sure
		{"25.03.2+g9a5278378df3", e2, true, []portsec.Era{e2}},
		// A release train without its patch level.
		{"22.03", e0, true, []portsec.Era{e0}},
		{"24.03", e2, false, late},
		{"23.03", e1, false, []portsec.Era{e1, e2}},
		// Snapshots, trains that never existed, and versions newer or older than all known ones.
		{"22.03.90", e1, false, []portsec.Era{e0, e1}},
		{"24.06.0", e2, false, late},
		{"25.09.90", e3, false, late},
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
		if diff := cmp.Diff(tt.plausible, portsec.OVN{Version: tt.version}.Eras()); diff != "" {
			t.Errorf("eras of %q:\n%s", tt.version, diff)
		}
	}
}

func TestEraOfNoVersion(t *testing.T) {
	for _, text := range []string{
		"", "unknown", "24", "v", "x.y.z", "24..1", "1.03.0", "24.13.0", "24.03.99999999999999999999", "-24.03.1",
	} {
		if era, exact, err := portsec.EraOf(
			text,
		); err == nil || exact ||
			!strings.Contains(err.Error(), "want YEAR.MONTH.PATCH") {
			t.Errorf("EraOf(%q) = %v, %v, %v; want an error that says the form", text, era, exact, err)
		}
		if diff := cmp.Diff(portsec.Eras(), portsec.OVN{Version: text}.Eras()); diff != "" {
			t.Errorf("eras of %q are not all:\n%s", text, diff)
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

// The build day narrows the eras that its version leaves open.
func TestErasByDay(t *testing.T) {
	const e1, e2, e2a, e2b, e3 = portsec.E1, portsec.E2, portsec.E2a, portsec.E2b, portsec.E3
	for _, c := range []struct {
		version, from, until string
		want                 []portsec.Era
	}{
		{"25.03.3", "2026-01-01", "2026-01-22", []portsec.Era{e2}},
		{"25.03.3", "2026-01-22", "2026-01-23", []portsec.Era{e2, e2a}},
		{"25.03.3", "2026-01-24", "2026-02-04", []portsec.Era{e2a}},
		{"24.03.8", "2026-02-05", "2026-02-06", []portsec.Era{e2a, e2b}},
		{"24.03.8", "2026-02-08", "2026-02-09", []portsec.Era{e2b}},
		{"24.03.8", "2026-02-26", "2026-02-27", []portsec.Era{e3}},
		{"24.03.8", "2026-02-26", "", []portsec.Era{e3}},
		{"24.03.8", "2026-02-06", "", []portsec.Era{e2b, e3}},
		{"24.03.8", "", "2026-01-22", []portsec.Era{e2}},
		{"24.03", "", "2026-01-22", []portsec.Era{e2}},
		{"22.12.2", "2023-09-24", "2023-09-25", []portsec.Era{e2}},
		{"22.12.2", "2023-08-29", "2023-09-05", []portsec.Era{e1}},
		{"25.03.3+g9a5278378df3", "2026-06-01", "", []portsec.Era{e2a}}, // the commit is more precise
		{"25.03.4", "2026-01-01", "2026-01-22", []portsec.Era{e3}},      // and so is the version
		{"23.03.1", "2026-06-01", "", []portsec.Era{e1}},
		{"", "2026-06-01", "", portsec.Eras()},
	} {
		ovn := portsec.OVN{Version: c.version}
		for text, at := range map[string]*time.Time{c.from: &ovn.From, c.until: &ovn.Until} {
			if text == "" {
				continue
			}
			var err error
			if *at, err = time.Parse(time.DateOnly, text); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(c.want, ovn.Eras()); diff != "" {
			t.Errorf("%s, %s to %s (-want +got):\n%s", c.version, c.from, c.until, diff)
		}
	}
}

// An era is a combination of features, and no two are equal. A feature of every later era never goes away.
func TestFeatures(t *testing.T) {
	seen := make(map[[5]bool]portsec.Era)
	all := []portsec.Feature{
		portsec.ByController,
		portsec.AdvertisementLimit,
		portsec.SolicitationDrop,
		portsec.DiscoverySource,
		portsec.WholeElements,
	}
	for _, era := range portsec.Eras() {
		var set [5]bool
		for i, f := range all {
			set[i] = era.Has(f)
		}
		if other, twice := seen[set]; twice {
			t.Errorf("%s and %s have the same features", other, era)
		}
		seen[set] = era
		for _, f := range all {
			if next := era + 1; era > portsec.E0 && era < portsec.E3 && era.Has(f) && !next.Has(f) {
				t.Errorf("%s lacks feature %d, which %s has", next, f, era)
			}
		}
	}
	if portsec.E3.Has(portsec.WholeElements+1) || (portsec.E3 + 1).Has(portsec.ByController) {
		t.Error("what does not exist has features")
	}
}

// The table has each commit once, in the form of versions, and for each tip all eras of its builds.
func TestCommits(t *testing.T) {
	text, err := os.ReadFile("commits.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines, commits := make(map[string]int), 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		lines[fields[0]+" "+fields[1]]++
		for _, hash := range fields[2:] {
			commits++
			if len(hash) != 12 || strings.Trim(hash, "0123456789abcdef") != "" ||
				portsec.CommitEras()[hash].String() != fields[1] {
				t.Errorf("%q is %s in the file and %s as read", hash, fields[1], portsec.CommitEras()[hash])
			}
		}
	}
	if commits != len(portsec.CommitEras()) {
		t.Errorf("%d commits in the file, of which %d are different ones", commits, len(portsec.CommitEras()))
	}
	for branch, all := range map[string]string{
		"22.09": "E1 E2", "22.12": "E1 E2", "23.03": "E1 E2", "23.06": "E1 E2",
		"24.03": "E2 E2a E2b E3", "24.09": "E2 E2a E2b E3", "25.03": "E2 E2a E2b E3", "25.09": "E2 E2a E2b E3",
	} {
		for era := range strings.FieldsSeq(all) {
			if lines[branch+" "+era] == 0 {
				t.Errorf("no commit of %s is %s", branch, era)
			}
		}
	}
}
