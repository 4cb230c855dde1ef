package ovnmatch

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Mentions reports whether the expression tests a field.
func (m *Match) Mentions(field string) bool {
	found := false
	m.root.each(func(n *node) { found = found || n.symbol.name == field })
	return found
}

// Prefixes returns the addresses and prefixes that a field of addresses, such as "ip4.src", may equal: those that the
// expression names, and the members of its address sets. Those that it may not equal are not among them.
func (m *Match) Prefixes(field string) (out []netip.Prefix) {
	width := 128
	if field[:3] == "ip4" {
		width = 32
	}
	take := func(c constant) {
		if p, ok := c.prefix(width); ok {
			out = append(out, p)
		}
	}
	m.root.each(func(n *node) {
		if n.symbol.name != field || n.negated || n.lowest > 0 || n.width < n.symbol.bits {
			return
		}
		switch n.kind {
		case kindCompare:
			if n.op == equal {
				take(n.to)
			}
		case kindIn:
			for _, c := range n.in {
				take(c)
			}
			for _, set := range n.sets {
				for v := range set.exact {
					take(constant{v, ones(width)})
				}
				for _, c := range set.masked {
					take(c)
				}
			}
		case kindConst, kindUnknown, kindAnd, kindOr, kindInText:
		}
	})
	return out
}

// Number returns a number that a field, such as "tcp.dst", may equal or be next to; ok is false where the expression
// does not test it.
func (m *Match) Number(field string) (number uint16, ok bool) {
	m.root.each(func(n *node) {
		if n.symbol.name != field || ok {
			return
		}
		switch {
		case n.kind == kindCompare:
			number, ok = uint16(n.to.value.lo), true
		case n.kind == kindIn && len(n.in) > 0:
			number, ok = uint16(n.in[0].value.lo), true
		}
	})
	return number, ok
}

// each shows every part of an expression.
func (n *node) each(look func(*node)) {
	look(n)
	for i := range n.of {
		n.of[i].each(look)
	}
}

// prefix returns the constant as a prefix; ok is false where its mask is none.
func (c constant) prefix(width int) (p netip.Prefix, ok bool) {
	mask := c.mask.and(ones(width))
	length := bits.OnesCount64(mask.hi) + bits.OnesCount64(mask.lo)
	if mask != ones(width).and(ones(width-length).not()) {
		return p, false
	}
	var a netip.Addr
	if width == 32 {
		a = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(c.value.lo))))
	} else {
		a = netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(
			binary.BigEndian.AppendUint64(nil, c.value.hi), c.value.lo,
		)))
	}
	return netip.PrefixFrom(a, length), true
}

func (n number) not() number { return number{^n.hi, ^n.lo} }
