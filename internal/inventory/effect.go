package inventory

import (
	"cmp"
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
	// Outside is how many pods have a NIC outside OVN that they could no longer be made with.
	Outside int
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
		decide := func(provider kubeovn.Provider) (old, would policy.Decision) {
			before := inv.Query(p, provider, now)
			after := before
			edit(&after)
			return policy.Decide(before), policy.Decide(after)
		}
		if slices.ContainsFunc(inv.foreign(p), func(a kubeovn.Attachment) bool {
			old, would := decide(kubeovn.AttachmentProvider(a.Namespace, a.Name))
			return would.ForbidsOthers() && !old.ForbidsOthers()
		}) {
			e.Outside++
		}
		for _, nic := range inv.nics(p) {
			old, would := decide(nic.Provider)
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
func (inv *Inventory) nics(p *Pod) []kubeovn.NIC { return inv.NICs(p.DefaultNetwork, p.Attachments) }

// NICs gives the NICs that a pod with such networks has, or may have, on OVN, by what the definitions of the networks say. defaultNetwork is
// nil where the pod does not replace the default network.
func (inv *Inventory) NICs(defaultNetwork *kubeovn.Attachment, attachments []kubeovn.Attachment) []kubeovn.NIC {
	return kubeovn.NICs(defaultNetwork, attachments, func(a kubeovn.Attachment) kubeovn.AttachmentKind {
		kind, _ := inv.Kind(a)
		return kind
	})
}

// Kind tells what an attachment makes, as its definition says; known is false where there is none.
func (inv *Inventory) Kind(a kubeovn.Attachment) (kind kubeovn.AttachmentKind, known bool) {
	a.Interface = ""
	kind, known = inv.kinds[a]
	return kind, known
}

// NetworkUser is a pod that uses an attachment.
type NetworkUser struct {
	PodKey
	// Decision is what policy says of the NIC that it has by the attachment.
	Decision policy.Decision
}

// NetworkUsers gives the pods that use an attachment and still run, or will, in order.
func (inv *Inventory) NetworkUsers(a kubeovn.Attachment, now time.Time) []NetworkUser {
	a.Interface = ""
	var users []NetworkUser
	for key := range inv.users[a] {
		if p := inv.pods[key]; !p.ended() && !p.HostNetwork {
			users = append(users, NetworkUser{key, policy.Decide(inv.Query(p, kubeovn.AttachmentProvider(a.Namespace, a.Name), now))})
		}
	}
	slices.SortFunc(users, func(x, y NetworkUser) int { return cmp.Compare(x.String(), y.String()) })
	return users
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
