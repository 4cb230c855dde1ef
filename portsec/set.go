package portsec

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// sources is what one MAC may send from.
type sources struct {
	// any is set by an element without addresses: every address, and every protocol.
	any    bool
	ranges []Range
}

// Set is what a column lets a port send from: its effective set. Two columns are compared by their sets, never as text.
type Set struct {
	era Era
	// written tells that the column was not empty.
	written bool
	macs    map[MAC]sources
}

// Set gives the effective set of the column.
func (c Column) Set() Set {
	s := Set{era: c.Era, written: len(c.Elements) > 0, macs: make(map[MAC]sources)}
	for _, e := range c.Elements {
		if e.Outcome == Rejected {
			continue
		}
		have := s.macs[e.mac]
		if len(e.ranges) == 0 {
			have.any = true
		}
		have.ranges = append(have.ranges, e.ranges...)
		s.macs[e.mac] = have
	}
	for mac, have := range s.macs {
		have.ranges = canonical(have.ranges)
		// In E0 an element without addresses does not widen one of the same MAC that has some.
		if have.any && (c.Era != E0 || len(have.ranges) == 0) {
			have = sources{any: true}
		} else {
			have.any = false
		}
		s.macs[mac] = have
	}
	return s
}

// IdentitySet gives the set that covers exactly an identity: its MAC with its addresses, or with any address where it has
// none.
func IdentitySet(identity Identity) Set {
	s := sources{any: len(identity.IPs) == 0}
	for _, ip := range identity.IPs {
		s.ranges = append(s.ranges, netip.PrefixFrom(ip, ip.BitLen()))
	}
	s.ranges = canonical(s.ranges)
	return Set{era: E3, written: true, macs: map[MAC]sources{identity.MAC: s}}
}

// Open tells that OVN checks nothing at all: the column is empty, or of what it holds nothing can be used.
func (s Set) Open() bool { return len(s.macs) == 0 }

// Unenforced tells that the column is not empty and yet nothing is checked: it looks protected and is open. (OVN of era E0
// at least drops ARP and neighbour discovery from such a port.)
func (s Set) Unenforced() bool { return s.written && s.Open() }

// Covers tells that everything which t allows is allowed by s.
func (s Set) Covers(t Set) bool { return len(Excess(t, s)) == 0 }

// Equal tells that both sets allow the same.
func (s Set) Equal(t Set) bool { return s.Covers(t) && t.Covers(s) }

// String gives the set in a canonical form.
func (s Set) String() string {
	if s.Open() {
		return "open"
	}
	var words []string
	for _, p := range s.pairs() {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

// Excess gives what have allows beyond want, as pairs in order. From an open set everything is excess.
func Excess(have, want Set) []Pair {
	switch {
	case want.Open():
		return nil
	case have.Open():
		return []Pair{{AnyMAC: true, Any: true}}
	}
	var out []Pair
	for _, p := range have.pairs() {
		if !want.allows(p) {
			out = append(out, p)
		}
	}
	return out
}

// Loss gives what want allows and have does not, as pairs in order.
func Loss(have, want Set) []Pair { return Excess(want, have) }

// allows tells that a pair of a canonical set is wholly within s. A port with IPv6 addresses may use its link-local one.
func (s Set) allows(p Pair) bool {
	have, ok := s.macs[p.MAC]
	switch {
	case !ok:
		return false
	case have.any:
		return true
	case p.Any:
		return false
	}
	if p.IPs.IsSingleIP() && p.IPs.Addr() == p.MAC.linkLocal() && slices.ContainsFunc(have.ranges, func(r Range) bool { return r.Addr().Is6() }) {
		return true
	}
	return slices.ContainsFunc(have.ranges, func(r Range) bool { return r.Bits() <= p.IPs.Bits() && r.Contains(p.IPs.Addr()) })
}

// pairs gives the set as pairs, in order.
func (s Set) pairs() []Pair {
	var out []Pair
	macs := slices.SortedFunc(maps.Keys(s.macs), func(a, b MAC) int { return slices.Compare(a[:], b[:]) })
	for _, mac := range macs {
		have := s.macs[mac]
		if have.any {
			out = append(out, Pair{MAC: mac, Any: true})
		}
		for _, r := range have.ranges {
			out = append(out, Pair{MAC: mac, IPs: r})
		}
	}
	return out
}

// canonical sorts ranges, drops those within another, and joins halves.
func canonical(ranges []Range) []Range {
	out := slices.Clone(ranges)
	for {
		slices.SortFunc(out, func(a, b Range) int { return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits())) })
		merged := out[:0:0]
		changed := false
		for _, r := range out {
			if n := len(merged); n > 0 {
				last := merged[n-1]
				if last.Bits() <= r.Bits() && last.Contains(r.Addr()) {
					continue
				}
				if wide := netip.PrefixFrom(last.Addr(), max(last.Bits()-1, 0)).Masked(); last.Bits() == r.Bits() && last.Bits() > 0 &&
					wide.Addr() == last.Addr() && wide.Contains(r.Addr()) {
					merged[n-1] = wide
					changed = true
					continue
				}
			}
			merged = append(merged, r)
		}
		out = merged
		if !changed {
			return out
		}
	}
}
