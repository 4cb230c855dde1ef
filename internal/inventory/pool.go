package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Pool is an IPPool resource of Kube-OVN, a named part of a subnet's addresses. Kube-OVN lets a pod name any; its newer releases put
// the pod on the pool's subnet then.
type Pool struct {
	Name   string
	Subnet string
	// Namespaces may use it; empty leaves it to every namespace.
	Namespaces []string
}

// Usable tells that pods of the namespace may take addresses from the pool: it is bound to none, or to this one.
func (p Pool) Usable(ns policy.Namespace) bool {
	return len(p.Namespaces) == 0 || slices.Contains(p.Namespaces, ns.Name) || p.Noted(ns)
}

// Noted tells that Kube-OVN noted on the namespace that the pool is bound to it.
func (p Pool) Noted(ns policy.Namespace) bool { return noted(ns, kubeovn.IPPool, p.Name) }

// SetPool adds or replaces a pool. It touches no port: what a pod was given stays.
func (inv *Inventory) SetPool(p Pool) []string {
	inv.pools[p.Name] = p
	return nil
}

// DeletePool takes a pool out.
func (inv *Inventory) DeletePool(name string) []string {
	delete(inv.pools, name)
	return nil
}

// Pool gives a pool; ok is false where there is none of that name.
func (inv *Inventory) Pool(name string) (p Pool, ok bool) {
	p, ok = inv.pools[name]
	return p, ok
}
