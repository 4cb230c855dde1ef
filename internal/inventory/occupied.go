package inventory

import (
	"bytes"
	"iter"
	"net/netip"
	"strings"
	"unique"

	"github.com/tidwall/btree"
)

// occupied is a set of the addresses that somebody has, in order on each network, so that those in a prefix are found
// without a look at the others, or at those of other networks. Who has an address is not in it.
//
// A network is the name of a subnet, which has one VPC. It is "" for what is on no subnet, or on one that cannot be
// told.
type occupied struct {
	tree *btree.BTreeG[networkAddress]
}

// networkAddress is an address on a network. There is one for each address of each port, so that it is kept small.
type networkAddress struct {
	network unique.Handle[string]
	at      [16]byte
	v6      bool
	// holders is how many have the address there.
	holders uint32
}

// occupiedDegree bounds a node to 31 entries: a change copies about four nodes of 1 KiB, and an entry takes 50 to 75 B.
// With 8 it takes up to 100 B.
const occupiedDegree = 16

func newOccupied() occupied {
	return occupied{
		btree.NewBTreeGOptions(
			func(a, b networkAddress) bool { return a.compare(b) < 0 },
			btree.Options{
				Degree:  occupiedDegree,
				NoLocks: true,
			}, // a snapshot is only read, and an inventory is one goroutine's
		),
	}
}

func addressIn(network unique.Handle[string], a netip.Addr) networkAddress {
	return networkAddress{network: network, at: a.As16(), v6: a.Is6()}
}

func (s networkAddress) address() netip.Addr {
	a := netip.AddrFrom16(s.at)
	if s.v6 {
		return a
	}
	return a.Unmap()
}

// compare orders them as the addresses are in order, network by network.
func (s networkAddress) compare(o networkAddress) int {
	if s.network != o.network {
		return strings.Compare(s.network.Value(), o.network.Value())
	}
	if s.v6 != o.v6 {
		if o.v6 {
			return -1
		}
		return 1
	}
	return bytes.Compare(s.at[:], o.at[:])
}

// snapshot returns a copy that stays as it is when this one is changed. What both have in common is copied when it is
// changed.
func (o occupied) snapshot() occupied {
	if o.tree == nil {
		return o
	}
	return occupied{o.tree.Copy()}
}

// add enters one who has the address on the network.
func (o occupied) add(network string, a netip.Addr) { o.count(network, a, +1) }

// remove takes one out.
func (o occupied) remove(network string, a netip.Addr) { o.count(network, a, -1) }

func (o occupied) count(network string, a netip.Addr, delta int) {
	s := addressIn(unique.Make(network), a)
	if known, ok := o.tree.Get(s); ok {
		s = known
	}
	switch left := int(s.holders) + delta; {
	case left > 0:
		s.holders = uint32(left)
		o.tree.Set(s)
	case s.holders > 0:
		o.tree.Delete(s)
	}
}

// lastAddress is after all others.
var lastAddress = netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")

// networks yields the networks on which somebody has an address, in order.
func (o occupied) networks() iter.Seq[unique.Handle[string]] {
	return func(yield func(unique.Handle[string]) bool) {
		if o.tree == nil {
			return
		}
		at, more := o.tree.Min()
		for more {
			network := at.network
			if !yield(network) {
				return
			}
			last := addressIn(network, lastAddress)
			more = false
			o.tree.Ascend(last, func(s networkAddress) bool { // which is last itself, where somebody has that
				at, more = s, s.network != network
				return !more
			})
		}
	}
}

// next returns the first address that somebody has on the network, from from up to to, which are of one family.
func (o occupied) next(network unique.Handle[string], from, to netip.Addr) (a netip.Addr, ok bool) {
	if !from.IsValid() { // to was the last address of all
		return netip.Addr{}, false
	}
	end := addressIn(network, to)
	o.tree.Ascend(addressIn(network, from), func(s networkAddress) bool {
		if s.compare(end) <= 0 {
			a, ok = s.address(), true
		}
		return false
	})
	return a, ok
}

// heldIn yields who has an address in the prefix and is near, in order of the addresses. Holders on one subnet are all
// near or none. past is nil, or returns the last address of a range that holds an address and in which holders on
// subnets do not matter; they are passed over without a look. The zero Addr stands for none.
//
// It takes a few steps for each subnet that is near, and for each address that is not passed over.
func (inv *State) heldIn(prefix netip.Prefix, near func(Holder) bool, past func(netip.Addr) netip.Addr) iter.Seq[Held] {
	return func(yield func(Held) bool) {
		if !prefix.IsValid() {
			return
		}
		take := func(a netip.Addr) bool {
			for _, h := range inv.Holders(a, near) {
				if !yield(Held{a, h}) {
					return false
				}
			}
			return true
		}
		from, to := ends(prefix)
		if from == to {
			take(from)
			return
		}
		next := func(network unique.Handle[string], from netip.Addr) (netip.Addr, bool) {
			a, ok := inv.occupied.next(network, from, to)
			for ok && past != nil && network.Value() != "" {
				last := past(a)
				if !last.IsValid() {
					break
				}
				a, ok = inv.occupied.next(network, last.Next(), to)
			}
			return a, ok
		}
		type cursor struct {
			network unique.Handle[string]
			at      netip.Addr
		}
		var cursors []cursor
		for network := range inv.occupied.networks() {
			if name := network.Value(); name != "" && !near(Holder{HeldBySubnet, name}) {
				continue
			}
			if a, ok := next(network, from); ok {
				cursors = append(cursors, cursor{network, a})
			}
		}
		for len(cursors) > 0 {
			first := cursors[0].at
			for _, c := range cursors[1:] {
				if c.at.Less(first) {
					first = c.at
				}
			}
			if !take(first) {
				return
			}
			left := cursors[:0]
			for _, c := range cursors {
				more := true
				if c.at == first {
					c.at, more = next(c.network, first.Next())
				}
				if more {
					left = append(left, c)
				}
			}
			cursors = left
		}
	}
}

// networkOf returns under which network the addresses of a thing that is no port are found: that within which NetworkOf
// has them to be its own, by its subnet.
func (h Holder) network(at At) string {
	switch h.Kind { //nolint:exhaustive // the others have theirs everywhere
	case HeldByGateway, HeldBySubnet, HeldByShared:
		return h.Name
	case HeldByVip, HeldByEIP, HeldByFIP, HeldByFIPInside:
		return at.Subnet
	}
	return ""
}
