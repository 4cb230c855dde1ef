package inventory

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Placement is where a port should be, where its row is on another logical switch. A switch has the name of its subnet.
type Placement struct {
	// Switch is the one that the port should be on, and From says by what: "IP resource" or an annotation key.
	Switch, From string
	// Fits means that nothing speaks against moving the row there: there is a subnet of that name, the addresses of the
	// IP resource are from it, and the pod does not say that the row is where it should be.
	Fits bool
	// Foreign says in what way the switch that the row is on is not for the pod, as in "in another VPC, blue"; "" where
	// it is for the pod.
	Foreign string
}

// placement returns where the port of a pod should be; nil where its row is there, or that is not known.
func (inv *State) placement(p *Port) *Placement {
	if p.Pod == nil {
		return nil
	}
	want, from := wantedSwitch(p.Pod, p.Provider, p.Record, p.Row)
	if want == "" {
		return nil
	}
	s, known := inv.subnets.Find(want)
	fits := known && p.Pod.Annotations[p.Provider.Key(kubeovn.LogicalSwitch)] != p.Row.Switch &&
		(p.Record == nil || s.hasAll(p.Record.IPs))
	return &Placement{Switch: want, From: from, Fits: fits, Foreign: inv.foreignTo(p, s, known)}
}

// hasAll reports whether all of the addresses are from the subnet.
func (s *Subnet) hasAll(ips []string) bool {
	return !slices.ContainsFunc(ips, func(text string) bool {
		a, err := netip.ParseAddr(text)
		return err != nil || !slices.ContainsFunc(s.CIDRs, func(p netip.Prefix) bool { return p.Contains(a) })
	})
}

// wantedSwitch returns the switch that the port of a pod should be on, where its row is on another one, and what says
// so; "" where the row is on the right one, or that is not known. The IP resource counts more than the annotation.
func wantedSwitch(pod *Pod, provider kubeovn.Provider, record *Record, row *Row) (want, from string) {
	if row == nil || row.Switch == "" {
		return "", ""
	}
	if record != nil && record.Subnet != "" && record.Subnet != row.Switch {
		return record.Subnet, "IP resource"
	}
	key := provider.Key(kubeovn.LogicalSwitch)
	if is := pod.Annotations[key]; is != "" && is != row.Switch &&
		pod.Annotations[provider.Key(kubeovn.Allocated)] == kubeovn.True {
		return is, key
	}
	return "", ""
}

// misplaced is the key under which the names of misplaced ports are found, and onSwitch that of rows on a switch that
// may be nobody's.
type (
	misplaced struct{}
	onSwitch  string
)

// misplaced reports whether the row is on another switch than a pod's port should be.
func (e *entry) misplaced() bool {
	if e.row == nil {
		return false
	}
	for c := range e.podNICs() {
		if want, _ := wantedSwitch(c.pod, c.Provider, e.record, e.row); want != "" {
			return true
		}
	}
	return false
}

// foreignTo says why the switch that the port's row is on is not for the pod. want is the subnet that it should be on,
// where that is known.
func (inv *State) foreignTo(p *Port, want Subnet, known bool) string {
	is, ok := inv.subnets.Find(p.Row.Switch)
	switch {
	case !ok:
		return ""
	case known && inv.routerOf(want) != inv.routerOf(is):
		return "in another VPC, " + inv.routerOf(is)
	case inv.OfNodes(is.Name):
		return "the nodes' own subnet"
	case !inv.Usable(is, inv.namespace(p.Pod.Namespace)):
		return "of a subnet that is not for namespace " + p.Pod.Namespace
	}
	return ""
}
