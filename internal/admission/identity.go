package admission

import (
	"net/netip"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// identity checks addresses, MACs and switches that the pod asks for.
func (c *check) identity(key, value string) {
	switch kubeovn.BaseSuffix(key) { //nolint:exhaustive // the other suffixes are no identity
	case kubeovn.IPAddress:
		for text := range strings.SplitSeq(value, ",") {
			c.address(annotation(key), providerOf(key), text)
		}
	case kubeovn.IPPool:
		for _, text := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' }) {
			if _, err := netip.ParseAddr(text); err == nil { // else the name of a pool
				c.address(annotation(key), providerOf(key), text)
			}
		}
	case kubeovn.MACAddress:
		c.mac(annotation(key), value)
	case kubeovn.LogicalSwitch:
		for name := range strings.SplitSeq(value, ",") {
			if s, ok := c.Inventory.Subnet(name); ok && !s.Usable(c.Namespace.Name) {
				c.refuse(annotation(key), "name a subnet of this namespace, or have "+c.Namespace.Name+" added to its spec.namespaces",
					"subnet %s is for other namespaces", name)
			}
		}
	}
}

// address checks one address that the pod asks for.
func (c *check) address(field string, provider kubeovn.Provider, text string) {
	a, err := policy.CanonicalAddress(text)
	if err != nil {
		c.refuse(field, "write it so, or leave it to Kube-OVN", "%v", err)
		return
	}
	mine := kubeovn.PortName(c.pod.Metadata.portOwner(), c.Namespace.Name, provider)
	for _, h := range c.Inventory.Holders(a) {
		if h.Kind == inventory.HeldByPort && h.Name == mine || !c.sameNetwork(h, provider) {
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
	asked := c.pod.Metadata.Annotations[provider.Key(kubeovn.LogicalSwitch)]
	if asked == "" || name == "" {
		asked = c.Namespace.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]
	}
	if asked == "" || name == "" || provider != kubeovn.DefaultProvider {
		return true // it cannot be told; two ports with one address would be worse than a pod that is refused
	}
	theirs, known := c.Inventory.Subnet(name)
	for text := range strings.SplitSeq(asked, ",") {
		if ours, ok := c.Inventory.Subnet(text); !ok || !known || ours.VPC == theirs.VPC {
			return true
		}
	}
	return false
}

// mac checks a MAC that the pod asks for. Kube-OVN writes it into port_security as it is written here, and OVN reads only one form.
func (c *check) mac(field, text string) {
	const fix = "write six octets with colons, the first one even, such as 0a:58:0a:10:00:07, or leave it to Kube-OVN"
	m, err := portsec.ParseMAC(text)
	switch {
	case err != nil || !strings.EqualFold(m.String(), text):
		c.refuse(field, fix, "%q is not in the form that OVN reads: port_security would be there and check nothing", text)
		return
	case m.Group(), m == portsec.MAC{}:
		c.refuse(field, fix, "%q is not the address of one station", text)
		return
	}
	for _, name := range c.Inventory.MACHolders(text) {
		if name != kubeovn.PortName(c.pod.Metadata.portOwner(), c.Namespace.Name, kubeovn.DefaultProvider) {
			c.refuse(field, "choose another MAC, or leave it to Kube-OVN", "%s is that of port %s", text, name)
		}
	}
}

// networks checks what the pod asks of its attachments.
func (c *check) networks() {
	n, err := multus.Parse(c.Namespace.Name, c.pod.Metadata.Annotations)
	if err != nil {
		c.refuse("metadata.annotations", `write it as Multus expects, for example "namespace/name"`, "%v", err)
		return
	}
	if len(n.All()) > maxAttachments {
		c.refuse(annotation(kubeovn.Networks), "ask for fewer", "the pod asks for %d networks, more than %d", len(n.All()), maxAttachments)
	}
	for _, r := range n.Requests {
		if r.MAC != "" {
			c.mac(annotation(kubeovn.Networks), r.MAC)
		}
		for _, ip := range r.IPs {
			address, _, _ := strings.Cut(ip, "/")
			c.address(annotation(kubeovn.Networks), kubeovn.AttachmentProvider(r.Namespace, r.Name), address)
		}
	}
}
