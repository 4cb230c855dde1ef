package inventory

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// grants is which ports were granted what besides their identity, or are withheld it for want of a consent, as
// decisions said last. It answers for which ports it matters who has an address or a MAC. No snapshot has it.
type grants struct {
	edit     *persistent.Edit           // which never ends
	byPrefix sets[netip.Prefix, string] // to the names of the ports that are granted it
	lengths  map[int]int                // lengths of these prefixes, with how many there are
	prefixes map[string][]netip.Prefix  // by port name
	// byMAC and macs are the same for MACs, in small letters with colons.
	byMAC sets[string, string]
	macs  map[string][]string
}

// note enters what a decision about a port grants or withholds, in place of what the last one did.
func (g *grants) note(port string, d policy.Decision) {
	if len(d.Pairs)+len(d.Withheld)+len(g.prefixes[port])+len(g.macs[port]) == 0 {
		return
	}
	prefixes, macs := grantedBy(d)
	if slices.Equal(prefixes, g.prefixes[port]) && slices.Equal(macs, g.macs[port]) {
		return
	}
	for _, p := range g.prefixes[port] {
		g.byPrefix.remove(g.edit, p, port)
		if g.lengths[p.Bits()]--; g.lengths[p.Bits()] == 0 {
			delete(g.lengths, p.Bits())
		}
	}
	for _, mac := range g.macs[port] {
		g.byMAC.remove(g.edit, mac, port)
	}
	for _, p := range prefixes {
		g.byPrefix.add(g.edit, p, port)
		g.lengths[p.Bits()]++
	}
	for _, mac := range macs {
		g.byMAC.add(g.edit, mac, port)
	}
	if delete(g.prefixes, port); len(prefixes) > 0 {
		g.prefixes[port] = prefixes
	}
	if delete(g.macs, port); len(macs) > 0 {
		g.macs[port] = macs
	}
}

// of returns the names of the ports that are granted an address.
func (g *grants) of(a netip.Addr) (ports []string) {
	if !a.IsValid() || g.byPrefix.Len() == 0 {
		return nil
	}
	for bits := range g.lengths {
		if p, err := a.Prefix(bits); err == nil {
			ports = slices.AppendSeq(ports, g.byPrefix.of(p))
		}
	}
	return ports
}

// ofMAC returns the names of the ports that are granted a MAC, or the link-local address that is made from it.
func (g *grants) ofMAC(mac string) []string { return slices.Collect(g.byMAC.of(mac)) }

// within returns the names of the ports that are granted an address of a range.
func (g *grants) within(r Range) (ports []string) {
	for granted := range g.byPrefix.Keys() {
		if from, to := ends(granted); from.BitLen() == r.From.BitLen() && !to.Less(r.From) && !r.To.Less(from) {
			ports = slices.AppendSeq(ports, g.byPrefix.of(granted))
		}
	}
	return ports
}

// ofAddresses returns the names of the ports that are granted addresses.
func (g *grants) ofAddresses() []string { return slices.Collect(maps.Keys(g.prefixes)) }

// ofAny returns the names of the ports that are granted one of these addresses or MACs.
func (g *grants) ofAny(b belongings) (ports []string) {
	for _, a := range b.addresses {
		ports = append(ports, g.of(a)...)
	}
	for _, mac := range b.macs {
		ports = append(ports, g.ofMAC(mac)...)
	}
	return ports
}

func newGrants() grants {
	return grants{
		edit:     new(persistent.Edit),
		lengths:  make(map[int]int),
		prefixes: make(map[string][]netip.Prefix),
		macs:     make(map[string][]string),
	}
}

// Granted notes what the decision about a port grants besides its identity, or withholds for want of a consent, so that
// a change of who has what finds the port. Decisions are made on looking at a port, by Port, which changes nothing.
func (inv *Inventory) Granted(name string, d policy.Decision) { inv.grants.note(name, d) }

// grantedBy returns the prefixes and the MACs that a decision grants or withholds, each once, in order.
func grantedBy(d policy.Decision) (prefixes []netip.Prefix, macs []string) {
	for _, pairs := range [][]portsec.AddressPair{d.Pairs, d.Withheld} {
		for _, pair := range pairs {
			if p := pair.Prefix.Masked(); p.IsValid() {
				prefixes = append(prefixes, p)
			}
			for _, mac := range macsOf(pair) {
				macs = append(macs, mac.String())
			}
		}
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return slices.Compact(prefixes), distinct(macs)
}

// macsOf returns the MACs whose holders a pair concerns: its own, and that of which a link-local address is made.
func macsOf(pair portsec.AddressPair) (macs []portsec.MAC) {
	if pair.MAC != (portsec.MAC{}) {
		macs = append(macs, pair.MAC)
	}
	if mac, ok := macOfLinkLocal(pair.Prefix.Addr()); pair.Prefix.IsSingleIP() && ok {
		macs = append(macs, mac)
	}
	return macs
}
