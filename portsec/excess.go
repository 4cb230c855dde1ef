package portsec

import (
	"net/netip"
	"slices"
)

// Excess gives what have lets a port send beyond want, as pairs in order; none where want covers have. The ranges are
// those of have, with what want allows of them as exceptions. An open set gives the one pair of any MAC with any address.
// The link-local address that comes with IPv6 addresses is not listed beside them.
func Excess(have, want Set) []Pair {
	haves, wants := have.grantsBeside(want), want.grantsBeside(have)
	var d difference
	for _, g := range haves {
		if g.exceeds(wants) {
			d.beyond = append(d.beyond, beyond{grant: g, except: g.exceptions(wants)})
		}
	}
	d.have = haves
	return d.pairs()
}

// Loss gives what want lets a port send and have does not: the traffic that gets lost. It is Excess the other way round.
func Loss(have, want Set) []Pair { return Excess(want, have) }

// beyond is a grant that is not wholly allowed by the other side, with the addresses that are.
type beyond struct {
	grant

	except []span
}

// exceptions gives the parts of the grant's addresses that others allow to all its MACs.
func (g grant) exceptions(others []grant) []span {
	var out []span
	for _, o := range others {
		if o.kind == g.kind && o.at[ofSource].covers(g.at[ofSource]) && o.at[ofClaimed].covers(g.at[ofClaimed]) && g.at[ofAddress].covers(o.at[ofAddress]) {
			out = append(out, o.at[ofAddress])
		}
	}
	return canonical(out)
}

// difference turns what is beyond into pairs for people: one for what belongs together.
type difference struct {
	have   []grant
	beyond []beyond
}

func (d difference) pairs() []Pair {
	var out []Pair
	var free []span // MACs of which everything is said
	for _, b := range d.beyond {
		if b.kind != viaIP4 || b.at[ofAddress] != everything {
			continue
		}
		source := b.at[ofSource]
		i := slices.IndexFunc(d.beyond, func(o beyond) bool {
			return o.kind == viaIP6 && o.at[ofSource] == source && o.at[ofAddress] == everything
		})
		if i < 0 || slices.Contains(free, source) {
			continue
		}
		free = append(free, source)
		p := Pair{MAC: macRange(source), Except: append(prefixes(b.except, ip4Bits), prefixes(d.beyond[i].except, ip6Bits)...)}
		if !slices.ContainsFunc(d.have, func(g grant) bool { return g.kind == viaARP && g.at[ofSource].covers(source) }) {
			p.Traffic = IPTraffic
		}
		out = append(out, p)
	}
	for _, b := range d.beyond {
		if !slices.ContainsFunc(free, func(s span) bool { return s.covers(b.at[ofSource]) }) {
			out = d.add(out, b)
		}
	}
	slices.SortFunc(out, Pair.compare)
	return slices.CompactFunc(out, func(a, b Pair) bool { return a.compare(b) == 0 })
}

// add adds the pair of one grant, unless another one says it.
func (d difference) add(out []Pair, b beyond) []Pair {
	source, claimed, address := b.at[ofSource], b.at[ofClaimed], b.at[ofAddress]
	switch b.kind {
	case viaIP4:
		p := Pair{MAC: macRange(source), Addresses: address.prefix(ip4Bits), Except: prefixes(b.except, ip4Bits)}
		if !d.has(viaARP, source, address) {
			p.Traffic = IPTraffic
		}
		return append(out, p)
	case viaIP6:
		if address == linkLocalOrNone(source) && d.hasOther6(source, address) {
			return out
		}
		return append(out, Pair{MAC: macRange(source), Addresses: address.prefix(ip6Bits), Except: prefixes(b.except, ip6Bits)})
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
		if d.saidWithMAC(b) || slices.ContainsFunc(d.beyond, func(o beyond) bool { return o.kind == viaIP6 && o.at[ofSource] == source }) {
			return out
		}
		return append(out, Pair{MAC: macRange(claimed), Traffic: SolicitationTraffic})
	case viaOther:
		return append(out, Pair{MAC: macRange(source), Traffic: OtherTraffic})
	case kinds:
	}
	return out
}

// has tells that what is beyond holds the very grant of a MAC for itself.
func (d difference) has(k kind, mac, address span) bool {
	return slices.ContainsFunc(d.beyond, func(o beyond) bool {
		return o.kind == k && o.at[ofSource] == mac && o.at[ofAddress] == address && (o.at[ofClaimed] == everything || o.at[ofClaimed] == mac)
	})
}

// saidWithMAC tells that b is a message without a MAC, and that the same with one is beyond, too.
func (d difference) saidWithMAC(b beyond) bool {
	return b.at[ofClaimed] == noMACGiven && slices.ContainsFunc(d.beyond, func(o beyond) bool {
		return o.kind == b.kind && o.at[ofClaimed] != noMACGiven && o.at[ofAddress] == b.at[ofAddress]
	})
}

// hasOther6 tells that the MAC has another IPv6 address beyond.
func (d difference) hasOther6(mac, address span) bool {
	return slices.ContainsFunc(d.beyond, func(o beyond) bool {
		return o.kind == viaIP6 && o.at[ofSource] == mac && o.at[ofAddress] != address
	})
}

func linkLocalOrNone(mac span) span {
	if mac.n < vrrpBits {
		return everything
	}
	return linkLocalSpan(mac)
}

// claim gives the pair of a message that claims addresses for a MAC.
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
