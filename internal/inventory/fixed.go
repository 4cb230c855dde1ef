package inventory

import (
	"net/netip"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// At says where the addresses of a holder are its own, and for whom they are kept.
type At struct {
	// Subnet, or else VPC, is the network within which they are; where both are empty, they are its own everywhere.
	Subnet, VPC string
	// Port is the name of the only port that may have them; "" for none.
	Port string
	// Namespace is the one whose pods answer there; "" where it is not known.
	Namespace string
}

// Fixed is a thing that has addresses or MACs of its own and is no port of a pod: a subnet with its gateways, a node, a
// Service, a Vip, a port of a router.
type Fixed struct {
	Holder    Holder
	Addresses []netip.Addr
	// MACs are as they are written where they come from; what is none is left out.
	MACs []string
	At   At
}

// SetFixed adds or replaces such a thing, and returns the names of the ports that have one of its addresses, or are
// granted one, or its MAC.
func (inv *Inventory) SetFixed(f Fixed) []string {
	touched := append(inv.DeleteFixed(f.Holder), inv.portsWith(inv.holders.add(f))...) // with the row that is its own
	if f.Holder.Kind == HeldByNode {
		inv.moveNode(f.Holder.Name)
	}
	return distinct(touched)
}

// DeleteFixed takes it out and returns the names of the same ports.
func (inv *Inventory) DeleteFixed(h Holder) []string {
	touched := append(inv.portsWith(inv.holders.remove(h)), inv.rowsOf(h)...)
	if h.Kind == HeldByNode {
		inv.moveNode(h.Name)
	}
	return touched
}

// rowsOf returns the names of the rows and IP resources that a holder accounts for, where they may be nobody's without
// it.
func (inv *Inventory) rowsOf(h Holder) (names []string) {
	var may []string
	switch h.Kind { //nolint:exhaustive // rows of the others are of another type, or there are none
	case HeldByNode:
		may = []string{kubeovn.NodePortName(h.Name)}
	case HeldByEIP:
		may = []string{h.Name}
	case HeldByVip:
		may = kubeovn.PortsOfVip(h.Name)
	}
	for _, name := range may {
		if e := inv.entry(name); e.isRecordAlone() || e.mayBeUnowned() {
			names = append(names, name)
		}
	}
	return names
}

// portsWith returns the names of the ports that have one of these addresses by their IP resources, or are granted one
// of the addresses or MACs.
func (inv *Inventory) portsWith(b belongings) []string {
	ports := inv.grants.ofAny(b)
	for _, a := range b.addresses {
		ports = append(ports, inv.byAddress.names(a)...)
	}
	return ports
}

// NodeIdentity is the MAC and the addresses that Kube-OVN noted on a node for its port. The node's daemon takes them
// from there (InitNodeGateway in Kube-OVN's pkg/daemon/init.go).
type NodeIdentity struct {
	Node string
	MAC  string
	// IPs is a comma list, as it is written.
	IPs string
}

// SetNode says what is noted on a node and returns the name of its port where that is news.
func (inv *Inventory) SetNode(n NodeIdentity) []string {
	if was, ok := inv.noted.Find(n.Node); ok && was == n {
		return nil
	}
	inv.holders.noted.Set(inv.edit, n.Node, n)
	return []string{kubeovn.NodePortName(n.Node)}
}

// DeleteNode says that a node is gone and returns the name of its port.
func (inv *Inventory) DeleteNode(name string) []string {
	inv.holders.noted.Delete(inv.edit, name)
	return []string{kubeovn.NodePortName(name)}
}

// SetRecord adds or replaces an IP resource and returns the port's name, and those of ports that are granted its
// addresses or its MAC.
func (inv *Inventory) SetRecord(r *Record) []string {
	touched := inv.DeleteRecord(r.Name)
	inv.ports.alter(r.Name, func(e *entry) { e.record = r })
	inv.groups.affectGroups(inv.entry(r.Name).row)
	touched = append(touched, inv.grants.ofAny(inv.holders.addRecord(r))...)
	inv.moveNodeOf(r.Name)
	return distinct(touched)
}

// DeleteRecord takes an IP resource out and returns the same names.
func (inv *Inventory) DeleteRecord(name string) []string {
	touched := []string{name}
	r := inv.entry(name).record
	if r == nil {
		return touched
	}
	touched = append(touched, inv.grants.ofAny(inv.holders.removeRecord(r))...)
	inv.ports.alter(name, func(e *entry) { e.record = nil })
	inv.groups.affectGroups(inv.entry(name).row)
	inv.moveNodeOf(name)
	return touched
}

// moveNode notes on which subnet a node has its port; on none without the node.
func (inv *Inventory) moveNode(node string) {
	subnet := ""
	if inv.IsNode(node) {
		subnet = inv.SubnetOf(kubeovn.NodePortName(node))
	}
	inv.network.moveNode(node, subnet)
}

// moveNodeOf does moveNode for the node whose port has the name, where there is one.
func (inv *Inventory) moveNodeOf(port string) {
	if node, ok := strings.CutPrefix(port, kubeovn.NodePortName("")); ok {
		inv.moveNode(node)
	}
}
