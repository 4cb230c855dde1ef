package inventory

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// network is where addresses are: Kube-OVN's subnets with their VPCs and pools, and what attachments make. It answers
// on which subnets a NIC may be and in which VPCs, and for which namespaces those are.
type network struct {
	setup kubeovn.Setup
	kinds persistent.Map[kubeovn.Attachment, kubeovn.AttachmentKind] // key without interface
	vpcs  persistent.Map[string, VPC]
	pools persistent.Map[string, Pool]

	vlanOf persistent.Map[string, VLAN] // by the name of the resource

	subnets    persistent.Map[string, Subnet]
	subnetsFor persistent.Map[kubeovn.Provider, []string] // by provider, to the names of subnets in order
	cidrs      ranges                                     // those of the subnets
	routers    persistent.Map[string, int]                // VPCs that have subnets, to how many
	nodesOn    persistent.Map[string, int]                // by subnet, to how many nodes have a port there

	routerPorts persistent.Map[string, RouterPort] // by name
}

// Setup returns what Kube-OVN was told.
func (n *network) Setup() kubeovn.Setup { return n.setup }

// NICs returns the NICs that a pod with such networks has, or may have, on OVN, by what the definitions of the networks
// say. defaultNetwork is nil where the pod does not replace the default network.
func (n *network) NICs(defaultNetwork *kubeovn.Attachment, attachments []kubeovn.Attachment) []kubeovn.NIC {
	nics := kubeovn.NICs(defaultNetwork, attachments, func(a kubeovn.Attachment) kubeovn.AttachmentKind {
		kind, _ := n.Kind(a)
		return kind
	})
	if n.setup.NonPrimary && defaultNetwork == nil {
		return nics[1:] // the first one is another CNI's
	}
	return nics
}

// nics returns the NICs that the pod has, or may have, on OVN.
func (n *network) nics(p *Pod) []kubeovn.NIC { return n.NICs(p.DefaultNetwork, p.Attachments) }

// Kind tells what an attachment makes, as its definition says; known is false where there is none.
func (n *network) Kind(a kubeovn.Attachment) (kind kubeovn.AttachmentKind, known bool) {
	a.Interface = ""
	kind, known = n.kinds.Find(a)
	return kind, known
}

// foreign returns the attachments of the pod that make NICs outside OVN.
func (n *network) foreign(p *Pod) (others []kubeovn.Attachment) {
	if !p.mayBeOutside() {
		return nil
	}
	for _, a := range p.networks() {
		if n.kinds.Get(a).OffOVN() {
			others = append(others, a)
		}
	}
	return others
}

// networkEditor changes the network.
type networkEditor struct {
	*network
	*changes

	nodeOn map[string]string // by node, to the subnet of its port
}

// setSubnet adds or replaces a subnet.
func (ed *networkEditor) setSubnet(s Subnet) {
	ed.replaceSubnet(s.Name, s.CIDRs, s.Provider)
	tally(&ed.routers, ed.edit, ed.routerOf(s), +1)
	ed.subnets.Set(ed.edit, s.Name, s)
}

// deleteSubnet takes a subnet out.
func (ed *networkEditor) deleteSubnet(name string) {
	ed.replaceSubnet(name, nil, "")
	ed.subnets.Delete(ed.edit, name)
}

// replaceSubnet takes what is found of a subnet by other things than its name out, and enters its ranges and its
// provider as they are now.
func (ed *networkEditor) replaceSubnet(name string, cidrs []netip.Prefix, provider kubeovn.Provider) {
	old, ok := ed.subnets.Find(name)
	if ok {
		tally(&ed.routers, ed.edit, ed.routerOf(old), -1)
	}
	for _, p := range old.CIDRs {
		ed.cidrs = ed.cidrs.remove(rangeOfSubnet(name, p))
	}
	for _, p := range cidrs {
		ed.cidrs = ed.cidrs.add(rangeOfSubnet(name, p))
	}
	left := slices.DeleteFunc(slices.Clone(ed.subnetsFor.Get(old.Provider)), func(o string) bool { return o == name })
	replace(&ed.subnetsFor, ed.edit, old.Provider, left)
	if provider != "" {
		ed.subnetsFor.Set(ed.edit, provider, union(ed.subnetsFor.Get(provider), []string{name}))
	}
}

// setKind says what an attachment makes.
func (ed *networkEditor) setKind(a kubeovn.Attachment, kind kubeovn.AttachmentKind) {
	ed.kinds.Set(ed.edit, a, kind)
}

// deleteKind forgets an attachment.
func (ed *networkEditor) deleteKind(a kubeovn.Attachment) { ed.kinds.Delete(ed.edit, a) }

// moveNode says on which subnet a node has its port, "" for on none: the nodes' own subnet is known by that.
func (ed *networkEditor) moveNode(node, subnet string) {
	was := ed.nodeOn[node]
	if was == subnet {
		return
	}
	if was != "" {
		tally(&ed.nodesOn, ed.edit, was, -1)
	}
	if subnet == "" {
		delete(ed.nodeOn, node)
		return
	}
	ed.nodeOn[node] = subnet
	tally(&ed.nodesOn, ed.edit, subnet, +1)
}

// SetSetup says what Kube-OVN was told. It must be said before anything else is entered: it counts for what comes
// afterwards.
func (inv *Inventory) SetSetup(s kubeovn.Setup) { inv.network.setup, inv.owners.home = s, s.Namespace }

func rangeOfSubnet(name string, p netip.Prefix) addressRange {
	r := RangeOf(p)
	return addressRange{r.From, r.To, Holder{HeldBySubnet, name}}
}
