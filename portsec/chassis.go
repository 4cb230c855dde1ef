package portsec

import "slices"

// Features by which an ovn-controller tells ovn-northd what it can do: keys of other_config in its row of the
// Southbound table Chassis, with the value "true" (include/ovn/features.h). The two timestamps came with a column of
// the database each, so that no patch release ever took them over: mac-binding-timestamp with 22.09, fdb-timestamp with
// 23.09. All of them are going away: main does not announce port-up-notif any more, and has the two timestamps among
// those that go next.
const (
	featurePortUp     = "port-up-notif"
	featureMACBinding = "mac-binding-timestamp"
	featureFDB        = "fdb-timestamp"
)

// laterFeatures are known to be of 23.09 or later, or were taken over by releases that cannot be told.
var laterFeatures = []string{
	"ls-dpg-column",
	"ct-commit-nat-v2",
	"ct-commit-to-zone",
	"ct-next-zone",
	"ct-label-flush",
	"ct-state-save",
	"ovn-sample-with-registers",
}

// ErasOfChassis returns the eras that the ovn-controller of a chassis may be of, the oldest first. config is the column
// other_config of its row in the Southbound database. An ovn-controller does not say its release, but what it can do
// bounds it. That it does not say a feature bounds it only where it says port-up-notif, which every release from 21.03
// to 26.03 does: one that does not may be so new that it says none of these. All eras are plausible where config says
// nothing of use.
func ErasOfChassis(config map[string]string) []Era {
	has := func(feature string) bool { return config[feature] == "true" }
	switch {
	case has(featureFDB):
		return between(E2, E3)
	case slices.ContainsFunc(laterFeatures, has), !has(featurePortUp):
		return Eras()
	case has(featureMACBinding):
		return between(E1, E2)
	}
	return between(E0, E1)
}

// PlausibleErasAt returns the eras that may enforce port_security for a port that is bound to a chassis, the oldest
// first. northd is what is known of ovn-northd, and config that of the chassis, as for ErasOfChassis; nil where the
// port is bound nowhere or the chassis is not known.
//
// In E0 ovn-northd writes the checks itself, whatever the chassis runs. Since E1 the chassis' ovn-controller does.
// Where what it can do fits the release of ovn-northd, it is taken to be of that release, as it is except for the time
// of an upgrade; where it does not, its own eras count.
func PlausibleErasAt(northd OVN, config map[string]string) []Era {
	central := northd.Eras()
	if config == nil {
		return central
	}
	later := slices.DeleteFunc(slices.Clone(central), func(e Era) bool { return e == E0 })
	if len(later) == 0 {
		return central
	}
	local := ErasOfChassis(config)
	eras := intersection(later, local)
	if len(eras) == 0 {
		eras = local
	}
	if len(later) < len(central) && !slices.Contains(eras, E0) {
		eras = append([]Era{E0}, eras...)
	}
	return eras
}

func intersection(a, b []Era) []Era {
	return slices.DeleteFunc(slices.Clone(a), func(e Era) bool { return !slices.Contains(b, e) })
}
