package portsec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// able returns the other_config of a chassis with some features, and another key that is always there.
func able(features ...string) map[string]string {
	config := map[string]string{"datapath-type": "system", "is-interconn": "false"}
	for _, f := range features {
		config[f] = "true"
	}
	return config
}

func TestPlausibleErasAt(t *testing.T) {
	v2203 := able("port-up-notif", "ct-no-masked-label")
	v2303 := able(
		"port-up-notif",
		"ct-no-masked-label",
		"mac-binding-timestamp",
		"ovn-ct-lb-related",
	) // as 23.03.1 reported it
	v2403 := able(
		"port-up-notif",
		"ct-no-masked-label",
		"mac-binding-timestamp",
		"ovn-ct-lb-related",
		"fdb-timestamp",
		"ls-dpg-column",
		"ct-commit-nat-v2",
	)
	for name, c := range map[string]struct {
		northd string
		config map[string]string
		want   []Era
	}{
		"bound nowhere":                 {"23.03.1", nil, []Era{E1}},
		"nothing is known":              {"", nil, Eras()},
		"the same release":              {"23.03.1", v2303, []Era{E1}},
		"the same release, newer":       {"24.03.9", v2403, []Era{E3}},
		"a release that leaves it open": {"24.03.8", v2403, []Era{E2, E2a, E2b, E3}},
		// northd may be one that writes the checks itself.
		"the chassis alone is known":           {"", v2403, []Era{E0, E2, E2a, E2b, E3}},
		"the chassis is behind":                {"24.03.9", v2303, []Era{E1, E2}},
		"the chassis is ahead":                 {"23.03.1", v2403, []Era{E2, E2a, E2b, E3}},
		"northd writes the checks":             {"22.03.0", v2303, []Era{E0}},
		"northd writes the checks, old nodes":  {"22.03.0", v2203, []Era{E0}},
		"nodes that cannot read the new flows": {"23.03.1", able("port-up-notif"), []Era{E1}},
		"a chassis that says nothing yet":      {"24.03.9", able(), []Era{E3}},
		"a feature that was taken over":        {"23.03.1", able("port-up-notif", "ct-commit-nat-v2"), []Era{E1}},
		"a feature that is switched off": {
			"",
			map[string]string{"fdb-timestamp": "false", "mac-binding-timestamp": "true", "port-up-notif": "true"},
			[]Era{E0, E1, E2},
		},
		"a northd of two eras, a newer chassis": {"22.05", v2403, []Era{E0, E2, E2a, E2b, E3}},
		// These are the features of main now, and without those that will be removed.
		"main, of which port-up-notif is gone": {
			"26.09.0", able("mac-binding-timestamp", "fdb-timestamp", "ls-dpg-column", "ct-next-zone"), []Era{E3},
		},
		"main later, one timestamp is left": {"", able("mac-binding-timestamp", "ct-next-zone"), Eras()},
		"main later, both are gone":         {"23.03.1", able("ct-next-zone", "ct-label-flush"), []Era{E1}},
		"main later, nothing but one":       {"26.09.0", able("mac-binding-timestamp"), []Era{E3}},
		"a release without its patch level": {"23.03", v2303, []Era{E1, E2}},
	} {
		if diff := cmp.Diff(c.want, PlausibleErasAt(OVN{Version: c.northd}, c.config)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The plausible eras always contain those that the chassis can have where ovn-controller enforces, so that a node with
// an older version is never taken for a newer one.
func TestChassisBehindIsNeverTakenForNewer(t *testing.T) {
	for _, northd := range []string{"22.06.0", "22.09.3", "23.03.1", "23.09.0", "24.03.7", "24.03.8", "main"} {
		for _, config := range []map[string]string{
			able("port-up-notif"), able("port-up-notif", "mac-binding-timestamp"), able("fdb-timestamp"),
		} {
			local, eras := ErasOfChassis(config), PlausibleErasAt(OVN{Version: northd}, config)
			if len(intersection(eras, local)) != len(eras) || len(eras) == 0 {
				t.Errorf("northd %s, chassis %v: %v, of which the chassis is %v", northd, config, eras, local)
			}
		}
	}
}
