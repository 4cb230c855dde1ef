package inventory

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// podNIC is a NIC on OVN that a pod has, or may have.
type podNIC struct {
	kubeovn.NIC
	pod *Pod
	// asks means that the pod asks for addresses of Vips.
	asks bool
}

// entry is all that is known under one name of a port. All of it is found with one look, and what few ports have is
// apart: there are as many entries as ports. It is never changed once it is in the inventory.
type entry struct {
	name string
	// at is its index in the order.
	at int
	// nic is the one whose port it is; its pod is nil where there is none.
	nic     podNIC
	record  *Record
	row     *Row
	binding *Binding
	rare    *rare
}

// rare is what few ports have.
type rare struct {
	// nics are others whose port it would be as well.
	nics []podNIC
	// vips are the names of the Vips for which Kube-OVN makes a port of this name.
	vips []string
	// contested is how often the row was put right lately only for somebody to write something else.
	contested int
}

// none is the entry of a name under which nothing is known.
var none entry

// clone returns a copy that may be changed.
func (e *entry) clone() *entry {
	c := *e
	if e.rare != nil {
		c.rare = &rare{slices.Clone(e.rare.nics), slices.Clone(e.rare.vips), e.rare.contested}
	}
	return &c
}

// isJudged reports whether there is something to judge under the name: a pod claims the port, OVN has it, or there is
// an IP resource for it.
func (e *entry) isJudged() bool { return e.row != nil || e.nic.pod != nil || e.record != nil }

// uncommon returns what few ports have, to be changed.
func (e *entry) uncommon() *rare {
	if e.rare == nil {
		e.rare = new(rare)
	}
	return e.rare
}

// contested is how often the row was put right lately only for somebody to write something else.
func (e *entry) contested() int {
	if e.rare == nil {
		return 0
	}
	return e.rare.contested
}

// isVip reports whether a Vip accounts for the row: one for which Kube-OVN makes a port of that name, which no pod
// claims. A pod's port stays the pod's, whatever a Vip is called.
func (e *entry) isVip() bool { return e.rare != nil && len(e.rare.vips) > 0 && e.nic.pod == nil }

// enter adds a NIC, or replaces that of the same pod.
func (e *entry) enter(c podNIC) {
	if e.nic.pod == nil || e.nic.pod.PodKey == c.pod.PodKey {
		e.nic = c
		return
	}
	r := e.uncommon()
	if i := slices.IndexFunc(r.nics, func(o podNIC) bool { return o.pod.PodKey == c.pod.PodKey }); i >= 0 {
		r.nics[i] = c
		return
	}
	r.nics = append(r.nics, c)
}

// leave takes the NIC of a pod out.
func (e *entry) leave(key PodKey) {
	if e.rare != nil {
		e.rare.nics = slices.DeleteFunc(e.rare.nics, func(o podNIC) bool { return o.pod.PodKey == key })
	}
	if e.nic.pod == nil || e.nic.pod.PodKey != key {
		return
	}
	if e.nic = (podNIC{}); e.rare != nil && len(e.rare.nics) > 0 {
		e.nic, e.rare.nics = e.rare.nics[0], e.rare.nics[1:]
	}
}

// podNICs yields the NICs whose port it is in an order that does not depend on how they came in: of pods that still run
// first. A pod that has ended says nothing about a port that another one uses now.
func (e *entry) podNICs() iter.Seq[podNIC] {
	return func(yield func(podNIC) bool) {
		if e.nic.pod == nil {
			return
		}
		if e.rare == nil || len(e.rare.nics) == 0 {
			yield(e.nic)
			return
		}
		list := append([]podNIC{e.nic}, e.rare.nics...)
		slices.SortFunc(list, func(a, b podNIC) int {
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

// ipv6Chassis returns the chassis to which the port of a pod is bound that has an IPv6 address; none where it has none,
// or the entry is nil.
func (e *entry) ipv6Chassis() []string {
	if e == nil || e.record == nil || e.binding == nil || e.binding.Type != "" {
		return nil
	}
	if !slices.ContainsFunc(e.record.IPs, func(ip string) bool { return strings.Contains(ip, ":") }) {
		return nil
	}
	return e.binding.Chassis
}

// namespace returns that of the pods that claim the port, or of the pod that it is kept for; empty where they are of
// several namespaces, or there is none.
func (e *entry) namespace() string {
	if e.nic.pod == nil {
		if e.record != nil {
			return e.record.Of.Namespace
		}
		return ""
	}
	namespace := e.nic.pod.Namespace
	if e.rare != nil {
		for _, c := range e.rare.nics {
			if c.pod.Namespace != namespace {
				return ""
			}
		}
	}
	return namespace
}
