package inventory

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"reflect"
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
	// Routes are its static routes and its policy routes that name a next hop.
	Routes []Route
}

// Route is what a router sends to an address that somebody has.
type Route struct {
	// Matches is the prefix of a static route, or the match of a policy route.
	Matches string
	NextHop netip.Addr
}

// VPCs returns all VPCs that are known, in no order.
func (n *network) VPCs() iter.Seq[VPC] { return n.vpcs.Values() }

// SetVPC adds or replaces a VPC. It touches no port: what a pod was given stays.
func (inv *Inventory) SetVPC(v VPC) []string {
	if v.Name == inv.setup.Router {
		v.Namespaces = nil // the default one is for all, whatever it lists
	}
	inv.network.vpcs.Set(inv.edit, v.Name, v)
	return inv.portsMisplaced()
}

// DeleteVPC takes a VPC out.
func (inv *Inventory) DeleteVPC(name string) []string {
	inv.network.vpcs.Delete(inv.edit, name)
	return inv.portsMisplaced()
}

// Usable reports whether pods of the namespace may be put on the subnet: it is bound to this namespace, by its name or
// its labels, or to none, and its VPC is for this namespace or for all. Kube-OVN notes on a namespace which subnets are
// bound to it.
func (n *network) Usable(s Subnet, ns policy.Namespace) bool {
	switch {
	case noted(ns, kubeovn.LogicalSwitch, s.Name), slices.Contains(s.Namespaces, ns.Name):
		return true
	case s.bound():
		// A selector may pick what has no labels, so that of a namespace that could not be read nothing is picked.
		return ns.Err == nil &&
			slices.ContainsFunc(s.Selectors, func(picks policy.Selector) bool { return picks(ns.Labels) })
	}
	list := n.vpcs.Get(s.VPC).Namespaces
	return len(list) == 0 || slices.Contains(list, ns.Name)
}

// bound reports whether the subnet itself says for which namespaces it is.
func (s Subnet) bound() bool { return len(s.Namespaces)+len(s.Selectors) > 0 }

// BoundByVPC returns the VPC by which a subnet that is bound to no namespace itself is not for all of them; "" where
// there is none.
func (n *network) BoundByVPC(s Subnet) string {
	if s.bound() || len(n.vpcs.Get(s.VPC).Namespaces) == 0 {
		return ""
	}
	return s.VPC
}

