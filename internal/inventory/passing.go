package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Passing is what a gateway's port passes on for others.
type Passing struct {
	Forwarder

	// Any means that it passes on packets from any address, as answers from outside are; Sources are otherwise the
	// prefixes that it passes on, none where all it sends is its own.
	Any     bool
	Sources []netip.Prefix
	// Cut means that the decision for the port does not let it, so that what others send ends there.
	Cut bool
	// Excepted means that an exception in effect names the gateway, or its workload, as its target.
	Excepted bool
	// Exception is the one that lets it, where the port is cut off: it needs no more than who asks for it.
	Exception policy.Exception
	// Hindrance says for people what has to be settled before that exception counts; empty for nothing.
	Hindrance string
}

// sourcesLimit is how many prefixes of one gateway are put into an exception. Policies allow fewer pairs.
const sourcesLimit = 64

// passing returns what the port of a gateway's pod passes on; nil where the pod is of none.
//
// A VpcEgressGateway masquerades behind its address on the external network what is not excepted from that (policies
// without snat), and passes on that and all answers by its NIC on the default network
// (dist/images/init-vpc-egress-gateway.sh in 1.14 to 1.16). With BGP it masquerades nothing. The NICs of the others
// answer with whatever addresses are outside (dist/images/vpcnatgateway/nat-gateway.sh; the init containers of
// genVpcLbDeployment).
func (inv *State) passing(
	p *Pod,
	provider kubeovn.Provider,
	d *policy.Decision,
	owners []policy.Owner,
	now time.Time,
) *Passing {
	f, _ := inv.forwarderOf(p, owners)
	if f == nil {
		return nil
	}
	out := &Passing{Forwarder: *f, Any: true}
	if g := f.Gateway; f.Kind == kubeovn.KindEgressGateway && provider != kubeovn.DefaultProvider &&
		g != nil && !g.Any {
		out.Any, out.Sources = false, inv.sourcesOf(g)
	}
	out.Excepted = slices.ContainsFunc(inv.Exceptions(p.Namespace), func(e policy.Exception) bool {
		return e.Owner != nil && slices.Contains(d.Exceptions, e.Name)
	})
	if out.Cut = !out.covered(d); out.Cut {
		inv.except(out, p, provider, owners, now)
	}
	return out
}

// Passing returns what a NIC of a pod passes on that is not there yet, or as it is, where the decision for it is this
// one; nil where the pod is no gateway's.
func (inv *State) Passing(p *Pod, provider kubeovn.Provider, d *policy.Decision, now time.Time) *Passing {
	return inv.passing(p, provider, d, inv.policyPod(p).Owners, now)
}

// sourcesOf returns the prefixes that a gateway passes on as they are.
func (n *network) sourcesOf(g *Gateway) (out []netip.Prefix) {
	add := func(list []netip.Prefix) {
		for _, prefix := range list {
			within := func(o netip.Prefix) bool { return o.Bits() <= prefix.Bits() && o.Contains(prefix.Addr()) }
			if len(out) < sourcesLimit && !slices.ContainsFunc(out, within) {
				out = append(out, prefix)
			}
		}
	}
	add(g.Prefixes)
	for _, name := range g.Subnets {
		add(n.subnets.Get(name).CIDRs)
	}
	return out
}

// covered reports whether the decision lets the port send all that it passes on.
func (f *Passing) covered(d *policy.Decision) bool {
	if d.Level >= policy.MAC {
		return true
	}
	return !f.Any && !slices.ContainsFunc(f.Sources, func(source netip.Prefix) bool {
		return !slices.ContainsFunc(d.Pairs, func(pair portsec.AddressPair) bool {
			return pair.MAC == (portsec.MAC{}) && pair.Prefix.Bits() <= source.Bits() &&
				pair.Prefix.Contains(source.Addr())
		})
	})
}

