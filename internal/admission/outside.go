package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Definition is what a NetworkAttachmentDefinition says now.
type Definition struct {
	// Kind is what it makes; Found is false where there is none.
	Kind  kubeovn.AttachmentKind
	Found bool
	// Err says why it could not be read.
	Err error
}

// lookAt has judge look at what becomes of a pod; old is nil for a new one. Where policy wants its networks to be of
// OVN, the view has what their definitions say now: a cache may still have one that somebody has just deleted.
func lookAt(ctx context.Context, world World, req admission.Request, old, p *ParsedPod, judge func(*View)) {
	var ask []kubeovn.Attachment
	look := func(judge func(*View)) { world.Look(ctx, req.Namespace, req.UserInfo.Username, judge) }
	look(func(v *View) {
		if ask = v.mustBeOVN(old, p); len(ask) == 0 {
			judge(v)
		}
	})
	if len(ask) == 0 {
		return
	}
	now := make(map[kubeovn.Attachment]Definition, len(ask))
	for _, a := range ask { // while the inventory is not held
		if _, asked := now[a]; !asked {
			now[a] = world.Definition(ctx, a)
		}
	}
	look(func(v *View) {
		v.Definitions = now
		judge(v)
	})
}

// mustBeOVN returns the networks, without their interfaces, that a pod newly asks for and that policy wants to be of
// OVN.
func (v *View) mustBeOVN(old, p *ParsedPod) []kubeovn.Attachment {
	all := p.Networks.All()
	if len(all) == 0 {
		return nil // there is none, or it is refused without asking
	}
	var before []kubeovn.Attachment
	if old != nil {
		before = old.Networks.All()
	}
	if !slices.ContainsFunc(v.Inventory.Policies(), func(p policy.Policy) bool { return p.ForbidsOthers }) {
		return nil
	}
	g := v.grounds(p, old != nil)
	var out []kubeovn.Attachment
	for _, a := range all {
		if !slices.Contains(before, a) &&
			policy.ForbidsOthers(v.Inventory.On(g.query, g.facts, kubeovn.AttachmentProvider(a.Namespace, a.Name))) {
			a.Interface = ""
			out = append(out, a)
		}
	}
	return out
}

// onOVN refuses a network that makes, or may make, a NIC outside OVN, where policy forbids those.
func (c *check) onOVN(a kubeovn.Attachment) {
	provider := kubeovn.AttachmentProvider(a.Namespace, a.Name)
	d := c.decision(provider)
	if !d.ForbidsOthers() {
		return
	}
	why, fix := c.offOVN(a)
	if why == "" && c.networks.BareDefault && *c.networks.Default == a {
		why = "has no namespace, so that Multus looks for it in a namespace of its own and Kube-OVN in the pod's"
		fix = fmt.Sprintf("write %q, or ", a.Namespace+"/"+a.Name)
	}
	if why == "" {
		return
	}
	c.about(provider)
	field := annotation(c.networkKey(a))
	if c.Namespace.Err != nil {
		c.refuse(
			field,
			"try again",
			"network %s/%s %s, and namespace %s could not be read, so that each policy with otherNetworks: Forbid "+
				"may be for it: %v",
			a.Namespace,
			a.Name,
			why,
			c.Namespace.Name,
			c.Namespace.Err,
		)
		return
	}
	who, how := Forbidders(d.OthersForbiddenBy)
	c.refuse(
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
func (c *check) offOVN(a kubeovn.Attachment) (why, fix string) {
	a.Interface = ""
	definition, asked := c.Definitions[a]
	if !asked {
		definition.Kind, definition.Found = c.Inventory.Kind(a)
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
		return "may make a NIC outside OVN beside its own, since the spec.config of its NetworkAttachmentDefinition " +
			"calls other plugins than kube-ovn, or can be read in two ways", ""
	case kubeovn.KindUnknown:
		return "is of a kind that cannot be told, since the spec.config of its NetworkAttachmentDefinition is empty " +
			"or no CNI configuration", ""
	}
	return "", ""
}

// networkKey returns the annotation that names a network.
func (c *check) networkKey(a kubeovn.Attachment) string {
	if c.networks.Default != nil && *c.networks.Default == a {
		return kubeovn.DefaultNetwork
	}
	return kubeovn.Networks
}
