package policy

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Representatives returns providers that stand for all others: for whatever provider there is, the policies match it
// and the namespace's annotations speak of it as they do of one of these. keys are the annotations in question.
func Representatives(policies []Policy, keys ...map[string]string) []kubeovn.Provider {
	set := map[kubeovn.Provider]bool{kubeovn.DefaultProvider: true, "any.any.ovn": true}
	for _, annotations := range keys {
		for key := range annotations {
			if p, _, ok := kubeovn.SplitKey(key); ok {
				set[p] = true
			}
		}
	}
	heads, tails := map[string]bool{"any.": true}, map[string]bool{".any.ovn": true}
	for i := range policies {
		for _, pattern := range policies[i].Providers {
			if tail, cut := strings.CutPrefix(pattern, "*"); cut {
				tails[tail] = true
			} else if head, cut := strings.CutSuffix(pattern, "*"); cut {
				heads[head] = true
			} else {
				set[kubeovn.Provider(pattern)] = true
			}
		}
	}
	for head := range heads {
		for tail := range tails {
			// What stands between is in no pattern, so that only patterns that pick every such provider pick this one.
			set[kubeovn.Provider(head+"any"+tail)] = true
		}
	}
	out := make([]kubeovn.Provider, 0, len(set))
	for p := range set {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// Governing returns the policies that decide whether an exception for these NICs of pods of the namespace counts, each
// once; the built-in default is among them where nothing else is for some NIC. Policies that select pods by label are
// not: they can only tighten.
func Governing(policies []Policy, ns Namespace, providers Providers) []Policy {
	nics := Representatives(policies)
	exact := len(providers) > 0
	for _, pattern := range providers {
		if strings.HasPrefix(pattern, "*") || strings.HasSuffix(pattern, "*") {
			exact = false
		}
	}
	if exact {
		nics = nics[:0]
	}
	for _, pattern := range providers {
		// A representative of a pattern of its own: nothing else need pick it.
		nics = append(nics, kubeovn.Provider(strings.Replace(pattern, "*", "any", 1)))
	}
	var out []Policy
	for _, nic := range nics {
		if !providers.Pick(nic) {
			continue
		}
		p := BuiltIn()
		if base, _ := match(&Query{Provider: nic, Namespace: ns, Policies: policies}); base != nil {
			p = *base
		}
		if !slices.ContainsFunc(out, func(o Policy) bool { return o.Name == p.Name }) {
			out = append(out, p)
		}
	}
	return out
}

// Weaker tells in which way the policy does less about the ports of a namespace than o does, besides what ports may
// send: by a mode or a repair that leaves more alone, or by exceptions that o would not let count. It is "" where it
// does not.
func (p *Policy) Weaker(o *Policy, namespace string) string {
	switch here, there := slices.Contains(p.ExceptionsIn, namespace), slices.Contains(o.ExceptionsIn, namespace); {
	case p.Mode > o.Mode:
		return "mode " + p.Mode.String() + " instead of " + o.Mode.String()
	case p.Repair.effort() < o.Repair.effort():
		return "repair " + p.Repair.String() + " instead of " + o.Repair.String()
	case here && !there:
		return "exceptions are honoured"
	case here && o.Approval && !p.Approval:
		return "exceptions need no approval"
	case here && o.Ticket != nil && (p.Ticket == nil || p.Ticket.String() != o.Ticket.String()):
		return "exceptions need another ticket, or none"
	case here && p.Limits.wider(o.Limits):
		return "exceptions may grant more"
	}
	return ""
}

// effort orders what is done about ports, the least first.
func (r Repair) effort() int {
	return map[Repair]int{RepairOff: 0, RepairLog: 1, RepairOn: 2}[r]
}

// wider reports whether some limit lets an exception grant what o does not.
func (l Limits) wider(o Limits) bool {
	return l.Pairs > o.Pairs || l.Prefix4 < o.Prefix4 || l.Prefix6 < o.Prefix6 || l.Lifetime > o.Lifetime ||
		l.Level > o.Level ||
		o.Owner && !l.Owner
}

// Match returns the policy for a NIC of a namespace, with no regard to pods' labels, and the policies that come before
// it and may tighten it for pods with certain labels, in order.
func Match(policies []Policy, ns Namespace, provider kubeovn.Provider) (base Policy, byLabel []Policy) {
	for i := range policies {
		p := &policies[i]
		switch {
		case !p.Providers.Pick(provider) || !p.Namespaces.picks(ns.Labels):
		case p.Pods == nil:
			return *p, byLabel
		default:
			byLabel = append(byLabel, *p)
		}
	}
	return BuiltIn(), byLabel
}

// TightestMode returns the mode of the policy that does most about some NIC of a pod with these labels, whichever NICs
// it has.
func TightestMode(policies []Policy, ns Namespace, labels map[string]string) Mode {
	mode := Audit
	for i := range policies {
		p := &policies[i]
		if !p.Namespaces.picks(ns.Labels) || !p.Pods.picks(labels) {
			continue
		}
		if mode = min(mode, p.Mode); p.Pods == nil && p.Providers.PickAll() {
			return mode // no other policy is for any NIC
		}
	}
	return min(mode, BuiltIn().Mode)
}
