package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"unique"

	"github.com/ovnguard/ovnguard/portsec"
)

// Twin is an address or a MAC that several ports of one layer-2 domain have. For a MAC, the switch's end of a link to a router is one
// of them.
type Twin struct {
	// Text is the MAC or the address.
	Text string
	// MAC tells which of both it is.
	MAC bool
	// Others are the names of the other ports that have it, in order.
	Others []string
}

// place is an address or a MAC on one logical switch. There are several for each port, so that it is kept small.
type place struct {
	sw unique.Handle[string]
	// at is the address in 16 octets, or begins with the MAC.
	at  [16]byte
	mac bool
}

func placeOfMAC(sw unique.Handle[string], mac portsec.MAC) place {
	p := place{sw: sw, mac: true}
	copy(p.at[:], mac[:])
	return p
}

func placeOf(sw unique.Handle[string], a netip.Addr) place { return place{sw: sw, at: a.As16()} }

// text gives the MAC or the address.
func (p place) text() string {
	if p.mac {
		return portsec.MAC(p.at[:6]).String()
	}
	return p.address().String()
}

// address gives the address; that of a MAC means nothing.
func (p place) address() netip.Addr { return netip.AddrFrom16(p.at).Unmap() }

// sharing is an index from places, addresses or MACs to the names of the ports that are there. Nearly all have one, so that a set
// for each would take more memory than the ports themselves.
type sharing[K comparable] struct {
	first map[K]string
	more  map[K][]string
}

func newSharing[K comparable]() sharing[K] {
	return sharing[K]{first: make(map[K]string), more: make(map[K][]string)}
}

// add enters a name and gives those that were there before.
func (s sharing[K]) add(p K, name string) (before []string) {
	first, taken := s.first[p]
	if !taken {
		s.first[p] = name
		return nil
	}
	if before = append([]string{first}, s.more[p]...); !slices.Contains(before, name) {
		s.more[p] = append(slices.Clone(s.more[p]), name)
	}
	return before
}

// remove takes a name out and gives those that are left.
func (s sharing[K]) remove(p K, name string) (left []string) {
	first, taken := s.first[p]
	if !taken {
		return nil
	}
	left = slices.DeleteFunc(append([]string{first}, s.more[p]...), func(o string) bool { return o == name })
	delete(s.first, p)
	delete(s.more, p)
	if len(left) > 0 {
		s.first[p] = left[0]
	}
	if len(left) > 1 {
		s.more[p] = left[1:]
	}
	return left
}

// names gives all names at a place, in order.
func (s sharing[K]) names(p K) []string {
	first, taken := s.first[p]
	if !taken {
		return nil
	}
	out := append([]string{first}, s.more[p]...)
	slices.Sort(out)
	return out
}

// others gives the names at a place beside this one.
func (s sharing[K]) others(p K, name string) []string {
	more := s.more[p]
	if len(more) == 0 {
		return nil
	}
	out := slices.DeleteFunc(append([]string{s.first[p]}, more...), func(o string) bool { return o == name })
	slices.Sort(out)
	return out
}

// places calls take with each MAC and address that the row has on its switch. Only ports of pods and machines count: those of
// routers have theirs elsewhere, a virtual port's address is meant to be where its parents are, and a disabled port is not there
// for anybody.
func (r *Row) places(take func(place)) {
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
			take(placeOfMAC(sw, mac))
		}
		for text := range strings.FieldsSeq(rest) {
			if a, err := netip.ParseAddr(text); err == nil {
				take(placeOf(sw, a))
			}
		}
	}
}

// settleRow takes the places of old out of the index and enters those of now; either may be nil. It gives the names of the other
// ports for which that matters.
func (inv *Inventory) settleRow(old, now *Row) (touched []string) {
	if old != nil && now != nil && old.Switch == now.Switch && old.Type == now.Type && old.Disabled == now.Disabled && slices.Equal(old.Addresses, now.Addresses) {
		return nil
	}
	touched = inv.settleLink(old, now)
	if old != nil {
		old.places(func(p place) { touched = append(touched, inv.at.remove(p, old.Name)...) })
	}
	if now != nil {
		now.places(func(p place) { touched = append(touched, inv.at.add(p, now.Name)...) })
	}
	return touched
}

// twins gives what the row has in common with others of its switch. Rows that Vips account for do not count: their addresses are
// meant to be shared.
func (inv *Inventory) twins(s *slot) (twins []Twin) {
	if s.isVip() {
		return nil
	}
	twins = inv.gatewayTwins(s.row)
	if len(inv.at.more) == 0 {
		return twins
	}
	s.row.places(func(p place) {
		others := slices.DeleteFunc(inv.at.others(p, s.name), func(o string) bool { return inv.slot(o).isVip() })
		if len(others) == 0 {
			return
		}
		if i := slices.IndexFunc(twins, func(t Twin) bool { return t.MAC && p.mac && t.Text == p.text() }); i >= 0 {
			twins[i].Others = union(twins[i].Others, others)
			return
		}
		twins = append(twins, Twin{Text: p.text(), MAC: p.mac, Others: others})
	})
	return twins
}

