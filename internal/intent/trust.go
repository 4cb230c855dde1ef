package intent

import (
	"cmp"
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// Rule is an ingress rule that admits packets by their source.
type Rule struct {
	Policy Ref
	Index  int
	// Sources are the ranges of addresses that it trusts, without the exceptions.
	Sources []netip.Prefix
	// Pods are the pods that it trusts by selectors.
	Pods []int
	// Anyone says that it trusts all sources.
	Anyone bool
	// Targets are the pods that it opens.
	Targets []int
	// Ports are the ports that it opens on any target. Nil stands for all of them, and for what has no ports. Named are
	// the names by which it opens some; Ports has the numbers that targets have for them, so that it is empty, not nil,
	// where no target has such a port.
	Ports []PortRange
	Named []string
	// Unsure says that it may admit more, because part of it cannot be judged here, or that it may not count at all.
	Unsure bool
}

// IngressRules returns the rules that admit packets by their source, of NetworkPolicies and those with the actions
// Accept and Allow of the kinds for the whole cluster, in the order in which policies are asked. Pods are indexes in
// Cluster.Pods. A rule may be listed that an earlier one leaves nothing to.
func (i *Intent) IngressRules() []Rule {
	var all []Rule
	for _, p := range i.policies {
		if p.tier == ownTier && p.isolates[ingress] == no {
			continue
		}
		targets := i.universe.indexes(p.subject)
		for n := range p.rules[ingress] {
			if r := &p.rules[ingress][n]; r.action&accept != 0 {
				all = append(all, i.trust(p, r, targets))
			}
		}
	}
	return all
}

func (i *Intent) trust(p *policy, r *rule, targets []int) Rule {
	t := Rule{
		Policy:  p.ref,
		Index:   r.index,
		Sources: sources(r.peers.blocks),
		Pods:    i.universe.indexes(r.peers.pods),
		Anyone:  r.peers.anyone,
		Targets: targets,
		Unsure: p.unsure || p.tier == ownTier && p.isolates[ingress] == maybe || !r.action.single() ||
			r.peers.unsure || r.ports.unsure,
	}
	if r.ports.anyPort {
		return t
	}
	t.Ports = append([]PortRange{}, r.ports.ranges...)
	for _, n := range r.ports.named {
		t.Named = append(t.Named, n.name)
		for _, target := range targets {
			for _, has := range i.pods[target].Ports {
				if n.names(has) {
					t.Ports = append(t.Ports, PortRange{transport(has), has.Number, has.Number})
				}
			}
		}
	}
	slices.SortFunc(t.Ports, func(a, b PortRange) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	t.Ports = slices.Compact(t.Ports)
	return t
}

// sources returns the addresses in any of the blocks, nil for none.
func sources(blocks []block) []netip.Prefix {
	var all netipx.IPSetBuilder
	for _, b := range blocks {
		var one netipx.IPSetBuilder
		one.AddPrefix(b.cidr)
		for _, e := range b.except {
			one.RemovePrefix(e)
		}
		// A set without errors: each prefix is valid.
		if s, err := one.IPSet(); err == nil {
			all.AddSet(s)
		}
	}
	s, err := all.IPSet()
	if err != nil || len(s.Prefixes()) == 0 {
		return nil
	}
	return s.Prefixes()
}
