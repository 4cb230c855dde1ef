package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bits-and-blooms/bitset"

	"github.com/ovnguard/ovnguard/internal/intent"
)

// most is how many ports are named where there may be many; the others are counted.
const most = 10

// Void is a policy that a forged source walks through: some port may send as somebody whom the policy trusts, is not
// trusted itself, and what it sends arrives.
type Void struct {
	Policy intent.Ref
	// Rules are the numbers of the rules that it walks through, from 0.
	Rules []int
	// Forgers are ports that may do so, and Targets what they come to, such as "shop/db-1 (tcp/5432)"; at most ten of
	// each. The numbers count all.
	Forgers, Targets           []string
	ForgersTotal, TargetsTotal int
	// Elsewhere means that one of them is in another namespace than the target.
	Elsewhere bool
	// Example is one way through.
	Example Walk
}

// opening is what a forged source opens for ports.
type opening struct {
	// forgers are indexes of ports.
	forgers *bitset.BitSet
	// text says what is opened, such as "shop/db-1 (tcp/5432) through NetworkPolicy shop/allow-web".
	text string
}

// Voids returns the policies that forged sources walk through, and what these open.
func (c *Cluster) Voids() []Void {
	voids, _ := c.voids()
	return voids
}

func (c *Cluster) voids() (voids []Void, opened []opening) {
	forgers := c.forgers()
	if forgers.any.None() && len(forgers.some) == 0 {
		return nil, nil
	}
	rules := c.Rules()
	admitted := make([]*bitset.BitSet, len(rules.all))
	byPolicy := make(map[intent.Ref]int)
	for i := range rules.all {
		s := search{Rules: rules, trust: &rules.all[i], admitted: admitted}
		found := s.through(forgers)
		if found.forgers == nil || found.forgers.None() {
			continue
		}
		opened = append(opened, opening{found.forgers, found.targets[0] + " through " + s.of.String()})
		at, known := byPolicy[s.of]
		if !known {
			at = len(voids)
			byPolicy[s.of] = at
			voids = append(voids, Void{Policy: s.of})
		}
		c.join(&voids[at], s.trust, &found)
	}
	slices.SortFunc(voids, func(a, b Void) int { return strings.Compare(a.Policy.String(), b.Policy.String()) })
	return voids, opened
}

// join adds what was found of a rule to what is known of its policy.
func (c *Cluster) join(v *Void, t *trust, found *through) {
	if !slices.Contains(v.Rules, t.rule) {
		v.Rules = append(v.Rules, t.rule)
	}
	v.Elsewhere = v.Elsewhere || found.elsewhere
	if len(v.Forgers) == 0 {
		v.Example = found.example
	}
	v.ForgersTotal = max(v.ForgersTotal, int(found.forgers.Count()))
	for i := range found.forgers.EachSet() {
		if len(v.Forgers) == most {
			break
		}
		if owner := c.ports[i].Owner(); !slices.Contains(v.Forgers, owner) {
			v.Forgers = append(v.Forgers, owner)
		}
	}
	v.TargetsTotal += len(found.targets)
	v.Targets = append(v.Targets, found.targets[:min(len(found.targets), most-len(v.Targets))]...)
}

// forgers are the ports that may forge sources: any, or some.
type forgers struct {
	any  *bitset.BitSet
	some []int
	// near are the ports of each network, and classes say which ports the same ACLs decide about.
	near    map[string]*bitset.BitSet
	classes []int
}

func (c *Cluster) forgers() (f forgers) {
	n := uint(len(c.ports))
	f = forgers{any: bitset.New(n), near: make(map[string]*bitset.BitSet)}
	names := make([]string, len(c.ports))
	for i := range c.ports {
		p := &c.ports[i]
		names[i] = p.Name
		if f.near[p.network()] == nil {
			f.near[p.network()] = bitset.New(n)
		}
		f.near[p.network()].Set(uint(i))
		switch {
		case p.pod < 0: // nodes and gateways are no tenants
		case p.forges.any:
			f.any.Set(uint(i))
		case !p.forges.none():
			f.some = append(f.some, i)
		}
	}
	if c.acls != nil {
		f.classes = c.acls.Classes(names)
	} else {
		f.classes = make([]int, len(names))
	}
	return f
}

// search looks for ways through one rule.
type search struct {
	*Rules
	*trust

	admitted []*bitset.BitSet // by rule, who is admitted honestly
}

// through is what was found of one rule.
type through struct {
	forgers   *bitset.BitSet
	targets   []string
	elsewhere bool
	example   Walk
}

func (s *search) through(f forgers) (found through) {
	found.forgers = bitset.New(uint(len(s.ports)))
	for _, alike := range s.groups() {
		to := &s.ports[alike[0]]
		honest := s.honest(alike[0])
		near := f.near[to.network()]
		open := f.any.Difference(honest)
		open.InPlaceIntersection(near)
		s.pass(alike, open, f.classes, &forgery{any: true}, &found)
		for _, i := range f.some {
			if !honest.Test(uint(i)) && near.Test(uint(i)) {
				s.pass(alike, bitset.New(uint(len(s.ports))).Set(uint(i)), f.classes, &s.ports[i].forges, &found)
			}
		}
	}
	return found
}

