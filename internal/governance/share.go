package governance

import (
	"context"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// verbShare is what consenting to share addresses takes, on the Subnet that has them or the Namespace whose pods have
// them.
const verbShare = "share"

// sharesAsked is up to how many owners are asked about for one request. More are settled in several exceptions.
const sharesAsked = 16

// consents reports whether a request may record consents of its user: one that asks for something new, or that
// approves.
func consents(old, now *v1alpha1.PortSecurityExceptionSpec, asksNew bool) bool {
	return asksNew || old != nil && now.ApprovedBy != "" && now.ApprovedBy != old.ApprovedBy
}

// claimsOf returns what the exception would grant of others, with or without their consent.
func (g *Guard) claimsOf(o *v1alpha1.PortSecurityException) (e policy.Exception, claims []inventory.Claim) {
	if e = kube.ExceptionOf(o); e.Err == nil && len(e.Pairs) > 0 {
		g.Look(func(inv *inventory.State) { claims = inv.Claims(&e) })
	}
	return e, claims
}

// sharers returns the consents that an exception has after the request: those that were recorded for the same and,
// where the request asks for something new or approves, those that its user may give.
func (g *Guard) sharers(
	ctx context.Context, req *admissionv1.AdmissionRequest, old, now *v1alpha1.PortSecurityException, asksNew bool,
) (list []v1alpha1.Share) {
	var before *v1alpha1.PortSecurityExceptionSpec
	if old != nil {
		before = &old.Spec
	}
	if before != nil && !asksNew {
		list = slices.Clone(before.SharedBy)
	}
	if !consents(before, &now.Spec, asksNew) {
		return list
	}
	asking := now.DeepCopy()
	asking.Namespace, asking.Spec.SharedBy = req.Namespace, list
	e, claims := g.claimsOf(asking)
	asked := make(map[policy.Share]bool)
	for i := range claims {
		named := claims[i].Named(&e)
		if named == nil || named.Given(e.Shares) {
			continue
		}
		for _, owner := range named.Owners {
			if _, known := asked[owner]; known || len(asked) == sharesAsked {
				continue
			}
			// Where it cannot be asked nothing is recorded, and the judge that comes last says so.
			ok, err := g.may(ctx, req.UserInfo, shareAttributes(owner))
			if asked[owner] = err == nil && ok; asked[owner] {
				e.Shares = append(e.Shares, owner)
				list = append(
					list,
					v1alpha1.Share{
						Resource: owner.Resource,
						Name:     owner.Name,
						UID:      types.UID(owner.UID),
						User:     req.UserInfo.Username,
					},
				)
				break
			}
		}
	}
	return list
}

// shared refuses consents that nobody gave: something wrote them after, or beside, the judge that does.
func (g *Guard) shared(
	ctx context.Context,
	a *Answer,
	req *admissionv1.AdmissionRequest,
	old, now *v1alpha1.PortSecurityException,
	asksNew bool,
) error {
	var before *v1alpha1.PortSecurityExceptionSpec
	if old != nil {
		before = &old.Spec
	}
	e, claims := policy.Exception{}, []inventory.Claim(nil)
	for i, s := range now.Spec.SharedBy {
		if before != nil && !asksNew && slices.Contains(before.SharedBy, s) {
			continue
		}
		if claims == nil {
			e, claims = g.claimsOf(now)
		}
		owner := policy.Share{Resource: s.Resource, Name: s.Name, UID: string(s.UID)}
		ok := s.User == req.UserInfo.Username && consents(before, &now.Spec, asksNew) && owned(claims, &e, owner)
		if ok {
			var err error
			if ok, err = g.may(ctx, req.UserInfo, shareAttributes(owner)); err != nil {
				return err
			}
		}
		if !ok {
			a.Deny(
				"spec.sharedBy[%d]: %s has not consented to this in this request; leave the entry out, "+
					"admission writes it",
				i,
				owner,
			)
		}
	}
	return nil
}

// owned reports whether a claim that is named can be settled by the owner's consent.
func owned(claims []inventory.Claim, e *policy.Exception, owner policy.Share) bool {
	return slices.ContainsFunc(claims, func(c inventory.Claim) bool {
		named := c.Named(e)
		return named != nil && slices.Contains(named.Owners, owner)
	})
}

// claimed judges what the exception would grant of others. Whose it is, where that is no matter of its namespace, is
// for the audit log alone. Where an approval is awaited, whoever gives it may be the one who consents.
func (a *Answer) claimed(e *policy.Exception, claims []inventory.Claim, user authenticationv1.UserInfo, awaited bool) {
	for i := range claims {
		c := &claims[i]
		named := c.Named(e)
		switch {
		case named != nil && named.Given(e.Shares):
			a.Warn("spec.grant.pairs[%d] lets these ports send as %s, from %s", c.Pair, c.Whose, c.What)
		case named != nil && awaited:
			a.Warn("%s; the exception has no effect before that", c.Text(e))
		case named != nil:
			rules := make([]string, len(named.Owners))
			for i, o := range named.Owners {
				rules[i] = rule(o.Resource, o.Name, verbShare)
			}
			a.Deny("%s; user %s does not have the verb; an administrator can grant it by a ClusterRole with "+
				"the rule %s",
				c.Text(e), user.Username, strings.Join(rules, " or "))
		default:
			text := c.Text(e)
			a.Deny("%s", admission.Private{Public: text, Whole: text + " (taken by " + c.Whose + ")"})
		}
	}
}

// approvedClaims refuses the approval of an exception that would have no effect by it, for want of a consent.
func (g *Guard) approvedClaims(a *Answer, o *v1alpha1.PortSecurityException, user authenticationv1.UserInfo) error {
	if len(o.Spec.Grant.Pairs) == 0 {
		return nil
	}
	if err := g.known(whoseThisIs, append(inventory.Holding, inventory.Pods)...); err != nil {
		return err
	}
	e, claims := g.claimsOf(o)
	if why := inventory.Unsettled(&e, claims); why != "" {
		a.Deny("spec.approvedBy: neither %s nor the user who asked for the exception may share the addresses "+
			"that it grants: %s", user.Username, why)
	}
	return nil
}

func shareAttributes(owner policy.Share) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Group:    group,
		Version:  "*",
		Resource: owner.Resource,
		Name:     owner.Name,
		Verb:     verbShare,
	}
}

// setShares makes the list of consents of the object what it must be.
func (a *Answer) setShares(is, want []v1alpha1.Share) {
	switch {
	case slices.Equal(is, want):
	case len(want) == 0:
		a.Patch = append(a.Patch, jsonpatch.NewOperation("remove", "/spec/sharedBy", nil))
	default:
		a.Patch = append(a.Patch, jsonpatch.NewOperation("add", "/spec/sharedBy", want))
	}
}
