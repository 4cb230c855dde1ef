package inventory

import (
	"net/netip"
	"slices"
)

// unreservedLimit is how many addresses are given that nothing reserves.
const unreservedLimit = 8

// Contains reports whether an address is in the range.
func (r Range) Contains(a netip.Addr) bool {
	return a.BitLen() == r.From.BitLen() && !a.Less(r.From) && !r.To.Less(a)
}

// unreserved returns the single addresses that exceptions grant to the port and that Kube-OVN's address management may
// give to another pod, with the subnet from which: it knows those of IP resources, Vips, OvnEips and gateways, and
// leaves out spec.excludeIps (InitIPAM in Kube-OVN's pkg/controller/init.go). Addresses that somebody has are no matter
// of this.
func (inv *State) unreserved(p *Port) (out []Held) {
	vpc, known := inv.vpcOf(p.Name)
	if !known || len(p.Decision.Exceptions) == 0 {
		return nil
	}
	for _, pair := range p.Decision.Pairs {
		a := pair.Prefix.Addr()
		if !pair.Prefix.IsSingleIP() || slices.ContainsFunc(out, func(h Held) bool { return h.Address == a }) ||
			inv.allocated(a, vpc) {
			continue
		}
		inv.cidrs.each(a, a, func(r addressRange) bool {
			s := inv.subnets.Get(r.holder.Name)
			if inv.routerOf(s) == vpc && !slices.ContainsFunc(s.Excluded, func(r Range) bool { return r.Contains(a) }) {
				out = append(out, Held{a, r.holder})
				return false
			}
			return true
		})
		if len(out) == unreservedLimit {
			break
		}
	}
	return out
}

// allocated reports whether somebody of the VPC has the address as far as Kube-OVN's address management knows.
func (inv *State) allocated(a netip.Addr, vpc string) bool {
	for _, port := range inv.byAddress.names(a) {
		if other, known := inv.vpcOf(port); !known || other == vpc {
			return true
		}
	}
	for h := range inv.fixed.of(a) {
		switch h.Kind { //nolint:exhaustive // address management knows none of the others
		case HeldByGateway, HeldBySubnet, HeldByVip, HeldByEIP:
			if other, confined := inv.NetworkOf(h); !confined || other == "" || other == vpc {
				return true
			}
		}
	}
	return false
}
