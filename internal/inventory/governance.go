package inventory

import (
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// SetPolicy adds or replaces a policy and gives the names of the ports that it, or what it was before, may decide.
func (inv *Inventory) SetPolicy(p policy.Policy) []string {
	touched := inv.DeletePolicy(p.Name)
	inv.policies = append(slices.Clone(inv.policies), p)
	policy.SortPolicies(inv.policies)
	return union(touched, inv.portsUnder(p))
}

// DeletePolicy takes a policy out and gives the names of the ports that it may have decided.
func (inv *Inventory) DeletePolicy(name string) []string {
	i := slices.IndexFunc(inv.policies, func(p policy.Policy) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	gone := inv.policies[i]
	inv.policies = slices.Delete(slices.Clone(inv.policies), i, i+1)
	return inv.portsUnder(gone)
}

// Policies gives all policies in their order of precedence. The list is never changed afterwards.
func (inv *Inventory) Policies() []policy.Policy { return inv.policies }

// portsUnder gives the names of the ports in namespaces that the policy picks.
func (inv *Inventory) portsUnder(p policy.Policy) []string {
	var names []string
	for ns, keys := range inv.byNamespace {
		if p.Namespaces == nil || p.Namespaces(inv.namespace(ns).Labels) {
			names = append(names, inv.portsOf(keys)...)
		}
	}
	return union(names, nil)
}

// SetException adds or replaces an exception and gives the names of the ports that it, or what it was before, is for.
func (inv *Inventory) SetException(e policy.Exception) []string {
	touched := inv.DeleteException(e.Namespace, e.Name)
	inv.exceptions[e.Namespace] = append(slices.Clone(inv.exceptions[e.Namespace]), e)
	inv.stirException(e.Namespace, e.Name)
	return union(touched, inv.portsFor(&e))
}

// DeleteException takes an exception out and gives the names of the ports that it was for.
func (inv *Inventory) DeleteException(namespace, name string) []string {
	list := inv.exceptions[namespace]
	i := slices.IndexFunc(list, func(e policy.Exception) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	gone := list[i]
	inv.stirException(namespace, name)
	if inv.exceptions[namespace] = slices.Delete(slices.Clone(list), i, i+1); len(list) == 1 {
		delete(inv.exceptions, namespace)
	}
	return inv.portsFor(&gone)
}

// Exceptions gives the exceptions of a namespace, in no order. The list is never changed afterwards.
func (inv *Inventory) Exceptions(namespace string) []policy.Exception {
	return inv.exceptions[namespace]
}

// portsFor gives the names of the ports of the pods that the exception targets.
func (inv *Inventory) portsFor(e *policy.Exception) []string {
	var names []string
	for key := range inv.byNamespace[e.Namespace] {
		p := inv.pods[key]
		if anyNIC := (policy.Exception{Pods: e.Pods, Owner: e.Owner}); anyNIC.Targets(inv.policyPod(p), "") {
			names = append(names, inv.ports[key]...)
		}
	}
	return union(names, nil)
}

// SetOwner says that an object exists that may own pods, and what owns it in turn; parent is nil where nothing does. It gives
// the names of the ports of the pods that it owns.
func (inv *Inventory) SetOwner(o policy.Owner, parent *policy.Owner) []string {
	if before, ok := inv.owners[o.UID]; ok && before.object == o && equalOwner(before.parent, parent) {
		return nil
	}
	inv.owners[o.UID] = owner{object: o, parent: parent}
	inv.stirOwned(o.UID)
	return inv.portsOf(inv.owned[o.UID])
}

// equalOwner tells that two are the same, or both none.
func equalOwner(a, b *policy.Owner) bool { return a == b || a != nil && b != nil && *a == *b }

// DeleteOwner says that the object is gone and gives the names of the ports of the pods that it owned.
func (inv *Inventory) DeleteOwner(uid string) []string {
	delete(inv.owners, uid)
	inv.stirOwned(uid)
	return inv.portsOf(inv.owned[uid])
}

// DoubtMachines says that machines are not read, so that of an owner which seems to be one it is not known whether it exists.
func (inv *Inventory) DoubtMachines() { inv.doubtMachines = true }

// owner is an object that exists, with what owns it.
type owner struct {
	object policy.Owner
	parent *policy.Owner
}

// Owners gives the chain of objects that own what has this controller, the nearest first. An owner that does not exist with
// this very identity is not believed: whoever makes a pod can write any owner into it.
func (inv *Inventory) Owners(controller *policy.Owner) []policy.Owner {
	var chain []policy.Owner
	for o := controller; o != nil && len(chain) < 4; {
		known, ok := inv.owners[o.UID]
		if !ok || known.object != *o {
			break
		}
		chain = append(chain, *o)
		if o = known.parent; o != nil {
			if _, followed := inv.owners[o.UID]; !followed {
				return append(chain, *o) // the owner of an owner need not be of a kind that is watched
			}
		}
	}
	return chain
}

// policyPod gives what policy reads of a pod.
func (inv *Inventory) policyPod(p *Pod) policy.Pod {
	return policy.Pod{Labels: p.Labels, Annotations: p.Annotations, Owners: inv.Owners(p.Controller), Inherited: p.Inherited}
}

// Query gives everything that the decision for a NIC of the pod rests on.
func (inv *Inventory) Query(p *Pod, provider kubeovn.Provider, now time.Time) policy.Query {
	return inv.QueryIn(inv.namespace(p.Namespace), p, provider, now)
}

// QueryIn is Query for a pod whose namespace is as given, and not as the inventory has it.
func (inv *Inventory) QueryIn(ns policy.Namespace, p *Pod, provider kubeovn.Provider, now time.Time) policy.Query {
	return inv.query(ns, p, provider, p.asksForVIPs(), now)
}

func (inv *Inventory) query(ns policy.Namespace, p *Pod, provider kubeovn.Provider, asks bool, now time.Time) policy.Query {
	q := policy.Query{
		Provider: provider, Namespace: ns, Pod: inv.policyPod(p),
		Policies: inv.policies, Exceptions: inv.exceptions[p.Namespace], Now: now,
	}
	if asks {
		q.VIPs, q.VPCs = inv.VIPs(p.Namespace), inv.vpcsOf(inv.MayBeOn(p.Annotations, ns, provider))
	}
	return q
}

// asksForVIPs tells that some annotation of the pod names addresses of Vips.
func (p *Pod) asksForVIPs() bool {
	for key := range p.Annotations {
		if key == kubeovn.AAPs {
			return true
		}
		if _, suffix, ok := kubeovn.SplitKey(key); ok && suffix == kubeovn.PortVIPs {
			return true
		}
	}
	return false
}

// VIPs gives the Vip resources of a namespace.
func (inv *Inventory) VIPs(namespace string) []policy.VIP {
	var out []policy.VIP
	for name := range inv.vipsOf[namespace] {
		v := inv.vips[name]
		out = append(out, policy.VIP{Name: v.Name, Subnet: v.Subnet, VPC: inv.VPCOf(v.Subnet), Addresses: v.Addresses})
	}
	return out
}
