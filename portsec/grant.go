package portsec

// A set lets a port send certain frames. To compare sets, what they let pass is written as grants: a kind of traffic
// and a range for each field that OVN tests there. Ranges are spans, and spans are nested or disjoint, so that the
// difference of grants is a list of grants again and comparison is exact.

// kind is a kind of traffic that OVN tests in a way of its own.
type kind uint8

const (
	viaIP4 kind = iota
	viaIP6
	viaARP
	viaOther // any other ethertype
	viaNS    // neighbour solicitation, besides what viaIP6 says of its source address
	viaNA    // neighbour advertisement, likewise
	kinds
)

// Fields of a grant.
const (
	ofSource  = iota // source MAC of the frame
	ofClaimed        // MAC in the message: sender of ARP, link-layer address of neighbour discovery
	ofAddress        // source address, sender address of ARP, or target of an advertisement
	fields
)

// grant is one thing that a set allows. Fields that its kind does not have hold everything.
type grant struct {
	kind kind
	at   [fields]span
}

// noMACGiven is the claimed MAC of a message without a link-layer address.
var noMACGiven = macSpan(MAC{})

// grants returns all that the set lets a port send, as OVN of the era enforces it.
func (s Set) grants(era Era) []grant {
	if s.Open() {
		return s.openGrants(era)
	}
	var out []grant
	for _, h := range s.hosts {
		if !h.mac.Group() { // from such a source nothing gets as far as port security
			out = h.ipGrants(out, era)
		}
	}
	for _, r := range s.routers {
		out = r.ipGrants(out)
	}
	// Neighbour discovery is checked after the source address was: from a MAC without IPv6 nothing gets so far.
	discovering := make([]span, 0, len(s.hosts))
	for _, g := range out {
		if g.kind == viaIP6 {
			discovering = append(discovering, g.at[ofSource])
		}
	}
	if len(discovering) == 0 {
		return out
	}
	for _, h := range s.hosts {
		out = h.discoveryGrants(out, era, anyHas(discovering, h.key, 0) && !h.mac.Group())
	}
	for _, r := range s.routers {
		if anyHas(discovering, r.key, 0) && !r.mac.Group() {
			out = r.discoveryGrants(out)
		}
	}
	return out
}

// openGrants returns everything, except what E0 drops from a port whose column it cannot use.
func (s Set) openGrants(era Era) []grant {
	out := []grant{{kind: viaIP4}, {kind: viaIP6}, {kind: viaOther}}
	if era == E0 && s.written {
		return out
	}
	return append(out, grant{kind: viaARP}, grant{kind: viaNS}, grant{kind: viaNA})
}

// ipGrants adds what the host may send except for neighbour discovery.
func (h host) ipGrants(out []grant, era Era) []grant {
	mac := macSpan(h.mac)
	// In E0 an element without addresses does not widen another one of its MAC, except for ARP.
	if h.bare && (era != E0 || !h.hasIP()) {
		out = append(out, grant{viaIP4, [fields]span{ofSource: mac}}, grant{viaIP6, [fields]span{ofSource: mac}})
	} else {
		out = appendGrants(out, viaIP4, mac, everything, h.ip4)
		out = appendGrants(out, viaIP6, mac, everything, h.sources6())
	}
	if h.bare || era == E0 {
		out = append(out, grant{viaOther, [fields]span{ofSource: mac}})
	}
	if h.bare {
		return append(out, grant{viaARP, [fields]span{mac, mac, everything}})
	}
	return appendGrants(out, viaARP, mac, mac, h.ip4)
}

