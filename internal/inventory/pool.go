package inventory

import "slices"

// Pool is an IPPool resource of Kube-OVN, a named part of a subnet's addresses. Kube-OVN lets a pod name any; its newer releases put
// the pod on the pool's subnet then.
type Pool struct {
	Name   string
	Subnet string
	// Namespaces may use it; empty leaves it to every namespace.
	Namespaces []string
}

// Usable tells that pods of the namespace may take addresses from the pool.
func (p Pool) Usable(namespace string) bool {
	return len(p.Namespaces) == 0 || slices.Contains(p.Namespaces, namespace)
}

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
