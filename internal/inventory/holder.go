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
	// HeldBySubnet is for what Kube-OVN gave to a subnet itself, besides its gateway.
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
	// HeldByPool is an IPPool that is bound to namespaces: pods of others may have none of its addresses.
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

// NamespaceOf returns the namespace that the holder belongs to: that of a port's pod, of a Vip or of a Service. It is
// empty for what belongs to no namespace or to several, and where it cannot be told.
func (inv *State) NamespaceOf(h Holder) string {
	switch h.Kind {
	case HeldByPort:
		return inv.entry(h.Name).namespace()
	case HeldByVip:
		return inv.vips.Get(h.Name).Namespace
	case HeldByService, HeldByBalancer, HeldByExternal:
		return h.namespace()
	case HeldByRule:
		return inv.fixedAt.Get(h).Namespace
	case HeldByGateway, HeldBySubnet, HeldByRouter, HeldByNode, HeldByNodes, HeldByShared, HeldByPool, HeldByServices,
		HeldByEIP, HeldByFIP, HeldByFIPInside:
	}
	return ""
}
