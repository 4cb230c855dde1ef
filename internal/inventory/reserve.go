package inventory

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Range is a range of addresses of one family, both ends included.
type Range struct {
	From, To netip.Addr
}

// RangeOf returns the range of all addresses in a prefix.
func RangeOf(p netip.Prefix) Range {
	from, to := ends(p)
	return Range{from, to}
}

// Reservation is a range of addresses that something keeps, whether or not anybody has one of them yet.
type Reservation struct {
	Range
	// Holder is what keeps the range: an IPPool that is bound to namespaces (HeldByPool), a ServiceCIDR
	// (HeldByServices), or the subnet by which nodes reach pods (HeldByNodes).
	Holder Holder
}

// Reservations returns the reserved ranges that have addresses in the prefix, in order of their first addresses. Single
// addresses have Holders. Whether a range counts for a port depends on its network (NetworkOf), and on the pod's
// namespace (Entitled).
func (inv *State) Reservations(prefix netip.Prefix) (found []Reservation) {
	if !prefix.IsValid() {
		return nil
	}
	from, to := ends(prefix)
	inv.reserved.each(from, to, func(r addressRange) bool {
		found = append(found, Reservation{Range{r.from, r.to}, r.holder})
		return true
	})
	inv.cidrs.each(from, to, func(r addressRange) bool {
		if inv.OfNodes(r.holder.Name) {
			found = append(found, Reservation{Range{r.from, r.to}, Holder{HeldByNodes, r.holder.Name}})
		}
		return true
	})
	return found
}

// Entitled reports whether pods of the namespace may have the holder's addresses for their own: those of an IPPool that
// is bound to it.
func (n *network) Entitled(h Holder, ns policy.Namespace) bool {
	if h.Kind != HeldByPool {
		return false
	}
	p, ok := n.pools.Find(h.Name)
	return !ok || p.Usable(ns)
}

// NetworkOf returns the VPC within which a holder's addresses are its own, "" where that cannot be told; confined is
// false for a holder whose addresses are its own in every network.
func (inv *State) NetworkOf(h Holder) (vpc string, confined bool) {
	switch h.Kind {
	case HeldByPort:
		return inv.VPCOf(inv.SubnetOf(h.Name)), true
	case HeldByGateway, HeldBySubnet, HeldByShared, HeldByNodes:
		return inv.VPCOf(h.Name), true
	case HeldByPool:
		return inv.VPCOf(inv.pools.Get(h.Name).Subnet), true
	case HeldByVip:
		return inv.VPCOf(inv.vips.Get(h.Name).Subnet), true
	case HeldByServices:
		return inv.setup.Router, true // whose subnets Kube-OVN keeps apart from it; other VPCs may use the same addresses
	case HeldByEIP, HeldByFIP, HeldByFIPInside:
		if at := inv.fixedAt.Get(h); at.Subnet != "" {
			return inv.VPCOf(at.Subnet), true
		} else if at.VPC != "" {
			return at.VPC, true
		} else if h.Kind == HeldByFIPInside {
			return inv.setup.Router, true
		}
	case HeldByRouter, HeldByNode, HeldByService, HeldByBalancer, HeldByExternal, HeldByRule:
	}
	return "", false
}

// SetReserved adds or replaces what keeps ranges of addresses, and returns the names of the ports that have one of
// them, or are granted one.
func (inv *Inventory) SetReserved(h Holder, list []Range) (touched []string) {
	for _, r := range slices.Concat(inv.holders.reserve(h, list), list) {
		touched = append(append(touched, inv.holders.within(r)...), inv.grants.within(r)...)
	}
	return distinct(touched)
}

// DeleteReserved takes it out and returns the names of the same ports.
func (inv *Inventory) DeleteReserved(h Holder) []string { return inv.SetReserved(h, nil) }