// Opened returns the names of the subnets that a namespace may use with labels that it did not have before, in order.
func (n *network) Opened(was, is policy.Namespace) []string {
	is.Annotations = was.Annotations // what Kube-OVN notes there is looked at by itself
	var names []string
	for name, s := range n.subnets.All() {
		if len(s.Selectors) > 0 && !n.Usable(s, was) && n.Usable(s, is) {
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
func (n *network) SubnetsFor(p kubeovn.Provider) []Subnet {
	names := n.subnetsFor.Get(p)
	if whole := p.Attachment(); whole != p {
		names = union(names, n.subnetsFor.Get(whole))
	}
	out := make([]Subnet, len(names))
	for i, name := range names {
		out[i] = n.subnets.Get(name)
	}
	return out
}

// MayBeOn returns the names of the subnets from which Kube-OVN picks one for the NIC of a pod with these annotations,
// or picked it already; none where it cannot be told.
func (n *network) MayBeOn(annotations map[string]string, ns policy.Namespace, p kubeovn.Provider) []string {
	named := annotations[p.Key(kubeovn.LogicalSwitch)]
	if p != kubeovn.DefaultProvider && named == "" {
		var names []string
		for _, s := range n.SubnetsFor(p) {
			names = append(names, s.Name)
		}
		if len(names) > 0 {
			return names
		}
		// An attachment that no subnet is for is put where the default network's NIC is, or would be.
		return n.MayBeOn(annotations, ns, kubeovn.DefaultProvider)
	}
	if named == "" {
		named = ns.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]
	}
	var names []string
	if named != "" {
		names = strings.Split(named, ",")
	}
	if p == kubeovn.DefaultProvider { // newer releases put the pod on the subnet of the pool that it names
		if pool, ok := n.pools.Find(annotations[p.Key(kubeovn.IPPool)]); ok {
			names = append(names, pool.Subnet)
		}
	}
	return names
}

// VPCOf returns the VPC of a subnet, within which an address is one and the same; "" where it cannot be told. While all
// subnets are of one VPC, that of any other is this one as well.
func (n *network) VPCOf(subnet string) string {
	if s, ok := n.subnets.Find(subnet); ok {
		return n.routerOf(s)
	}
	if n.routers.Len() > 1 {
		return ""
	}
	for only := range n.routers.Keys() {
		return only
	}
	return n.setup.Router
}

// routerOf returns the name of the subnet's VPC, also where Kube-OVN has not written it yet.
func (n *network) routerOf(s Subnet) string { return cmp.Or(s.VPC, n.setup.Router) }

// vpcsOf returns the VPCs of the subnets where a NIC may be, with "" for one that cannot be told.
func (n *network) vpcsOf(subnets []string) []string {
	if len(subnets) == 0 {
		return []string{n.VPCOf("")}
	}
	out := make([]string, len(subnets))
	for i, name := range subnets {
		out[i] = n.VPCOf(name)
	}
	return distinct(out)
}

// Subnet is what is read of Kube-OVN's Subnet resource.
type Subnet struct {
	Name string
	// UID tells it from a later one of the same name.
	UID string
	// Namespaces may use it, and those that one of the Selectors picks by their labels; where there is neither, it is
	// bound to none.
	Namespaces []string
	Selectors  []policy.Selector
	CIDRs      []netip.Prefix
	Gateways   []netip.Addr
	// Shared are its spec.vips: addresses that pods on it may share, and none may have for its own.
	Shared []netip.Addr
	// Excluded are its spec.excludeIps, from which Kube-OVN gives nothing to pods that do not ask for it.
	Excluded []Range
	// Own and MACs are what Kube-OVN gave to the subnet itself: to its link to a router besides the physical one, and
	// to the querier of its multicast groups.
	Own  []netip.Addr
	MACs []string
	// VPC is its router; empty for the default one.
	VPC string
	// Provider is that of the NICs that are put on it; empty for the default network's.
	Provider kubeovn.Provider
	// VLAN is the name of its Vlan resource; empty where it is on no physical network.
	VLAN string
}

// VLAN is what is read of Kube-OVN's Vlan resource.
type VLAN struct {
	Name string
	// Network is the provider network, and ID the tag on it, 0 for none.
	Network string
	ID      int64
}

// domainOf returns the layer-2 domain of a Vlan resource in words: several resources may be for one, with the tag 0 at
// least (checkVlanConflict in Kube-OVN's pkg/controller/vlan.go).
func (n *network) domainOf(vlan string) string {
	if vlan == "" {
		return ""
	}
	v, ok := n.vlanOf.Find(vlan)
	if !ok || v.Network == "" {
		return "VLAN " + vlan
	}
	return fmt.Sprintf("VLAN %d of provider network %s", v.ID, v.Network)
}

// SetVLAN adds or replaces a Vlan and returns the names of the ports on it that have a duplicate, or had one.
func (inv *Inventory) SetVLAN(v VLAN) []string {
	inv.network.vlanOf.Set(inv.edit, v.Name, v)
	return inv.moveSwitches(v.Name)
}

// DeleteVLAN takes a Vlan out and returns the same.
func (inv *Inventory) DeleteVLAN(name string) []string {
	inv.network.vlanOf.Delete(inv.edit, name)
	return inv.moveSwitches(name)
}

// moveSwitches notes which switches of a Vlan share a layer-2 domain.
func (inv *Inventory) moveSwitches(vlan string) (touched []string) {
	for name, s := range inv.subnets.All() {
		if s.VLAN == vlan {
			touched = append(touched, inv.ports.moveSwitch(name, inv.domainOf(vlan))...)
		}
	}
	return distinct(touched)
}

// ofDefault reports whether NICs of the default network are put on the subnet.
func (s Subnet) ofDefault() bool { return s.Provider == "" || s.Provider == kubeovn.DefaultProvider }

// SetSubnet adds or replaces a subnet and returns the names of the ports that have an address of the subnet itself, and
// of those that are granted addresses, or ask for those of Vips: which of them are in its way depends on the subnets'
// gateways and routers.
func (inv *Inventory) SetSubnet(s Subnet) []string {
	before, ok := inv.subnets.Find(s.Name)
	if ok && reflect.DeepEqual(before, s) { // its status changes with each pod; selectors differ always
		return nil
	}
	inv.network.setSubnet(s)
	var touched []string
	if before.Provider != s.Provider {
		touched = inv.moveVipPorts(s.Name)
	}
	for _, f := range []Fixed{
		{Holder: Holder{HeldByGateway, s.Name}, Addresses: s.Gateways},
		{Holder: Holder{HeldBySubnet, s.Name}, Addresses: s.Own, MACs: s.MACs},
		{Holder: Holder{HeldByShared, s.Name}, Addresses: s.Shared},
	} {
		touched = append(touched, inv.SetFixed(f)...)
	}
	touched = append(touched, inv.ports.moveSwitch(s.Name, inv.domainOf(s.VLAN))...)
	if !ok {
		touched = append(touched, inv.ports.dependents.of(onSwitch(s.Name))...)
	}
	return union(slices.Concat(touched, inv.portsThroughSubnet(s.Name), inv.portsMisplaced()), inv.portsWithShares())
}

// DeleteSubnet takes a subnet out and returns the names of the same ports.
func (inv *Inventory) DeleteSubnet(name string) (touched []string) {
	inv.network.deleteSubnet(name)
	for _, kind := range []HolderKind{HeldByGateway, HeldBySubnet, HeldByShared} {
		touched = append(touched, inv.DeleteFixed(Holder{kind, name})...)
	}
	touched = append(touched, inv.ports.moveSwitch(name, "")...)
	touched = append(touched, inv.ports.dependents.of(onSwitch(name))...)
	return union(append(touched, inv.portsMisplaced()...), inv.portsWithShares())
}

// portsMisplaced returns the names of the ports with a row on another switch than they should be on. Whether that is
// another tenant's depends on subnets and VPCs.
func (inv *Inventory) portsMisplaced() []string {
	return inv.ports.dependents.of(misplaced{})
}

// portsWithShares returns the names of the ports that are granted addresses, or ask for those of Vips.
func (inv *Inventory) portsWithShares() []string {
	return union(inv.grants.ofAddresses(), inv.pods.portsOf(maps.Keys(inv.pods.askers)))
}

// Subnet returns a subnet; ok is false where there is none of that name.
func (n *network) Subnet(name string) (s Subnet, ok bool) {
	s, ok = n.subnets.Find(name)
	return s, ok
}

// SubnetsIn returns the names of the subnets that have addresses in the prefix, in order.
func (n *network) SubnetsIn(prefix netip.Prefix) (names []string) {
	if !prefix.IsValid() {
		return nil
	}
	from, to := ends(prefix)
	n.cidrs.each(from, to, func(r addressRange) bool {
		names = append(names, r.holder.Name)
		return true
	})
	return distinct(names)
}

// inSubnet reports whether a subnet gives the address out.
func (n *network) inSubnet(a netip.Addr) (in bool) {
	n.cidrs.each(a, a, func(addressRange) bool { in = true; return false })
	return in
}

// mayBeOn is MayBeOn, with all that the namespace may use where neither the pod nor the namespace names a subnet.
func (n *network) mayBeOn(annotations map[string]string, ns policy.Namespace, p kubeovn.Provider) []string {
	names := n.MayBeOn(annotations, ns, p)
	if len(names) > 0 {
		return names
	}
	for name, s := range n.subnets.All() {
		if s.ofDefault() && !n.OfNodes(name) && n.Usable(s, ns) {
			names = append(names, name)
		}
	}
	return names
}

// shared returns what pods of the namespace may share of spec.vips of the subnet that their NIC is on. Where the NIC
// may be on one of several, only what each of them shares counts: the address would be another network's on the others.
func (n *network) shared(on []string, ns policy.Namespace) []policy.VIP {
	var common []netip.Addr
	for i, name := range on {
		s, ok := n.subnets.Find(name)
		if !ok || len(s.Shared) == 0 || !n.Usable(s, ns) {
			return nil
		}
		if i == 0 {
			common = s.Shared
			continue
		}
		common = slices.DeleteFunc(
			slices.Clone(common),
			func(a netip.Addr) bool { return !slices.Contains(s.Shared, a) },
		)
	}
	if len(common) == 0 {
		return nil
	}
	return []policy.VIP{{Subnet: on[0], VPC: n.VPCOf(on[0]), Addresses: common}}
}

// OfNodes reports whether the subnet is the one by which nodes reach pods. Kube-OVN lets everything from its addresses
// through to private subnets, whoever sends it, so that no pod belongs on it. It is told by the nodes' own IP
// resources, and by its usual name.
func (n *network) OfNodes(subnet string) bool {
	return subnet == n.setup.NodeSwitch || subnet != "" && n.nodesOn.Get(subnet) > 0
}

// NodesAt returns the subnets of nodes that have addresses in the prefix, in order of their names.
func (n *network) NodesAt(prefix netip.Prefix) []string {
	return slices.DeleteFunc(n.SubnetsIn(prefix), func(name string) bool { return !n.OfNodes(name) })
}

// Prefixes returns the ranges of all subnets, in order.
func (n *network) Prefixes() (all []netip.Prefix) {
	for s := range n.subnets.Values() {
		all = append(all, s.CIDRs...)
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all)
}
