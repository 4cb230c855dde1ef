package inventory

import (
	"iter"
	"maps"
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

// portsBy is an index from addresses or MACs to the names of the ports that are there. Nearly all have one, so
// that a set for each would take more memory than the ports themselves.
type portsBy[K comparable] struct {
	first persistent.Map[K, string]
	more  persistent.Map[K, []string]
}

// add enters a name and returns those that were there before.
func (s *portsBy[K]) add(e *persistent.Edit, p K, name string) (before []string) {
	first, taken := s.first.Find(p)
	if !taken {
		s.first.Set(e, p, name)
		return nil
	}
	more := s.more.Get(p)
	if before = append([]string{first}, more...); !slices.Contains(before, name) {
		s.more.Set(e, p, append(slices.Clone(more), name))
	}
	return before
}

// remove takes a name out and returns those that are left.
func (s *portsBy[K]) remove(e *persistent.Edit, p K, name string) (left []string) {
	first, taken := s.first.Find(p)
	if !taken {
		return nil
	}
	left = slices.DeleteFunc(append([]string{first}, s.more.Get(p)...), func(o string) bool { return o == name })
	if len(left) == 0 {
		s.first.Delete(e, p)
		return nil
	}
	s.first.Set(e, p, left[0])
	replace(&s.more, e, p, left[1:])
	return left
}

// names returns all names under a key, in order.
func (s *portsBy[K]) names(p K) []string {
	first, taken := s.first.Find(p)
	if !taken {
		return nil
	}
	out := append([]string{first}, s.more.Get(p)...)
	slices.Sort(out)
	return out
}

// others returns the names under a key besides this one.
func (s *portsBy[K]) others(p K, name string) []string {
	more := s.more.Get(p)
	if len(more) == 0 {
		return nil
	}
	out := slices.DeleteFunc(append([]string{s.first.Get(p)}, more...), func(o string) bool { return o == name })
	slices.Sort(out)
	return out
}

// namesBy is an index of names by keys of several types. A key says what its names have in common.
type namesBy map[any]map[string]bool

// add enters a name under a key.
func (x namesBy) add(key any, name string) {
	if x[key] == nil {
		x[key] = make(map[string]bool)
	}
	x[key][name] = true
}

// remove takes a name out from under a key.
func (x namesBy) remove(key any, name string) {
	if delete(x[key], name); len(x[key]) == 0 {
		delete(x, key)
	}
}

// of returns the names under a key, in no order.
func (x namesBy) of(key any) []string { return slices.Collect(maps.Keys(x[key])) }
