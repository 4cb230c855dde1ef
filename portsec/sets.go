package portsec

import "slices"

// Sets are the effective sets of one column as the eras read it that may enforce: each different one once.
type Sets []Set

// ParseAll returns the effective sets of a column under several eras.
func ParseAll(eras []Era, column []string) Sets {
	var sets Sets
	for _, era := range eras {
		s := Parse(era, column).Set()
		if !slices.ContainsFunc(sets, s.Equal) {
			sets = append(sets, s)
		}
	}
	return sets
}

// Open reports whether some era lets the port send from any MAC and address.
func (s Sets) Open() bool { return slices.ContainsFunc(s, Set.Open) }

// Verdict judges a frame as Set.Verdict does. Where eras differ, it is that of the first one that allows the frame.
func (s Sets) Verdict(port Port, direction Direction, frame []byte) (decisive Verdict) {
	for i, set := range s {
		if v := set.Verdict(port, direction, frame); i == 0 || v.Allow && !decisive.Allow {
			decisive = v
		}
	}
	return decisive
}
