package ovn

// trie is a set of rows, found by 64 bits of hash. It is persistent: put returns a new trie that shares all but a few
// nodes with the old one, which stays as it was. So a snapshot costs nothing to take or to keep, readers need no lock,
// and what differs between two snapshots is found without looking at what they share.
type trie[T any] struct {
	root *node[T]
	size int
}

// node is a leaf, which holds rows, or a fork, which holds the nodes for the next bits of the hash. A fork is never
// empty.
type node[T any] struct {
	// edit is the change that made the node; that change alone may write to it.
	edit *edit
	fork bool
	row  []entry[T]
	kid  [trieFan]*node[T]
}

type entry[T any] struct {
	hash uint64
	row  *T
}

// edit marks the nodes that one change has made, and which it may therefore change again.
type edit struct{ _ byte }

const (
	trieBits  = 2
	trieFan   = 1 << trieBits
	trieDepth = 64 / trieBits

	// leafMost is how many rows a leaf holds before it becomes a fork; a fork that holds no more than leafJoin becomes
	// a leaf. Walking all rows is then mostly walking lists, and the time goes to the rows rather than to finding them.
	// Leaves at trieDepth hold any number: rows whose hashes are equal.
	leafMost = 32
	leafJoin = leafMost / 2
)

// place returns the index of the kid for a hash, in a fork that deep.
func place(hash uint64, depth int) int {
	return int(hash >> (64 - trieBits*(depth+1)) & (trieFan - 1))
}

// put returns a trie where old, which has that hash, is replaced by now. Either may be nil: a new row, or one that
// goes.
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

// own returns the node itself where this change made it, else a copy that it may write to.
func (n *node[T]) own(e *edit) *node[T] {
	if n == nil {
		return &node[T]{edit: e}
	}
	if n.edit == e {
		return n
	}
	c := &node[T]{edit: e, fork: n.fork, kid: n.kid}
	if !n.fork {
		c.row = append(make([]entry[T], 0, len(n.row)+1), n.row...)
	}
	return c
}

func (n *node[T]) insert(e *edit, x entry[T], depth int) *node[T] {
	n = n.own(e)
	if !n.fork {
		if len(n.row) < leafMost || depth == trieDepth {
			n.row = append(n.row, x)
			return n
		}
		rows := n.row
		n.fork, n.row = true, nil
		for _, r := range rows {
			n.insert(e, r, depth)
		}
	}
	i := place(x.hash, depth)
	n.kid[i] = n.kid[i].insert(e, x, depth+1)
	return n
}

// find returns the index of row among the rows of a leaf; -1 where it is not there.
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
	if n.fork {
		i := place(hash, depth)
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
	if n.fork {
		i := place(hash, depth)
		kid, found := n.kid[i].remove(e, hash, depth+1, old)
		if !found {
			return n, false
		}
		n = n.own(e)
		n.kid[i] = kid
		return n.join(), true
	}
	i := n.find(old)
	if i < 0 {
		return n, false
	}
	if len(n.row) == 1 {
		return nil, true
	}
	n = n.own(e)
	last := len(n.row) - 1
	n.row[i] = n.row[last]
	n.row[last] = entry[T]{}
	n.row = n.row[:last]
	return n, true
}

// join returns a fork of ours as a leaf where it has become small, and nil where nothing is left.
func (n *node[T]) join() *node[T] {
	size := 0
	for _, k := range n.kid {
		if k == nil {
			continue
		}
		if size += len(k.row); k.fork || size > leafJoin {
			return n
		}
	}
	if size == 0 {
		return nil
	}
	rows := make([]entry[T], 0, size+1)
	n.entries(func(x entry[T]) { rows = append(rows, x) })
	n.fork, n.row, n.kid = false, rows, [trieFan]*node[T]{}
	return n
}

// each calls yield for every row until it gives false, and says whether it never did.
func (n *node[T]) each(yield func(*T) bool) bool {
	if n == nil {
		return true
	}
	for i := range n.row {
		if !yield(n.row[i].row) {
			return false
		}
	}
	if n.fork {
		for _, k := range n.kid {
			if !k.each(yield) {
				return false
			}
		}
	}
	return true
}

// withPrefix calls yield for every row whose hash begins with the first bits of hash, until it returns false. bits is a
// multiple of trieBits.
func (t trie[T]) withPrefix(hash uint64, bits int, yield func(*T) bool) {
	n := t.root
	depth := 0
	for ; n != nil && n.fork && depth < bits/trieBits; depth++ {
		n = n.kid[place(hash, depth)]
	}
	if n == nil || n.fork {
		n.each(yield)
		return
	}
	for i := range n.row {
		if x := &n.row[i]; (x.hash^hash)>>(64-bits) == 0 && !yield(x.row) {
			return
		}
	}
}

// difference returns the rows that are only in a and those that are only in b. What both share as nodes is not looked
// at.
func difference[T any](a, b *node[T], depth int, onlyA, onlyB func(entry[T])) {
	switch {
	case a == b:
	case a == nil:
		b.entries(onlyB)
	case b == nil:
		a.entries(onlyA)
	case !a.fork && !b.fork:
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
	default:
		for i := range trieFan {
			difference(a.under(i, depth), b.under(i, depth), depth+1, onlyA, onlyB)
		}
	}
}

// under returns what is at a place of the node, which would be a fork if it held more.
func (n *node[T]) under(i, depth int) *node[T] {
	if n.fork {
		return n.kid[i]
	}
	var rows []entry[T]
	for _, x := range n.row {
		if place(x.hash, depth) == i {
			rows = append(rows, x)
		}
	}
	if rows == nil {
		return nil
	}
	return &node[T]{row: rows}
}

func (n *node[T]) entries(do func(entry[T])) {
	for _, x := range n.row {
		do(x)
	}
	for _, k := range n.kid {
		if k != nil {
			k.entries(do)
		}
	}
}