// except fills in the exception that lets the port pass on what it has to.
func (inv *State) except(f *Passing, p *Pod, provider kubeovn.Provider, owners []policy.Owner, now time.Time) {
	base, _ := policy.Match(inv.policies, inv.namespace(p.Namespace), provider)
	e := policy.Exception{
		Namespace: p.Namespace, Providers: policy.Providers{string(provider)},
		Asked: now, Expires: untilWithin(now, base.Limits.Lifetime),
	}
	switch {
	case f.Gateway != nil:
		e.Owner = &f.Gateway.Object
	case len(owners) > 0:
		e.Owner = &owners[len(owners)-1]
	default:
		e.Owner = p.Controller
	}
	e.Name = e.Owner.Name + "." + string(provider)
	if f.Any {
		e.Class, e.Level = policy.NATGateway, policy.MAC
	} else {
		e.Class = policy.Router
		for _, prefix := range f.Sources {
			e.Pairs, e.SharedWith = append(e.Pairs, portsec.AddressPair{Prefix: prefix}), append(e.SharedWith, "")
		}
		f.Hindrance = inv.share(&e)
	}
	f.Exception = e
	if f.Hindrance != "" {
		return
	}
	if reason, why := e.Admissible(&base); reason != policy.InEffect {
		f.Hindrance = why
	} else if base.Approval {
		f.Hindrance = "policy " + base.Name + " requires that another user approves it"
	}
}

// share fills in with whom the pairs are shared, and leaves out the addresses that nobody shares, such as a subnet's
// gateway's: a gateway passes on nothing from them. It says what cannot be settled like this; "" where all can.
func (inv *State) share(e *policy.Exception) (hindrance string) {
	for range leftOutLimit {
		var left bool
		if hindrance, left = inv.shareOnce(e); !left {
			return hindrance
		}
	}
	return "it forwards too many addresses that others have"
}

// leftOutLimit is how many addresses are left out of what a gateway passes on.
const leftOutLimit = 16

// shareOnce is share until an address was left out, after which the pairs are others.
func (inv *State) shareOnce(e *policy.Exception) (hindrance string, left bool) {
	for _, c := range inv.Claims(e) {
		pair := e.Pairs[c.Pair].Prefix
		address, err := netip.ParseAddr(c.What)
		if err == nil && len(c.Consents) == 0 && !pair.IsSingleIP() && pair.Contains(address) {
			for _, part := range allBut(pair, address) {
				e.Pairs, e.SharedWith = append(e.Pairs, portsec.AddressPair{Prefix: part}), append(e.SharedWith, "")
			}
			e.Pairs = slices.Delete(e.Pairs, c.Pair, c.Pair+1)
			e.SharedWith = slices.Delete(e.SharedWith, c.Pair, c.Pair+1)
			return "", true
		}
		switch named := e.SharedWith[c.Pair]; {
		case len(c.Consents) == 0:
			hindrance = fmt.Sprintf("%s belongs to %s, and cannot be shared", c.What, c.whose())
		case named == "":
			e.SharedWith[c.Pair] = c.Consents[0].SharedWith
		case !slices.ContainsFunc(c.Consents, func(o Consent) bool { return o.SharedWith == named }):
			hindrance = fmt.Sprintf(
				"%s belongs to %s, and the pair is already shared with %s",
				c.What,
				c.whose(),
				named,
			)
		}
	}
	return hindrance, false
}

// whose names the owner of what is claimed to whoever may know.
func (c *Claim) whose() string {
	if c.Hidden {
		return "others"
	}
	return c.Whose
}

// untilWithin returns when an exception ends that is asked for now and lasts as long as a policy allows. It is the same
// all day long, so that what is told of it does not change by itself.
func untilWithin(now time.Time, lifetime time.Duration) time.Time {
	const day = 24 * time.Hour
	if lifetime <= 0 {
		lifetime = policy.DefaultLifetime
	}
	if lifetime >= 2*day {
		return now.UTC().Truncate(day).Add(lifetime)
	}
	return now.UTC().Truncate(time.Minute).Add(lifetime)
}

// allBut returns the prefixes that are all of one but an address, in order.
func allBut(prefix netip.Prefix, address netip.Addr) (out []netip.Prefix) {
	if !prefix.Contains(address) {
		return []netip.Prefix{prefix}
	}
	if prefix.IsSingleIP() {
		return nil
	}
	from, to := ends(prefix)
	low, high := netip.PrefixFrom(from, prefix.Bits()+1), netip.PrefixFrom(to, prefix.Bits()+1).Masked()
	return append(allBut(low, address), allBut(high, address)...)
}
