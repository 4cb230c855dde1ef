package inventory

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// OfNodes tells that the subnet is the one by which nodes reach pods. Kube-OVN lets everything from its addresses through to private
// subnets, whoever sends it, so that no pod belongs on it. It is told by the nodes' own IP resources, and by its usual name.
func (inv *Inventory) OfNodes(subnet string) bool {
	if subnet == kubeovn.JoinSubnet {
		return true
	}
	for h := range inv.fixedBy {
		if h.Kind == HeldByNode && subnet != "" && inv.SubnetOf(kubeovn.NodePortName(h.Name)) == subnet {
			return true
		}
	}
	return false
}

// NodesAt gives the subnets of nodes that have addresses in the prefix, in order of their names.
func (inv *Inventory) NodesAt(prefix netip.Prefix) []string {
	var names []string
	for name, s := range inv.subnets {
		if slices.ContainsFunc(s.CIDRs, prefix.Overlaps) && inv.OfNodes(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// IsNode tells that there is a node of that name.
func (inv *Inventory) IsNode(name string) bool {
	_, ok := inv.fixedBy[Holder{HeldByNode, name}]
	return ok
}
