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
	// HeldByBalancer and HeldByExternal are for addresses that a Service has outside the cluster: from a load balancer,
	// and as whoever wrote the Service claims.
	HeldByBalancer HolderKind = "service (load balancer)"
	HeldByExternal HolderKind = "service (external IP)"
	HeldByVip      HolderKind = "Vip"
	// HeldByShared is for a subnet's spec.vips, which its pods share.
	HeldByShared HolderKind = "shared VIP"
	// HeldByPool is an IPPool, of which pods of other namespaces than its own have nothing.
	HeldByPool HolderKind = "IPPool"
	// HeldByServices is a ServiceCIDR, from which Services are given their addresses.
	HeldByServices HolderKind = "ServiceCIDR"
	// HeldByEIP and HeldByFIP are Kube-OVN's resources for addresses by which a VPC is reached from outside, and
	// HeldByRule for those of load balancers.
	HeldByEIP  HolderKind = "OvnEip"
	HeldByFIP  HolderKind = "OvnFip"
	HeldByRule HolderKind = "SwitchLBRule"
	// HeldByFIPInside is for the address inside the VPC to which an OvnFip leads.
	HeldByFIPInside HolderKind = "OvnFip (inside)"
)

// Holder is what has an address or a MAC: a port by its IP resource, the gateway of a subnet, a node, a Service, or a
// Vip.
type Holder struct {
	Kind HolderKind
	// Name is the port's name, that of the subnet, the node or the Vip, or "namespace/name" of a Service.
	Name string
}

// String returns the holder in a sentence, such as "port web-0.shop" or "the gateway of subnet ovn-default".
func (h Holder) String() string {
	switch h.Kind { //nolint:exhaustive // the others are called what they are
	case HeldByGateway:
		return "the gateway of subnet " + h.Name
	case HeldByNodes:
		return "the nodes' own subnet " + h.Name
	case HeldByServices:
		return "the Services' range " + h.Name
	case HeldByShared:
		return "the shared VIPs of subnet " + h.Name
	case HeldByFIPInside:
		return string(HeldByFIP) + " " + h.Name
	case HeldByBalancer, HeldByExternal:
		return string(HeldByService) + " " + h.Name
	}
	return string(h.Kind) + " " + h.Name
}

// OfService reports whether it is what a Service of the namespace has outside the cluster, which pods of the namespace
// answer for.
func (h Holder) OfService(namespace string) bool {
	return h.outside() && strings.HasPrefix(h.Name, namespace+"/")
}

// outside reports whether the holder is a Service by an address that it has outside the cluster.
func (h Holder) outside() bool { return h.Kind == HeldByBalancer || h.Kind == HeldByExternal }

// namespace returns that of a Service.
func (h Holder) namespace() string {
	namespace, _, _ := strings.Cut(h.Name, "/")
	return namespace
}

// lasting reports whether only those who run the cluster settle what it has, so that a grant of it does not count as
// long as that is so.
func (h Holder) lasting() bool {
	return h.Kind == HeldByGateway || h.Kind == HeldBySubnet || h.Kind == HeldByNode || h.Kind == HeldByService
}

func (h Holder) compare(o Holder) int {
	if c := strings.Compare(string(h.Kind), string(o.Kind)); c != 0 {
		return c
	}
	return strings.Compare(h.Name, o.Name)
}

// Held is an address with one of its holders.
type Held struct {
	Address netip.Addr
	Holder  Holder
}

