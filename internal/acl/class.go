package acl

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/ovnguard/ovnguard/internal/ovnmatch"
)

// Classes returns for each port a number that ports have in common when the same ACLs decide about what they send: they
// are on one switch and in the same port groups, and no ACL tells them apart. Zero is the class of ports that no ACL
// hinders.
func (t *Table) Classes(ports []string) []int {
	return t.classes(ports, []stage{beforeLB, afterLB}, func(m *ovnmatch.Match) bool {
		in, _ := m.Ports()
		return in == nil && m.Mentions("inport")
	})
}

// Receivers is Classes of what ports receive.
func (t *Table) Receivers(ports []string) []int {
	return t.classes(ports, []stage{toPort}, func(m *ovnmatch.Match) bool {
		_, out := m.Ports()
		return out == nil && m.Mentions("outport") ||
			slices.ContainsFunc([]string{"ip4.dst", "ip6.dst", "eth.dst"}, m.Mentions)
	})
}

// classes numbers ports by the rules of some stages. tells reports whether an expression may tell ports apart that have
// the same rules.
func (t *Table) classes(ports []string, at []stage, tells func(*ovnmatch.Match) bool) []int {
	type known struct {
		index uint32
		tells bool
	}
	rules := make(map[*ACL]known, len(t.all))
	for i := range t.all {
		rules[t.all[i].ACL] = known{uint32(i), tells(t.all[i].match)}
	}
	numbers := make(map[string]int)
	out := make([]int, len(ports))
	var key []byte
	for i, port := range ports {
		key = key[:0]
		here, telling := t.at(port), false
		for _, s := range at {
			for _, r := range here.rules[s] {
				k := rules[r.ACL]
				key = binary.BigEndian.AppendUint32(key, k.index)
				telling = telling || k.tells
			}
			key = append(key, 0)
		}
		if len(key) == len(at) && (t.byDefault == Allow || !here.filtered) {
			continue
		}
		if telling {
			key = append(key, port...)
		}
		key = append(append(key, 0), t.switchOf[port]...)
		number, known := numbers[string(key)]
		if !known {
			number = len(numbers) + 1
			numbers[string(key)] = number
		}
		out[i] = number
	}
	return out
}

// All returns every ACL with its expression, those of a port group together, always in the same order.
func (t *Table) All() iter.Seq2[*ACL, *ovnmatch.Match] {
	return func(yield func(*ACL, *ovnmatch.Match) bool) {
		for i := range t.all {
			if !yield(t.all[i].ACL, t.all[i].match) {
				return
			}
		}
	}
}

// Owner returns what the port group of an ACL was made for; ok is false where that is not known.
func (t *Table) Owner(a *ACL) (o Owner, ok bool) {
	o, ok = t.owners[a.Group]
	return o, ok
}

// Group returns the names of the ports in the port group of an ACL.
func (t *Table) Group(a *ACL) []string { return t.groups[a.Group] }
