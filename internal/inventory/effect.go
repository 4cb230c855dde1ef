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
	// Looser and Tighter are of how many of them it is decided that they may send from, or take in, more or less than
	// before. A port may be both, where other addresses are granted than before. Of these, Kept stay as they are until
	// their pods are made again, because nothing is written to running ports.
	Looser, Tighter, Kept int
	// Unprotected is how many of them are protected by policy, and would not be after their pods were made again,
	// because the policy does not enforce any more.
	Unprotected int
	// Repaired is for how many of them repair begins, and Rewritten how many ports it would write after the edit.
	// Repair is asked about the first asksLimit ports alone; Unasked is how many more there are.
	Repaired, Rewritten, Unasked int
	// Names are the first ports, in order, that could send more or less, or that repair would write.
	Names []string
	// Outside is how many pods have a NIC outside OVN that they could no longer be made with.
	Outside int
}

const (
	// effectNames is how many ports are named.
	effectNames = 5
	// asksLimit is how many ports repair is asked about: 0.1 ms each, and the author of the edit waits.
	asksLimit = 2000
)

// name keeps the first names in order.
func (e *Effect) name(port string) {
	at, there := slices.BinarySearch(e.Names, port)
	if there || at == effectNames {
		return
	}
	e.Names = slices.Insert(e.Names, at, port)
	e.Names = e.Names[:min(len(e.Names), effectNames)]
}

// Rewrites reports whether repair would write a port whose decision has come to be the given one.
type Rewrites func(Port) bool

// bounded returns the same function for the first ports; later ones count as unasked.
func (e *Effect) bounded(rewrites Rewrites) Rewrites {
	asked := 0
	return func(p Port) bool {
		if asked == asksLimit {
			e.Unasked++
			return false
		}
		asked++
		return rewrites(p)
	}
}

// NamespaceEffect returns what would become of the ports of a namespace if it were as given.
func (inv *State) NamespaceEffect(ns policy.Namespace, rewrites Rewrites, now time.Time) Effect {
	var e Effect
	every := func(kubeovn.Provider) bool { return true }
	inv.compare(&e, ns.Name, e.bounded(rewrites), now, every, func(q *policy.Query) { q.Namespace = ns })
	return e
}

// PolicyEffect returns what would become of the ports of the cluster if the policy of this name were as given; nil
// takes it away. Ports that neither the old nor the new policy is for do not count.
func (inv *State) PolicyEffect(name string, p *policy.Policy, rewrites Rewrites, now time.Time) Effect {
	var e Effect
	rewrites = e.bounded(rewrites)
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
	for ns := range inv.byNamespace.Keys() {
		labels := inv.namespace(ns).Labels
		here := slices.DeleteFunc(
			slices.Clone(concerned),
			func(o policy.Policy) bool { return o.Namespaces != nil && !o.Namespaces(labels) },
		)
		picked := func(nic kubeovn.Provider) bool {
			return slices.ContainsFunc(here, func(o policy.Policy) bool { return o.Providers.Pick(nic) })
		}
		if len(here) > 0 {
			inv.compare(&e, ns, rewrites, now, picked, func(q *policy.Query) { q.Policies = with })
		}
	}
	return e
}

// compare decides for each port of a namespace as things are, and again after the edit, which is for some NICs.
func (inv *State) compare(
	e *Effect,
	namespace string,
	rewrites Rewrites,
	now time.Time,
	picked func(kubeovn.Provider) bool,
	edit func(*policy.Query),
) {
	for p := range inv.podsIn(namespace) {
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
			if !picked(nic.Provider) {
				continue
			}
			old, would := decide(nic.Provider)
			e.Ports++
			looser, tighter, begins := would.Wider(old), old.Wider(would), would.Repairs() && !old.Repairs()
			if old.Mode == policy.Enforce && would.Mode != policy.Enforce && old.Level != policy.Open {
				e.Unprotected++
			}
			if begins {
				e.Repaired++
			}
			if !looser && !tighter && !begins {
				continue
			}
			if looser {
				e.Looser++
			}
			if tighter {
				e.Tighter++
			}
			if (looser || tighter) && !would.Repairs() {
				e.Kept++
			}
			name := kubeovn.PortName(p.Owner, p.Namespace, nic.Provider)
			written := false
			if would.Repairs() {
				port := inv.Port(name, now)
				port.Decision = would
				written = rewrites(port)
			}
			if written {
				e.Rewritten++
			}
			if looser || tighter || written {
				e.name(name)
			}
		}
	}
}

// NetworkUser is a pod that uses an attachment.
type NetworkUser struct {
	PodKey
	// Decision is what policy says of the NIC that it has by the attachment.
	Decision policy.Decision
}

// NetworkUsers returns the pods that use an attachment and still run, or will, in order.
func (inv *State) NetworkUsers(a kubeovn.Attachment, now time.Time) []NetworkUser {
	a.Interface = ""
	var users []NetworkUser
	for key := range inv.users.of(a) {
		if p := inv.pod(key); !p.ended() && !p.HostNetwork {
			users = append(
				users,
				NetworkUser{key, policy.Decide(inv.Query(p, kubeovn.AttachmentProvider(a.Namespace, a.Name), now))},
			)
		}
	}
	slices.SortFunc(users, func(x, y NetworkUser) int { return cmp.Compare(x.String(), y.String()) })
	return users
}

// Targets returns the names of the ports that an exception is for.
func (inv *State) Targets(e *policy.Exception) []string {
	var names []string
	for p := range inv.podsIn(e.Namespace) {
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
