package admission

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// identity checks addresses, MACs and switches that the pod asks for.
func (c *check) identity(key, value string) {
	provider := kubeovn.ProviderOf(key)
	if c.blind(annotation(key), append(inventory.Holding, inventory.Pools)...) {
		return
	}
	switch kubeovn.BaseSuffix(key) { //nolint:exhaustive // the other suffixes are no identity
	case kubeovn.IPAddress:
		for text := range strings.SplitSeq(value, ",") {
			c.address(annotation(key), provider, text, true)
		}
	case kubeovn.IPPool:
		c.pool(key, provider, value)
	case kubeovn.MACAddress:
		c.mac(annotation(key), provider, value)
	case kubeovn.LogicalSwitch:
		for name := range strings.SplitSeq(value, ",") {
			c.subnet(annotation(key), name)
		}
	}
}

// subnet checks that pods of the namespace may be on a subnet: Kube-OVN puts a pod on whatever it names.
func (c *check) subnet(field, name string) {
	if c.Accounts.home(c.Namespace.Name) {
		return
	}
	s, known := c.Inventory.Subnet(name)
	switch {
	case !known:
		c.refuse(field, "name a subnet that is there, or make it first and try again", "there is no subnet %q", name)
	case c.Inventory.OfNodes(name):
		c.refuse(field, "name a subnet that is for pods", "subnet %s is the nodes' own, and what comes from it is let through to private subnets", name)
	case !c.Inventory.Usable(s, c.Namespace):
		c.refuse(field, "name a subnet of this namespace, or "+c.bindSubnet(s), "subnet %s is for other namespaces", name)
	}
}

// pool checks a list of addresses to choose from, or the name of an IPPool. Those of the list that another port has are passed
// over when the pod's is chosen, so that the pods of one workload can share a list.
func (c *check) pool(key string, provider kubeovn.Provider, value string) {
	items := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' })
	if len(items) == 1 && isName(items[0]) {
		c.namedPool(annotation(key), items[0])
		return
	}
	for _, text := range items {
		c.address(annotation(key), provider, text, false)
	}
}

// namedPool checks that pods of the namespace may take addresses from a pool: Kube-OVN gives them from whatever it names, and newer
// releases put the pod on the pool's subnet.
func (c *check) namedPool(field, name string) {
	if c.Accounts.home(c.Namespace.Name) {
		return
	}
	p, known := c.Inventory.Pool(name)
	switch {
	case (inventory.Pool{Name: name}).Noted(c.Namespace):
	case !known:
		c.refuse(field, "name a pool that is there, or make it first and try again", "there is no IPPool %q", name)
	case !p.Usable(c.Namespace):
		c.refuse(field, "name a pool of this namespace, or "+c.bind("IPPool", name, true), "IPPool %s is for other namespaces", name)
	default:
		c.subnet(field, p.Subnet)
	}
}

// isName tells that the text can be the name of an object and is no address (RFC 1123 names may look like IPv4 addresses).
func isName(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return false
	}
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// address checks one address that the pod asks for; mine tells that it asks for this one and no other.
func (c *check) address(field string, provider kubeovn.Provider, text string, mine bool) {
	a, err := policy.CanonicalAddress(text)
	if err != nil {
		c.refuse(field, "write addresses with commas and no blanks between them, or leave it to Kube-OVN", "%v", err)
		return
	}
	for _, h := range c.Inventory.Holders(a) {
		if h.Kind == inventory.HeldByPort && (!mine || c.ours(h.Name)) || h.OfService(c.Namespace.Name) || !c.sameNetwork(h, provider) {
			continue
		}
		c.refuse(field, "choose another address, or leave it to Kube-OVN", "%s is that of %s", a, h)
	}
}

// sameNetwork tells that the holder's address could be the one that the pod means: networks of different routers may use the
// same addresses.
func (c *check) sameNetwork(h inventory.Holder, provider kubeovn.Provider) bool {
	name := h.Name
	switch h.Kind {
	case inventory.HeldByPort:
		name = c.Inventory.SubnetOf(h.Name)
	case inventory.HeldByGateway, inventory.HeldBySubnet:
	case inventory.HeldByRouter, inventory.HeldByNode, inventory.HeldByNodes, inventory.HeldByService, inventory.HeldByBalancer, inventory.HeldByExternal, inventory.HeldByVip:
		return true
	}
	theirs := c.Inventory.VPCOf(name)
	asked := c.switches(provider)
	if theirs == "" || len(asked) == 0 {
		return true // it cannot be told; two ports with one address would be worse than a pod that is refused
	}
	return slices.ContainsFunc(asked, func(name string) bool {
		ours := c.Inventory.VPCOf(name)
		return ours == "" || ours == theirs
	})
}

// switches gives the subnets on one of which a release of Kube-OVN may put the NIC; none where that cannot be told.
func (c *check) switches(provider kubeovn.Provider) []string {
	var all []string
	for _, p := range c.spellings(provider) {
		names := c.Inventory.MayBeOn(c.pod.Metadata.Annotations, c.Namespace, p)
		if len(names) == 0 {
			return nil
		}
		all = append(all, names...)
	}
	return all
}

