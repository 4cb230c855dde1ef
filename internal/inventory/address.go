package inventory

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Holders returns who has an address and is near, in order. Whom near leaves out, such as holders on another network,
// hides nobody either.
func (inv *State) Holders(a netip.Addr, near func(Holder) bool) []Holder {
	var out []Holder
	for _, name := range inv.byAddress.names(a) {
		out = append(out, Holder{HeldByPort, name})
	}
	inside := inv.inSubnet(a)
	// Anybody may have many Services claim one address. One of each namespace says as much as all of them.
	claimed := make(map[string]bool)
	for h := range inv.fixed.of(a) {
		if h.Kind == HeldByExternal {
			if inside || claimed[h.namespace()] {
				continue
			}
			claimed[h.namespace()] = true
		}
		out = append(out, h)
	}
	return foremost(slices.DeleteFunc(out, func(h Holder) bool { return !near(h) }))
}

// inSubnet reports whether a subnet gives the address out.
func (inv *State) inSubnet(a netip.Addr) (in bool) {
	inv.networks.each(a, a, func(addressRange) bool { in = true; return false })
	return in
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
	// Own and MACs are what Kube-OVN gave to the subnet itself: to its link to a router beside the physical one, and to
	// the querier of its multicast groups.
	Own  []netip.Addr
	MACs []string
	// VPC is its router; empty for the default one.
	VPC string
	// Provider is that of the NICs that are put on it; empty for the default network's.
	Provider kubeovn.Provider
}

// SetSubnet adds or replaces a subnet and returns the names of the ports that have an address of the subnet itself, and
// of those that are granted addresses, or ask for those of Vips: which of them are in its way depends on the subnets'
// gateways and routers.
func (inv *Inventory) SetSubnet(s Subnet) []string {
	before, ok := inv.subnets.Find(s.Name)
	if ok && reflect.DeepEqual(before, s) { // its status changes with each pod; selectors differ always
		return nil
	}
	inv.setNetwork(s.Name, inv.subnets.Get(s.Name).CIDRs, s.CIDRs)
	provider := inv.subnets.Get(s.Name).Provider
	inv.settleProvider(s.Name, provider, s.Provider)
	inv.countRouter(s.Name, &s)
	inv.subnets.Set(inv.edit, s.Name, s)
	var touched []string
	if provider != s.Provider {
		touched = inv.settleVipPorts(s.Name)
	}
	touched = append(touched, inv.SetFixed(Fixed{Holder: Holder{HeldByGateway, s.Name}, Addresses: s.Gateways})...)
	touched = append(
		touched,
		inv.SetFixed(Fixed{Holder: Holder{HeldBySubnet, s.Name}, Addresses: s.Own, MACs: s.MACs})...)
	touched = append(touched, inv.SetFixed(Fixed{Holder: Holder{HeldByShared, s.Name}, Addresses: s.Shared})...)
	return union(append(touched, inv.portsThroughSubnet(s.Name)...), inv.sharing())
}

// DeleteSubnet takes a subnet out and returns the names of the same ports.
func (inv *Inventory) DeleteSubnet(name string) []string {
	inv.setNetwork(name, inv.subnets.Get(name).CIDRs, nil)
	inv.settleProvider(name, inv.subnets.Get(name).Provider, "")
	inv.countRouter(name, nil)
	inv.subnets.Delete(inv.edit, name)
	touched := inv.DeleteFixed(Holder{HeldByGateway, name})
	touched = append(touched, inv.DeleteFixed(Holder{HeldBySubnet, name})...)
	touched = append(touched, inv.DeleteFixed(Holder{HeldByShared, name})...)
	return union(touched, inv.sharing())
}

// sharing returns the names of the ports that are granted addresses, or ask for those of Vips.
func (inv *Inventory) sharing() []string {
	return union(inv.grants.ofAddresses(), inv.portsOf(maps.Keys(inv.askers)))
}

// Subnet returns a subnet; ok is false where there is none of that name.
func (inv *State) Subnet(name string) (s Subnet, ok bool) {
	s, ok = inv.subnets.Find(name)
	return s, ok
}

// SubnetOf returns the subnet that the IP resource of the port names; "" where it is not known.
func (inv *State) SubnetOf(port string) string {
	if r := inv.entry(port).record; r != nil {
		return r.Subnet
	}
	return ""
}

// Kept returns the kind of owner that keeps the port of that name while no pod runs, and the pod or machine that it is
// kept for; "" where none does.
func (inv *State) Kept(port string) (kind string, of PodKey) {
	r := inv.entry(port).record
	if r == nil || r.Keeper == "" {
		return "", PodKey{}
	}
	return r.Keeper, r.Of
}

// ClaimedBy returns a pod other than me that has the port of that name and has not ended. One that is being deleted has
// it for as long as its grace period lasts. The launchers of a machine share its ports; machine is its name where I am
// one, and "" where not.
func (inv *State) ClaimedBy(port string, me PodKey, machine string) (other PodKey, taken bool) {
	for c := range inv.entry(port).podNICs() {
		duplicate := machine != "" && c.pod.Namespace == me.Namespace && c.pod.Owner == machine && c.pod.Name != machine
		if c.pod.PodKey != me && !c.pod.Finished && !duplicate {
			return c.pod.PodKey, true
		}
	}
	return PodKey{}, false
}
