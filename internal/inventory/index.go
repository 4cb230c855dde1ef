package inventory

import (
	"iter"
	"slices"

	"github.com/ovnguard/ovnguard/internal/persistent"
)

// sets is an index from keys to sets. No set in it is empty.
type sets[K, V comparable] struct {
	persistent.Map[K, persistent.Map[V, struct{}]]
}

// of walks over the set under a key.
func (x sets[K, V]) of(key K) iter.Seq[V] { return x.Get(key).Keys() }

// add enters value under key.
func (x *sets[K, V]) add(e *persistent.Edit, key K, value V) {
	set := x.Get(key)
	set.Set(e, value, struct{}{})
	x.Set(e, key, set)
}

// remove takes value out from under key, and the key with it when it was the last.
func (x *sets[K, V]) remove(e *persistent.Edit, key K, value V) {
	set, ok := x.Find(key)
	if !ok {
		return
	}
	if set.Delete(e, value); set.Len() == 0 {
		x.Delete(e, key)
		return
	}
	x.Set(e, key, set)
}

// replace enters a list under a key, and takes the key out where the list is empty.
func replace[K comparable, V any](x *persistent.Map[K, []V], e *persistent.Edit, key K, list []V) {
	if len(list) == 0 {
		x.Delete(e, key)
		return
	}
	x.Set(e, key, list)
}

// tally adds delta to the count under a key, and takes the key out at 0.
func tally[K comparable](x *persistent.Map[K, int], e *persistent.Edit, key K, delta int) {
	count := x.Get(key) + delta
	if count == 0 {
		x.Delete(e, key)
		return
	}
	x.Set(e, key, count)
}

// union returns the names that are in a or in b, each once, sorted.
func union(a, b []string) []string {
	names := slices.Concat(a, b)
	slices.Sort(names)
	return slices.Compact(names)
}

// distinct returns the names, each once, sorted.
func distinct(names []string) []string {
	if len(names) < 2 {
		return names
	}
	slices.Sort(names)
	return slices.Compact(names)
}
