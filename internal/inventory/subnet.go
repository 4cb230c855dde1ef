package inventory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// VPC is what is read of Kube-OVN's Vpc resource, a router with its subnets.
type VPC struct {
	Name string
	// Namespaces may use those of its subnets that are bound to none themselves; empty leaves these to every namespace.
	Namespaces []string
}

// SetVPC adds or replaces a VPC. It touches no port: what a pod was given stays.
func (inv *Inventory) SetVPC(v VPC) []string {
	if v.Name == inv.setup.Router {
		v.Namespaces = nil // the default one is for all, whatever it lists
	}
	inv.vpcs.Set(inv.edit, v.Name, v)
	return nil
}

// DeleteVPC takes a VPC out.
func (inv *Inventory) DeleteVPC(name string) []string {
	inv.vpcs.Delete(inv.edit, name)
	return nil
}

// Usable reports whether pods of the namespace may be put on the subnet: it is bound to this namespace, by its name or
// its labels, or to none, and its VPC is for this namespace or for all. Kube-OVN notes on a namespace which subnets are
// bound to it.
func (inv *State) Usable(s Subnet, ns policy.Namespace) bool {
	switch {
	case noted(ns, kubeovn.LogicalSwitch, s.Name), slices.Contains(s.Namespaces, ns.Name):
		return true
	case s.bound():
		// A selector may pick what has no labels, so that of a namespace that could not be read nothing is picked.
		return ns.Err == nil &&
			slices.ContainsFunc(s.Selectors, func(picks policy.Selector) bool { return picks(ns.Labels) })
	}
	list := inv.vpcs.Get(s.VPC).Namespaces
	return len(list) == 0 || slices.Contains(list, ns.Name)
}

// bound reports whether the subnet itself says for which namespaces it is.
func (s Subnet) bound() bool { return len(s.Namespaces)+len(s.Selectors) > 0 }

// BoundByVPC returns the VPC by which a subnet that is bound to no namespace itself is not for all of them; "" where
// there is none.
func (inv *State) BoundByVPC(s Subnet) string {
	if s.bound() || len(inv.vpcs.Get(s.VPC).Namespaces) == 0 {
		return ""
	}
	return s.VPC
}

// Opened returns the names of the subnets that a namespace may use with labels that it did not have before, in order.
func (inv *State) Opened(was, is policy.Namespace) []string {
	is.Annotations = was.Annotations // what Kube-OVN notes there is looked at by itself
	var names []string
	for name, s := range inv.subnets.All() {
		if len(s.Selectors) > 0 && !inv.Usable(s, was) && inv.Usable(s, is) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// noted reports whether Kube-OVN noted a name in one of the lists on a namespace.
func noted(ns policy.Namespace, list kubeovn.Suffix, name string) bool {
	return slices.Contains(strings.Split(ns.Annotations[kubeovn.DefaultProvider.Key(list)], ","), name)
}

// SubnetsFor returns the subnets that NICs of the provider are put on unless they name one, in order of their names:
// Kube-OVN takes whichever it comes upon first. Where the provider has an interface behind it, those of the attachment
// are among them.
func (inv *State) SubnetsFor(p kubeovn.Provider) []Subnet {
	names := inv.subnetsFor.Get(p)
	if whole := p.Attachment(); whole != p {
		names = union(names, inv.subnetsFor.Get(whole))
	}
	out := make([]Subnet, len(names))
	for i, name := range names {
		out[i] = inv.subnets.Get(name)
	}
	return out
}

// countRouter keeps how many subnets each VPC has, when a subnet becomes another one; nil takes it out.
func (inv *Inventory) countRouter(name string, now *Subnet) {
	if old, ok := inv.subnets.Find(name); ok {
		tally(&inv.routers, inv.edit, inv.routerOf(old), -1)
	}
	if now != nil {
		tally(&inv.routers, inv.edit, inv.routerOf(*now), +1)
	}
}

// settleProvider keeps which subnets are for NICs of a provider.
func (inv *Inventory) settleProvider(name string, was, is kubeovn.Provider) {
	left := slices.DeleteFunc(slices.Clone(inv.subnetsFor.Get(was)), func(o string) bool { return o == name })
	replace(&inv.subnetsFor, inv.edit, was, left)
	if is != "" {
		inv.subnetsFor.Set(inv.edit, is, union(inv.subnetsFor.Get(is), []string{name}))
	}
}

// MayBeOn returns the names of the subnets on one of which Kube-OVN puts the NIC of a pod with these annotations, or
// has put it; none where it cannot be told.
func (inv *State) MayBeOn(annotations map[string]string, ns policy.Namespace, p kubeovn.Provider) []string {
	named := annotations[p.Key(kubeovn.LogicalSwitch)]
	if p != kubeovn.DefaultProvider && named == "" {
		var names []string
		for _, s := range inv.SubnetsFor(p) {
			names = append(names, s.Name)
		}
		if len(names) > 0 {
			return names
		}
		// An attachment that no subnet is for is put where the default network's NIC is, or would be.
		return inv.MayBeOn(annotations, ns, kubeovn.DefaultProvider)
	}
	if named == "" {
		named = ns.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]
	}
	var names []string
	if named != "" {
		names = strings.Split(named, ",")
	}
	if p == kubeovn.DefaultProvider { // newer releases put the pod on the subnet of the pool that it names
		if pool, ok := inv.pools.Find(annotations[p.Key(kubeovn.IPPool)]); ok {
			names = append(names, pool.Subnet)
		}
	}
	return names
}

// VPCOf returns the VPC of a subnet, within which an address is one and the same; "" where it cannot be told. While all
// subnets are of one VPC, that of any other is this one as well.
func (inv *State) VPCOf(subnet string) string {
	if s, ok := inv.subnets.Find(subnet); ok {
		return inv.routerOf(s)
	}
	if inv.routers.Len() > 1 {
		return ""
	}
	for only := range inv.routers.Keys() {
		return only
	}
	return inv.setup.Router
}

// routerOf returns the name of the subnet's VPC, also where Kube-OVN has not written it yet.
func (inv *State) routerOf(s Subnet) string { return cmp.Or(s.VPC, inv.setup.Router) }

// vpcsOf returns the VPCs of the subnets on one of which a NIC is, with "" for one that cannot be told.
func (inv *State) vpcsOf(subnets []string) []string {
	if len(subnets) == 0 {
		return []string{inv.VPCOf("")}
	}
	out := make([]string, len(subnets))
	for i, name := range subnets {
		out[i] = inv.VPCOf(name)
	}
	return distinct(out)
}
