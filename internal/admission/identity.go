package admission

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// identity checks addresses, MACs and switches that the pod asks for.
func (c *check) identity(k *Key) {
	key, provider := k.Name, k.Provider
	if c.blind(annotation(key), inventory.Holding...) {
		return
	}
	switch k.Suffix { //nolint:exhaustive // the other suffixes are no identity
	case kubeovn.IPAddress:
		for _, item := range k.Items {
			c.address(annotation(key), provider, item, true)
		}
	case kubeovn.IPPool:
		c.pool(k)
	case kubeovn.MACAddress:
		c.mac(annotation(key), provider, k.Value)
	case kubeovn.LogicalSwitch:
		for _, item := range k.Items {
			c.subnet(annotation(key), item.Text)
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
		c.refuse(
			field,
			"name a subnet that is for pods",
			"subnet %s is the nodes' own, and what comes from it is let through to private subnets",
			name,
		)
	case !c.mayUse(s):
		c.refuse(
			field,
			"name a subnet of this namespace, or "+c.bindSubnet(s),
			"subnet %s is for other namespaces",
			name,
		)
	}
}

// pool checks a list of addresses to choose from, or the name of an IPPool. Those of the list that another port has are
// passed over when the pod's is chosen, so that the pods of one workload can share a list.
func (c *check) pool(k *Key) {
	if name, ok := k.pool(); ok {
		c.namedPool(annotation(k.Name), name)
		return
	}
	for _, item := range k.Items {
		c.address(annotation(k.Name), k.Provider, item, false)
	}
}

// namedPool checks that pods of the namespace may take addresses from a pool: Kube-OVN gives them from whatever it
// names, and newer releases put the pod on the pool's subnet.
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
		c.refuse(
			field,
			"name a pool of this namespace, or "+c.bind("IPPool", name, true),
			"IPPool %s is for other namespaces",
			name,
		)
	default:
		c.subnet(field, p.Subnet)
	}
}

// isName reports whether the text can be the name of an object and is no address (RFC 1123 names may look like IPv4
// addresses).
func isName(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return false
	}
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// providerOf returns the provider of an attachment with the interface that it asks for.
func providerOf(a kubeovn.Attachment) kubeovn.Provider {
	p := kubeovn.AttachmentProvider(a.Namespace, a.Name)
	if a.Interface != "" {
		p += kubeovn.Provider("." + a.Interface)
	}
	return p
}

// attachments checks what the pod asks of its networks, but for what it asked before; before is nil for a new pod.
func (c *check) attachments(before *ParsedPod) {
	var known []kubeovn.Attachment
	var requested []Request
	if before != nil {
		known, requested = before.Networks.All(), before.Requests
	}
	c.wholePod()
	if c.unread != nil {
		c.refuse(c.unread.Field, c.unread.Fix, "%s", c.unread.Why)
		return
	}
	for _, a := range c.networks.All() {
		if slices.Contains(known, a) {
			continue
		}
		// A policy that has not been read may forbid it.
		if c.blind(annotation(c.networkKey(a)), append(slices.Clone(inventory.Holding), inventory.Policies)...) {
			return
		}
		if kubeovn.MisleadingInterface(a.Interface) {
			c.refuse(
				annotation(kubeovn.Networks),
				"choose another name for the interface",
				"with interface %q the NIC could pass for one of another network",
				a.Interface,
			)
		}
		c.network(a)
		c.onOVN(a)
	}
	for _, r := range c.Requests {
		if slices.ContainsFunc(requested, func(o Request) bool {
			return o.Attachment == r.Attachment && o.MAC == r.MAC && slices.Equal(o.IPs, r.IPs)
		}) {
			continue
		}
		provider := providerOf(r.Attachment)
		c.about(provider)
		if r.MAC != "" {
			c.mac(annotation(kubeovn.Networks), provider, r.MAC)
		}
		for _, item := range r.Addresses {
			c.address(annotation(kubeovn.Networks), provider, item, true)
		}
	}
}

// network checks that pods of the namespace may be on the subnet of an attachment, unless the pod names another one
// for the NIC. A definition of another namespace is open to all of them, as far as Multus and Kube-OVN are asked. Which
// subnet Kube-OVN takes of several, and whether it reads the attachment as one on OVN, is not the pod's to say.
func (c *check) network(a kubeovn.Attachment) {
	if c.Accounts.home(c.Namespace.Name) {
		return
	}
	provider := providerOf(a)
	for _, p := range append(c.spellings(provider), provider.Attachment().Outside()) {
		own := p.Key(kubeovn.LogicalSwitch)
		if c.pod.Metadata.Annotations[own] != "" { // what is named there is looked at by itself
			continue
		}
		subnets := c.Inventory.SubnetsFor(p)
		i := slices.IndexFunc(subnets, func(s inventory.Subnet) bool { return !c.mayUse(s) })
		if i < 0 {
			continue
		}
		c.about(provider)
		c.refuse(
			annotation(c.networkKey(a)),
			"ask for a network of this namespace, name a subnet of it for the NIC with annotation "+own+", or "+c.bindSubnet(
				subnets[i],
			),
			"network %s/%s is subnet %s, which is for other namespaces",
			a.Namespace,
			a.Name,
			subnets[i].Name,
		)
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

// bind says, with the command, how whoever may edit an object of Kube-OVN adds the namespace to those that it is for;
// listed reports whether there are some.
func (c *check) bind(kind, name string, listed bool) string {
	ns := c.Namespace.Name
	path, value := "/spec/namespaces/-", fmt.Sprintf("%q", ns)
	if !listed {
		path, value = "/spec/namespaces", "["+value+"]"
	}
	return fmt.Sprintf(
		`have %s added to the spec.namespaces of %s %s (kubectl patch %s %s --type=json -p '[{"op":"add","path":%q,"value":%s}]', by whoever may edit it)`,
		ns,
		kind,
		name,
		strings.ToLower(kind),
		name,
		path,
		value,
	)
}
