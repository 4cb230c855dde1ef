package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Taken returns who has an address, or keeps it, in one of the networks: ports, things that have addresses of their
// own, and reserved ranges that are not for the namespace. vpcs are the networks; none, or one that is "", stands for
// any. It is the one answer to the question whether somebody of the namespace may have the address, however it is asked
// for.
func (inv *State) Taken(a netip.Addr, vpcs []string, ns policy.Namespace) []Holder {
	holders := inv.Holders(a, inv.meeting(vpcs))
	for _, r := range inv.Reservations(netip.PrefixFrom(a, a.BitLen())) {
		if !inv.Entitled(r.Holder, ns) && inv.meets(r.Holder, vpcs) {
			holders = append(holders, r.Holder)
		}
	}
	return holders
}

// TakenMAC returns who has a MAC in one of the networks.
func (inv *State) TakenMAC(text string, vpcs []string) []Holder {
	return inv.MACHolders(text, inv.meeting(vpcs))
}

// meeting returns what reports whether the network of a holder may be one of these.
func (inv *State) meeting(vpcs []string) func(Holder) bool {
	return func(h Holder) bool { return inv.meets(h, vpcs) }
}

// meets reports whether the network of a holder may be one of these. Where it cannot be told, two ports with one
// address would be worse than one that is refused.
func (inv *State) meets(h Holder, vpcs []string) bool {
	vpc, confined := inv.NetworkOf(h)
	return !confined || vpc == "" || len(vpcs) == 0 || slices.Contains(vpcs, vpc) ||
		slices.Contains(vpcs, "")
}

// othersAt returns who else has or keeps the addresses that the port has for its own, on the network that it is on.
// Other ports of its switch are its Duplicates. Its pod may have taken the addresses of a Vip of its namespace, and
// what leads to the port is no other's; addresses outside the cluster that Services claim are no subject here, since
// whoever may write Services would accuse others.
func (inv *State) othersAt(p *Port) (held []Held) {
	if p.Pod == nil || p.Pod.ended() {
		return nil
	}
	p.eachOwn(func(a netip.Addr) {
		if !inv.fixed.Has(a) && !inv.isReserved(a) {
			return
		}
		for _, h := range inv.Taken(a, []string{inv.VPCOf(p.subnet())}, inv.namespace(p.Pod.Namespace)) {
			switch {
			case h.Kind == HeldByPort, h.outside():
			case h.Kind == HeldByVip && inv.vips.Get(h.Name).Namespace == p.Pod.Namespace && !inv.vips.Get(h.Name).hasPort():
			case h.Kind == HeldByFIPInside && (inv.KeptFor(h) == "" || inv.KeptFor(h) == p.Name):
			default:
				held = append(held, Held{a, h})
			}
		}
	})
	return held
}

// isReserved reports whether a range that something keeps, or the nodes' own subnet, has the address.
func (inv *State) isReserved(a netip.Addr) (is bool) {
	inv.reserved.each(a, a, func(addressRange) bool { is = true; return false })
	if is || inv.nodesOn.Len() == 0 {
		return is
	}
	inv.cidrs.each(a, a, func(r addressRange) bool { is = inv.OfNodes(r.holder.Name); return !is })
	return is
}

// eachOwn calls take with each address that the port has for its own: those of its IP resource, or else of its row.
func (p *Port) eachOwn(take func(netip.Addr)) {
	if p.Record != nil {
		for _, text := range p.Record.IPs {
			if a, err := netip.ParseAddr(text); err == nil {
				take(a.Unmap())
			}
		}
		return
	}
	if p.Row != nil {
		p.Row.eachIn(p.Row.Switch, func(a switchAddress) {
			if !a.mac {
				take(a.address())
			}
		})
	}
}

// subnet returns the name of the subnet that the port is on: its row's switch, or else what its IP resource says.
func (p *Port) subnet() string {
	switch {
	case p.Row != nil && p.Row.Switch != "":
		return p.Row.Switch
	case p.Record != nil:
		return p.Record.Subnet
	}
	return ""
}

// Holders returns who has an address and is near, in order. Whom near leaves out, such as holders on another network,
// hides nobody either.
func (inv *State) Holders(a netip.Addr, near func(Holder) bool) []Holder {
	var out []Holder
	for _, name := range inv.byAddress.names(a) {
		out = append(out, Holder{HeldByPort, name})
	}
	inside := inv.inSubnet(a)
	// Anybody may have many Services claim one address. One of each namespace says as much as all of them.
	claimed := make(map[string]bool)
	for h := range inv.fixed.of(a) {
		if h.Kind == HeldByExternal {
			if inside || claimed[h.namespace()] {
				continue
			}
			claimed[h.namespace()] = true
		}
		out = append(out, h)
	}
	return foremost(slices.DeleteFunc(out, func(h Holder) bool { return !near(h) }))
}

// MACHolders returns who has a MAC and is near: ports by their IP resources, and what is fixed. The gateways' are known
// from the Northbound database, or where a Vip answers for one.
func (inv *State) MACHolders(text string, near func(Holder) bool) []Holder {
	var out []Holder
	for _, name := range inv.byMAC.names(strings.ToLower(text)) {
		out = append(out, Holder{HeldByPort, name})
	}
	mac, ok := macOf(text)
	if !ok {
		return slices.DeleteFunc(out, func(h Holder) bool { return !near(h) })
	}
	for h := range inv.fixedMACs.of(mac) {
		out = append(out, inv.gatewayOf(h))
	}
	return foremost(slices.DeleteFunc(out, func(h Holder) bool { return !near(h) }))
}
