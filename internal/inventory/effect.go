package inventory

import (
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Effect is what an edit would do to the ports of pods that run.
type Effect struct {
	// Ports is how many ports the edit concerns.
	Ports int
	// Looser and Tighter are how many of them could send from, or take in, more or less than before. A port that is both,
	// because other addresses are granted than before, counts as looser.
	Looser, Tighter int
}

// NamespaceEffect tells what would become of the ports of a namespace if it were as given.
func (inv *Inventory) NamespaceEffect(ns policy.Namespace, now time.Time) Effect {
	var e Effect
	inv.compare(&e, ns.Name, now, func(q *policy.Query) { q.Namespace = ns })
	return e
}

// PolicyEffect tells what would become of the ports of the cluster if the policy of this name were as given; nil takes it
// away. Ports that neither the old nor the new policy is for do not count.
func (inv *Inventory) PolicyEffect(name string, p *policy.Policy, now time.Time) Effect {
	var e Effect
	with := slices.DeleteFunc(slices.Clone(inv.policies), func(o policy.Policy) bool { return o.Name == name })
	var concerned []policy.Policy
	if i := slices.IndexFunc(inv.policies, func(o policy.Policy) bool { return o.Name == name }); i >= 0 {
		concerned = append(concerned, inv.policies[i])
	}
	if p != nil {
		concerned = append(concerned, *p)
		with = append(with, *p)
		policy.SortPolicies(with)
	}
	for ns := range inv.byNamespace {
		labels := inv.namespace(ns).Labels
		if slices.ContainsFunc(concerned, func(o policy.Policy) bool { return o.Namespaces == nil || o.Namespaces(labels) }) {
			inv.compare(&e, ns, now, func(q *policy.Query) { q.Policies = with })
		}
	}
	return e
}

// compare decides for each port of a namespace as things are, and again after the edit.
func (inv *Inventory) compare(e *Effect, namespace string, now time.Time, edit func(*policy.Query)) {
	for key := range inv.byNamespace[namespace] {
		p := inv.pods[key]
		if p.ended() || p.HostNetwork {
			continue
		}
		for _, nic := range inv.nics(p) {
			before := inv.Query(p, nic.Provider, now)
			after := before
			edit(&after)
			old, would := policy.Decide(before), policy.Decide(after)
			e.Ports++
			switch {
			case would.Looser(old):
				e.Looser++
			case old.Looser(would):
				e.Tighter++
			}
		}
	}
}

// nics gives the NICs that the pod has, or may have, on OVN.
func (inv *Inventory) nics(p *Pod) []kubeovn.NIC {
	return kubeovn.NICs(p.DefaultNetwork, p.Attachments, func(a kubeovn.Attachment) kubeovn.AttachmentKind {
		a.Interface = ""
		return inv.kinds[a]
	})
}

// Targets gives the names of the ports that an exception is for.
func (inv *Inventory) Targets(e *policy.Exception) []string {
	var names []string
	for key := range inv.byNamespace[e.Namespace] {
		p := inv.pods[key]
		if p.HostNetwork {
			continue
		}
		for _, nic := range inv.nics(p) {
			if e.Targets(inv.policyPod(p), nic.Provider) {
				names = append(names, kubeovn.PortName(p.Owner, p.Namespace, nic.Provider))
			}
		}
	}
	return union(names, nil)
}

// Vip gives the Vip of that name; ok is false where there is none.
func (inv *Inventory) Vip(name string) (v Vip, ok bool) {
	v, ok = inv.vips[name]
	return v, ok
}
