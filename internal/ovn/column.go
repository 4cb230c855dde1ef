package ovn

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/persistent"
)

// column says where a column of a table goes in the row's struct T. The type of the field says what the column must be:
// a string or UUID (*string, "" where an optional column is empty), a set of them (*[]string, or a *persistent.Set of
// strings where it may be large and changes by a few members), a map (*map[string]string), a whole number (*int, **int)
// or a truth value (*bool, **bool).
type column[T any] struct {
	name string
	// optional means that some schema since OVN 22.03 does not have it.
	optional bool
	// orNone means that a string may be absent, and is "" then.
	orNone bool
	field  func(*T) any
}

// readValue reads a column's whole value into field.
func readValue(s *scan, field any) {
	switch f := field.(type) {
	case *string:
		*f = ""
		readSet(s, func() { *f = readAtom(s) })
	case *[]string:
		var set []string
		readSet(s, func() { set = append(set, readAtom(s)) })
		*f = sorted(set)
	case *persistent.Set[string]:
		var set []string
		readSet(s, func() { set = append(set, readAtom(s)) })
		*f = persistent.SetOf(set...)
	case *map[string]string:
		*f = readMap(s)
	case *int:
		*f = 0
		readSet(s, func() { *f = int(s.integer()) })
	case **int:
		*f = nil
		readSet(s, func() { n := int(s.integer()); *f = &n })
	case *bool:
		*f = false
		readSet(s, func() { *f = s.boolean() })
	case **bool:
		*f = nil
		readSet(s, func() { *f = truth(s.boolean()) })
	default:
		s.fail(fmt.Sprintf("a column of a known type, not %T", field))
	}
}

// readDifference reads what changed in a set or a map and applies it to field, which must hold the old value: members
// of a set that are in one of old and new, and pairs of a map that are new, changed or gone (ovsdb-server(7), section
// 4.1.14). Columns that hold at most one value are sent whole; see readValue.
func readDifference(s *scan, field any) {
	switch f := field.(type) {
	case *[]string:
		var toggled []string
		readSet(s, func() { toggled = append(toggled, readAtom(s)) })
		*f = toggle(*f, sorted(toggled))
	case *persistent.Set[string]:
		var toggled []string
		readSet(s, func() { toggled = append(toggled, readAtom(s)) })
		*f = toggleLarge(*f, sorted(toggled))
	case *map[string]string:
		*f = patch(*f, readMap(s))
	default:
		readValue(s, field)
	}
}

// readSet calls do for each member: ["set", [...]], or one member bare.
func readSet(s *scan, do func()) {
	if s.peek() != '[' {
		do()
		return
	}
	start := s.at
	s.at++
	if s.peek() == '"' && string(s.bytes()) == "set" {
		s.take(',')
		s.array(do)
		s.take(']')
		return
	}
	s.at = start
	do()
}

// readAtom reads a string, or ["uuid", string].
func readAtom(s *scan) string {
	if s.peek() != '[' {
		return s.text()
	}
	s.at++
	if string(s.bytes()) != "uuid" {
		s.fail("a string or a UUID")
	}
	s.take(',')
	atom := s.text()
	s.take(']')
	return atom
}

// readMap reads ["map", [[key, value], ...]]. An empty map is nil.
func readMap(s *scan) map[string]string {
	if !s.take('[') {
		return nil
	}
	switch string(s.bytes()) {
	case "map":
	case "set": // some tools write an empty map as an empty set
		s.take(',')
		s.array(func() { s.fail("pairs of a map") })
		s.take(']')
		return nil
	default:
		s.fail(`"map"`)
		return nil
	}
	var m map[string]string
	s.take(',')
	s.array(func() {
		s.take('[')
		key := s.text()
		s.take(',')
		value := s.text()
		s.take(']')
		if m == nil {
			m = make(map[string]string)
		}
		m[key] = value
	})
	s.take(']')
	return m
}

// sorted puts a set in order. Sets have none in OVSDB; ours have one, so that equal sets are equal slices.
func sorted(set []string) []string {
	if !slices.IsSorted(set) {
		slices.Sort(set)
	}
	return slices.Compact(set)
}

// toggle returns the members that are in exactly one of two sorted sets. The old set is left as it is.
func toggle(old, toggled []string) []string {
	out := make([]string, 0, len(old)+len(toggled))
	for len(old) > 0 && len(toggled) > 0 {
		switch {
		case old[0] == toggled[0]:
			old, toggled = old[1:], toggled[1:]
		case old[0] < toggled[0]:
			out, old = append(out, old[0]), old[1:]
		default:
			out, toggled = append(out, toggled[0]), toggled[1:]
		}
	}
	out = append(append(out, old...), toggled...)
	if len(out) == 0 {
		return nil
	}
	return out
}

// toggleLarge is toggle for a set that is large.
func toggleLarge(set persistent.Set[string], toggled []string) persistent.Set[string] {
	e := new(persistent.Edit)
	for _, member := range toggled {
		if set.Has(member) {
			set.Remove(e, member)
		} else {
			set.Add(e, member)
		}
	}
	return set
}

// patch returns the map with the pairs of difference taken over: a pair that is there already goes, any other comes or
// replaces. The old map is left as it is.
func patch(old, difference map[string]string) map[string]string {
	out := maps.Clone(old)
	for key, value := range difference {
		if have, ok := out[key]; ok && have == value {
			delete(out, key)
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[key] = value
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

var yes, no = true, false

// truth returns a pointer that is shared by all rows.
func truth(b bool) *bool {
	if b {
		return &yes
	}
	return &no
}

// equalField reports whether two fields of the same column hold the same.
func equalField(a, b any) bool {
	switch a := a.(type) {
	case *string:
		return *a == *b.(*string)
	case *[]string:
		return slices.Equal(*a, *b.(*[]string))
	case *persistent.Set[string]:
		return a.Equal(*b.(*persistent.Set[string]))
	case *map[string]string:
		return maps.Equal(*a, *b.(*map[string]string))
	case *int:
		return *a == *b.(*int)
	case **int:
		return equalPointers(*a, *b.(**int))
	case *bool:
		return *a == *b.(*bool)
	case **bool:
		return equalPointers(*a, *b.(**bool))
	}
	return false
}

func equalPointers[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
