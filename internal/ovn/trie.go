package ovn

import "math/bits"

// trie is a set of rows, found by 64 bits of hash. It is persistent: put gives a new trie that shares all but a few nodes
// with the old one, which stays as it was. So a snapshot costs nothing to take or to keep, readers need no lock, and what
// differs between two snapshots is found without looking at what they share.
type trie[T any] struct {
	root *node[T]
	size int
}

// node holds up to sixteen places, chosen by four bits of the hash. A place is empty, or holds one row, or the node below.
// Below the last four bits there are only rows, whose hashes are all equal.
type node[T any] struct {
	// edit is the change that made the node; that change alone may write to it.
	edit  *edit
	rows  uint16
	below uint16
	row   []entry[T]
	kid   []*node[T]
}

type entry[T any] struct {
	hash uint64
	row  *T
}

// edit marks the nodes that one change has made, and which it may therefore change again.
type edit struct{ _ byte }

const (
	trieBits  = 4
	trieDepth = 64 / trieBits
)

func place(hash uint64, depth int) uint16 {
	return 1 << (hash >> (64 - trieBits*(depth+1)) & (1<<trieBits - 1))
}

// at gives the index in a packed slice of the place that bit marks.
func at(set, bit uint16) int { return bits.OnesCount16(set & (bit - 1)) }

// put gives a trie where old, which has that hash, is replaced by now. Either may be nil: a new row, or one that goes.
func (t trie[T]) put(e *edit, hash uint64, old, now *T) trie[T] {
	if old == now {
		return t
	}
	if old != nil && now != nil {
		if root, found := t.root.replace(e, hash, 0, old, now); found {
			return trie[T]{root, t.size}
		}
		old = nil
	}
	if old != nil {
		if root, found := t.root.remove(e, hash, 0, old); found {
			return trie[T]{root, t.size - 1}
		}
		return t
	}
	return trie[T]{t.root.insert(e, entry[T]{hash, now}, 0), t.size + 1}
}

// own gives the node itself where this change made it, else a copy that it may write to.
func (n *node[T]) own(e *edit) *node[T] {
	if n == nil {
		return &node[T]{edit: e}
	}
	if n.edit == e {
		return n
	}
	c := &node[T]{edit: e, rows: n.rows, below: n.below}
	c.row = append(make([]entry[T], 0, len(n.row)+1), n.row...)
	c.kid = append(make([]*node[T], 0, len(n.kid)+1), n.kid...)
	return c
}

func (n *node[T]) insert(e *edit, x entry[T], depth int) *node[T] {
	n = n.own(e)
	if depth == trieDepth {
		n.row = append(n.row, x)
		return n
	}
	bit := place(x.hash, depth)
	switch {
	case n.below&bit != 0:
		i := at(n.below, bit)
		n.kid[i] = n.kid[i].insert(e, x, depth+1)
	case n.rows&bit != 0:
		i := at(n.rows, bit)
		kid := (*node[T])(nil).insert(e, n.row[i], depth+1).insert(e, x, depth+1)
		n.row = cut(n.row, i)
		n.rows &^= bit
		n.kid = fit(n.kid, at(n.below, bit), kid)
		n.below |= bit
	default:
		n.row = fit(n.row, at(n.rows, bit), x)
		n.rows |= bit
	}
	return n
}

// find gives the index of row among the rows of the node; -1 where it is not there.
func (n *node[T]) find(row *T) int {
	for i := range n.row {
		if n.row[i].row == row {
			return i
		}
	}
	return -1
}

func (n *node[T]) replace(e *edit, hash uint64, depth int, old, now *T) (*node[T], bool) {
	if n == nil {
		return nil, false
	}
	bit := uint16(0)
	if depth < trieDepth {
		bit = place(hash, depth)
	}
	if n.below&bit != 0 {
		i := at(n.below, bit)
		kid, found := n.kid[i].replace(e, hash, depth+1, old, now)
		if found && kid != n.kid[i] {
			n = n.own(e)
			n.kid[i] = kid
		}
		return n, found
	}
	i := n.find(old)
	if i < 0 {
		return n, false
	}
	n = n.own(e)
	n.row[i].row = now
	return n, true
}

