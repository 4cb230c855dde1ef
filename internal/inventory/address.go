package inventory

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// HolderKind says what kind of thing has an address.
type HolderKind string

// Kinds of holders.
const (
	HeldByPort    HolderKind = "port"
	HeldByGateway HolderKind = "gateway"
	HeldByNode    HolderKind = "node"
	HeldByService HolderKind = "service"
	HeldByVip     HolderKind = "Vip"
)

// Holder is what has an address: a port by its IP resource, the gateway of a subnet, a node, a Service, or a Vip.
type Holder struct {
	Kind HolderKind
	// Name is the port's name, that of the subnet, the node or the Vip, or "namespace/name" of a Service.
	Name string
}

// String gives the holder in a sentence, such as "port web-0.shop" or "the gateway of subnet ovn-default".
func (h Holder) String() string {
	if h.Kind == HeldByGateway {
		return "the gateway of subnet " + h.Name
	}
	return string(h.Kind) + " " + h.Name
}

func (h Holder) compare(o Holder) int {
	if c := strings.Compare(string(h.Kind), string(o.Kind)); c != 0 {
		return c
	}
	return strings.Compare(h.Name, o.Name)
}

// Held is an address with one of its holders.
type Held struct {
	Address netip.Addr
	Holder  Holder
}

// Holders gives who has an address, in order.
func (inv *Inventory) Holders(a netip.Addr) []Holder {
	var out []Holder
	for _, name := range inv.byAddress.names(a) {
		out = append(out, Holder{HeldByPort, name})
	}
	for h := range inv.fixed[a] {
		out = append(out, h)
	}
	slices.SortFunc(out, Holder.compare)
	return out
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

// MACHolders gives the names of the ports whose IP resource has this MAC, as it is written there, in order.
func (inv *Inventory) MACHolders(mac string) []string {
	return inv.byMAC.names(strings.ToLower(mac))
}

// Fixed is a thing that has addresses of its own and is no port: a subnet with its gateways, a node, a Service.
type Fixed struct {
	Holder    Holder
	Addresses []netip.Addr
}

// SetFixed adds or replaces a thing that has addresses, and gives the names of the ports that are granted one of them.
func (inv *Inventory) SetFixed(f Fixed) []string {
	touched := inv.DeleteFixed(f.Holder)
	inv.fixedBy[f.Holder] = f.Addresses
	for _, a := range f.Addresses {
		add(inv.fixed, a, f.Holder)
		touched = append(touched, inv.grantees(a)...)
	}
	return distinct(touched)
}

// DeleteFixed takes it out and gives the names of the ports that are granted one of its addresses.
func (inv *Inventory) DeleteFixed(h Holder) (touched []string) {
	for _, a := range inv.fixedBy[h] {
		remove(inv.fixed, a, h)
		touched = append(touched, inv.grantees(a)...)
	}
	delete(inv.fixedBy, h)
	return touched
}

// Subnet is what is read of Kube-OVN's Subnet resource.
type Subnet struct {
	Name string
	// Namespaces may use it, and those that one of the Selectors picks by their labels; where there is neither, it is bound to none.
	Namespaces []string
	Selectors  []policy.Selector
	CIDRs      []netip.Prefix
	Gateways   []netip.Addr
	// VPC is its router; empty for the default one.
	VPC string
	// Provider is that of the NICs that are put on it; empty for the default network's.
	Provider kubeovn.Provider
}

// SetSubnet adds or replaces a subnet and gives the names of the ports that are granted addresses, or ask for those of Vips: which of
// them are in its way depends on the subnets' gateways and routers.
func (inv *Inventory) SetSubnet(s Subnet) []string {
	inv.subnets[s.Name] = s
	inv.SetFixed(Fixed{Holder{HeldByGateway, s.Name}, s.Gateways})
	return inv.sharing()
}

// DeleteSubnet takes a subnet out and gives the names of the same ports.
func (inv *Inventory) DeleteSubnet(name string) []string {
	delete(inv.subnets, name)
	inv.DeleteFixed(Holder{HeldByGateway, name})
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