// discoveryGrants adds what the host may send in neighbour discovery; reached means that its MAC may send IPv6 at all.
func (h host) discoveryGrants(out []grant, era Era, reached bool) []grant {
	mac := macSpan(h.mac)
	targets := h.ip6
	switch {
	case era.lendsDiscovery():
		// The source MAC is not looked at here, so that every MAC that got so far profits.
		targets = []span{linkLocalSpan(mac)}
		if h.noIP6 {
			targets = []span{everything}
		}
		for _, claimed := range []span{noMACGiven, mac} {
			out = appendGrants(out, viaNA, everything, claimed, targets)
			if era.Has(SolicitationDrop) {
				out = append(out, grant{viaNS, [fields]span{everything, claimed, everything}})
			}
		}
		targets = h.ip6
	case era.Has(AdvertisementLimit) && h.noIP6:
		targets = []span{everything}
	case era.Has(AdvertisementLimit):
		targets = h.sources6()
	}
	if !reached {
		return out
	}
	for _, claimed := range []span{noMACGiven, mac} {
		out = appendGrants(out, viaNA, mac, claimed, targets)
	}
	if !era.Has(SolicitationDrop) {
		return append(out, grant{viaNS, [fields]span{ofSource: mac}})
	}
	return append(
		out,
		grant{viaNS, [fields]span{mac, noMACGiven, everything}},
		grant{viaNS, [fields]span{mac, mac, everything}},
	)
}

// sources6 returns the IPv6 addresses of the host, with the link-local one that comes with them.
func (h host) sources6() []span {
	if len(h.ip6) == 0 {
		return nil
	}
	return append([]span{linkLocalSpan(macSpan(h.mac))}, h.ip6...)
}

// ipGrants adds what the router may send except for neighbour discovery.
func (r router) ipGrants(out []grant) []grant {
	mac := macSpan(r.mac)
	if !r.hasIP() {
		for _, macs := range [][]span{r.mac4, r.mac6} {
			for _, m := range macs {
				out = append(
					out,
					grant{viaIP4, [fields]span{ofSource: m}},
					grant{viaIP6, [fields]span{ofSource: m}},
					grant{viaOther, [fields]span{ofSource: m}},
				)
			}
		}
		if !r.mac.Group() {
			for _, m := range r.mac4 {
				out = append(out, grant{viaARP, [fields]span{mac, m, everything}})
			}
		}
		return out
	}
	for _, m := range r.mac4 {
		out = appendGrants(out, viaIP4, m, everything, r.ip4)
		if !r.mac.Group() {
			out = appendGrants(out, viaARP, mac, m, r.ip4)
		}
	}
	if len(r.ip6) > 0 {
		for _, m := range r.mac6 {
			out = appendGrants(out, viaIP6, m, everything, append([]span{linkLocalSpan(m)}, r.ip6...))
		}
	}
	return out
}

// discoveryGrants adds what the router's physical MAC may send in neighbour discovery.
func (r router) discoveryGrants(out []grant) []grant {
	mac := macSpan(r.mac)
	targets := []span{everything}
	if len(r.ip6) > 0 {
		targets = append([]span{linkLocalSpan(mac)}, r.ip6...)
	}
	for _, claimed := range append([]span{noMACGiven}, r.mac6...) {
		out = append(out, grant{viaNS, [fields]span{mac, claimed, everything}})
		out = appendGrants(out, viaNA, mac, claimed, targets)
	}
	return out
}

func appendGrants(out []grant, k kind, source, claimed span, addresses []span) []grant {
	for _, a := range addresses {
		out = append(out, grant{k, [fields]span{source, claimed, a}})
	}
	return out
}

// exceeds reports whether something of g is in none of the others.
func (g grant) exceeds(others []grant) bool {
	for i, o := range others {
		if !g.meets(o) {
			continue
		}
		// What o does not hold of g, field by field, must be in those that follow.
		for f := range fields {
			for n := g.at[f].n + 1; n <= o.at[f].n; n++ {
				part := g
				part.at[f] = o.at[f].sibling(n)
				if part.exceeds(others[i+1:]) {
					return true
				}
			}
			g.at[f] = g.at[f].narrower(o.at[f])
		}
		return false
	}
	return true
}

// meets reports whether both allow something in common.
func (g grant) meets(o grant) bool {
	for f := range fields {
		if !g.at[f].meets(o.at[f]) {
			return false
		}
	}
	return g.kind == o.kind
}
