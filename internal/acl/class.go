package acl

import (
	"encoding/binary"
	"iter"
	"strings"

	"github.com/ovnguard/ovnguard/internal/ovnmatch"
)

// Classes returns for each port a number that ports have in common when the same ACLs decide about what they send: they
// are on one switch and in the same port groups, and no ACL tells them apart. Zero is the class of ports that no ACL
// hinders.
func (t *Table) Classes(ports []string) []int {
	numbers := make(map[string]int)
	index := make(map[*ACL]uint32, len(t.all))
	for i := range t.all {
		index[t.all[i].ACL] = uint32(i)
	}
	out := make([]int, len(ports))
	var key []byte
	for i, port := range ports {
		key = key[:0]
		for _, at := range []stage{beforeLB, afterLB} {
			var telling bool
			key, telling = t.appendRules(key, index, at, port)
			if telling {
				key = append(key, port...)
			}
		}
		if len(key) == 0 && (t.byDefault == Allow || !t.at(port).filtered) {
			continue
		}
		key = append(append(key, 0), t.switchOf[port]...)
		number, known := numbers[string(key)]
		if !known {
			number = len(numbers) + 1
			numbers[strings.Clone(string(key))] = number
		}
		out[i] = number
	}
	return out
}

// appendRules appends the rules of a port at a stage. telling means that some rule may tell it from other ports that
// have the same ones.
func (t *Table) appendRules(key []byte, index map[*ACL]uint32, at stage, port string) (_ []byte, telling bool) {
	for _, r := range t.at(port).rules[at] {
		key = binary.BigEndian.AppendUint32(key, index[r.ACL])
		if in, _ := r.match.Ports(); in == nil && r.match.Mentions("inport") {
			telling = true
		}
	}
	return key, telling
}

// All returns every ACL with its expression.
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
