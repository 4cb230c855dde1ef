package inventory

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// overlapLimit is how many holders of addresses in what was granted are given.
const overlapLimit = 8

// overlaps returns who has an address in what was granted to the port besides its identity: other ports, gateways,
// nodes and their subnet, and Services of the same router. Vips are granted to be shared, and pods answer for Services
// of their namespace. The first few are given.
func (inv *State) overlaps(p *Port) (held []Held) {
	vpc, known := inv.vpcOf(p.Name)
	near := func(h Holder) bool {
		other, confined := inv.NetworkOf(h)
		return !confined || other == "" || !known || other == vpc
	}
	shared := inv.sharedWith(p)
	past := func(a netip.Addr) netip.Addr {
		for _, prefix := range shared {
			if prefix.Contains(a) {
				_, last := ends(prefix)
				return last
			}
		}
		return netip.Addr{}
	}
	for _, pair := range p.Decision.Pairs {
		if !pair.Prefix.IsValid() || pair.Prefix.Bits() == 0 {
			continue
		}
		for h := range inv.heldIn(pair.Prefix, near, past) {
			if inv.consented(p, h) {
				continue
			}
			switch {
			case h.Holder == Holder{HeldByShared, p.subnet()}: // which is there to be shared
				continue
			case h.Holder.Kind == HeldByVip,
				h.Holder.Kind == HeldByPort && h.Holder.Name == p.Name,
				h.Holder.OfService(p.Pod.Namespace):
				continue
			case h.Holder.Kind == HeldByPort:
				if other, ok := inv.vpcOf(
					h.Holder.Name,
				); ok && known && other != vpc ||
					inv.entry(h.Holder.Name).isVip() {
					continue
				}
			}
			if held = append(held, h); len(held) == overlapLimit {
				return held
			}
		}
		for _, name := range inv.NodesAt(pair.Prefix) {
			s := inv.subnets.Get(name)
			if known && inv.routerOf(s) != vpc {
				continue
			}
			i := slices.IndexFunc(s.CIDRs, pair.Prefix.Overlaps)
			if held = append(
				held,
				Held{first(pair.Prefix, s.CIDRs[i]), Holder{HeldByNodes, name}},
			); len(
				held,
			) == overlapLimit {
				return held
			}
		}
	}
	return held
}

// eachShared calls take with each pair of an exception in effect for the port of which some owner's consent was
// recorded, until take returns false.
func (g *governance) eachShared(p *Port, take func(e *policy.Exception, pair int) bool) {
	if len(p.Decision.Exceptions) == 0 {
		return
	}
	list := g.exceptions.Get(p.Pod.Namespace)
	for i := range list {
		e := &list[i]
		if len(e.Shares) == 0 || !slices.Contains(p.Decision.Exceptions, e.Name) {
			continue
		}
		for pair := range e.Pairs {
			if !take(e, pair) {
				return
			}
		}
	}
}

// consented reports whether an exception in effect lets the port share an address with who has it, by the consent of
// its owner.
func (inv *State) consented(p *Port, held Held) (is bool) {
	inv.eachShared(p, func(e *policy.Exception, pair int) bool {
		if e.Pairs[pair].Prefix.Contains(held.Address) {
			claim := Claim{Pair: pair}
			for _, name := range inv.SubnetsIn(netip.PrefixFrom(held.Address, held.Address.BitLen())) {
				claim.Consents = append(claim.Consents, inv.consentOfSubnet(name))
			}
			claim.Consents = append(claim.Consents, inv.consents(held.Holder, "")...)
			is = claim.settled(e)
		}
		return !is
	})
	return is
}

// sharedWith returns where the port shares all addresses of a subnet by the subnet's consent, whoever has them:
// consented is true there.
func (inv *State) sharedWith(p *Port) (shared []netip.Prefix) {
	inv.eachShared(p, func(e *policy.Exception, pair int) bool {
		if pair >= len(e.SharedWith) {
			return true
		}
		s, ok := inv.subnets.Find(e.SharedWith[pair])
		if consent := inv.consentOfSubnet(s.Name); !ok || !consent.Given(e.Shares) {
			return true
		}
		for _, prefix := range s.CIDRs {
			if granted := e.Pairs[pair].Prefix; granted.Bits() > prefix.Bits() && granted.Overlaps(prefix) {
				shared = append(shared, granted)
			} else if granted.Overlaps(prefix) {
				shared = append(shared, prefix)
			}
		}
		return true
	})
	return shared
}

// first returns the first address that two prefixes have in common, where they have any.
func first(a, b netip.Prefix) netip.Addr {
	if a.Bits() < b.Bits() {
		a = b
	}
	return a.Masked().Addr()
}

// vpcOf returns the router of the subnet that a port is on.
func (inv *State) vpcOf(port string) (vpc string, known bool) {
	s, ok := inv.subnets.Find(inv.SubnetOf(port))
	return inv.routerOf(s), ok
}
