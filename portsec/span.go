package portsec

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// span is a range of values that share their first bits: MACs, IPv4 or IPv6 addresses, left-aligned in 128 bits. Two
// spans of one kind are disjoint, or one lies within the other. The bits after the first n are zero.
type span struct {
	hi, lo uint64
	n      uint8
}

// Widths of what spans hold.
const (
	macBits = 48
	ip4Bits = 32
	ip6Bits = 128
)

// everything is the span that holds every value.
var everything = span{}

func macSpan(m MAC) span { return span{hi: m.key(), n: macBits} }

// key returns the MAC left-aligned in 64 bits.
func (m MAC) key() uint64 {
	return uint64(
		m[0],
	)<<56 | uint64(
		m[1],
	)<<48 | uint64(
		m[2],
	)<<40 | uint64(
		m[3],
	)<<32 | uint64(
		m[4],
	)<<24 | uint64(
		m[5],
	)<<16
}

func keyMAC(key uint64) MAC {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], key)
	return MAC(b[:6])
}

// prefixSpan returns the span of a prefix, whose host bits are cut off.
func prefixSpan(p netip.Prefix) span {
	if p.Addr().Is4() {
		a := p.Addr().As4()
		return newSpan(uint64(binary.BigEndian.Uint32(a[:]))<<32, 0, uint8(p.Bits()))
	}
	a := p.Addr().As16()
	return newSpan(binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:]), uint8(p.Bits()))
}

func newSpan(hi, lo uint64, n uint8) span {
	maskHi, maskLo := masks(n)
	return span{hi: hi & maskHi, lo: lo & maskLo, n: n}
}

// masks returns 128 bits with the first n set.
func masks(n uint8) (hi, lo uint64) {
	if n <= 64 {
		return ^uint64(0) << (64 - n), 0 // shifting by 64 gives 0
	}
	return ^uint64(0), ^uint64(0) << (128 - n)
}

// prefix returns the span as a prefix of width bits (32 or 128).
func (s span) prefix(width int) netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], s.hi)
	binary.BigEndian.PutUint64(b[8:], s.lo)
	if width == ip4Bits {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), int(s.n))
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), int(s.n))
}

// has reports whether the value, which has all its bits, is in the span.
func (s span) has(hi, lo uint64) bool {
	maskHi, maskLo := masks(s.n)
	return (hi^s.hi)&maskHi == 0 && (lo^s.lo)&maskLo == 0
}

// covers reports whether t lies within s.
func (s span) covers(t span) bool { return s.n <= t.n && s.has(t.hi, t.lo) }

// meets reports whether some value is in both.
func (s span) meets(t span) bool { return s.covers(t) || t.covers(s) }

// narrower returns what is in both of two spans that meet.
func (s span) narrower(t span) span {
	if s.n >= t.n {
		return s
	}
	return t
}

// sibling returns the span of n bits that differs from the one around s in its last bit.
func (s span) sibling(n uint8) span {
	out := newSpan(s.hi, s.lo, n)
	if n <= 64 {
		out.hi ^= 1 << (64 - n)
	} else {
		out.lo ^= 1 << (128 - n)
	}
	return out
}

func (s span) compare(t span) int {
	return cmp.Or(cmp.Compare(s.hi, t.hi), cmp.Compare(s.lo, t.lo), cmp.Compare(s.n, t.n))
}

// canonical sorts spans, drops those within another and joins halves, so that equal sets of values have equal spans.
func canonical(spans []span) []span {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, span.compare)
	out := sorted[:0]
	for _, s := range sorted {
		if len(out) > 0 && out[len(out)-1].covers(s) {
			continue
		}
		for len(out) > 0 {
			last := out[len(out)-1]
			if last.n != s.n || s.n == 0 {
				break
			}
			whole := newSpan(s.hi, s.lo, s.n-1)
			if !whole.covers(last) {
				break
			}
			s, out = whole, out[:len(out)-1]
		}
		out = append(out, s)
	}
	return slices.Clip(out)
}

func anyHas(spans []span, hi, lo uint64) bool {
	for _, s := range spans {
		if s.has(hi, lo) {
			return true
		}
	}
	return false
}

// contiguous returns the number of leading ones of a mask, and whether only zeros follow them.
func contiguous(hi, lo uint64) (n int, ok bool) {
	n = bits.LeadingZeros64(^hi)
	if n == 64 {
		n += bits.LeadingZeros64(^lo)
	}
	maskHi, maskLo := masks(uint8(n))
	return n, hi == maskHi && lo == maskLo
}
