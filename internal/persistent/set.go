package persistent

import "iter"

// Set is a set with cheap snapshots, as Map is a map with them. Where one set was made from another, what differs
// between them is found without a look at what they share.
type Set[K comparable] struct{ m Map[K, struct{}] }

// SetOf returns a set of some keys.
func SetOf[K comparable](keys ...K) Set[K] {
	var s Set[K]
	e := new(Edit)
	for _, key := range keys {
		s.Add(e, key)
	}
	return s
}

// Len returns the number of keys.
func (s Set[K]) Len() int { return s.m.Len() }

// Has reports whether a key is in the set.
func (s Set[K]) Has(key K) bool { return s.m.Has(key) }

// All walks over the keys, in no order that means anything.
func (s Set[K]) All() iter.Seq[K] { return s.m.Keys() }

// Add puts a key in, where it is not there.
func (s *Set[K]) Add(e *Edit, key K) { s.m.Set(e, key, struct{}{}) }

// Remove takes a key out, where it is there.
func (s *Set[K]) Remove(e *Edit, key K) { s.m.Delete(e, key) }

// Equal reports whether two sets hold the same.
func (s Set[K]) Equal(other Set[K]) bool {
	if s.Len() != other.Len() {
		return false
	}
	for range s.Without(other) {
		return false
	}
	return true
}

// Without walks over the keys that are not in another set.
func (s Set[K]) Without(other Set[K]) iter.Seq[K] {
	return func(yield func(K) bool) { s.m.root.without(other.m.root, 0, yield) }
}

// without calls yield for every key that is not below another branch at the same place, until it returns false, and
// reports whether it never did.
func (b branch[K, V]) without(other branch[K, V], level int, yield func(K) bool) bool {
	switch {
	case b == other:
		return true
	case b.fork != nil && other.fork != nil:
		for i := range b.fork.kids {
			if !b.fork.kids[i].without(other.fork.kids[i], level+1, yield) {
				return false
			}
		}
		return true
	case b.fork != nil:
		for i := range b.fork.kids {
			if !b.fork.kids[i].without(other, level+1, yield) {
				return false
			}
		}
		return true
	case b.leaf == nil:
		return true
	}
	for i := range b.leaf.entries {
		if x := &b.leaf.entries[i]; !other.has(x.hash, x.key, level) && !yield(x.key) {
			return false
		}
	}
	return true
}

// has reports whether a key is below a branch at that level.
func (b branch[K, V]) has(hash uint64, key K, level int) bool {
	for ; b.fork != nil; level++ {
		b = b.fork.kids[place(hash, level)]
	}
	return b.leaf.find(hash, key) >= 0
}
