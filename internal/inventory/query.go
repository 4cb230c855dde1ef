package inventory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Query returns everything that the decision for a NIC of the pod rests on.
func (inv *State) Query(p *Pod, provider kubeovn.Provider, now time.Time) policy.Query {
	return inv.QueryIn(inv.namespace(p.Namespace), p, provider, now)
}

// QueryIn is Query for a pod whose namespace is as given, and not as the inventory has it.
func (inv *State) QueryIn(ns policy.Namespace, p *Pod, provider kubeovn.Provider, now time.Time) policy.Query {
	return inv.query(ns, p, provider, p.asksForVIPs(), now)
}

func (inv *State) query(ns policy.Namespace, p *Pod, provider kubeovn.Provider, asks bool, now time.Time) policy.Query {
	q := policy.Query{
		Provider: provider, Namespace: ns, Pod: inv.policyPod(p),
		Policies: inv.policies, Now: now,
	}
	q.Exceptions = inv.exceptionsFor(&q, p)
	if asks {
		on := inv.MayBeOn(p.Annotations, ns, provider)
		q.VIPs, q.VPCs, q.Shared = inv.vipsFor(p), inv.vpcsOf(on), inv.shared(on, ns)
	}
	return q
}

// QueryAll is QueryIn for all NICs of the pod: what their decisions have in common is found once. On gives that for one
// of them.
func (inv *State) QueryAll(ns policy.Namespace, p *Pod, now time.Time) policy.Query {
	return inv.QueryIn(ns, p, "", now).Narrow()
}

// On returns a query of QueryAll for one NIC of the pod.
func (inv *State) On(q policy.Query, p *Pod, provider kubeovn.Provider) policy.Query {
	if q.Provider = provider; q.VPCs != nil { // it asks for Vips
		on := inv.MayBeOn(p.Annotations, q.Namespace, provider)
		q.VPCs, q.Shared = inv.vpcsOf(on), inv.shared(on, q.Namespace)
	}
	return q
}

// exceptionsFor returns the exceptions of the pod's namespace that count besides the others; those that are for the
// NIC, or for any of the pod where none is named, say what they would grant of others without their consent.
func (inv *State) exceptionsFor(q *policy.Query, p *Pod) []policy.Exception {
	list, copied := counted(inv.exceptions.Get(p.Namespace)), false
	vpcs := sync.OnceValue(func() []string { return inv.vpcsAt(q, p) })
	unshared := inv.unsharedOnce(vpcs)
	for i := range list {
		if len(list[i].Pairs) == 0 || !q.Now.Before(list[i].Expires) || !list[i].TargetsAny(q.Pod) ||
			q.Provider != "" && !list[i].Providers.Pick(q.Provider) {
			continue
		}
		why := unshared(&list[i])
		if why == "" {
			continue
		}
		if !copied {
			list, copied = slices.Clone(list), true
		}
		list[i].Unshared = why
	}
	return list
}

// vpcsAt returns the VPCs in which the NIC is, or all NICs of the pod where none is named.
func (inv *State) vpcsAt(q *policy.Query, p *Pod) []string {
	if q.Provider != "" {
		return inv.vpcsOf(inv.mayBeOn(p.Annotations, q.Namespace, q.Provider))
	}
	var names []string
	for _, nic := range inv.nics(p) {
		names = append(names, inv.mayBeOn(p.Annotations, q.Namespace, nic.Provider)...)
	}
	return inv.vpcsOf(names)
}

// vipsFor returns the Vip resources of the pod's namespace that its annotations name, by themselves or by their
// addresses.
func (inv *State) vipsFor(p *Pod) (out []policy.VIP) {
	seen := make(map[string]bool)
	take := func(name string) {
		v, ok := inv.vips.Find(name)
		if !ok || v.Namespace != p.Namespace || seen[name] {
			return
		}
		seen[name] = true
		out = append(
			out,
			policy.VIP{Name: v.Name, Subnet: v.Subnet, VPC: inv.VPCOf(v.Subnet), Addresses: v.Addresses, Pods: v.Pods},
		)
	}
	for key, text := range p.Annotations {
		if !isVIPs(key) {
			continue
		}
		items, parsed := p.Lists[key]
		read := policy.AddressItem
		if key == kubeovn.AAPs {
			read = policy.NameItem
		}
		if !parsed {
			items, _ = policy.List(text, policy.ListLimit, read)
		}
		for _, item := range items {
			if key == kubeovn.AAPs {
				take(item.Text)
				continue
			}
			for h := range inv.fixed.of(item.Address) {
				if h.Kind == HeldByVip {
					take(h.Name)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b policy.VIP) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
