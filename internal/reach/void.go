package reach

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
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
	// Forgers are ports that may do so, and Targets what they come to, such as "shop/db-1 (tcp/5432)"; at most ten of
	// each. The numbers count all.
	Forgers, Targets           []string
	ForgersTotal, TargetsTotal int
	// Elsewhere means that one of them is in another namespace than the target.
	Elsewhere bool
	// Example is one way through.
	Example Walk

	// forgers and known are all of them.
	forgers *bitset.BitSet
	known   map[reached]bool
}

// opening is what a forged source opens for ports.
type opening struct {
	// forgers are indexes of ports.
	forgers *bitset.BitSet
	// text says what is opened, such as "shop/db-1 (tcp/5432) through NetworkPolicy shop/allow-web".
	text string
}

// voids returns the policies that forged sources walk through, and what these open.
func (r *Rules) voids() (voids []Void, opened []opening) {
	forgers := r.forgers()
	if forgers.any.None() && len(forgers.some) == 0 {
		return nil, nil
	}
	honestly := make([]*bitset.BitSet, len(r.all))
	byPolicy := make(map[intent.Ref]int)
	for i := range r.all {
		s := search{Rules: r, trust: &r.all[i], honestly: honestly}
		found := s.through(forgers)
		if found.forgers.None() {
			continue
		}
		opened = append(opened, opening{found.forgers, found.targets[0] + " through " + s.of.String()})
		at, known := byPolicy[s.of]
		if !known {
			at = len(voids)
			byPolicy[s.of] = at
			voids = append(voids, Void{
				Policy:  s.of,
				Example: found.example,
				forgers: bitset.New(uint(len(r.ports))),
				known:   make(map[reached]bool),
			})
		}
		voids[at].join(&found)
	}
	for i := range voids {
		r.count(&voids[i])
	}
	slices.SortFunc(voids, func(a, b Void) int { return strings.Compare(a.Policy.String(), b.Policy.String()) })
	return voids, opened
}

// join adds what was found of a rule to what is known of its policy.
func (v *Void) join(found *through) {
	v.Elsewhere = v.Elsewhere || found.elsewhere
	v.forgers.InPlaceUnion(found.forgers)
	maps.Copy(v.known, found.known)
	for _, text := range found.targets {
		if len(v.Targets) < most && !slices.Contains(v.Targets, text) {
			v.Targets = append(v.Targets, text)
		}
	}
}

// count counts the ports that walk through a policy and what they come to, and names the first ports.
func (c *Cluster) count(v *Void) {
	v.ForgersTotal, v.TargetsTotal = int(v.forgers.Count()), len(v.known)
	for i := range v.forgers.EachSet() {
		if len(v.Forgers) == most {
			break
		}
		if owner := c.ports[i].Owner(); !slices.Contains(v.Forgers, owner) {
			v.Forgers = append(v.Forgers, owner)
		}
	}
}

// forgers are the ports that may forge sources: any, or some.
type forgers struct {
	any  *bitset.BitSet
	some []int
	// near are the ports of each network, and classes say which ports the same ACLs decide about.
	near    map[string]*bitset.BitSet
	classes []int
	// receivers say the same of what ports receive.
	receivers []int
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
		f.classes, f.receivers = c.acls.Classes(names), c.acls.Receivers(names)
	} else {
		f.classes, f.receivers = make([]int, len(names)), make([]int, len(names))
	}
	return f
}

// search looks for ways through one rule.
type search struct {
	*Rules
	*trust

	honestly []*bitset.BitSet // by rule, who is admitted honestly
}

// through is what was found of one rule.
type through struct {
	forgers *bitset.BitSet
	// targets are the first things that are come to, and known has all of them.
	targets   []string
	known     map[reached]bool
	elsewhere bool
	example   Walk
}

// reached is a packet that comes to a pod; without a number the packet stands for all.
type reached struct {
	owner  string
	packet Packet
}

func (s *search) through(f forgers) through {
	found := through{forgers: bitset.New(uint(len(s.ports))), known: make(map[reached]bool)}
	for _, alike := range s.groups(f.receivers) {
		to := &s.ports[alike[0]]
		honest := s.honest(alike[0])
		near := f.near[to.network()]
		open := f.any.Difference(honest)
		open.InPlaceIntersection(near)
		s.pass(alike, open, f.classes, &forgery{any: true}, &found)
		for _, i := range f.some {
			forges := &s.ports[i].forges
			if !honest.Test(uint(i)) && near.Test(uint(i)) && len(s.sources(forges, nil)) > 0 {
				s.pass(alike, bitset.New(uint(len(s.ports))).Set(uint(i)), f.classes, forges, &found)
			}
		}
	}
	return found
}

