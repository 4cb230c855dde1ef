package admission

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// What a pod obtains by naming something is judged here as what it is given: addresses and a MAC, on the network on
// which its NIC will be. It makes no difference whether it names the address itself, a list, a Vip, or an attachment
// with addresses.

// site is where Kube-OVN may put a NIC.
type site struct {
	// subnets are those on one of which it may be; none where that cannot be told.
	subnets []string
	// vpcs are the networks of these subnets, within which addresses are told apart.
	vpcs []string
}

// site returns where a release of Kube-OVN may put the NIC, found once.
func (c *check) site(provider kubeovn.Provider) site {
	s, ok := c.sites[provider]
	if ok {
		return s
	}
	for _, p := range c.spellings(provider) {
		names := c.Inventory.MayBeOn(c.facts.Annotations, c.Namespace, p)
		if len(names) == 0 {
			s.subnets = nil
			break
		}
		s.subnets = append(s.subnets, names...)
	}
	if outside := provider.Attachment().Outside(); outside != provider && len(s.subnets) > 0 {
		// Kube-OVN reads an attachment outside OVN by its own key, and puts it on its own subnets.
		if c.facts.Annotations[outside.Key(kubeovn.LogicalSwitch)] != "" || len(c.Inventory.SubnetsFor(outside)) > 0 {
			s.subnets = append(s.subnets, c.Inventory.MayBeOn(c.facts.Annotations, c.Namespace, outside)...)
		}
	}
	for _, name := range s.subnets {
		if vpc := c.Inventory.VPCOf(name); !slices.Contains(s.vpcs, vpc) {
			s.vpcs = append(s.vpcs, vpc)
		}
	}
	if c.sites == nil {
		c.sites = make(map[kubeovn.Provider]site)
	}
	c.sites[provider] = s
	return s
}

// spellings returns the providers that releases of Kube-OVN may give to a NIC of the pod: with the interface behind it,
// and without. A provider that no NIC of the pod has is none of them, whatever the pod says about it.
func (c *check) spellings(provider kubeovn.Provider) (all []kubeovn.Provider) {
	for _, nic := range c.nics {
		if nic.Provider == provider || nic.Provider == provider.Attachment() {
			all = append(all, nic.Provider)
		}
	}
	return all
}

// nobody is the holder of what the pod names by itself.
var nobody inventory.Holder

// address checks one address that the pod asks for; mine says whether it asks for this one and no other.
func (c *check) address(field string, provider kubeovn.Provider, item policy.Item, mine bool) {
	if item.Err != nil {
		c.refuse(
			field,
			"write addresses with commas and no blanks between them, or leave it to Kube-OVN",
			"%v",
			item.Err,
		)
		return
	}
	c.obtainsAddress(
		field,
		"choose another address, or leave it to Kube-OVN",
		c.site(provider),
		item.Address,
		nobody,
		mine,
	)
}

// mac checks a MAC that the pod asks for. Kube-OVN writes it into port_security as it is written here, and OVN reads
// only one form.
func (c *check) mac(field string, provider kubeovn.Provider, text string) {
	const fix = "write six octets with colons, the first one even, such as 0a:58:0a:10:00:07, or leave it to Kube-OVN"
	if _, err := policy.StationMAC(text); err != nil {
		c.refuse(field, fix, "%v; port_security would be there and check nothing", err)
		return
	}
	c.obtainsMAC(field, "choose another MAC, or leave it to Kube-OVN", c.site(provider), text, nobody)
}

// obtainsAddress refuses an address that somebody else has or keeps where the NIC may be. The pod is given it by
// another thing, from, or names it itself. Of a list, what another port has is passed over when the pod's is chosen.
func (c *check) obtainsAddress(field, fix string, at site, a netip.Addr, from inventory.Holder, mine bool) {
	if c.late() {
		return
	}
	holders := c.Inventory.Taken(a, at.vpcs, c.Namespace)
	has := slices.ContainsFunc(
		holders,
		func(h inventory.Holder) bool { return h.Kind == inventory.HeldByPort && c.ours(h.Name) },
	)
	for _, h := range holders {
		switch {
		case h == from, h.OfService(c.Namespace.Name):
		case h.Kind == inventory.HeldByPort && (!mine || c.ours(h.Name)):
		case h.Kind == inventory.HeldByFIPInside && (has || c.leadsHere(c.Inventory.KeptFor(h))):
		default:
			c.refuse(field, c.fixFor(h, fix), "%s is %s", a, c.Whose(h))
		}
	}
}

