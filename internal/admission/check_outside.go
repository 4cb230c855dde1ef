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
	if why == "" && r.Networks.BareDefault && *r.Networks.Default == a {
		why = "has no namespace: Multus looks for it in Multus' own default namespace, Kube-OVN in the namespace " +
			"of the pod"
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
			"network %s/%s %s, and namespace %s could not be read, so any policy with otherNetworks: Forbid "+
				"may apply to it: %v",
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
		"network %s/%s %s, and %s forbids NICs outside OVN, because port security has no effect there",
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
	return strings.Join(titles, " and "), "or ask an administrator to allow it by spec.otherNetworks of a policy"
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
		return "has no NetworkAttachmentDefinition", "create it first, or "
	}
	switch definition.Kind {
	case kubeovn.KindOVN:
	case kubeovn.KindForeign:
		return "is not on OVN: nothing in the spec.config of its NetworkAttachmentDefinition has type kube-ovn", ""
	case kubeovn.KindMixed:
		return "may create a further NIC outside OVN: the spec.config of its NetworkAttachmentDefinition calls " +
			"other plugins than kube-ovn, or can be read in two ways", ""
	case kubeovn.KindUnknown:
		return "may be outside OVN: the spec.config of its NetworkAttachmentDefinition is empty or not a CNI " +
			"configuration", ""
	}
	return "", ""
}

// networkKey returns the annotation that names a network.
func (r *review) networkKey(a kubeovn.Attachment) string {
	if r.Networks.Default != nil && *r.Networks.Default == a {
		return kubeovn.DefaultNetwork
	}
	return kubeovn.Networks
}
