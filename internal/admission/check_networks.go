package admission

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var unreadableNetworks = &Check{
	ID: "OVGA04", Name: "networks-unreadable",
	Summary: "networks that cannot be read, so that the NICs to protect are not known",
}

var misleadingInterface = &Check{
	ID: "OVGA06", Name: "interface-name", Always: true,
	Summary: "an interface name that makes a NIC look like one of another network",
}

// namesNetworks refuses an annotation of networks that names none. Those that are named are read as a whole.
func (r *review) namesNetworks(k *Key) {
	if k.Value == "" && kubeovn.Present(k.Name) {
		r.refuse(
			unreadableNetworks,
			r.modeOfKey(k),
			annotation(k.Name),
			"leave it out, or name a network",
			"it is empty, and an empty value takes the NIC on the default network away from the pod",
		)
	}
}

// attachments checks what the pod asks of its networks, except what it asked before; before is nil for a new pod.
func (r *review) attachments(before *ParsedPod) {
	var known []kubeovn.Attachment
	var requested []Request
	if before != nil {
		known, requested = before.Networks.All(), before.Requests
	}
	if r.Unread != nil {
		r.refuse(unreadableNetworks, r.modeOfPod(), r.Unread.Field, r.Unread.Fix, "%s", r.Unread.Why)
		return
	}
	for _, a := range r.Networks.All() {
		if slices.Contains(known, a) {
			continue
		}
		mode := r.modeOfNIC(providerOf(a))
		// A policy that has not been read may forbid it.
		if r.blind(mode, annotation(r.networkKey(a)), append(slices.Clone(inventory.Holding), inventory.Policies)...) {
			return
		}
		if kubeovn.MisleadingInterface(a.Interface) {
			r.refuse(
				misleadingInterface,
				policy.Enforce,
				annotation(kubeovn.Networks),
				"choose another name for the interface",
				"with interface name %q, the NIC could be taken for one of another network",
				a.Interface,
			)
		}
		r.network(a)
		r.onOVN(a)
	}
	for _, q := range r.Requests {
		if slices.ContainsFunc(requested, func(o Request) bool {
			return o.Attachment == q.Attachment && o.MAC == q.MAC && slices.Equal(o.IPs, q.IPs)
		}) {
			continue
		}
		provider := providerOf(q.Attachment)
		mode := r.modeOfNIC(provider)
		if q.MAC != "" {
			r.mac(mode, annotation(kubeovn.Networks), provider, q.MAC)
		}
		for _, item := range q.Addresses {
			r.address(mode, annotation(kubeovn.Networks), provider, item, true)
		}
	}
}

// providerOf returns the provider of an attachment with the interface that it asks for.
func providerOf(a kubeovn.Attachment) kubeovn.Provider {
	p := kubeovn.AttachmentProvider(a.Namespace, a.Name)
	if a.Interface != "" {
		p += kubeovn.Provider("." + a.Interface)
	}
	return p
}
