package inventory

import (
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// NamesOutside reports whether a port of that name has the name of an IP resource that belongs to a NIC outside OVN:
// one that there is, or one that a pod gets which asks for the attachment. Kube-OVN names both alike
// (ovs.PodNameToPortName), writes the one over the other, and deletes the one with the other.
func (inv *State) NamesOutside(port string) bool {
	if r := inv.entry(port).record; r != nil && !inv.subnets.Get(r.Subnet).Provider.OnOVN() {
		return true
	}
	// "<pod>.<namespace>.<attachment>.<its namespace>". Only namespaces have no dots.
	last := strings.LastIndexByte(port, '.')
	if last < 0 {
		return false
	}
	name, namespace := port[:last], port[last+1:]
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		if !strings.Contains(name[:i], ".") {
			return false // no pod with its namespace stands before it
		}
		kind, known := inv.kinds.Find(kubeovn.Attachment{Namespace: namespace, Name: name[i+1:]})
		if known && (kind == kubeovn.KindForeign || kind == kubeovn.KindUnknown) {
			return true
		}
	}
	return false
}
