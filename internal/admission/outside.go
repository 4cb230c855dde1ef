package admission

import (
	"slices"

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
func (a *asking) lookAt(old, p *ParsedPod, judge func(*View)) {
	var ask []kubeovn.Attachment
	a.look(func(v *View) {
		if ask = v.mustBeOVN(old, p); len(ask) == 0 {
			judge(v)
		}
	})
	if len(ask) == 0 {
		return
	}
	now := make(map[kubeovn.Attachment]Definition, len(ask))
	for _, network := range ask { // while the inventory is not held
		if _, asked := now[network]; !asked {
			now[network] = a.Definition(a.lookups, network)
		}
	}
	a.look(func(v *View) {
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
