package governance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// stampAge is up to how old a stamp may be that was written for the same request: the API server may ask again, and
// asks the validating webhook after the mutating one.
const stampAge = time.Minute

// StampException mutates exceptions: it writes who asks for what is asked for and when, takes away an approval of
// something else, and enters the UID of the owner.
func (g *Guard) StampException(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if err := of(req, group, "portsecurityexceptions", nil, admissionv1.Create, admissionv1.Update); err != nil {
		return Answer{}, err
	}
	object, old, err := decode[v1alpha1.PortSecurityException](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	spec := object.Spec.DeepCopy()
	if o := spec.Target.Owner; o != nil && o.UID == "" {
		// Where it cannot be told, the judge that comes last says so.
		if uid, found, err := g.Cluster.OwnerUID(ctx, req.Namespace, *o); err == nil && found {
			o.UID = types.UID(uid)
			a.Patch = append(a.Patch, jsonpatch.NewOperation("add", "/spec/target/owner/uid", uid))
		}
	}
	id, err := requestID(spec)
	if err != nil {
		return Answer{}, err
	}
	who, when, approved := req.UserInfo.Username, metav1.NewTime(g.Now().UTC().Truncate(time.Second)), ""
	switch {
	case old != nil && !asksForNew(&old.Spec, spec):
		who, approved = old.Spec.RequestedBy, spec.ApprovedBy
		when = old.CreationTimestamp
		if old.Spec.RequestedAt != nil {
			when = *old.Spec.RequestedAt
		}
	default:
		if fresh(spec, who, when) {
			when = *spec.RequestedAt
		}
		if spec.ApprovedBy != "" {
			a.Warn("spec.approvedBy was removed: the request changed, so it must be approved again, in a " +
				"separate request")
		}
	}
	a.set("/spec/requestedBy", spec.RequestedBy, who)
	a.set("/spec/approvedBy", spec.ApprovedBy, approved)
	lookedAt := spec.ApprovedRequest
	switch {
	case approved == "":
		lookedAt = ""
	case old != nil && old.Spec.ApprovedBy == approved:
		lookedAt = old.Spec.ApprovedRequest // what was approved may have been narrowed since
	}
	a.set("/spec/approvedRequest", spec.ApprovedRequest, lookedAt)
	a.set("/spec/requestID", spec.RequestID, id)
	stamped := object.DeepCopy()
	stamped.Spec = *spec.DeepCopy()
	stamped.Spec.ApprovedBy = approved
	a.setShares(spec.SharedBy, g.sharers(ctx, req, old, stamped, old == nil || asksForNew(&old.Spec, spec)))
	if spec.RequestedAt == nil || !spec.RequestedAt.Equal(&when) {
		a.Patch = append(a.Patch, jsonpatch.NewOperation("add", "/spec/requestedAt", when.UTC().Format(time.RFC3339)))
	}
	return a, nil
}

// requestID returns a digest of what is asked for, long enough that nobody finds two requests with the same one. It is
// of all that asksForNew compares, and so of narrowed requests as well.
func requestID(spec *v1alpha1.PortSecurityExceptionSpec) (string, error) {
	asked := v1alpha1.PortSecurityExceptionSpec{
		Target:    spec.Target,
		Class:     spec.Class,
		Grant:     spec.Grant,
		Reason:    spec.Reason,
		Owner:     spec.Owner,
		Ticket:    spec.Ticket,
		NotBefore: spec.NotBefore,
		ExpiresAt: spec.ExpiresAt,
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return "", fmt.Errorf("write the request: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

// fresh reports whether the stamp is of this request already.
func fresh(spec *v1alpha1.PortSecurityExceptionSpec, who string, when metav1.Time) bool {
	if spec.RequestedAt == nil || spec.RequestedBy != who {
		return false
	}
	age := when.Sub(spec.RequestedAt.Time)
	return age >= 0 && age < stampAge
}

// set makes a text of the object what it must be.
func (a *Answer) set(path, is, want string) {
	switch {
	case is == want:
	case want == "":
		a.Patch = append(a.Patch, jsonpatch.NewOperation("remove", path, nil))
	default:
		a.Patch = append(a.Patch, jsonpatch.NewOperation("add", path, want))
	}
}

// asksForNew reports whether a request asks for something that was not asked for before. An earlier end, a later
// beginning or fewer pairs take back, and ask for nothing new.
func asksForNew(old, now *v1alpha1.PortSecurityExceptionSpec) bool {
	switch {
	case now.ExpiresAt.After(old.ExpiresAt.Time),
		!equality.Semantic.DeepEqual(old.Target, now.Target),
		old.Class != now.Class, old.Reason != now.Reason, old.Owner != now.Owner, old.Ticket != now.Ticket,
		old.Grant.Layer2Forward != now.Grant.Layer2Forward, old.Grant.Level != now.Grant.Level:
		return true
	}
	if old.NotBefore != nil && (now.NotBefore == nil || now.NotBefore.Before(old.NotBefore)) {
		return true
	}
	return slices.ContainsFunc(
		now.Grant.Pairs,
		func(p v1alpha1.AddressPair) bool { return !slices.Contains(old.Grant.Pairs, p) },
	)
}

// approval judges what is said about the approval of an exception. old is nil where the exception is new.
func (g *Guard) approval(
	ctx context.Context,
	a *Answer,
	req *admissionv1.AdmissionRequest,
	old, now *v1alpha1.PortSecurityException,
) error {
	by := now.Spec.ApprovedBy
	if by == "" || old != nil && old.Spec.ApprovedBy == by && !asksForNew(&old.Spec, &now.Spec) {
		return nil
	}
	user := req.UserInfo.Username
	switch {
	case old == nil || asksForNew(&old.Spec, &now.Spec):
		a.Deny("spec.approvedBy: the request is new or changed; leave the field out, and let another user " +
			"approve it afterwards")
		return nil
	case by != user:
		a.Deny("spec.approvedBy: %q is not your name; you can only give your own, %q", by, user)
		return nil
	case policy.OwnAccount(req.Namespace, user):
		a.Deny(
			"spec.approvedBy: %s is a ServiceAccount of namespace %s; anyone who may create pods there can act "+
				"as this account, so its approval does not count; a person, or an account of another namespace, "+
				"with the verb \"approve\" can approve with: %s",
			user,
			req.Namespace,
			approveCommand(req.Namespace, req.Name),
		)
		return nil
	case by == now.Spec.RequestedBy:
		a.Deny(
			"spec.approvedBy: %s asked for this exception and cannot approve it too; another user with the "+
				"verb \"approve\" can approve with: %s",
			user,
			approveCommand(req.Namespace, req.Name),
		)
		return nil
	}
	ok, err := g.may(ctx, req.UserInfo, approveAttributes(req))
	if err != nil {
		return err
	}
	if !ok {
		a.Deny(
			"spec.approvedBy: user %s needs the verb \"approve\" on portsecurityexceptions.%s in namespace %s; "+
				"an administrator can grant it by a Role with the rule %s",
			user,
			group,
			req.Namespace,
			rule("portsecurityexceptions", "", "approve"),
		)
		return nil
	}
	id, err := requestID(&now.Spec)
	switch {
	case err != nil:
		return err
	case now.Spec.ApprovedRequest == "":
		a.Deny(
			"spec.approvedRequest: is missing; give the spec.requestID of the version that you read, so that a "+
				"later change is not approved by mistake: %s",
			approveCommand(req.Namespace, req.Name),
		)
		return nil
	case now.Spec.ApprovedRequest != id:
		a.Deny(
			"spec.approvedRequest: %q is not the current request; read it again (kubectl -n %s get "+
				"portsecurityexception %s -o yaml), and give its spec.requestID",
			now.Spec.ApprovedRequest,
			req.Namespace,
			req.Name,
		)
		return nil
	}
	a.Note("approved", fmt.Sprintf("%s, asked for by %s", user, now.Spec.RequestedBy))
	return nil
}
