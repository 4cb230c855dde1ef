package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Pool is an IPPool resource of Kube-OVN, a named part of a subnet's addresses. Kube-OVN lets a pod name any; its newer
// releases put the pod on the pool's subnet then.
type Pool struct {
	Name   string
	Subnet string
	// Namespaces may use it; empty leaves it to every namespace.
	Namespaces []string
	// Ranges are its addresses.
	Ranges []Range
}

// Usable reports whether pods of the namespace may take addresses from the pool: it is bound to none, or to this one.
func (p Pool) Usable(ns policy.Namespace) bool {
	return len(p.Namespaces) == 0 || slices.Contains(p.Namespaces, ns.Name) || p.Noted(ns)
}

// Noted reports whether Kube-OVN noted on the namespace that the pool is bound to it.
func (p Pool) Noted(ns policy.Namespace) bool { return noted(ns, kubeovn.IPPool, p.Name) }

// SetPool adds or replaces a pool and returns the names of the ports that have its addresses, or are granted some.
func (inv *Inventory) SetPool(p Pool) []string {
	inv.network.pools.Set(inv.edit, p.Name, p)
	return inv.SetReserved(Holder{HeldByPool, p.Name}, p.Ranges)
}

// DeletePool takes a pool out and returns the names of the same ports.
func (inv *Inventory) DeletePool(name string) []string {
	inv.network.pools.Delete(inv.edit, name)
	return inv.DeleteReserved(Holder{HeldByPool, name})
}

// Pool returns a pool; ok is false where there is none of that name.
func (n *network) Pool(name string) (p Pool, ok bool) {
	p, ok = n.pools.Find(name)
	return p, ok
}
