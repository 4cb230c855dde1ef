package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/upgrade"
)

// What an upgrade does to the recorded cluster is said with the target, and the exit code goes with it.
func TestUpgradeCheckOfTheRecordedCluster(t *testing.T) {
	isolate(t)
	files := []string{
		"--from", unpack(t, recordedCluster),
		"--nb", unpack(t, recordedDatabase), "-o", "json",
	}
	for name, c := range map[string]struct {
		args   []string
		code   int
		opens  int
		keys   bool
		sure   bool
		window upgrade.Window
	}{
		"E3":       {[]string{"--to-ovn", "25.03.4"}, exitFindings, 1, false, true, upgrade.NoWindow},
		"a tip":    {[]string{"--to-ovn", "25.03.3"}, exitFindings, 1, false, false, upgrade.NoWindow},
		"the same": {[]string{"--to-ovn", "23.03.1"}, exitOK, 0, false, true, upgrade.NoWindow},
		"Kube-OVN": {
			[]string{"--to-kube-ovn", "v1.15.24"},
			exitFindings, 1, true, true, upgrade.NoWindow,
		},
		"from a known one": {
			[]string{"--to-kube-ovn", "v1.15.24", "--kube-ovn-release", "v1.14.15"},
			exitFindings, 1, false, true, upgrade.NoWindow,
		},
		"an older image": {
			[]string{"--to-kube-ovn", "v1.14.15", "--kube-ovn-release", "v1.13.15"},
			exitOK, 0, false, true, upgrade.NoWindow,
		},
		"from 1.11": {
			[]string{"--to-kube-ovn", "v1.14.15", "--ovn-version", "22.03.0", "--kube-ovn-release", "v1.11.0"},
			exitFindings, 1, true, true, upgrade.OpenWindow,
		},
		"another namespace": {
			[]string{"--to-ovn", "25.03.4", "-n", "t-dual"},
			exitOK, 0, false, true, upgrade.NoWindow,
		},
		"both, not released": {
			[]string{"--to-kube-ovn", "v1.17.0", "--to-ovn", "25.03.4"},
			exitFindings, 1, true, true, upgrade.NoWindow,
		},
	} {
		code, out, errs := runMain(append(append([]string{"upgrade-check"}, c.args...), files...)...)
		var r upgradeReport
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != c.code {
			t.Errorf("%s: code %d, want %d: %v\n%s", name, code, c.code, err, errs)
			continue
		}
		if r.Effects[upgrade.Opens] != c.opens || (r.Effects[upgrade.Key] > 0) != c.keys || r.Unchecked != c.window ||
			len(r.First) == 0 || r.Ports == 0 {
			t.Errorf("%s: %v, unchecked %s, first %q; want %+v", name, r.Effects, r.Unchecked, r.First, c)
		}
		for _, change := range r.Changes {
			if change.Effect == upgrade.Opens && change.Sure != c.sure {
				t.Errorf("%s: %+v, want sure %v", name, change, c.sure)
			}
		}
	}
	for name, args := range map[string][]string{
		"--to-ovn or --to-kube-ovn": {},
		"--to-ovn":                  {"--to-ovn", "new"},
		"--to-kube-ovn":             {"--to-kube-ovn", "latest"},
		"add --to-ovn":              {"--to-kube-ovn", "v1.17.0"},
	} {
		code, out, errs := runMain(append(append([]string{"upgrade-check"}, args...), files...)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, name) {
			t.Errorf("%s: code %d, %s%s", name, code, out, errs)
		}
	}
}

// What repair would write is said by port, with before and after; without --dry-run nothing is said to be done.
func TestRepairDryRun(t *testing.T) {
	isolate(t)
	files := []string{
		"--from", unpack(t, recordedCluster),
		"--nb", unpack(t, recordedDatabase),
	}
	run := func(args ...string) (int, string, string) {
		return runMain(append(append([]string{"repair"}, args...), files...)...)
	}
	code, out, errs := run("--dry-run", "-o", "json")
	var r repairReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
		t.Fatalf("code %d: %v\n%s", code, err, errs)
	}
	if r.Written != 0 || r.Logged < 100 || r.LeftAlone == 0 {
		t.Errorf("written %d, logged %d, left alone %d", r.Written, r.Logged, r.LeftAlone)
	}
	for _, p := range r.Ports {
		if len(p.Changes) == 0 && p.Why == "" {
			t.Errorf("%s is left alone, and nothing says why", p.Port)
		}
	}
	_, out, _ = run("--dry-run", "-n", "t-dual")
	for _, want := range []string{
		"logged only: write ", "0 ports would be written now, 0 held, 0 left alone; 7 would be with repair: repair",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if code, out, errs := run(); code != exitUsage || out != "" || !strings.Contains(errs, "--dry-run") {
		t.Errorf("without --dry-run: code %d, %s%s", code, out, errs)
	}
}