// spellings gives the providers that releases of Kube-OVN may give to a NIC of the pod: with the interface behind it, and without. A
// provider that no NIC of the pod has is none of them, whatever the pod says about it.
func (c *check) spellings(provider kubeovn.Provider) (all []kubeovn.Provider) {
	for _, nic := range c.nics {
		if nic.Provider == provider || nic.Provider == provider.Attachment() {
			all = append(all, nic.Provider)
		}
	}
	return all
}

// providerOf gives the provider of an attachment with the interface that it asks for.
func providerOf(a kubeovn.Attachment) kubeovn.Provider {
	p := kubeovn.AttachmentProvider(a.Namespace, a.Name)
	if a.Interface != "" {
		p += kubeovn.Provider("." + a.Interface)
	}
	return p
}

// mac checks a MAC that the pod asks for. Kube-OVN writes it into port_security as it is written here, and OVN reads only one form.
func (c *check) mac(field string, provider kubeovn.Provider, text string) {
	const fix = "write six octets with colons, the first one even, such as 0a:58:0a:10:00:07, or leave it to Kube-OVN"
	if _, err := policy.StationMAC(text); err != nil {
		c.refuse(field, fix, "%v; port_security would be there and check nothing", err)
		return
	}
	for _, h := range c.Inventory.MACHolders(text) {
		if (h.Kind != inventory.HeldByPort || !c.ours(h.Name)) && c.sameNetwork(h, provider) {
			c.refuse(field, "choose another MAC, or leave it to Kube-OVN", "%s is that of %s", text, h)
		}
	}
}

// attachments checks what the pod asks of its networks, but for what it asked before.
func (c *check) attachments(before multus.Networks) {
	c.wholePod()
	if c.unread != nil {
		c.refuse(c.unread.Field, c.unread.Fix, "%s", c.unread.Why)
		return
	}
	known := before.All()
	for _, a := range c.networks.All() {
		if slices.Contains(known, a) {
			continue
		}
		// A policy that has not been read may forbid it.
		if c.blind(annotation(c.networkKey(a)), append(slices.Clone(inventory.Holding), inventory.Policies)...) {
			return
		}
		if kubeovn.MisleadingInterface(a.Interface) {
			c.refuse(annotation(kubeovn.Networks), "choose another name for the interface", "with interface %q the NIC could pass for one of another network", a.Interface)
		}
		c.network(a)
		c.onOVN(a)
	}
	for _, r := range c.networks.Requests {
		if slices.ContainsFunc(before.Requests, func(o multus.Request) bool {
			return o.Attachment == r.Attachment && o.MAC == r.MAC && slices.Equal(o.IPs, r.IPs)
		}) {
			continue
		}
		provider := providerOf(r.Attachment)
		c.about(provider)
		if r.MAC != "" {
			c.mac(annotation(kubeovn.Networks), provider, r.MAC)
		}
		for _, ip := range r.IPs {
			address, _, _ := strings.Cut(ip, "/")
			c.address(annotation(kubeovn.Networks), provider, address, true)
		}
	}
}

// network checks that pods of the namespace may be on the subnet of an attachment, where the pod names no other for its NIC. That of a
// definition in another namespace is open to all of them, as far as Multus and Kube-OVN are asked; and which one Kube-OVN takes of
// several, or by which provider it looks for the pod's choice, is not the pod's to say.
func (c *check) network(a kubeovn.Attachment) {
	if c.Accounts.home(c.Namespace.Name) {
		return
	}
	for _, provider := range c.spellings(providerOf(a)) {
		own := provider.Key(kubeovn.LogicalSwitch)
		subnets := c.Inventory.SubnetsFor(provider)
		i := slices.IndexFunc(subnets, func(s inventory.Subnet) bool { return !c.Inventory.Usable(s, c.Namespace) })
		if i < 0 || c.pod.Metadata.Annotations[own] != "" { // what is named there is looked at by itself
			continue
		}
		c.about(provider)
		c.refuse(annotation(c.networkKey(a)), "ask for a network of this namespace, name a subnet of it for the NIC with annotation "+own+", or "+c.bindSubnet(subnets[i]),
			"network %s/%s is subnet %s, which is for other namespaces", a.Namespace, a.Name, subnets[i].Name)
		return
	}
}

// bindSubnet says what would let pods of the namespace be on a subnet.
func (c *check) bindSubnet(s inventory.Subnet) string {
	if vpc := c.Inventory.BoundByVPC(s); vpc != "" {
		return c.bind("Vpc", vpc, true)
	}
	return c.bind("Subnet", s.Name, len(s.Namespaces) > 0)
}

// bind says, with the command, how whoever may edit an object of Kube-OVN adds the namespace to those that it is for; listed tells that
// there are some.
func (c *check) bind(kind, name string, listed bool) string {
	ns := c.Namespace.Name
	path, value := "/spec/namespaces/-", fmt.Sprintf("%q", ns)
	if !listed {
		path, value = "/spec/namespaces", "["+value+"]"
	}
	return fmt.Sprintf(`have %s added to the spec.namespaces of %s %s (kubectl patch %s %s --type=json -p '[{"op":"add","path":%q,"value":%s}]', by whoever may edit it)`,
		ns, kind, name, strings.ToLower(kind), name, path, value)
}
