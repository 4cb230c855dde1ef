package inventory

import (
	"net/netip"
	"slices"
)

// OfNodes reports whether the subnet is the one by which nodes reach pods. Kube-OVN lets everything from its addresses
// through to private subnets, whoever sends it, so that no pod belongs on it. It is told by the nodes' own IP
// resources, and by its usual name.
func (inv *State) OfNodes(subnet string) bool {
	return subnet == inv.setup.NodeSwitch || subnet != "" && inv.nodesOn.Get(subnet) > 0
}

// NodesAt returns the subnets of nodes that have addresses in the prefix, in order of their names.
func (inv *State) NodesAt(prefix netip.Prefix) []string {
	return slices.DeleteFunc(inv.SubnetsIn(prefix), func(name string) bool { return !inv.OfNodes(name) })
}