// groups returns the targets of the rule, those together that the same rules are about, in the same VPC, with addresses
// of the same families, and about which the same ACLs decide: who forges the way to one of them does so to each.
func (s *search) groups(receivers []int) (groups [][]int) {
	at := make(map[string]int)
	var key []byte
	for _, target := range s.targets {
		to := &s.ports[target]
		key = append(append(key[:0], to.network()...), 0)
		for _, like := range strangers {
			key = strconv.AppendBool(key, to.address(like).IsValid())
		}
		for _, n := range append([]int{receivers[target]}, s.about[target]...) {
			key = binary.AppendUvarint(key, uint64(n))
		}
		i, known := at[string(key)]
		if !known {
			i = len(groups)
			at[string(key)] = i
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
		if s.honestly[i] == nil {
			s.honestly[i] = s.admitted(&s.all[i])
		}
		if s.all[i].whole || s.sharesPort(&s.all[i]) {
			set.InPlaceUnion(s.honestly[i])
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

// What is tried before it is given up: two ports of each class, because one may have the address itself or be the
// target, in so many classes.
const (
	triesOfClass   = 2
	triesOfClasses = 256
)

// pass looks which of the candidates, which may forge the same, come to targets, about which the same ACLs decide.
func (s *search) pass(targets []int, candidates *bitset.BitSet, classes []int, f *forgery, found *through) {
	sources := s.sources(f, nil)
	if len(sources) == 0 || candidates.None() {
		return
	}
	tried := representatives(candidates, classes)
	leaves := make(map[int]bool) // by class
	for _, a := range sources {
		for _, p := range s.packets {
			from, to, ok := s.firstWay(targets, tried, a, p)
			if !ok {
				continue
			}
			if len(found.example.Stages) == 0 {
				w := s.Walk(&s.ports[from], &s.ports[to], s.ports[from].Forged(a), p)
				if w.Delivered == No {
					continue
				}
				found.example = w
			}
			for _, target := range targets {
				if target != from && !slices.Contains(s.ports[target].Own.IPs, a) {
					found.reach(s.ports[target].Owner(), p, s.whole)
				}
			}
			for _, i := range tried {
				if class := classes[i]; !leaves[class] {
					leaves[class] = s.leaves(i, to, s.ports[i].Forged(a), p)
				}
			}
			found.elsewhere = found.elsewhere || s.ports[from].Namespace != s.ports[to].Namespace
		}
	}
	if len(found.example.Stages) == 0 {
		return
	}
	to := found.example.To.Namespace
	for i := range candidates.EachSet() {
		if leaves[classes[i]] {
			found.forgers.Set(i)
			found.elsewhere = found.elsewhere || s.ports[i].Namespace != to
		}
	}
}

// representatives returns some ports of each class, the first ones.
func representatives(candidates *bitset.BitSet, classes []int) (some []int) {
	taken := make(map[int]int)
	for i := range candidates.EachSet() {
		class := classes[i]
		if taken[class] == triesOfClass || taken[class] == 0 && len(taken) == triesOfClasses {
			continue
		}
		taken[class]++
		some = append(some, int(i))
	}
	return some
}

// firstWay returns the first candidate from which a forged packet comes to a target, where an honest one does not.
func (s *search) firstWay(targets, candidates []int, a netip.Addr, p Packet) (from, target int, ok bool) {
	for _, i := range candidates {
		for _, target := range targets {
			to := &s.ports[target]
			if target == i || !to.address(a).IsValid() || slices.Contains(to.Own.IPs, a) ||
				slices.Contains(s.ports[i].Own.IPs, a) {
				continue
			}
			as := s.ports[i].Forged(a)
			if s.leaves(i, target, as, p) && s.arrives(i, target, as, p) {
				return i, target, true
			}
			break // the others are alike
		}
	}
	return 0, 0, false
}

// reach notes what is come to, once.
func (t *through) reach(owner string, p Packet, whole bool) {
	r := reached{owner, p}
	if whole {
		r.packet = Packet{}
	}
	if t.known[r] {
		return
	}
	t.known[r] = true
	if len(t.targets) == most {
		return
	}
	what := p.String()
	if whole {
		what = "all ports"
	}
	t.targets = append(t.targets, fmt.Sprintf("%s (%s)", owner, what))
}

// arrives reports whether a packet comes through the ACLs to the target, and whether one with the sender's own source
// does not: otherwise nothing is won by forging.
func (s *search) arrives(from, target int, as Source, p Packet) bool {
	sender, to := &s.ports[from], &s.ports[target]
	destination := to.address(as.IP)
	if s.acls == nil {
		return s.asked(sender.pod, to.pod, as.IP, destination, p).Ingress.Allowed
	}
	forged := s.acls.Arrive(received(sender, to, as, destination, p))
	if decided(&forged) != Yes || s.routerRefuses(sender, to, as.IP) {
		return false
	}
	own, ok := sender.Honest(destination)
	if !ok {
		return true
	}
	honest := s.acls.Arrive(received(sender, to, own, destination, p))
	return decided(&honest) != Yes
}

// leaves reports whether ACLs let the packet leave the sender.
func (s *search) leaves(from, target int, as Source, p Packet) bool {
	if s.acls == nil {
		return true
	}
	sender, to := &s.ports[from], &s.ports[target]
	d := s.acls.Leave(sent(sender, to, as, to.address(as.IP), p))
	return decided(&d) == Yes
}