// foremost returns the holders in order, each thing once. Some are the same thing as another one by another name: IP
// resources of what a subnet has itself are the subnet's, a Vip that answers with a gateway's MAC has it from there,
// and an address that a Service has outside the cluster is that of whoever else has it, such as a node.
func foremost(all []Holder) []Holder {
	if len(all) < 2 {
		return all
	}
	has, kinds := make(map[Holder]bool, len(all)), make(map[HolderKind]bool)
	inside := false
	for _, h := range all {
		has[h], kinds[h.Kind] = true, true
		inside = inside || !h.outside()
	}
	out := slices.DeleteFunc(slices.Clone(all), func(h Holder) bool {
		switch {
		case h.outside():
			return inside || h.Kind == HeldByExternal && has[Holder{HeldByBalancer, h.Name}]
		case h.Kind == HeldByPort && kubeovn.IsOfSomeSubnet(h.Name):
			return slices.ContainsFunc(all, func(o Holder) bool {
				return (o.Kind == HeldBySubnet || o.Kind == HeldByGateway) && kubeovn.IsOfSubnet(h.Name, o.Name)
			})
		case h.Kind == HeldByVip:
			return kinds[HeldByGateway] || kinds[HeldByRouter]
		case h.Kind == HeldBySubnet:
			return has[Holder{HeldByGateway, h.Name}]
		}
		return false
	})
	slices.SortFunc(out, Holder.compare)
	return slices.Compact(out)
}

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

// ExternalLimit is how many external IPs of the Services of one namespace count, those first that came first: whoever
// may write Services claims as many as they like, of any address.
const ExternalLimit = 1024

// countExternals keeps how many of them each namespace has.
func (inv *Inventory) countExternals(h Holder, delta int) {
	namespace := h.namespace()
	if inv.externals[namespace] += delta; inv.externals[namespace] == 0 {
		delete(inv.externals, namespace)
	}
}

// SetFixed adds or replaces such a thing, and returns the names of the ports that have one of its addresses, or are
// granted one.
func (inv *Inventory) SetFixed(f Fixed) []string {
	touched := inv.DeleteFixed(f.Holder)
	if f.Holder.Kind == HeldByExternal {
		room := ExternalLimit - inv.externals[f.Holder.namespace()]
		f.Addresses = slices.Clone(f.Addresses[:min(len(f.Addresses), room)]) // what is left out must not take memory
		inv.countExternals(f.Holder, len(f.Addresses))
	}
	inv.fixedBy.Set(inv.edit, f.Holder, f.Addresses)
	if f.At != (At{}) {
		inv.fixedAt.Set(inv.edit, f.Holder, f.At)
	}
	for _, a := range f.Addresses {
		inv.fixed.add(inv.edit, a, f.Holder)
		inv.occupied.add(f.Holder.network(f.At), a)
		if f.Holder.lasting() {
			inv.points = inv.points.add(addressRange{a, a, f.Holder})
		}
		touched = append(touched, inv.portsAt(a)...)
	}
	for _, text := range f.MACs {
		if mac, ok := macOf(text); ok {
			inv.fixedMACs.add(inv.edit, mac, f.Holder)
			inv.fixedMACsBy[f.Holder] = append(inv.fixedMACsBy[f.Holder], mac)
			touched = append(touched, inv.grants.ofMAC(mac)...)
		}
	}
	if f.Holder.Kind == HeldByNode {
		inv.settleNode(f.Holder.Name)
	}
	return distinct(touched)
}

// DeleteFixed takes it out and returns the names of the ports that have one of its addresses, or are granted one.
func (inv *Inventory) DeleteFixed(h Holder) (touched []string) {
	at := inv.fixedAt.Get(h)
	if h.Kind == HeldByExternal {
		inv.countExternals(h, -len(inv.fixedBy.Get(h)))
	}
	for _, a := range inv.fixedBy.Get(h) {
		inv.fixed.remove(inv.edit, a, h)
		inv.occupied.remove(h.network(at), a)
		inv.points = inv.points.remove(addressRange{a, a, h})
		touched = append(touched, inv.portsAt(a)...)
	}
	inv.fixedBy.Delete(inv.edit, h)
	inv.fixedAt.Delete(inv.edit, h)
	if h.Kind == HeldByNode {
		inv.settleNode(h.Name)
	}
	for _, mac := range inv.fixedMACsBy[h] {
		inv.fixedMACs.remove(inv.edit, mac, h)
		touched = append(touched, inv.grants.ofMAC(mac)...)
	}
	delete(inv.fixedMACsBy, h)
	return touched
}

// portsAt returns the names of the ports that have an address by their IP resources, or are granted it.
func (inv *Inventory) portsAt(a netip.Addr) []string {
	return append(inv.byAddress.names(a), inv.grants.of(a)...)
}
