package inventory

import "slices"

// add enters value under key in an index from keys to sets.
func add[K, V comparable](index map[K]map[V]bool, key K, value V) {
	if index[key] == nil {
		index[key] = make(map[V]bool)
	}
	index[key][value] = true
}

// remove takes value out from under key, and the key with it when it was the last.
func remove[K, V comparable, T any](index map[K]map[V]T, key K, value V) {
	delete(index[key], value)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}

// union gives the names that are in a or in b, each once, sorted.
func union(a, b []string) []string {
	names := slices.Concat(a, b)
	slices.Sort(names)
	return slices.Compact(names)
}

// distinct gives the names, each once, sorted.
func distinct(names []string) []string {
	if len(names) < 2 {
		return names
	}
	slices.Sort(names)
	return slices.Compact(names)
}
