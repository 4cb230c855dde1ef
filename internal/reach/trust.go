package reach

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bits-and-blooms/bitset"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/ovnmatch"
)

// trust is a rule by which somebody may send to ports because of the source.
type trust struct {
	of intent.Ref
	// rule is the number of the rule in the policy, from 0.
	rule int
	// trusted are the addresses of pods that it trusts, in order, and blocks the other ones.
	trusted []netip.Addr
	blocks  []netip.Prefix
	// targets are the ports that it is about, and packets one for each of its ranges of ports.
	targets []int
	packets []Packet
	// whole means that the rule is about all protocols and ports, so that the packet only is an example.
	whole bool
}

// anyPort is the port of the example where a rule is about all ports.
const anyPort = 80

// trusts returns the rules that trust sources: those of policies as they are asked for, and those of security groups as
// OVN has them.
func (c *Cluster) trusts() (all []trust) {
	for _, r := range c.intent.IngressRules() {
		if r.Anyone {
			continue
		}
		t := trust{of: r.Policy, rule: r.Index, blocks: slices.Clone(r.Sources)}
		for _, pod := range r.Pods {
			t.trusted = append(t.trusted, c.pods[pod].Addresses...)
		}
		for _, pod := range r.Targets {
			t.targets = append(t.targets, c.portsOf[pod]...)
		}
		for _, ports := range r.Ports {
			t.packets = append(t.packets, Packet{ports.Protocol, cmp.Or(ports.First, anyPort)})
			if ports.Last > ports.First {
				t.packets = append(t.packets, Packet{ports.Protocol, ports.Last})
			}
		}
		if r.Ports == nil {
			t.packets, t.whole = []Packet{{intent.TCP, anyPort}}, true
		}
		all = append(all, t.ordered())
	}
	return append(all, c.groupTrusts()...)
}

func (t trust) ordered() trust {
	slices.SortFunc(t.trusted, netip.Addr.Compare)
	t.trusted = slices.Compact(t.trusted)
	slices.SortFunc(t.blocks, netip.Prefix.Compare)
	slices.Sort(t.targets)
	return t
}

// KindSecurityGroup is the kind of security groups.
const KindSecurityGroup = "SecurityGroup"

// groupTrusts returns the rules of security groups. Each ACL that lets sources in is one.
func (c *Cluster) groupTrusts() (all []trust) {
	if c.acls == nil {
		return nil
	}
	for a, match := range c.acls.All() {
		owner, ok := c.acls.Owner(a)
		if !ok || owner.Kind != KindSecurityGroup || a.Direction != acl.ToPort || a.Action == acl.Drop ||
			a.Action == acl.Reject || a.Action == acl.Pass {
			continue
		}
		t := trust{of: intent.Ref(owner), rule: a.Priority}
		for _, p := range sourcesOf(match) {
			switch {
			case p.Bits() == 0:
			case p.IsSingleIP():
				t.trusted = append(t.trusted, p.Addr())
			default:
				t.blocks = append(t.blocks, p)
			}
		}
		if len(t.trusted)+len(t.blocks) == 0 {
			continue
		}
		for _, name := range c.acls.Group(a) {
			if i, ok := c.byName[name]; ok {
				t.targets = append(t.targets, i)
			}
		}
		t.packets, t.whole = packetsOf(match)
		all = append(all, t.ordered())
	}
	return all
}

// packetsOf returns a packet of those that an expression is about.
func packetsOf(match *ovnmatch.Match) (packets []Packet, whole bool) {
	for _, protocol := range []intent.Protocol{intent.TCP, intent.UDP, intent.SCTP} {
		if port, ok := match.Number(strings.ToLower(string(protocol)) + ".dst"); ok {
			packets = append(packets, Packet{protocol, cmp.Or(port, anyPort)})
		}
	}
	if len(packets) == 0 {
		return []Packet{{intent.TCP, anyPort}, {intent.ICMP, 0}}, true
	}
	return packets, false
}

// sourcesOfFamily is how many addresses of a family are tried: where one is the receiver's own, another one is not.
const sourcesOfFamily = 2

// sources returns addresses that a port may forge and that a rule trusts, some of each family. Those of pods come
// first.
func (t *trust) sources(f *forgery, but []netip.Addr) (found []netip.Addr) {
	left := map[bool]int{true: sourcesOfFamily, false: sourcesOfFamily} // by whether it is IPv4
	take := func(a netip.Addr) {
		if left[a.Is4()] == 0 || slices.Contains(found, a) || slices.Contains(but, a) || !f.sends(a) {
			return
		}
		left[a.Is4()]--
		found = append(found, a)
	}
	if f.any {
		for _, a := range t.trusted {
			if take(a); left[true]+left[false] == 0 {
				break
			}
		}
	} else {
		for _, p := range f.packets {
			if !p.Addresses.IsValid() {
				for _, a := range t.trusted {
					take(a)
				}
				continue
			}
			at, _ := slices.BinarySearchFunc(t.trusted, p.Addresses.Masked().Addr(), netip.Addr.Compare)
			for _, a := range t.trusted[at:] {
				if !p.Addresses.Contains(a) {
					break
				}
				take(a)
			}
		}
	}
	for _, block := range t.blocks {
		first := block.Masked().Addr()
		if block.IsSingleIP() {
			take(first)
			continue
		}
		take(first.Next())
		for _, p := range f.packets {
			if !p.Addresses.IsValid() || !block.Overlaps(p.Addresses) {
				continue
			}
			narrower := block
			if p.Addresses.Bits() > block.Bits() {
				narrower = p.Addresses
			}
			first := narrower.Masked().Addr()
			take(first)
			take(first.Next())
		}
	}
	return found
}

// Rules are the rules of a cluster that trust sources.
type Rules struct {
	*Cluster

	all []trust
	// about are the rules that are about a port.
	about map[int][]int
	// addresses are all that ports have for their own, in order.
	addresses []netip.Addr
}

// Rules returns the rules of the cluster that trust sources.
func (c *Cluster) Rules() *Rules {
	r := &Rules{
		Cluster: c, all: c.trusts(), about: make(map[int][]int),
		addresses: slices.SortedFunc(maps.Keys(c.at), netip.Addr.Compare),
	}
	for i := range r.all {
		for _, target := range r.all[i].targets {
			r.about[target] = append(r.about[target], i)
		}
	}
	return r
}

// admitted returns the ports that a rule admits honestly.
func (r *Rules) admitted(t *trust) *bitset.BitSet {
	set := bitset.New(uint(len(r.ports)))
	enter := func(a netip.Addr) {
		for _, i := range r.at[a] {
			set.Set(uint(i))
		}
	}
	for _, a := range t.trusted {
		enter(a)
	}
	for _, block := range t.blocks {
		first, _ := slices.BinarySearchFunc(r.addresses, block.Masked().Addr(), netip.Addr.Compare)
		for _, a := range r.addresses[first:] {
			if !block.Contains(a) {
				break
			}
			enter(a)
		}
	}
	return set
}
