package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// HolderKind says what kind of thing has an address or a MAC.
type HolderKind string

// Kinds of holders.
const (
	HeldByPort    HolderKind = "port"
	HeldByGateway HolderKind = "gateway"
	// HeldBySubnet is for what Kube-OVN gave to a subnet itself, beside its gateway.
	HeldBySubnet HolderKind = "subnet"
	// HeldByRouter is a port of a logical router, by its name there, which no subnet accounts for.
	HeldByRouter HolderKind = "router port"
	HeldByNode   HolderKind = "node"
	// HeldByNodes is the subnet by which nodes reach pods.
	HeldByNodes   HolderKind = "subnet of the nodes"
	HeldByService HolderKind = "service"
	// HeldByBalancer and HeldByExternal are for addresses that a Service has outside the cluster: from a load balancer, and as
	// whoever wrote the Service claims.
	HeldByBalancer HolderKind = "service (load balancer)"
	HeldByExternal HolderKind = "service (external IP)"
	HeldByVip      HolderKind = "Vip"
)

// Holder is what has an address or a MAC: a port by its IP resource, the gateway of a subnet, a node, a Service, or a Vip.
type Holder struct {
	Kind HolderKind
	// Name is the port's name, that of the subnet, the node or the Vip, or "namespace/name" of a Service.
	Name string
}

// String gives the holder in a sentence, such as "port web-0.shop" or "the gateway of subnet ovn-default".
func (h Holder) String() string {
	switch h.Kind { //nolint:exhaustive // the others are called what they are
	case HeldByGateway:
		return "the gateway of subnet " + h.Name
	case HeldByNodes:
		return "the nodes' own subnet " + h.Name
	case HeldByBalancer, HeldByExternal:
		return string(HeldByService) + " " + h.Name
	}
	return string(h.Kind) + " " + h.Name
}

// OfService tells that it is what a Service of the namespace has outside the cluster, which pods of the namespace answer for.
func (h Holder) OfService(namespace string) bool {
	return h.outside() && strings.HasPrefix(h.Name, namespace+"/")
}

// outside tells that the holder is a Service by an address that it has outside the cluster.
func (h Holder) outside() bool { return h.Kind == HeldByBalancer || h.Kind == HeldByExternal }

func (h Holder) compare(o Holder) int {
	if c := strings.Compare(string(h.Kind), string(o.Kind)); c != 0 {
		return c
	}
	return strings.Compare(h.Name, o.Name)
}

// partOf tells that the holder is the same thing as another one by another name: IP resources of what a subnet has itself are the
// subnet's, a Vip that answers with a gateway's MAC has it from there, and an address that a Service has outside the cluster is that of
// whoever else has it, such as a node.
func (h Holder) partOf(o Holder) bool {
	switch {
	case h.outside():
		return !o.outside() || h.Kind == HeldByExternal && o == Holder{HeldByBalancer, h.Name}
	case h.Kind == HeldByPort && (o.Kind == HeldBySubnet || o.Kind == HeldByGateway):
		return kubeovn.IsOfSubnet(h.Name, o.Name)
	case h.Kind == HeldByVip:
		return o.Kind == HeldByGateway || o.Kind == HeldByRouter
	case h.Kind == HeldBySubnet && o.Kind == HeldByGateway:
		return h.Name == o.Name
	}
	return false
}

// Held is an address with one of its holders.
type Held struct {
	Address netip.Addr
	Holder  Holder
}

// foremost gives the holders in order, each thing once.
func foremost(all []Holder) []Holder {
	if len(all) < 2 {
		return all
	}
	out := slices.DeleteFunc(slices.Clone(all), func(h Holder) bool { return slices.ContainsFunc(all, h.partOf) })
	slices.SortFunc(out, Holder.compare)
	return slices.Compact(out)
}

// Fixed is a thing that has addresses or MACs of its own and is no port of a pod: a subnet with its gateways, a node, a Service, a Vip,
// a port of a router.
type Fixed struct {
	Holder    Holder
	Addresses []netip.Addr
	// MACs are as they are written where they come from; what is none is left out.
	MACs []string
}

// SetFixed adds or replaces such a thing, and gives the names of the ports that are granted one of its addresses.
func (inv *Inventory) SetFixed(f Fixed) []string {
	touched := inv.DeleteFixed(f.Holder)
	inv.fixedBy[f.Holder] = f.Addresses
	for _, a := range f.Addresses {
		add(inv.fixed, a, f.Holder)
		touched = append(touched, inv.grantees(a)...)
	}
	for _, text := range f.MACs {
		if mac, ok := macOf(text); ok {
			add(inv.fixedMACs, mac, f.Holder)
			inv.fixedMACsBy[f.Holder] = append(inv.fixedMACsBy[f.Holder], mac)
		}
	}
	return distinct(touched)
}

// DeleteFixed takes it out and gives the names of the ports that are granted one of its addresses.
func (inv *Inventory) DeleteFixed(h Holder) (touched []string) {
	for _, a := range inv.fixedBy[h] {
		remove(inv.fixed, a, h)
		touched = append(touched, inv.grantees(a)...)
	}
	delete(inv.fixedBy, h)
	for _, mac := range inv.fixedMACsBy[h] {
		remove(inv.fixedMACs, mac, h)
	}
	delete(inv.fixedMACsBy, h)
	return touched
}
