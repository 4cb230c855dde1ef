package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovnmatch"
)

// Unrealised is a policy that OVN does not have as it is asked for.
type Unrealised struct {
	Policy intent.Ref
	// Passes are packets that the policy keeps away and OVN's ACLs let pass, and Stops those that it admits and they
	// stop: some of each. The numbers count all that were looked at.
	Passes, Stops           []string
	PassesTotal, StopsTotal int
}

// examples is how many packets are named of each kind.
const examples = 3

// unnamedPort is one that no rule names, most likely, and strangers are addresses that nobody has.
const unnamedPort = 61234

var strangers = []netip.Addr{netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("2001:db8::4d")}

// unrealised returns the policies that OVN's ACLs do not do as they are asked for. It looks at packets that tell: to
// and from every governed port those of a stranger, and by every rule those of each source that it admits, and of
// each member of the address sets that OVN has for it. Nothing is compared where the ACLs or the policies are not
// known, or not understood.
func (r *Rules) unrealised() []Unrealised {
	if r.acls == nil || !r.PoliciesKnown() {
		return nil
	}
	d := differences{Rules: r, of: make(map[intent.Ref]*Unrealised)}
	for i := range r.ports {
		if r.ports[i].pod < 0 {
			continue
		}
		for _, stranger := range strangers {
			if own := r.ports[i].address(stranger); own.IsValid() {
				d.strangerIn(i, stranger, own)
				d.strangerOut(i, stranger, own)
			}
		}
	}
	d.byRules()
	out := make([]Unrealised, 0, len(d.of))
	for _, u := range d.of {
		out = append(out, *u)
	}
	slices.SortFunc(out, func(a, b Unrealised) int { return strings.Compare(a.Policy.String(), b.Policy.String()) })
	return out
}

// differences collects what is found, by policy.
type differences struct {
	*Rules

	of map[intent.Ref]*Unrealised
}

// strangerIn compares what becomes of a packet of a stranger to a port.
func (d *differences) strangerIn(i int, stranger, own netip.Addr) {
	p := Packet{intent.TCP, unnamedPort}
	asked := d.asked(outsider, d.ports[i].pod, stranger, own, p).Ingress
	d.compare(&asked, d.arrival(i, stranger, own, p), &d.ports[i], func() string {
		return fmt.Sprintf("%s from %s, which is no pod's, to %s", p, stranger, d.ports[i].Owner())
	})
}

// strangerOut compares what becomes of a packet of a port to a stranger.
func (d *differences) strangerOut(i int, stranger, own netip.Addr) {
	p, port := Packet{intent.TCP, unnamedPort}, &d.ports[i]
	asked := d.asked(port.pod, outsider, own, stranger, p).Egress
	q := packet(own, stranger, p)
	q.InPort, q.EthSrc, q.EthDst = port.Name, port.Own.MAC, port.router.mac
	is := d.acls.Leave(q)
	d.compare(&asked, &is, port, func() string {
		return fmt.Sprintf("%s from %s to %s, which is no pod's", p, port.Owner(), stranger)
	})
}

// arrival returns what ACLs do with a packet to a port.
func (d *differences) arrival(i int, source, own netip.Addr, p Packet) *acl.Decision {
	q := packet(source, own, p)
	port := &d.ports[i]
	q.InPort, q.OutPort = port.router.name, port.Name
	q.EthSrc, q.EthDst = port.router.mac, port.Own.MAC
	is := d.acls.Arrive(q)
	return &is
}

// compare notes a packet about which policies and ACLs differ; what tells of the packet.
func (d *differences) compare(asked *intent.Step, is *acl.Decision, port *Port, what func() string) {
	got := decided(is)
	if asked.Unknown || got == Unknown || asked.Allowed == (got == Yes) || d.left(asked, is, port) {
		return
	}
	if !asked.Allowed {
		for _, policy := range asked.Isolating {
			if !d.scopes.meant(policy, port.Provider) {
				continue
			}
			u := d.policy(policy)
			u.PassesTotal++
			if len(u.Passes) < examples {
				u.Passes = append(u.Passes, what())
			}
		}
		return
	}
	policy, ok := d.blame(asked, is)
	if !ok {
		return
	}
	u := d.policy(policy)
	u.StopsTotal++
	if len(u.Stops) < examples {
		u.Stops = append(u.Stops, what()+": "+aclText(is))
	}
}