// groups returns the targets of the rule, those together that the same rules are about, in the same VPC and with the
// same named ports: who forges its way to one of them does so to each, as far as ACLs let it.
func (s *search) groups() (groups [][]int) {
	at := make(map[string]int)
	for _, target := range s.targets {
		to := &s.ports[target]
		key := fmt.Sprint(to.network(), s.about[target])
		i, known := at[key]
		if !known {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], target)
	}
	return groups
}

// honest returns the ports that some rule admits to a target honestly.
func (s *search) honest(target int) *bitset.BitSet {
	set := bitset.New(uint(len(s.ports)))
	for _, i := range s.about[target] {
		if s.admitted[i] == nil {
			s.admitted[i] = s.Cluster.admitted(&s.all[i])
		}
		if s.all[i].whole || s.sharesPort(&s.all[i]) {
			set.InPlaceUnion(s.admitted[i])
		}
	}
	return set
}

// sharesPort reports whether another rule is about a packet of this one.
func (s *search) sharesPort(other *trust) bool {
	return other == s.trust || slices.ContainsFunc(other.packets, func(p Packet) bool {
		return slices.Contains(s.packets, p)
	})
}

// tries is how many ports are asked whether a packet comes all the way, before it is given up.
const tries = 16

// pass looks which of the candidates, which may forge the same, come to targets.
func (s *search) pass(targets []int, candidates *bitset.BitSet, classes []int, f *forgery, found *through) {
	for _, a := range s.sources(f, nil) {
		for _, p := range s.packets {
			w := s.firstWay(targets, candidates, a, p)
			if w == nil {
				continue
			}
			if len(found.example.Stages) == 0 {
				found.example = *w
			}
			from := s.byName[w.From.Name]
			for _, target := range targets {
				if target != from && !has(s.ports[target].Own.IPs, a) && s.arrives(from, target, w.Source, p) {
					found.reach(s.ports[target].Owner(), p, s.whole)
				}
			}
			leaves := make(map[int]bool) // by class
			for i := range candidates.EachSet() {
				passes, known := leaves[classes[i]]
				if !known {
					passes = s.leaves(int(i), s.byName[w.To.Name], s.ports[i].Forged(a), p)
					leaves[classes[i]] = passes
				}
				if passes {
					found.forgers.Set(i)
					found.elsewhere = found.elsewhere || s.ports[i].Namespace != w.To.Namespace
				}
			}
		}
	}
}

// firstWay returns the first walk of a forged packet that comes to a target, where an honest one does not.
func (s *search) firstWay(targets []int, candidates *bitset.BitSet, a netip.Addr, p Packet) *Walk {
	left := tries
	for i := range candidates.EachSet() {
		for _, target := range targets {
			to := &s.ports[target]
			if target == int(i) || !to.address(a).IsValid() || has(to.Own.IPs, a) || has(s.ports[i].Own.IPs, a) {
				continue
			}
			as := s.ports[i].Forged(a)
			if s.arrives(int(i), target, as, p) && s.leaves(int(i), target, as, p) {
				if w := s.Walk(&s.ports[i], to, as, p); w.Delivered != No {
					return &w
				}
			}
			if left--; left == 0 {
				return nil
			}
		}
	}
	return nil
}

// reach notes what is come to, once.
func (t *through) reach(owner string, p Packet, whole bool) {
	what := p.String()
	if whole {
		what = "all ports"
	}
	if text := fmt.Sprintf("%s (%s)", owner, what); !slices.Contains(t.targets, text) {
		t.targets = append(t.targets, text)
	}
}

// arrives reports whether a packet comes through the ACLs to the target, and whether one with the sender's own source
// does not: otherwise nothing is won by forging.
func (s *search) arrives(from, target int, as Source, p Packet) bool {
	sender, to := &s.ports[from], &s.ports[target]
	destination := to.address(as.IP)
	if s.acls == nil {
		return s.intent.Judge(intent.Packet{
			Sender: sender.pod, Receiver: to.pod, Source: as.IP, Destination: destination, Protocol: p.Protocol, Port: p.Port,
		}).Ingress.Allowed
	}
	forged := s.acls.Arrive(s.received(sender, to, as, destination, p))
	if decided(&forged) != Yes || s.routerRefuses(sender, to, as.IP) {
		return false
	}
	own, ok := sender.Honest(destination)
	if !ok {
		return true
	}
	honest := s.acls.Arrive(s.received(sender, to, own, destination, p))
	return decided(&honest) != Yes
}

// leaves reports whether ACLs let the packet leave the sender.
func (s *search) leaves(from, target int, as Source, p Packet) bool {
	if s.acls == nil {
		return true
	}
	sender, to := &s.ports[from], &s.ports[target]
	d := s.acls.Leave(s.sent(sender, to, as, to.address(as.IP), p))
	return decided(&d) == Yes
}
