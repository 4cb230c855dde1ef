package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"unique"

	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Duplicate is an address or a MAC that several ports of one layer-2 domain have. For a MAC, the switch's end of a link
// to a router is one of them.
type Duplicate struct {
	// Text is the MAC or the address.
	Text string
	// MAC tells which of both it is.
	MAC bool
	// Others are the names of the other ports that have it, in order.
	Others []string
}

// switchAddress is an address or a MAC on one logical switch. There are several for each port, so that it is kept
// small.
type switchAddress struct {
	sw unique.Handle[string]
	// at is the address in 16 octets, or begins with the MAC.
	at  [16]byte
	mac bool
}

func macOn(sw unique.Handle[string], mac portsec.MAC) switchAddress {
	p := switchAddress{sw: sw, mac: true}
	copy(p.at[:], mac[:])
	return p
}

func addressOn(sw unique.Handle[string], a netip.Addr) switchAddress {
	return switchAddress{sw: sw, at: a.As16()}
}

// text returns the MAC or the address.
func (a switchAddress) text() string {
	if a.mac {
		return portsec.MAC(a.at[:6]).String()
	}
	return a.address().String()
}

// address returns the address; that of a MAC means nothing.
func (a switchAddress) address() netip.Addr { return netip.AddrFrom16(a.at).Unmap() }

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

// others returns the names under a key beside this one.
func (s *portsBy[K]) others(p K, name string) []string {
	more := s.more.Get(p)
	if len(more) == 0 {
		return nil
	}
	out := slices.DeleteFunc(append([]string{s.first.Get(p)}, more...), func(o string) bool { return o == name })
	slices.Sort(out)
	return out
}

// eachOnSwitch calls take with each MAC and address that the row has on its switch. Only ports of pods and machines
// count: those of routers have theirs elsewhere, a virtual port's address is meant to be where its parents are, and a
// disabled port is not there for anybody.
func (r *Row) eachOnSwitch(take func(switchAddress)) {
	if r.Type != "" || r.Disabled || r.Switch == "" {
		return
	}
	sw := unique.Make(r.Switch)
	for _, element := range r.Addresses {
		text, rest, _ := strings.Cut(element, " ")
		if !strings.Contains(text, ":") {
			continue // unknown, dynamic, router
		}
		if mac, err := portsec.ParseMAC(text); err == nil {
			take(macOn(sw, mac))
		}
		for text := range strings.FieldsSeq(rest) {
			if a, err := netip.ParseAddr(text); err == nil {
				take(addressOn(sw, a))
			}
		}
	}
}

// sameOnSwitch reports whether both rows are there, and have the same on the same switch.
func (r *Row) sameOnSwitch(o *Row) bool {
	return r != nil && o != nil && r.Switch == o.Switch && r.Type == o.Type && r.Disabled == o.Disabled &&
		slices.Equal(r.Addresses, o.Addresses)
}

// duplicates returns what the row has in common with others of its switch. Rows that Vips account for do not count:
// their addresses are meant to be shared.
func (inv *State) duplicates(e *entry) (duplicates []Duplicate) {
	if e.isVip() {
		return nil
	}
	duplicates = inv.gatewayDuplicates(e.row)
	if inv.onSwitch.more.Len() == 0 {
		return duplicates
	}
	e.row.eachOnSwitch(func(a switchAddress) {
		others := slices.DeleteFunc(inv.onSwitch.others(a, e.name), func(o string) bool { return inv.entry(o).isVip() })
		if len(others) == 0 {
			return
		}
		if i := slices.IndexFunc(
			duplicates,
			func(t Duplicate) bool { return t.MAC && a.mac && t.Text == a.text() },
		); i >= 0 {
			duplicates[i].Others = union(duplicates[i].Others, others)
			return
		}
		duplicates = append(duplicates, Duplicate{Text: a.text(), MAC: a.mac, Others: others})
	})
	return duplicates
}

// withDuplicates returns the name of a port, and those of others on its switch with which its row shares an address.
func (ps *ports) withDuplicates(name string) []string {
	names := []string{name}
	if r := ps.entry(name).row; r != nil {
		r.eachOnSwitch(func(a switchAddress) { names = append(names, ps.onSwitch.others(a, name)...) })
	}
	return names
}

// overlapLimit is how many holders of addresses in what was granted are given.
const overlapLimit = 8