func (n *node[T]) remove(e *edit, hash uint64, depth int, old *T) (*node[T], bool) {
	if n == nil {
		return nil, false
	}
	bit := uint16(0)
	if depth < trieDepth {
		bit = place(hash, depth)
	}
	if n.below&bit == 0 {
		i := n.find(old)
		if i < 0 {
			return n, false
		}
		if len(n.row) == 1 && len(n.kid) == 0 {
			return nil, true
		}
		n = n.own(e)
		n.row = cut(n.row, i)
		n.rows &^= bit
		return n, true
	}
	i := at(n.below, bit)
	kid, found := n.kid[i].remove(e, hash, depth+1, old)
	if !found {
		return n, false
	}
	n = n.own(e)
	switch {
	case kid == nil:
		n.kid = cut(n.kid, i)
		n.below &^= bit
	case len(kid.row) == 1 && len(kid.kid) == 0:
		// A row that is alone moves up, so that the shape depends on the content alone.
		n.kid = cut(n.kid, i)
		n.below &^= bit
		n.row = fit(n.row, at(n.rows, bit), kid.row[0])
		n.rows |= bit
	default:
		n.kid[i] = kid
	}
	if len(n.row) == 0 && len(n.kid) == 0 {
		return nil, true
	}
	return n, true
}

// each calls yield for every row until it gives false, and tells whether it never did.
func (n *node[T]) each(yield func(*T) bool) bool {
	if n == nil {
		return true
	}
	for i := range n.row {
		if !yield(n.row[i].row) {
			return false
		}
	}
	for _, k := range n.kid {
		if !k.each(yield) {
			return false
		}
	}
	return true
}

// withPrefix calls yield for every row whose hash begins with the first bits of hash, until it gives false. bits is a
// multiple of four.
func (t trie[T]) withPrefix(hash uint64, bits int, yield func(*T) bool) {
	n := t.root
	for depth := 0; n != nil && depth < bits/trieBits; depth++ {
		bit := place(hash, depth)
		if n.rows&bit != 0 {
			if x := n.row[at(n.rows, bit)]; x.hash>>(64-bits) == hash>>(64-bits) {
				yield(x.row)
			}
			return
		}
		if n.below&bit == 0 {
			return
		}
		n = n.kid[at(n.below, bit)]
	}
	n.each(yield)
}

// difference gives the rows that are only in a and those that are only in b. What both share as nodes is not looked at.
func difference[T any](a, b *node[T], depth int, onlyA, onlyB func(entry[T])) {
	switch {
	case a == b:
		return
	case a == nil:
		b.entries(onlyB)
		return
	case b == nil:
		a.entries(onlyA)
		return
	case depth == trieDepth:
		for _, x := range a.row {
			if b.find(x.row) < 0 {
				onlyA(x)
			}
		}
		for _, x := range b.row {
			if a.find(x.row) < 0 {
				onlyB(x)
			}
		}
		return
	}
	for bit, places := uint16(1), a.rows|a.below|b.rows|b.below; places != 0; bit <<= 1 {
		if places&bit == 0 {
			continue
		}
		places &^= bit
		if a.rows&bit != 0 && b.rows&bit != 0 {
			x, y := a.row[at(a.rows, bit)], b.row[at(b.rows, bit)]
			if x.row != y.row {
				onlyA(x)
				onlyB(y)
			}
			continue
		}
		difference(a.under(bit, depth), b.under(bit, depth), depth+1, onlyA, onlyB)
	}
}

// under gives the place as a node, one row alone too.
func (n *node[T]) under(bit uint16, depth int) *node[T] {
	switch {
	case n.below&bit != 0:
		return n.kid[at(n.below, bit)]
	case n.rows&bit != 0:
		return (*node[T])(nil).insert(&edit{}, n.row[at(n.rows, bit)], depth+1)
	}
	return nil
}

func (n *node[T]) entries(do func(entry[T])) {
	for _, x := range n.row {
		do(x)
	}
	for _, k := range n.kid {
		k.entries(do)
	}
}

// fit and cut put an element into a slice that is ours and take one out.
func fit[E any](list []E, i int, x E) []E {
	list = append(list, x)
	copy(list[i+1:], list[i:])
	list[i] = x
	return list
}

func cut[E any](list []E, i int) []E {
	var none E
	copy(list[i:], list[i+1:])
	list[len(list)-1] = none
	return list[:len(list)-1]
}
