package inventory

import (
	"cmp"
	"hash/maphash"
	"net/netip"
)

// ranges is a set of address ranges with their holders, in which those that hold an address, or overlap a prefix, are
// found without a look at the others. It is a value: add and remove return another set and leave this one as it is, so
// that a snapshot may keep it.
//
// It is a binary search tree in order of the ranges' first addresses. Each node knows the last address of all ranges
// below it (an interval tree), and how it is balanced follows from a hash of its range (a treap), so that the same
// ranges make the same tree.
type ranges struct {
	root *rangeNode
}

// addressRange is a range of addresses of one family, both ends included, with what holds it.
type addressRange struct {
	from, to netip.Addr
	holder   Holder
}

type rangeNode struct {
	addressRange
	priority    uint64
	last        netip.Addr // of this range and all below
	left, right *rangeNode
}

var rangeSeed = maphash.MakeSeed()

func (r addressRange) compare(o addressRange) int {
	return cmp.Or(r.from.Compare(o.from), r.to.Compare(o.to), r.holder.compare(o.holder))
}

// add returns the set with a range more.
func (s ranges) add(r addressRange) ranges {
	if !r.from.IsValid() || r.to.Less(r.from) || r.from.BitLen() != r.to.BitLen() {
		return s
	}
	below, above := s.root.split(r)
	node := rangeNode{addressRange: r, priority: maphash.Comparable(rangeSeed, r)}
	return ranges{merge(merge(below, node.over(nil, nil)), above.without(r))}
}

// remove returns the set without a range.
func (s ranges) remove(r addressRange) ranges { return ranges{s.root.without(r)} }

// over returns a copy of the node with these below it.
func (n *rangeNode) over(left, right *rangeNode) *rangeNode {
	c := *n
	c.left, c.right, c.last = left, right, n.to
	for _, below := range []*rangeNode{left, right} {
		if below != nil && c.last.Less(below.last) {
			c.last = below.last
		}
	}
	return &c
}

// split returns what is before a range, and what is not.
func (n *rangeNode) split(r addressRange) (before, rest *rangeNode) {
	if n == nil {
		return nil, nil
	}
	if n.compare(r) < 0 {
		middle, rest := n.right.split(r)
		return n.over(n.left, middle), rest
	}
	before, middle := n.left.split(r)
	return before, n.over(middle, n.right)
}

// merge returns both as one; all of a is before all of b.
func merge(a, b *rangeNode) *rangeNode {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority >= b.priority:
		return a.over(a.left, merge(a.right, b))
	}
	return b.over(merge(a, b.left), b.right)
}

func (n *rangeNode) without(r addressRange) *rangeNode {
	if n == nil {
		return nil
	}
	switch c := r.compare(n.addressRange); {
	case c == 0:
		return merge(n.left, n.right)
	case c < 0:
		if left := n.left.without(r); left != n.left {
			return n.over(left, n.right)
		}
	default:
		if right := n.right.without(r); right != n.right {
			return n.over(n.left, right)
		}
	}
	return n
}

// each calls take with each range that has an address from from up to to, in order, until take returns false.
func (s ranges) each(from, to netip.Addr, take func(addressRange) bool) { s.root.each(from, to, take) }

func (n *rangeNode) each(from, to netip.Addr, take func(addressRange) bool) bool {
	if n == nil || n.last.Less(from) {
		return true
	}
	if !n.left.each(from, to, take) {
		return false
	}
	if to.Less(n.from) {
		return true // and so is all that is right of it
	}
	if !n.to.Less(from) && !take(n.addressRange) {
		return false
	}
	return n.right.each(from, to, take)
}

// ends returns the first and the last address of a prefix.
func ends(p netip.Prefix) (from, to netip.Addr) {
	from = p.Masked().Addr()
	octets := from.AsSlice()
	for i := range octets {
		if host := (i+1)*8 - p.Bits(); host >= 8 {
			octets[i] = 0xff
		} else if host > 0 {
			octets[i] |= 1<<host - 1
		}
	}
	to, _ = netip.AddrFromSlice(octets)
	return from, to
}
