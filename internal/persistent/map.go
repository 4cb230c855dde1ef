// Package persistent has a map with cheap snapshots, which are copies: a copy stays as it was, whatever is done to the
// original afterwards, and whoever reads it needs no lock.
//
// The map is a trie over the bits of a hash. A node is copied before it is changed, so that two snapshots share all
// nodes but the few on the way to what differs.
//
// It is code of our own for what no module that is known does together: a map that exists can be changed in a series,
// which copies each node once and not once for each entry (Edit), and keys are hashed with a seed, so that whoever
// chooses names cannot choose collisions. docs/architecture.md compares it with the nearest one.
package persistent

import (
	"hash/maphash"
	"iter"
)

// Map is a map from K to V. The zero value is empty and ready for use. A copy of it is a snapshot, which stays as it is
// when the original is changed with another Edit than before. A map that is being walked over must not be changed.
type Map[K comparable, V any] struct {
	root branch[K, V]
	size int
}

// Edit stands for a series of changes. What the series itself has made of a map, nobody else has seen, and it may write
// there again instead of copying. Begin another one, with new, after each snapshot; one may change many maps. Without
// an Edit, nil, each change copies.
type Edit struct{ _ byte } // not empty: two Edits must differ

// branch is what is below a fork: another fork, a leaf, or neither where nothing is there.
type branch[K comparable, V any] struct {
	fork *fork[K, V]
	leaf *leaf[K, V]
}

// fork holds a branch for each value of the next bits of the hash. It holds more entries than one leaf could keep.
type fork[K comparable, V any] struct {
	edit *Edit
	kids [fan]branch[K, V]
}

// leaf holds entries in no order. It is never empty.
type leaf[K comparable, V any] struct {
	edit    *Edit
	entries []entry[K, V]
}

type entry[K comparable, V any] struct {
	hash  uint64
	value V // not the last one: nothing takes room there
	key   K
}

const (
	bits  = 2
	fan   = 1 << bits
	depth = 64 / bits

	// leafMost is how many entries a leaf holds before it becomes a fork. A fork whose kids are leaves with no more
	// than leafJoin together becomes a leaf. A leaf at the last bits of the hash holds any number, whose hashes are
	// equal.
	leafMost = 16
	leafJoin = leafMost / 2
)

// seed makes hashes that nobody outside can foresee, so that nobody can choose keys that collide.
var seed = maphash.MakeSeed()

func hashOf[K comparable](key K) uint64 { return maphash.Comparable(seed, key) }

// place returns under which kid of a fork at this level a hash is found.
func place(hash uint64, level int) int { return int(hash >> (64 - bits*(level+1)) & (fan - 1)) }

// Len returns the number of entries.
func (m Map[K, V]) Len() int { return m.size }

// Get returns the value of a key, and the zero value where there is none.
func (m Map[K, V]) Get(key K) V {
	v, _ := m.Find(key)
	return v
}

// Has reports whether there is an entry for the key.
func (m Map[K, V]) Has(key K) bool {
	_, ok := m.Find(key)
	return ok
}

// Find returns the value of a key, and whether there is one.
func (m Map[K, V]) Find(key K) (value V, ok bool) {
	if m.size == 0 {
		return value, false
	}
	return m.find(hashOf(key), key)
}

func (m Map[K, V]) find(hash uint64, key K) (value V, ok bool) {
	b := m.root
	for level := 0; b.fork != nil; level++ {
		b = b.fork.kids[place(hash, level)]
	}
	if i := b.leaf.find(hash, key); i >= 0 {
		return b.leaf.entries[i].value, true
	}
	return value, false
}

// All walks over the entries, in no order that means anything.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.root.each(yield) }
}

// Keys walks over the keys, in no order that means anything.
func (m Map[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) { m.root.each(func(k K, _ V) bool { return yield(k) }) }
}

// Values walks over the values, in no order that means anything.
func (m Map[K, V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) { m.root.each(func(_ K, v V) bool { return yield(v) }) }
}

// Set enters a value under a key, in place of the one that is there.
func (m *Map[K, V]) Set(e *Edit, key K, value V) { m.set(e, entry[K, V]{hashOf(key), value, key}) }

func (m *Map[K, V]) set(e *Edit, x entry[K, V]) {
	added := false
	if m.root = m.root.set(e, x, 0, &added); added {
		m.size++
	}
}

// Delete takes a key out, where it is there.
func (m *Map[K, V]) Delete(e *Edit, key K) {
	if m.size > 0 {
		m.remove(e, hashOf(key), key)
	}
}

