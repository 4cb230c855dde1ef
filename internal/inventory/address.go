package inventory

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Holders gives who has an address, in order.
func (inv *Inventory) Holders(a netip.Addr) []Holder {
	var out []Holder
	for _, name := range inv.byAddress.names(a) {
		out = append(out, Holder{HeldByPort, name})
	}
	for h := range inv.fixed[a] {
		if h.Kind != HeldByExternal || !inv.inSubnet(a) {
			out = append(out, h)
		}
	}
	return foremost(out)
}

// inSubnet tells that a subnet gives the address out.
func (inv *Inventory) inSubnet(a netip.Addr) bool {
	for _, s := range inv.subnets {
		if slices.ContainsFunc(s.CIDRs, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return true
		}
	}
	return false
}

// lookups is up to how many addresses of a prefix are looked up one by one. Beyond, all addresses that are held are looked
// through.
const lookups = 1 << 10

// HoldersIn gives who has an address in the prefix, in order of the addresses.
func (inv *Inventory) HoldersIn(prefix netip.Prefix) []Held {
	var out []Held
	take := func(a netip.Addr) {
		for _, h := range inv.Holders(a) {
			out = append(out, Held{a, h})
		}
	}
	if free := prefix.Addr().BitLen() - prefix.Bits(); prefix.IsValid() && free < 63 && 1<<free <= lookups {
		for a := prefix.Masked().Addr(); a.IsValid() && prefix.Contains(a); a = a.Next() {
			take(a)
		}
		return out
	}
	in := make(map[netip.Addr]bool)
	for a := range inv.byAddress.first {
		in[a] = prefix.Contains(a)
	}
	for a := range inv.fixed {
		in[a] = prefix.Contains(a)
	}
	addresses := make([]netip.Addr, 0, len(in))
	for a, inside := range in {
		if inside {
			addresses = append(addresses, a)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	for _, a := range addresses {
		take(a)
	}
	return out
}

// Subnet is what is read of Kube-OVN's Subnet resource.
type Subnet struct {
	Name string
	// Namespaces may use it, and those that one of the Selectors picks by their labels; where there is neither, it is bound to none.
	Namespaces []string
	Selectors  []policy.Selector
	CIDRs      []netip.Prefix
	Gateways   []netip.Addr
	// Own and MACs are what Kube-OVN gave to the subnet itself: to its link to a router beside the physical one, and to the querier
	// of its multicast groups.
	Own  []netip.Addr
	MACs []string
	// VPC is its router; empty for the default one.
	VPC string
	// Provider is that of the NICs that are put on it; empty for the default network's.
	Provider kubeovn.Provider
}

// SetSubnet adds or replaces a subnet and gives the names of the ports that are granted addresses, or ask for those of Vips: which of
// them are in its way depends on the subnets' gateways and routers.
func (inv *Inventory) SetSubnet(s Subnet) []string {
	inv.subnets[s.Name] = s
	inv.SetFixed(Fixed{Holder: Holder{HeldByGateway, s.Name}, Addresses: s.Gateways})
	inv.SetFixed(Fixed{Holder: Holder{HeldBySubnet, s.Name}, Addresses: s.Own, MACs: s.MACs})
	return inv.sharing()
}

// DeleteSubnet takes a subnet out and gives the names of the same ports.
func (inv *Inventory) DeleteSubnet(name string) []string {
	delete(inv.subnets, name)
	inv.DeleteFixed(Holder{HeldByGateway, name})
	inv.DeleteFixed(Holder{HeldBySubnet, name})
	return inv.sharing()
}

// sharing gives the names of the ports that are granted addresses, or ask for those of Vips.
func (inv *Inventory) sharing() []string {
	return union(slices.Collect(maps.Keys(inv.granted)), inv.portsOf(inv.askers))
}

// Subnet gives a subnet; ok is false where there is none of that name.
func (inv *Inventory) Subnet(name string) (s Subnet, ok bool) {
	s, ok = inv.subnets[name]
	return s, ok
}

// SubnetOf gives the subnet that the IP resource of the port names; "" where it is not known.
func (inv *Inventory) SubnetOf(port string) string {
	if r := inv.slot(port).record; r != nil {
		return r.Subnet
	}
	return ""
}

// Kept gives the kind of owner that keeps the port of that name while no pod runs, and the pod or machine that it is kept for; "" where
// none does.
func (inv *Inventory) Kept(port string) (kind string, of PodKey) {
	r := inv.slot(port).record
	if r == nil {
		return "", PodKey{}
	}
	if r.KeptFor != nil {
		of = *r.KeptFor
	}
	return r.Keeper, of
}

// ClaimedBy gives a pod other than me that still runs and has the port of that name. The launchers of a machine share its ports;
// machine is its name where I am one, and "" where not.
func (inv *Inventory) ClaimedBy(port string, me PodKey, machine string) (other PodKey, taken bool) {
	for c := range inv.slot(port).claimants() {
		twin := machine != "" && c.pod.Namespace == me.Namespace && c.pod.Owner == machine && c.pod.Name != machine
		if c.pod.PodKey != me && !c.pod.ended() && !twin {
			return c.pod.PodKey, true
		}
	}
	return PodKey{}, false
}
