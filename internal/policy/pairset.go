package policy

import (
	"slices"

	"github.com/ovnguard/ovnguard/portsec"
)

// pairSet is a set of address pairs in which one that holds another is found without a look at all.
type pairSet struct {
	has map[portsec.AddressPair]bool
	// bits are the lengths of the prefixes of each MAC.
	bits map[portsec.MAC][]int
}

func newPairSet(size int) *pairSet {
	return &pairSet{has: make(map[portsec.AddressPair]bool, size), bits: make(map[portsec.MAC][]int)}
}

func pairSetOf(pairs []portsec.AddressPair) *pairSet {
	s := newPairSet(len(pairs))
	for _, p := range pairs {
		s.add(p)
	}
	return s
}

func (s *pairSet) add(p portsec.AddressPair) {
	p.Prefix = p.Prefix.Masked()
	s.has[p] = true
	if bits := p.Prefix.Bits(); p.Prefix.IsValid() && !slices.Contains(s.bits[p.MAC], bits) {
		s.bits[p.MAC] = append(s.bits[p.MAC], bits)
	}
}

// holds reports whether a pair of the set lets a port send from all of p. A set that is nil is empty.
func (s *pairSet) holds(p portsec.AddressPair) bool {
	if s == nil {
		return false
	}
	if s.has[portsec.AddressPair{MAC: p.MAC}] {
		return true
	}
	if !p.Prefix.IsValid() {
		return false
	}
	for _, bits := range s.bits[p.MAC] {
		if bits > p.Prefix.Bits() {
			continue
		}
		if wider, err := p.Prefix.Addr().
			Prefix(bits); err == nil &&
			s.has[portsec.AddressPair{MAC: p.MAC, Prefix: wider}] {
			return true
		}
	}
	return false
}

// distinct returns the pairs in order, without those that another one or the level holds, and the set of them.
func distinct(pairs []portsec.AddressPair, level Level) ([]portsec.AddressPair, *pairSet) {
	set := newPairSet(len(pairs))
	sorted := slices.Clone(pairs)
	slices.SortFunc(sorted, comparePairs)
	var out []portsec.AddressPair
	for _, p := range sorted {
		if !level.holds(p) && !set.holds(p) {
			out = append(out, p)
			set.add(p)
		}
	}
	return out, set
}

// holds reports whether the level alone lets a port send from all of a pair.
func (l Level) holds(p portsec.AddressPair) bool {
	return l == Open || l == MAC && p.MAC == (portsec.MAC{})
}