// left reports whether the difference is by design, or nobody's whom it could be told of: a policy that is meant for
// other NICs of the pod does not count for this one, kinds of policies that are not known cannot be compared, and
// security groups and the ACLs of subnets stop more than policies do.
func (d *differences) left(asked *intent.Step, is *acl.Decision, port *Port) bool {
	meant := func(r intent.Ref) bool { return d.scopes.meant(r, port.Provider) }
	if asked.Allowed && asked.Policy != nil && !meant(*asked.Policy) ||
		!asked.Allowed && !slices.ContainsFunc(asked.Isolating, meant) {
		return true
	}
	if is.ACL == nil {
		return false
	}
	owner, ok := d.acls.Owner(is.ACL)
	return ok && d.unread(owner.Kind) || asked.Allowed && (!ok || owner.Kind == KindSecurityGroup)
}

// blame returns the policy that stops what another one, or none, keeps away.
func (d *differences) blame(asked *intent.Step, is *acl.Decision) (policy intent.Ref, ok bool) {
	if asked.Policy != nil {
		return *asked.Policy, true
	}
	if is.ACL == nil {
		return policy, false
	}
	owner, ok := d.acls.Owner(is.ACL)
	return intent.Ref(owner), ok
}

func (d *differences) policy(r intent.Ref) *Unrealised {
	if d.of[r] == nil {
		d.of[r] = &Unrealised{Policy: r}
	}
	return d.of[r]
}

// byRules compares what the rules of policies admit.
func (d *differences) byRules() {
	members := d.members()
	for i := range d.all {
		t := &d.all[i]
		if t.of.Kind == KindSecurityGroup {
			continue
		}
		for _, target := range t.examples(d.Cluster) {
			to := &d.ports[target]
			if len(t.packets) == 0 {
				continue
			}
			seen := make(map[netip.Addr]bool)
			packets := t.packets // all of them from the first source, and one from each other
			for _, a := range slices.Concat(t.trusted, members[t.of], firsts(t.blocks)) {
				own := to.address(a)
				if seen[a] || !own.IsValid() || slices.Contains(to.Own.IPs, a) {
					continue
				}
				seen[a] = true
				for _, p := range packets {
					asked := d.asked(outsider, to.pod, a, own, p).Ingress
					d.compare(&asked, d.arrival(target, a, own, p), to, func() string {
						return fmt.Sprintf("%s from %s to %s", p, d.named(a), to.Owner())
					})
				}
				packets = packets[:1]
			}
		}
	}
}

// examples returns the first target of a rule of each family.
func (t *trust) examples(c *Cluster) (out []int) {
	for _, like := range strangers {
		for _, i := range t.targets {
			if c.ports[i].address(like).IsValid() {
				if !slices.Contains(out, i) {
					out = append(out, i)
				}
				break
			}
		}
	}
	return out
}

// firsts returns an address of each block.
func firsts(blocks []netip.Prefix) (out []netip.Addr) {
	for _, b := range blocks {
		if a := b.Masked().Addr(); b.IsSingleIP() {
			out = append(out, a)
		} else {
			out = append(out, a.Next())
		}
	}
	return out
}

// members returns what OVN has in the address sets of each policy for sources, single addresses alone.
func (d *differences) members() map[intent.Ref][]netip.Addr {
	out := make(map[intent.Ref][]netip.Addr)
	for a, match := range d.acls.All() {
		owner, ok := d.acls.Owner(a)
		if !ok || a.Direction != acl.ToPort || !match.Mentions("ip4.src") && !match.Mentions("ip6.src") {
			continue
		}
		r := intent.Ref(owner)
		for _, p := range sourcesOf(match) {
			if p.IsSingleIP() {
				out[r] = append(out[r], p.Addr())
			}
		}
	}
	for r, list := range out {
		slices.SortFunc(list, netip.Addr.Compare)
		out[r] = slices.DeleteFunc(slices.Compact(list), d.gateway)
	}
	return out
}

func sourcesOf(match *ovnmatch.Match) []netip.Prefix {
	return slices.Concat(match.Prefixes("ip4.src"), match.Prefixes("ip6.src"))
}

// gateway reports whether an address is that of something other than a pod, such as a node or the gateway of a subnet,
// which Kube-OVN admits besides.
func (d *differences) gateway(a netip.Addr) bool {
	return slices.ContainsFunc(d.at[a], func(i int) bool { return d.ports[i].pod < 0 }) ||
		slices.ContainsFunc(d.State.Holders(a, everywhere), func(h inventory.Holder) bool {
			return h.Kind != inventory.HeldByPort
		})
}

func everywhere(inventory.Holder) bool { return true }

// named returns an address with the pod that has it.
func (c *Cluster) named(a netip.Addr) string {
	if at := c.at[a]; len(at) > 0 {
		return fmt.Sprintf("%s (%s)", a, c.ports[at[0]].Owner())
	}
	return a.String()
}
