package portsec

import (
	"net/netip"
	"slices"
)

// Excess returns what have lets a port send beyond want, as pairs in order; none where want covers have. The ranges are
// those of have, with what want allows of them as exceptions. An open set gives the one pair of any MAC with any
// address. The link-local address that comes with IPv6 addresses is not listed besides them.
func Excess(have, want Set) []Pair {
	haves, wants := have.grantsBeside(want), indexGrants(want.grantsBeside(have))
	d := difference{said: make(map[said]bool), others6: make(map[span]int)}
	for _, g := range haves {
		if g.kind == viaARP {
			d.arp = append(d.arp, g.at[ofSource])
		}
		if wants.exceeded(g) {
			d.note(beyond{grant: g, except: wants.exceptions(g)})
		}
	}
	return d.pairs()
}

// Loss returns what want lets a port send and have does not: the traffic that gets lost. It is Excess the other way
// round.
func Loss(have, want Set) []Pair { return Excess(want, have) }

// beyond is a grant that is not wholly allowed by the other side, with the addresses that are.
type beyond struct {
	grant

	except []span
}

// difference turns what is beyond into pairs for people: one for what belongs together.
type difference struct {
	beyond []beyond
	// said are the grants beyond of a MAC for itself, and messages that claim any MAC but none.
	said map[said]bool
	// others6 counts the IPv6 ranges beyond of each MAC except for its link-local address.
	others6 map[span]int
	// arp are the source MACs that may send any ARP.
	arp []span
}

// said names what is said of a MAC, or with an empty one of some MAC.
type said struct {
	kind         kind
	mac, address span
}

func (d *difference) note(b beyond) {
	d.beyond = append(d.beyond, b)
	source, claimed, address := b.at[ofSource], b.at[ofClaimed], b.at[ofAddress]
	if claimed == everything || claimed == source {
		d.said[said{b.kind, source, address}] = true
	}
	if claimed != noMACGiven {
		d.said[said{b.kind, someMAC, address}] = true
	}
	if b.kind == viaIP6 && address != linkLocalOrNone(source) {
		d.others6[source]++
	}
}

// someMAC is no range of MACs, and stands for whatever MAC a message claims.
var someMAC = span{n: ip6Bits}

func (d *difference) pairs() []Pair {
	var out []Pair
	free := make(map[span]bool) // MACs of which everything is said
	except6 := make(map[span][]span)
	for _, b := range d.beyond {
		if b.kind == viaIP6 && b.at[ofAddress] == everything {
			except6[b.at[ofSource]] = b.except
		}
	}
	for _, b := range d.beyond {
		source := b.at[ofSource]
		if b.kind != viaIP4 || free[source] || !d.has(viaIP6, source, everything) || b.at[ofAddress] != everything {
			continue
		}
		free[source] = true
		p := Pair{
			MAC:    macRange(source),
			Except: append(prefixes(b.except, ip4Bits), prefixes(except6[source], ip6Bits)...),
		}
		if !slices.ContainsFunc(d.arp, func(s span) bool { return s.covers(source) }) {
			p.Traffic = IPTraffic
		}
		out = append(out, p)
	}
	for _, b := range d.beyond {
		if !free[b.at[ofSource]] && !free[everything] {
			out = d.add(out, b)
		}
	}
	slices.SortFunc(out, Pair.compare)
	return slices.CompactFunc(out, func(a, b Pair) bool { return a.compare(b) == 0 })
}

// add adds the pair of one grant, unless another one says it.
func (d *difference) add(out []Pair, b beyond) []Pair {
	source, claimed, address := b.at[ofSource], b.at[ofClaimed], b.at[ofAddress]
	switch b.kind {
	case viaIP4:
		p := Pair{MAC: macRange(source), Addresses: address.prefix(ip4Bits), Except: prefixes(b.except, ip4Bits)}
		if !d.has(viaARP, source, address) {
			p.Traffic = IPTraffic
		}
		return append(out, p)
	case viaIP6:
		if address == linkLocalOrNone(source) && d.others6[source] > 0 {
			return out
		}
		return append(
			out,
			Pair{MAC: macRange(source), Addresses: address.prefix(ip6Bits), Except: prefixes(b.except, ip6Bits)},
		)
	case viaARP:
		if source == claimed && d.has(viaIP4, source, address) {
			return out
		}
		return append(out, claim(ARPTraffic, claimed, address, ip4Bits, b.except))
	case viaNA:
		if d.saidWithMAC(b) || d.has(viaIP6, claimed, address) {
			return out
		}
		return append(out, claim(AdvertisementTraffic, claimed, address, ip6Bits, b.except))
	case viaNS:
		if d.saidWithMAC(b) || d.sends6(source) || d.sends6(claimed) {
			return out
		}
		return append(out, Pair{MAC: macRange(claimed), Traffic: SolicitationTraffic})
	case viaOther:
		return append(out, Pair{MAC: macRange(source), Traffic: OtherTraffic})
	case kinds:
	}
	return out
}

// has reports whether what is beyond holds the very grant of a MAC for itself.
func (d *difference) has(k kind, mac, address span) bool { return d.said[said{k, mac, address}] }

// sends6 reports whether IPv6 of the MAC is beyond, which says that its solicitations are.
func (d *difference) sends6(mac span) bool {
	return d.others6[mac] > 0 || d.has(viaIP6, mac, linkLocalOrNone(mac))
}

// saidWithMAC reports whether b is a message without a MAC, and that the same with one is beyond, too.
func (d *difference) saidWithMAC(b beyond) bool {
	return b.at[ofClaimed] == noMACGiven && d.said[said{b.kind, someMAC, b.at[ofAddress]}]
}

func linkLocalOrNone(mac span) span {
	if mac.n < vrrpBits {
		return everything
	}
	return linkLocalSpan(mac)
}

// claim returns the pair of a message that claims addresses for a MAC.
func claim(traffic Traffic, mac, address span, width int, except []span) Pair {
	p := Pair{MAC: macRange(mac), Except: prefixes(except, width), Traffic: traffic}
	if address != everything {
		p.Addresses = address.prefix(width)
	}
	return p
}

func macRange(s span) MACRange { return MACRange{MAC: keyMAC(s.hi), Bits: int(s.n)} }

func prefixes(spans []span, width int) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range spans {
		out = append(out, s.prefix(width))
	}
	return out
}
