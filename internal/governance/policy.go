package governance

import (
	"context"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Policy judges policies: that they can be read as a whole. It tells their author how many running ports a change, or
// the end, of a policy concerns.
func (g *Guard) Policy(_ context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if err := of(
		req,
		group,
		"portsecuritypolicies",
		nil,
		admissionv1.Create,
		admissionv1.Update,
		admissionv1.Delete,
	); err != nil {
		return Answer{}, err
	}
	object, old, err := decode[v1alpha1.PortSecurityPolicy](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	name := req.Name
	var p *policy.Policy
	if object != nil {
		compiled := kube.PolicyOf(object)
		if p = &compiled; p.Err != nil {
			a.Deny(
				"%v; correct it: while a policy cannot be read as a whole, all ports are strict and no "+
					"exception has an effect",
				p.Err,
			)
		}
		name = p.Name
		a.inherits(object, old)
		if p.Pods != nil && (p.Level > policy.Strict || p.Forwarding > policy.Forbid || len(p.ExceptionsIn) > 0) {
			a.Warn(
				"policy %s selects pods by labels, and the authors of pods choose these: it can only tighten "+
					"the decision of the first policy without a podSelector, and its exceptions and limits have no "+
					"effect; to loosen single pods create a PortSecurityException",
				name,
			)
		}
	}
	switch {
	case len(a.Denials()) > 0:
		a.decided(name, refusedDecision)
	case p == nil:
		a.decided(name, "gone")
	default:
		a.decided(name, p.Level.String())
	}
	if len(a.Denials()) > 0 || req.Operation == admissionv1.Update && object.DeletionTimestamp != nil {
		return a, nil
	}
	if p != nil {
		g.shadowed(&a, p)
		if p.Mode != policy.Enforce && (old == nil || kube.PolicyOf(old).Mode != p.Mode) {
			a.Warn(
				"mode %s protects nothing: new pods under policy %s get what they ask for, and are open if they ask for "+
					"nothing, even if they would be strict without this policy",
				p.Mode,
				name,
			)
		}
	}
	g.effect(&a, func(inv *inventory.State) inventory.Effect { return inv.PolicyEffect(name, p, g.Rewrites, g.Now()) })
	return a, nil
}

// inherits refuses keys that no namespace may hand down to its pods. One from before, when the key was not yet known to
// change ports, is ignored and does not keep the policy from being changed.
func (a *Answer) inherits(now, old *v1alpha1.PortSecurityPolicy) {
	for i, key := range now.Spec.InheritedKeys {
		why := kubeovn.WhyNotInherited(key)
		switch {
		case why == "":
		case old != nil && slices.Contains(old.Spec.InheritedKeys, key):
			a.Warn("spec.inheritedKeys[%d]: %q is ignored: %s; take it out of the list", i, key, why)
		default:
			a.Deny("spec.inheritedKeys[%d]: %q cannot be handed down to pods: %s; take it out of the list", i, key, why)
		}
	}
	if len(now.Spec.InheritedKeys) > 0 && now.Spec.PodSelector != nil {
		a.Warn(
			"spec.inheritedKeys has no effect in a policy with a podSelector: the first policy without one decides which " +
				"keys are handed down",
		)
	}
}

// shadowed warns of a policy that others keep from deciding.
func (g *Guard) shadowed(a *Answer, p *policy.Policy) {
	var s policy.Shadow
	g.Look(func(inv *inventory.State) {
		with := slices.DeleteFunc(slices.Clone(inv.Policies()), func(o policy.Policy) bool { return o.Name == p.Name })
		with = append(with, *p)
		policy.SortPolicies(with)
		s = policy.Shadows(with, inv.Namespaces())[p.Name]
	})
	switch {
	case s.Always():
		a.Warn(
			"policy %s decides nothing: %s come before it for every port that it selects; give it a higher "+
				"spec.priority than %d",
			p.Name,
			strings.Join(s.By, ", "),
			p.Priority,
		)
	case s.Tied:
		a.Warn(
			"policy %s is for fewer namespaces or NICs than %s, but these have the same priority and come "+
				"first by name; if it is meant to decide, give it a higher spec.priority than %d",
			p.Name,
			strings.Join(s.By, ", "),
			p.Priority,
		)
	}
}