// overlaps returns who has an address in what was granted to the port beside its identity: other ports, gateways, nodes
// and their subnet, and Services of the same router. Vips are granted to be shared, and pods answer for Services of
// their namespace. The first few are given.
func (inv *State) overlaps(p *Port) (held []Held) {
	vpc, known := inv.vpcOf(p.Name)
	near := func(h Holder) bool {
		other, confined := inv.NetworkOf(h)
		return !confined || other == "" || !known || other == vpc
	}
	shared := inv.sharedWith(p)
	past := func(a netip.Addr) netip.Addr {
		for _, prefix := range shared {
			if prefix.Contains(a) {
				_, last := ends(prefix)
				return last
			}
		}
		return netip.Addr{}
	}
	for _, pair := range p.Decision.Pairs {
		if !pair.Prefix.IsValid() || pair.Prefix.Bits() == 0 {
			continue
		}
		for h := range inv.heldIn(pair.Prefix, near, past) {
			if inv.consented(p, h) {
				continue
			}
			switch {
			case h.Holder == Holder{HeldByShared, p.subnet()}: // which is there to be shared
				continue
			case h.Holder.Kind == HeldByVip,
				h.Holder.Kind == HeldByPort && h.Holder.Name == p.Name,
				h.Holder.OfService(p.Pod.Namespace):
				continue
			case h.Holder.Kind == HeldByPort:
				if other, ok := inv.vpcOf(
					h.Holder.Name,
				); ok && known && other != vpc ||
					inv.entry(h.Holder.Name).isVip() {
					continue
				}
			}
			if held = append(held, h); len(held) == overlapLimit {
				return held
			}
		}
		for _, name := range inv.NodesAt(pair.Prefix) {
			s := inv.subnets.Get(name)
			if known && inv.routerOf(s) != vpc {
				continue
			}
			i := slices.IndexFunc(s.CIDRs, pair.Prefix.Overlaps)
			if held = append(
				held,
				Held{first(pair.Prefix, s.CIDRs[i]), Holder{HeldByNodes, name}},
			); len(
				held,
			) == overlapLimit {
				return held
			}
		}
	}
	return held
}

// eachShared calls take with each pair of an exception in effect for the port of which some owner's consent was
// recorded, until take returns false.
func (g *governance) eachShared(p *Port, take func(e *policy.Exception, pair int) bool) {
	if len(p.Decision.Exceptions) == 0 {
		return
	}
	list := g.exceptions.Get(p.Pod.Namespace)
	for i := range list {
		e := &list[i]
		if len(e.Shares) == 0 || !slices.Contains(p.Decision.Exceptions, e.Name) {
			continue
		}
		for pair := range e.Pairs {
			if !take(e, pair) {
				return
			}
		}
	}
}

// consented reports whether an exception in effect lets the port share an address with who has it, by the consent of
// its owner.
func (inv *State) consented(p *Port, held Held) (is bool) {
	inv.eachShared(p, func(e *policy.Exception, pair int) bool {
		if e.Pairs[pair].Prefix.Contains(held.Address) {
			claim := Claim{Pair: pair}
			for _, name := range inv.SubnetsIn(netip.PrefixFrom(held.Address, held.Address.BitLen())) {
				claim.Consents = append(claim.Consents, inv.consentOfSubnet(name))
			}
			claim.Consents = append(claim.Consents, inv.consents(held.Holder, "")...)
			is = claim.settled(e)
		}
		return !is
	})
	return is
}

// sharedWith returns where the port shares all addresses of a subnet by the subnet's consent, whoever has them:
// consented is true there.
func (inv *State) sharedWith(p *Port) (shared []netip.Prefix) {
	inv.eachShared(p, func(e *policy.Exception, pair int) bool {
		if pair >= len(e.SharedWith) {
			return true
		}
		s, ok := inv.subnets.Find(e.SharedWith[pair])
		if consent := inv.consentOfSubnet(s.Name); !ok || !consent.Given(e.Shares) {
			return true
		}
		for _, prefix := range s.CIDRs {
			if granted := e.Pairs[pair].Prefix; granted.Bits() > prefix.Bits() && granted.Overlaps(prefix) {
				shared = append(shared, granted)
			} else if granted.Overlaps(prefix) {
				shared = append(shared, prefix)
			}
		}
		return true
	})
	return shared
}

// first returns the first address that two prefixes have in common, where they have any.
func first(a, b netip.Prefix) netip.Addr {
	if a.Bits() < b.Bits() {
		a = b
	}
	return a.Masked().Addr()
}

// vpcOf returns the router of the subnet that a port is on.
func (inv *State) vpcOf(port string) (vpc string, known bool) {
	s, ok := inv.subnets.Find(inv.SubnetOf(port))
	return inv.routerOf(s), ok
}