func (m *Map[K, V]) remove(e *Edit, hash uint64, key K) {
	if root, found := m.root.remove(e, hash, key, 0); found {
		m.root = root
		m.size--
	}
}

// find returns the index of a key among the entries of a leaf, which may be nil; -1 where it is not there.
func (l *leaf[K, V]) find(hash uint64, key K) int {
	if l == nil {
		return -1
	}
	for i := range l.entries {
		if x := &l.entries[i]; x.hash == hash && x.key == key {
			return i
		}
	}
	return -1
}

// own returns the leaf itself where this edit made it, else a copy with room for so many more.
func (l *leaf[K, V]) own(e *Edit, more int) *leaf[K, V] {
	if e != nil && l.edit == e {
		return l
	}
	return &leaf[K, V]{e, append(make([]entry[K, V], 0, len(l.entries)+more), l.entries...)}
}

// own returns the fork itself where this edit made it, else a copy.
func (f *fork[K, V]) own(e *Edit) *fork[K, V] {
	if e != nil && f.edit == e {
		return f
	}
	return &fork[K, V]{e, f.kids}
}

func (b branch[K, V]) set(e *Edit, x entry[K, V], level int, added *bool) branch[K, V] {
	if b.fork == nil {
		if i := b.leaf.find(x.hash, x.key); i >= 0 {
			l := b.leaf.own(e, 0)
			l.entries[i].value = x.value
			return branch[K, V]{leaf: l}
		}
		*added = true
		return b.insert(e, x, level)
	}
	f, i := b.fork.own(e), place(x.hash, level)
	f.kids[i] = f.kids[i].set(e, x, level+1, added)
	return branch[K, V]{fork: f}
}

// insert enters what is not there yet.
func (b branch[K, V]) insert(e *Edit, x entry[K, V], level int) branch[K, V] {
	switch {
	case b.fork != nil:
		f, i := b.fork.own(e), place(x.hash, level)
		f.kids[i] = f.kids[i].insert(e, x, level+1)
		return branch[K, V]{fork: f}
	case b.leaf == nil:
		return branch[K, V]{leaf: &leaf[K, V]{e, []entry[K, V]{x}}}
	case len(b.leaf.entries) < leafMost || level == depth:
		l := b.leaf.own(e, 1)
		l.entries = append(l.entries, x)
		return branch[K, V]{leaf: l}
	}
	split := branch[K, V]{fork: &fork[K, V]{edit: e}}
	for _, y := range b.leaf.entries {
		split = split.insert(e, y, level)
	}
	return split.insert(e, x, level)
}

func (b branch[K, V]) remove(e *Edit, hash uint64, key K, level int) (left branch[K, V], found bool) {
	if b.fork != nil {
		i := place(hash, level)
		kid, found := b.fork.kids[i].remove(e, hash, key, level+1)
		if !found {
			return b, false
		}
		f := b.fork.own(e)
		f.kids[i] = kid
		return f.join(e), true
	}
	i := b.leaf.find(hash, key)
	if i < 0 {
		return b, false
	}
	if len(b.leaf.entries) == 1 {
		return branch[K, V]{}, true
	}
	l := b.leaf.own(e, 0)
	last := len(l.entries) - 1
	l.entries[i] = l.entries[last]
	l.entries[last] = entry[K, V]{} // lets go of what it holds
	l.entries = l.entries[:last]
	return branch[K, V]{leaf: l}, true
}

// join returns the fork as a leaf where it has become small, and as nothing where nothing is left.
func (f *fork[K, V]) join(e *Edit) branch[K, V] {
	size := 0
	for _, kid := range f.kids {
		if kid.fork != nil {
			return branch[K, V]{fork: f}
		}
		if kid.leaf != nil {
			size += len(kid.leaf.entries)
		}
	}
	if size > leafJoin {
		return branch[K, V]{fork: f}
	}
	l := &leaf[K, V]{e, make([]entry[K, V], 0, size)}
	for _, kid := range f.kids {
		if kid.leaf != nil {
			l.entries = append(l.entries, kid.leaf.entries...)
		}
	}
	return branch[K, V]{leaf: l}
}

// each calls yield for every entry until it returns false, and reports whether it never did.
func (b branch[K, V]) each(yield func(K, V) bool) bool {
	if b.leaf != nil {
		for i := range b.leaf.entries {
			if x := &b.leaf.entries[i]; !yield(x.key, x.value) {
				return false
			}
		}
		return true
	}
	if b.fork != nil {
		for i := range b.fork.kids {
			if !b.fork.kids[i].each(yield) {
				return false
			}
		}
	}
	return true
}
