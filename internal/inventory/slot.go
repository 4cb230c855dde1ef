package inventory

import (
	"cmp"
	"iter"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// claim is one pod's expectation to own a port.
type claim struct {
	pod *Pod
	nic kubeovn.NIC
	// asks means that the pod asks for addresses of Vips.
	asks bool
}

// slot is all that is known under one name of a port. All of it is found with one look, and what few ports have is
// apart: there are as many slots as ports. It is never changed once it is in the inventory.
type slot struct {
	name string
	// at is its place in the order.
	at      int
	claim   claim
	record  *Record
	row     *Row
	binding *Binding
	rare    *rare
}

// rare is what few ports have.
type rare struct {
	// claims are those beside the first.
	claims []claim
	// vips are the names of the Vips for which Kube-OVN makes a port of this name.
	vips []string
	// contested is how often the row was put right lately only for somebody to write something else.
	contested int
}

// none is the slot of a name under which nothing is known.
var none slot

// slot returns what is known under a name, to be read.
func (inv *State) slot(name string) *slot {
	if s := inv.slots.Get(name); s != nil {
		return s
	}
	return &none
}

// alter replaces the slot of a name by a changed copy, and drops it where nothing is left in it.
func (inv *Inventory) alter(name string, change func(*slot)) {
	old := inv.slots.Get(name)
	now := &slot{name: name, at: len(inv.order)}
	if old != nil {
		now = old.clone()
	}
	change(now)
	inv.countIPv6Ports(old.ipv6Chassis(), now.ipv6Chassis())
	if r := now.rare; r != nil && len(r.claims) == 0 && len(r.vips) == 0 && r.contested == 0 {
		now.rare = nil
	}
	switch empty := !now.isPort() && now.record == nil && now.binding == nil && now.rare == nil; {
	case empty && old != nil:
		inv.slots.Delete(inv.edit, name)
		inv.vacate(old)
	case empty:
	case old == nil:
		inv.order = append(inv.order, now)
		inv.slots.Set(inv.edit, name, now)
	default:
		inv.place(now)
	}
}

// place enters a slot where it says that it is.
func (inv *Inventory) place(s *slot) {
	inv.order[s.at] = s
	inv.slots.Set(inv.edit, s.name, s)
}

// vacate takes a slot out of the order; the last one takes its place.
func (inv *Inventory) vacate(s *slot) {
	last := len(inv.order) - 1
	moved := inv.order[last]
	inv.order[last] = nil
	inv.order = inv.order[:last]
	if s.at < last {
		moved = moved.clone()
		moved.at = s.at
		inv.place(moved)
	}
}

// clone returns a copy that may be changed.
func (s *slot) clone() *slot {
	c := *s
	if s.rare != nil {
		c.rare = &rare{slices.Clone(s.rare.claims), slices.Clone(s.rare.vips), s.rare.contested}
	}
	return &c
}

// isPort reports whether a pod claims the port, or OVN has it.
func (s *slot) isPort() bool { return s.row != nil || s.claim.pod != nil }

// uncommon returns what few ports have, to be changed.
func (s *slot) uncommon() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}

// contested is how often the row was put right lately only for somebody to write something else.
func (s *slot) contested() int {
	if s.rare == nil {
		return 0
	}
	return s.rare.contested
}

// isVip reports whether a Vip accounts for the row: one for which Kube-OVN makes a port of that name, which no pod
// claims. A pod's port stays the pod's, whatever a Vip is called.
func (s *slot) isVip() bool { return s.rare != nil && len(s.rare.vips) > 0 && s.claim.pod == nil }

// enter adds a claim, or replaces that of the same pod.
func (s *slot) enter(c claim) {
	if s.claim.pod == nil || s.claim.pod.PodKey == c.pod.PodKey {
		s.claim = c
		return
	}
	r := s.uncommon()
	if i := slices.IndexFunc(r.claims, func(o claim) bool { return o.pod.PodKey == c.pod.PodKey }); i >= 0 {
		r.claims[i] = c
		return
	}
	r.claims = append(r.claims, c)
}

// leave takes the claim of a pod out.
func (s *slot) leave(key PodKey) {
	if s.rare != nil {
		s.rare.claims = slices.DeleteFunc(s.rare.claims, func(o claim) bool { return o.pod.PodKey == key })
	}
	if s.claim.pod == nil || s.claim.pod.PodKey != key {
		return
	}
	if s.claim = (claim{}); s.rare != nil && len(s.rare.claims) > 0 {
		s.claim, s.rare.claims = s.rare.claims[0], s.rare.claims[1:]
	}
}

// claimants yields the claims on a port in an order that does not depend on how they came in: pods that still run
// first. A pod that has ended says nothing about a port that another one uses now.
func (s *slot) claimants() iter.Seq[claim] {
	return func(yield func(claim) bool) {
		if s.claim.pod == nil {
			return
		}
		if s.rare == nil || len(s.rare.claims) == 0 {
			yield(s.claim)
			return
		}
		list := append([]claim{s.claim}, s.rare.claims...)
		slices.SortFunc(list, func(a, b claim) int {
			if a.pod.ended() != b.pod.ended() {
				if a.pod.ended() {
					return 1
				}
				return -1
			}
			return cmp.Or(cmp.Compare(a.pod.Namespace, b.pod.Namespace), cmp.Compare(a.pod.Name, b.pod.Name))
		})
		for i, c := range list {
			if i > 0 && c.pod.ended() && !list[0].pod.ended() || !yield(c) {
				return
			}
		}
	}
}
