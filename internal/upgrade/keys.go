package upgrade

import (
	"net/netip"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// reading is one way in which releases of Kube-OVN differ about what a pod carries.
type reading struct {
	// since is the first minor release that reads it the new way.
	since int
	// carries returns the annotation that is read differently, and its value; ok is false where the pod has none for
	// this port.
	carries func(p *inventory.Port) (key, value string, ok bool)
	// older and newer say what a release before since, and one from then on, makes of it.
	older, newer string
}

// readings are the differences that can change what a port may send, or which port a NIC has.
var readings = []reading{
	{
		since: 12,
		carries: ofProvider(
			kubeovn.SecurityGroups,
			func(value string) bool { return strings.ContainsAny(value, " \t") },
		),
		older: "blanks around the names of groups are left out when the port is made",
		newer: "blanks around the names of groups are kept when the port is made, so that no group has such a name; " +
			"write the list without blanks",
	},
	{
		since:   13,
		carries: ofProvider(kubeovn.PortVIPs, hasNoAddress),
		older: "an item that is no single address empties the list when the port is made, and a later change of the " +
			"annotation writes the text into port_security as it is, networks included",
		newer: "items that are no single address are left out of port_security; a network there needs a " +
			"PortSecurityException",
	},
	{
		since:   13,
		carries: ofPod(kubeovn.AAPs, func(string) bool { return true }),
		older:   "nobody reads the annotation, so that the addresses of its Vips are missing in port_security",
		newer:   "the addresses of its Vips are added to port_security",
	},
	{
		since:   13,
		carries: ofProvider(kubeovn.AllowLiveMigration, func(string) bool { return true }),
		older:   "it lets the port have addresses that others have, and a MAC alone in addresses while it migrates",
		newer:   "nobody reads it; what KubeVirt says of a migration counts",
	},
	{
		since:   13,
		carries: ofProvider("activation_strategy", func(string) bool { return true }),
		older:   "nobody reads it",
		newer:   "it binds the port to a second chassis, as for a migration",
	},
	{
		since: 16,
		carries: func(p *inventory.Port) (key, value string, ok bool) {
			return kubeovn.Networks, p.Pod.Annotations[kubeovn.Networks], p.NICSpelling
		},
		older: "all NICs of an attachment that is listed several times share one port",
		newer: "an attachment that is listed several times with names of interfaces has a port for each, with the " +
			"interface in its name and in its annotation keys",
	},
	{
		since:   17,
		carries: ofProvider("ip_family", func(string) bool { return true }),
		older:   "nobody reads it",
		newer:   "the port has addresses of this family alone when it is made",
	},
}

// applies reports whether two releases read it differently, and whether that is sure: from is nil where the release
// that runs is not known.
func (r reading) applies(from *kubeovn.Release, to kubeovn.Release) (applies, sure bool) {
	if from == nil {
		return to.Minor >= r.since, false
	}
	return (from.Minor < r.since) != (to.Minor < r.since), true
}

// ofProvider finds a key of the port's own NIC with a value that is such.
func ofProvider(suffix kubeovn.Suffix, such func(value string) bool) func(*inventory.Port) (string, string, bool) {
	return func(p *inventory.Port) (key, value string, ok bool) {
		key = p.Provider.Key(suffix)
		value = p.Pod.Annotations[key]
		return key, value, value != "" && such(value)
	}
}

// ofPod finds a key that a pod has once for all of its NICs; it is told of the NIC on the default network, or of each
// where another network took its place.
func ofPod(key string, such func(value string) bool) func(*inventory.Port) (string, string, bool) {
	return func(p *inventory.Port) (_, value string, ok bool) {
		value = p.Pod.Annotations[key]
		told := p.Provider == kubeovn.DefaultProvider || p.Pod.DefaultNetwork != nil
		return key, value, told && value != "" && such(value)
	}
}

// hasNoAddress reports whether an item of a list with commas is no single address as Kube-OVN reads it.
func hasNoAddress(value string) bool {
	for item := range strings.SplitSeq(value, ",") {
		if a, err := netip.ParseAddr(item); err != nil || a.Zone() != "" {
			return true
		}
	}
	return false
}