// besides gives the name of a port, and those of others on its switch with which its row shares an address.
func (inv *Inventory) besides(name string) []string {
	names := []string{name}
	if r := inv.slot(name).row; r != nil {
		r.places(func(p place) { names = append(names, inv.at.others(p, name)...) })
	}
	return names
}

// nodeOf gives the node whose address the row has; "" where it has none.
func (inv *Inventory) nodeOf(r *Row) (node string) {
	r.places(func(p place) {
		if p.mac || node != "" {
			return
		}
		for h := range inv.fixed[p.address()] {
			if h.Kind == HeldByNode {
				node = h.Name
			}
		}
	})
	return node
}

// overlapLimit is how many holders of addresses in what was granted are given.
const overlapLimit = 8

// overlaps gives who has an address in what was granted to the port beside its identity: other ports, gateways, nodes and their subnet, and
// Services of the same router. Vips are granted to be shared, and pods answer for Services of their namespace. The first few are given.
func (inv *Inventory) overlaps(p *Port) (held []Held) {
	vpc, known := inv.vpcOf(p.Name)
	for _, pair := range p.Decision.Pairs {
		if !pair.Prefix.IsValid() || pair.Prefix.Bits() == 0 {
			continue
		}
		for _, h := range inv.HoldersIn(pair.Prefix) {
			switch {
			case h.Holder.Kind == HeldByVip, h.Holder.Kind == HeldByPort && h.Holder.Name == p.Name, h.Holder.OfService(p.Pod.Namespace):
				continue
			case h.Holder.Kind == HeldByPort:
				if other, ok := inv.vpcOf(h.Holder.Name); ok && known && other != vpc || inv.slot(h.Holder.Name).isVip() {
					continue
				}
			case h.Holder.Kind == HeldByGateway || h.Holder.Kind == HeldBySubnet:
				if s, ok := inv.subnets[h.Holder.Name]; ok && known && s.router() != vpc {
					continue
				}
			}
			if held = append(held, h); len(held) == overlapLimit {
				return held
			}
		}
		for _, name := range inv.NodesAt(pair.Prefix) {
			s := inv.subnets[name]
			if known && s.router() != vpc {
				continue
			}
			i := slices.IndexFunc(s.CIDRs, pair.Prefix.Overlaps)
			if held = append(held, Held{first(pair.Prefix, s.CIDRs[i]), Holder{HeldByNodes, name}}); len(held) == overlapLimit {
				return held
			}
		}
	}
	return held
}

// first gives the first address that two prefixes have in common, where they have any.
func first(a, b netip.Prefix) netip.Addr {
	if a.Bits() < b.Bits() {
		a = b
	}
	return a.Masked().Addr()
}

// vpcOf gives the router of the subnet that a port is on.
func (inv *Inventory) vpcOf(port string) (vpc string, known bool) {
	s, ok := inv.subnets[inv.SubnetOf(port)]
	return s.router(), ok
}

// grantees gives the names of the ports that are granted an address, because they have to be looked at when somebody gets it.
func (inv *Inventory) grantees(a netip.Addr) (names []string) {
	if !a.IsValid() || len(inv.grants) == 0 {
		return nil
	}
	for bits := range inv.grantBits {
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		for name := range inv.grants[p] {
			names = append(names, name)
		}
	}
	return names
}

// Granted notes what the decision about a port grants beside its identity, so that a change of who has what finds the port. Decisions
// are made on looking at a port, by Port, which changes nothing.
func (inv *Inventory) Granted(name string, pairs []portsec.AddressPair) {
	if len(pairs) == 0 && len(inv.granted[name]) == 0 {
		return
	}
	for _, p := range inv.granted[name] {
		remove(inv.grants, p, name)
		if inv.grantBits[p.Bits()]--; inv.grantBits[p.Bits()] == 0 {
			delete(inv.grantBits, p.Bits())
		}
	}
	delete(inv.granted, name)
	var prefixes []netip.Prefix
	for _, pair := range pairs {
		if p := pair.Prefix.Masked(); p.IsValid() && !slices.Contains(prefixes, p) {
			prefixes = append(prefixes, p)
			add(inv.grants, p, name)
			inv.grantBits[p.Bits()]++
		}
	}
	if len(prefixes) > 0 {
		inv.granted[name] = prefixes
	}
}
