package inventory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// SetPolicy adds or replaces a policy and returns the names of the ports that it, or what it was before, may decide.
func (inv *Inventory) SetPolicy(p policy.Policy) []string {
	touched := inv.DeletePolicy(p.Name)
	inv.policies = append(slices.Clone(inv.policies), p)
	policy.SortPolicies(inv.policies)
	return union(touched, inv.portsUnder(p))
}

// DeletePolicy takes a policy out and returns the names of the ports that it may have decided.
func (inv *Inventory) DeletePolicy(name string) []string {
	i := slices.IndexFunc(inv.policies, func(p policy.Policy) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	gone := inv.policies[i]
	inv.policies = slices.Delete(slices.Clone(inv.policies), i, i+1)
	return inv.portsUnder(gone)
}

// Policies returns all policies in their order of precedence. The list is never changed afterwards.
func (inv *State) Policies() []policy.Policy { return inv.policies }

// portsUnder returns the names of the ports in namespaces that the policy picks.
func (inv *Inventory) portsUnder(p policy.Policy) []string {
	var names []string
	for ns := range inv.byNamespace.Keys() {
		if p.Namespaces == nil || p.Namespaces(inv.namespace(ns).Labels) {
			names = append(names, inv.pods.portsIn(ns)...)
		}
	}
	return union(names, nil)
}

// SetException adds or replaces an exception and returns the names of the ports that it, or what it was before, is for,
// and of those for which others begin or cease to count beside it.
func (inv *Inventory) SetException(e policy.Exception) []string {
	touched := inv.DeleteException(e.Namespace, e.Name)
	was := inv.exceptions.Get(e.Namespace)
	is := with(was, e)
	inv.exceptions.Set(inv.edit, e.Namespace, is)
	inv.settleShares(&e, true)
	inv.affectException(e.Namespace, e.Name)
	return union(append(touched, inv.displaced(was, is)...), inv.portsFor(&e))
}

// DeleteException takes an exception out and returns the names of the same ports.
func (inv *Inventory) DeleteException(namespace, name string) []string {
	was := inv.exceptions.Get(namespace)
	i := slices.IndexFunc(was, func(e policy.Exception) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	gone := was[i]
	is := without(was, name)
	replace(&inv.exceptions, inv.edit, namespace, is)
	inv.settleShares(&gone, false)
	inv.affectException(namespace, name)
	return append(inv.displaced(was, is), inv.portsFor(&gone)...)
}

// settleShares keeps which exceptions have the consent of a namespace.
func (inv *Inventory) settleShares(e *policy.Exception, is bool) {
	for _, s := range e.Shares {
		if key := (PodKey{e.Namespace, e.Name}); s.Resource != policy.Namespaces {
			continue
		} else if is {
			inv.sharedBy.add(inv.edit, s.Name, key)
		} else {
			inv.sharedBy.remove(inv.edit, s.Name, key)
		}
	}
}

// portsSharedBy returns the names of the ports that exceptions are for which have the consent of a namespace: it counts
// no more, or again, when the namespace becomes another one of its name.
func (inv *Inventory) portsSharedBy(namespace string) (names []string) {
	for key := range inv.sharedBy.of(namespace) {
		list := inv.exceptions.Get(key.Namespace)
		if i := slices.IndexFunc(list, func(e policy.Exception) bool { return e.Name == key.Name }); i >= 0 {
			names = append(names, inv.portsFor(&list[i])...)
		}
	}
	return names
}

// Exceptions returns the exceptions of a namespace, those first that last longest, whether or not all count. The list
// is never changed afterwards.
func (inv *State) Exceptions(namespace string) []policy.Exception {
	return inv.exceptions.Get(namespace)
}

// portsFor returns the names of the ports of the pods that the exception targets.
func (inv *Inventory) portsFor(e *policy.Exception) []string {
	var names []string
	for p := range inv.podsIn(e.Namespace) {
		if anyNIC := (policy.Exception{Pods: e.Pods, Owner: e.Owner}); anyNIC.Targets(inv.policyPod(p), "") {
			names = append(names, inv.pods.ports[p.PodKey]...)
		}
	}
	return union(names, nil)
}

// Workload is an object that may own pods.
type Workload struct {
	Object    policy.Owner
	Namespace string
	// Made is when it was made; zero where that is not known.
	Made time.Time
	// Parent owns it in turn; nil where nothing does.
	Parent *policy.Owner
}

// SetOwner is SetWorkload for one of which no more is known.
func (inv *Inventory) SetOwner(o policy.Owner, parent *policy.Owner) []string {
	return inv.SetWorkload(Workload{Object: o, Parent: parent})
}

// SetWorkload says that an object exists that may own pods. It returns the names of the ports of the pods that it owns,
// and of a gateway's workload those of the pods behind it.
func (inv *Inventory) SetWorkload(w Workload) []string {
	before, ok := inv.owners.Find(w.Object.UID)
	now := owner{object: w.Object, parent: w.Parent, namespace: w.Namespace, made: w.Made}
	if ok && before.object == now.object && equalOwner(before.parent, now.parent) &&
		before.namespace == now.namespace &&
		before.made.Equal(now.made) {
		return nil
	}
	inv.owners.Set(inv.edit, w.Object.UID, now)
	inv.affectOwned(w.Object.UID)
	return union(inv.pods.portsOf(inv.pods.owned.of(w.Object.UID)), inv.portsBehind(w.Object.UID, before, now))
}

// portsBehind returns the names of the ports of the pods of a gateway's workload, as it is or was.
func (inv *Inventory) portsBehind(uid string, states ...owner) (names []string) {
	for _, o := range states {
		if o.parent != nil && kubeovn.IsGateway(o.parent.APIVersion, o.parent.Kind) {
			names = append(names, inv.portsThrough(o.namespace, uid)...)
		}
	}
	return names
}

// equalOwner reports whether two are the same, or both none.
func equalOwner(a, b *policy.Owner) bool { return a == b || a != nil && b != nil && *a == *b }

// DeleteOwner says that the object is gone and returns the names of the ports of the pods that it owned.
func (inv *Inventory) DeleteOwner(uid string) []string {
	before := inv.owners.Get(uid)
	behind := inv.portsBehind(uid, before)
	inv.owners.Delete(inv.edit, uid)
	inv.affectOwned(uid)
	return union(inv.pods.portsOf(inv.pods.owned.of(uid)), behind)
}

// DoubtMachines says that machines are not read, so that of an owner which seems to be one it is not known whether it
// exists.
func (inv *Inventory) DoubtMachines() { inv.doubtMachines = true }

// owner is an object that exists, with what owns it.
type owner struct {
	object    policy.Owner
	parent    *policy.Owner
	namespace string
	made      time.Time
}

// Owners returns the chain of objects that own what has this controller, the nearest first. An owner that does not
// exist with this very identity is not believed: whoever makes a pod can write any owner into it, and admission holds
// them to the account of the controller that makes such pods. Of a Deployment there is none, since it makes no pods but
// ReplicaSets. The last of the chain may be a gateway that a workload only says is its owner.
func (inv *State) Owners(controller *policy.Owner) []policy.Owner {
	if controller != nil && controller.Kind == "Deployment" {
		return nil
	}
	var chain []policy.Owner
	for o := controller; o != nil && len(chain) < 4; {
		known, ok := inv.owners.Find(o.UID)
		if !ok || known.object != *o {
			break
		}
		chain = append(chain, *o)
		if o = known.parent; o != nil {
			if _, followed := inv.owners.Find(o.UID); !followed {
				return append(chain, *o) // the owner of an owner need not be of a kind that is watched
			}
		}
	}
	return chain
}

// policyPod returns what policy reads of a pod.
func (inv *State) policyPod(p *Pod) policy.Pod {
	out := policy.Pod{Labels: p.Labels, Annotations: p.Annotations, Lists: p.Lists, Inherited: p.Inherited}
	var f *Forwarder
	if f, out.Owners = inv.forwarderOf(p, inv.Owners(p.Controller)); f != nil && f.Trusted {
		out.Gateway = f.Title
	}
	return out
}

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

// exceptionsFor returns the exceptions of the pod's namespace that count beside the others; those that are for the NIC,
// or for any of the pod where none is named, say what they would grant of others without their consent.
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
