package admission

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var outsideOVN = &Check{
	ID: "OVGA07", Name: "outside-ovn",
	Summary: "a network outside OVN where policy forbids those",
}

// onOVN refuses a network that makes, or may make, a NIC outside OVN, where policy forbids those.
func (r *review) onOVN(a kubeovn.Attachment) {
	provider := kubeovn.AttachmentProvider(a.Namespace, a.Name)
	d := r.decision(provider)
	if !d.ForbidsOthers() {
		return
	}
	why, fix := r.offOVN(a)
	if why == "" && r.networks.BareDefault && *r.networks.Default == a {
		why = "has no namespace, so that Multus looks for it in a namespace of its own and Kube-OVN in the pod's"
		fix = fmt.Sprintf("write %q, or ", a.Namespace+"/"+a.Name)
	}
	if why == "" {
		return
	}
	mode, field := r.modeOfNIC(provider), annotation(r.networkKey(a))
	if r.Namespace.Err != nil {
		r.refuse(
			outsideOVN,
			mode,
			field,
			"try again",
			"network %s/%s %s, and namespace %s could not be read, so that each policy with otherNetworks: Forbid "+
				"may be for it: %v",
			a.Namespace,
			a.Name,
			why,
			r.Namespace.Name,
			r.Namespace.Err,
		)
		return
	}
	who, how := Forbidders(d.OthersForbiddenBy)
	r.refuse(
		outsideOVN,
		mode,
		field,
		fix+"ask for a network of OVN, "+how,
		"network %s/%s %s, and %s forbids NICs outside OVN, where port security holds nothing",
		a.Namespace,
		a.Name,
		why,
		who,
	)
}

// Forbidders names policies that forbid NICs outside OVN, and says who can change that.
func Forbidders(policies []string) (who, how string) {
	titles := make([]string, len(policies))
	for i, name := range policies {
		titles[i] = PolicyTitle(name)
	}
	return strings.Join(titles, " and "), "or ask an administrator, who decides that by spec.otherNetworks of a policy"
}

// offOVN says why a network is, or may be, none of OVN, or "", and the beginning of what helps.
func (r *review) offOVN(a kubeovn.Attachment) (why, fix string) {
	a.Interface = ""
	definition, asked := r.Definitions[a]
	if !asked {
		definition.Kind, definition.Found = r.Inventory.Kind(a)
	}
	switch {
	case definition.Err != nil:
		return fmt.Sprintf(
			"has a NetworkAttachmentDefinition that could not be read (%v)",
			definition.Err,
		), "try again, or "
	case !definition.Found:
		return "has no NetworkAttachmentDefinition", "make that first, or "
	}
	switch definition.Kind {
	case kubeovn.KindOVN:
	case kubeovn.KindForeign:
		return "is not of OVN, since nothing in the spec.config of its NetworkAttachmentDefinition has type kube-ovn", ""
	case kubeovn.KindMixed:
		return "may make a NIC outside OVN besides its own, since the spec.config of its NetworkAttachmentDefinition " +
			"calls other plugins than kube-ovn, or can be read in two ways", ""
	case kubeovn.KindUnknown:
		return "is of a kind that cannot be told, since the spec.config of its NetworkAttachmentDefinition is empty " +
			"or no CNI configuration", ""
	}
	return "", ""
}

// networkKey returns the annotation that names a network.
func (r *review) networkKey(a kubeovn.Attachment) string {
	if r.networks.Default != nil && *r.networks.Default == a {
		return kubeovn.DefaultNetwork
	}
	return kubeovn.Networks
}
