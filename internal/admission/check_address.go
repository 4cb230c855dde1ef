package admission

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var chosenAddress = &Check{
	ID: "OVGA12", Name: "address",
	Summary: "an address that another object has or keeps",
}

// identity checks addresses, MACs and switches that the pod asks for.
func (r *review) identity(k *Key) {
	key, provider, mode := k.Name, k.Provider, r.modeOfKey(k)
	if r.blind(mode, annotation(key), inventory.Holding...) {
		return
	}
	switch k.Suffix { //nolint:exhaustive // the other suffixes are no identity
	case kubeovn.IPAddress:
		for _, item := range k.Items {
			r.address(mode, annotation(key), provider, item, true)
		}
	case kubeovn.IPPool:
		r.pool(mode, k)
	case kubeovn.MACAddress:
		r.mac(mode, annotation(key), provider, k.Value)
	case kubeovn.LogicalSwitch:
		for _, item := range k.Items {
			r.subnet(mode, annotation(key), item.Text)
		}
	}
}

// pool checks a list of addresses to choose from, or the name of an IPPool. Kube-OVN skips the addresses in the list
// that another port has, so the pods of one workload can share a list.
func (r *review) pool(mode policy.Mode, k *Key) {
	if name, ok := k.pool(); ok {
		r.namedPool(mode, annotation(k.Name), name)
		return
	}
	for _, item := range k.Items {
		r.address(mode, annotation(k.Name), k.Provider, item, false)
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

// nobody is the holder where the pod names the address itself.
var nobody inventory.Holder

// address checks one address that the pod asks for; mine says whether the pod asks for this address only.
func (r *review) address(mode policy.Mode, field string, provider kubeovn.Provider, item policy.Item, mine bool) {
	if item.Err != nil {
		r.refuse(
			chosenAddress,
			mode,
			field,
			"write addresses with commas and no blanks between them, or leave it to Kube-OVN",
			"%v",
			item.Err,
		)
		return
	}
	r.obtainsAddress(
		mode,
		field,
		"choose another address, or leave it to Kube-OVN",
		r.site(provider),
		item.Address,
		nobody,
		mine,
	)
}

// obtainsAddress refuses an address that another object has or keeps on a network of the NIC. The pod gets it from
// another object, from, or names it itself. From a list, Kube-OVN skips an address that another port has.
func (r *review) obtainsAddress(
	mode policy.Mode,
	field, fix string,
	at site,
	a netip.Addr,
	from inventory.Holder,
	mine bool,
) {
	if r.late() {
		return
	}
	holders := r.Inventory.Taken(a, at.vpcs, r.Namespace)
	has := slices.ContainsFunc(
		holders,
		func(h inventory.Holder) bool { return h.Kind == inventory.HeldByPort && r.ours(h.Name) },
	)
	for _, h := range holders {
		switch {
		case h == from, h.OfService(r.Namespace.Name):
		case h.Kind == inventory.HeldByPort && (!mine || r.ours(h.Name)):
		case h.Kind == inventory.HeldByFIPInside && (has || r.leadsHere(r.Inventory.KeptFor(h))):
		default:
			r.refuse(chosenAddress, mode, field, r.fixFor(h, fix), "%s is %s", a, r.Whose(h))
		}
	}
}

// leadsHere reports whether an OvnFip that names a port leads to the pod, or to one of its namespace: to a port of the
// default network by the namespace behind its name, which has no dots and is not "ovn", which may end other names too.
func (r *review) leadsHere(port string) bool {
	ns := r.Namespace.Name
	return port != "" && (r.ours(port) || ns != string(kubeovn.DefaultProvider) && strings.HasSuffix(port, "."+ns))
}

// fixFor says how the pod could get an address that a holder keeps, or returns otherwise. It names only what everybody
// can read in the cluster.
func (r *review) fixFor(h inventory.Holder, otherwise string) string {
	switch h.Kind { //nolint:exhaustive // what the others have is theirs
	case inventory.HeldByShared:
		return otherwise + "; pods share the addresses in spec.vips of a subnet by annotation port_vips"
	case inventory.HeldByPool:
		return otherwise + "; an IPPool keeps this address for other namespaces, and a user who may edit the IPPool can " +
			"add this namespace to its spec.namespaces"
	case inventory.HeldByServices:
		return otherwise + "; this address is in the range of a ServiceCIDR, and only Services get addresses from there"
	case inventory.HeldByNodes:
		return otherwise + "; this address is in the subnet that connects the nodes to the pods, and only nodes may use it"
	case inventory.HeldByFIPInside:
		return otherwise + "; an OvnFip forwards traffic to this address, and a user who may edit the OvnFip can name the " +
			"pod's IP resource in its spec.ipName"
	}
	return otherwise
}
