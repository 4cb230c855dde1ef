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
	case !c.mayUse(s):
		c.refuse(field, "name a subnet of this namespace, or have "+c.Namespace.Name+" added to the spec.namespaces of subnet "+name+c.bind("subnet", name), "subnet %s is for other namespaces", name)
	}
}

// mayUse tells that pods of the namespace may be on the subnet: it is bound to no namespace, or to this one. Kube-OVN notes on a
// namespace which subnets are bound to it, also those that select it by labels.
func (c *check) mayUse(s inventory.Subnet) bool {
	bound := c.Namespace.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]
	for name := range strings.SplitSeq(bound, ",") {
		if name == s.Name {
			return true
		}
	}
	return s.Usable(c.Namespace.Name)
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
	// Kube-OVN notes on a namespace which pools are bound to it.
	bound := slices.Contains(strings.Split(c.Namespace.Annotations[kubeovn.DefaultProvider.Key(kubeovn.IPPool)], ","), name)
	switch {
	case bound:
	case !known:
		c.refuse(field, "name a pool that is there, or make it first and try again", "there is no IPPool %q", name)
	case !p.Usable(c.Namespace.Name):
		c.refuse(field, "name a pool of this namespace, or have "+c.Namespace.Name+" added to the spec.namespaces of IPPool "+name+c.bind("ippool", name), "IPPool %s is for other namespaces", name)
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
		if h.Kind == inventory.HeldByPort && (!mine || c.ours(h.Name)) || !c.sameNetwork(h, provider) {
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
	case inventory.HeldByGateway:
	case inventory.HeldByNode, inventory.HeldByService, inventory.HeldByVip:
		return true
	}
	theirs, known := c.Inventory.Subnet(name)
	asked := c.switches(provider)
	if !known || len(asked) == 0 {
		return true // it cannot be told; two ports with one address would be worse than a pod that is refused
	}
	for _, text := range asked {
		if ours, ok := c.Inventory.Subnet(text); !ok || ours.VPC == theirs.VPC {
			return true
		}
	}
	return false
}

// switches gives the subnets that the pod's NIC may come to be on, as far as it can be told.
func (c *check) switches(provider kubeovn.Provider) []string {
	asked := c.pod.Metadata.Annotations[provider.Key(kubeovn.LogicalSwitch)]
	if asked == "" && provider == kubeovn.DefaultProvider {
		asked = c.Namespace.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]
	}
	if asked == "" {
		return nil
	}
	return strings.Split(asked, ",")
}

// mac checks a MAC that the pod asks for. Kube-OVN writes it into port_security as it is written here, and OVN reads only one form.
func (c *check) mac(field string, provider kubeovn.Provider, text string) {
	const fix = "write six octets with colons, the first one even, such as 0a:58:0a:10:00:07, or leave it to Kube-OVN"
	if _, err := policy.StationMAC(text); err != nil {
		c.refuse(field, fix, "%v; port_security would be there and check nothing", err)
		return
	}
	for _, name := range c.Inventory.MACHolders(text) {
		if !c.ours(name) && c.sameNetwork(inventory.Holder{Kind: inventory.HeldByPort, Name: name}, provider) {
			c.refuse(field, "choose another MAC, or leave it to Kube-OVN", "%s is that of port %s", text, name)
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
		if c.blind(annotation(kubeovn.Networks), inventory.Holding...) {
			return
		}
		if kubeovn.MisleadingInterface(a.Interface) {
			c.refuse(annotation(kubeovn.Networks), "choose another name for the interface", "with interface %q the NIC could pass for one of another network", a.Interface)
		}
		c.network(a)
	}
	for _, r := range c.networks.Requests {
		if slices.ContainsFunc(before.Requests, func(o multus.Request) bool {
			return o.Attachment == r.Attachment && o.MAC == r.MAC && slices.Equal(o.IPs, r.IPs)
		}) {
			continue
		}
		provider := kubeovn.AttachmentProvider(r.Namespace, r.Name)
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

// network checks that pods of the namespace may be on the subnet of an attachment, where the pod names no other. That of a definition
// in another namespace is open to all of them, as far as Multus and Kube-OVN are asked.
func (c *check) network(a kubeovn.Attachment) {
	provider := kubeovn.AttachmentProvider(a.Namespace, a.Name)
	subnets := c.Inventory.SubnetsFor(provider)
	if len(subnets) == 0 || c.Accounts.home(c.Namespace.Name) || c.pod.Metadata.Annotations[provider.Key(kubeovn.LogicalSwitch)] != "" ||
		slices.ContainsFunc(subnets, c.mayUse) {
		return
	}
	c.about(provider)
	key := kubeovn.Networks
	if c.networks.Default != nil && *c.networks.Default == a {
		key = kubeovn.DefaultNetwork
	}
	c.refuse(annotation(key), "ask for a network of this namespace, or have "+c.Namespace.Name+" added to the spec.namespaces of subnet "+subnets[0].Name+c.bind("subnet", subnets[0].Name),
		"network %s/%s is subnet %s, which is for other namespaces", a.Namespace, a.Name, subnets[0].Name)
}

// bind gives the command by which whoever may edit the object adds the namespace to those that it is for.
func (c *check) bind(kind, name string) string {
	return fmt.Sprintf(` (kubectl patch %s %s --type=json -p '[{"op":"add","path":"/spec/namespaces/-","value":%q}]', by whoever may edit it)`, kind, name, c.Namespace.Name)
}