// obtainsMAC is obtainsAddress for a MAC.
func (c *check) obtainsMAC(field, fix string, at site, text string, from inventory.Holder) {
	for _, h := range c.Inventory.TakenMAC(text, at.vpcs) {
		if h != from && (h.Kind != inventory.HeldByPort || !c.ours(h.Name)) {
			c.refuse(field, fix, "%s is %s", text, c.Whose(h))
		}
	}
}

// leadsHere reports whether an OvnFip that names a port leads to the pod, or to one of its namespace: to a port of the
// default network by the namespace behind its name, which has no dots and is not "ovn", which may end other names too.
func (c *check) leadsHere(port string) bool {
	ns := c.Namespace.Name
	return port != "" && (c.ours(port) || ns != string(kubeovn.DefaultProvider) && strings.HasSuffix(port, "."+ns))
}

// fixFor says what would let the pod have what a holder keeps, where there is such a way, and else what is given. It
// names only what stands in the cluster for everybody to read.
func (c *check) fixFor(h inventory.Holder, otherwise string) string {
	switch h.Kind { //nolint:exhaustive // what the others have is theirs
	case inventory.HeldByShared:
		return otherwise + "; what is in spec.vips of a subnet is shared by annotation port_vips"
	case inventory.HeldByPool:
		return otherwise + "; it is kept in an IPPool for other namespaces, and whoever may edit the IPPool can add " +
			"this one to its spec.namespaces"
	case inventory.HeldByServices:
		return otherwise + "; it is in the range of a ServiceCIDR, whose addresses are given to Services alone"
	case inventory.HeldByNodes:
		return otherwise + "; it is in the subnet by which nodes reach pods, and nothing else belongs there"
	case inventory.HeldByFIPInside:
		return otherwise + "; an OvnFip leads there, and whoever may edit it can name the pod's IP resource in its " +
			"spec.ipName"
	}
	return otherwise
}

// vip checks the Vip whose addresses and MAC the pod takes for its own. Kube-OVN reads the key of the default network
// for every NIC, and gives them to each, whichever subnet it is on (acquireAddress in its pkg/controller/pod.go).
func (c *check) vip(k *Key, makeVip string) {
	field, ns := annotation(k.Name), c.Namespace.Name
	if c.blind(field, inventory.Holding...) {
		return
	}
	v, ok := c.Inventory.Vip(k.Value)
	switch {
	case !ok || v.Namespace != ns:
		c.refuse(
			field,
			makeVip+", and name that",
			"the pod would take the address and the MAC of Vip %q, and namespace %s has no such Vip",
			k.Value,
			ns,
		)
		return
	case v.Type != "":
		c.refuse(
			field,
			"name a Vip without spec.type",
			"the pod would take the MAC of Vip %q, which is of type %s and has a port of its own, perhaps with the "+
				"MAC of the gateway",
			k.Value,
			v.Type,
		)
		return
	case len(v.Addresses) == 0:
		c.refuse(
			field,
			"try again when it has one (kubectl get vip "+k.Value+")",
			"Vip %q has not been given an address yet, and the pod would have none",
			k.Value,
		)
		return
	}
	self := inventory.Holder{Kind: inventory.HeldByVip, Name: v.Name}
	const fix = "name another Vip, or none"
	for _, nic := range c.nics {
		if k.Provider != kubeovn.DefaultProvider && !slices.Contains(c.spellings(k.Provider), nic.Provider) {
			continue
		}
		before, at := len(c.refusals), c.site(nic.Provider)
		if len(at.subnets) > 0 && !slices.Contains(at.subnets, v.Subnet) {
			c.refuse(
				field,
				"name a Vip of the NIC's subnet, or name the Vip's subnet for the NIC with annotation "+nic.Provider.Key(
					kubeovn.LogicalSwitch,
				),
				"Vip %q is of subnet %s, and NIC %s, which would have its address and MAC, is put on %s",
				v.Name,
				v.Subnet,
				nic.Provider,
				strings.Join(at.subnets, " or "),
			)
			return
		}
		for _, a := range v.Addresses {
			c.obtainsAddress(field, fix, at, a, self, true)
		}
		if v.MAC != "" {
			c.obtainsMAC(field, fix, at, v.MAC, self)
		}
		if len(c.refusals) > before {
			return
		}
	}
}
