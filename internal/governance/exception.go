package governance

import (
	"context"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Exception judges exceptions, last: whether policy could ever let it count, whether what is granted is nobody else's,
// and whether it says truly who asked and who approved.
func (g *Guard) Exception(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if err := of(req, group, "portsecurityexceptions", nil, admissionv1.Create, admissionv1.Update); err != nil {
		return Answer{}, err
	}
	object, old, err := decode[v1alpha1.PortSecurityException](req)
	if err != nil {
		return Answer{}, err
	}
	object.Namespace = req.Namespace
	var a Answer
	asksNew := old == nil || asksForNew(&old.Spec, &object.Spec)
	g.stamped(&a, req, old, object, asksNew)
	if err := g.approval(ctx, &a, req, old, object); err != nil {
		return Answer{}, err
	}
	if err := g.shared(ctx, &a, req, old, object, asksNew); err != nil {
		return Answer{}, err
	}
	if old != nil && !asksNew && consents(&old.Spec, &object.Spec, asksNew) && len(a.Denials()) == 0 {
		if err := g.approvedClaims(&a, object, req.UserInfo); err != nil {
			return Answer{}, err
		}
	}
	if asksNew {
		if err := g.grantable(ctx, &a, req.UserInfo, object); err != nil {
			return Answer{}, err
		}
	}
	g.decidedOn(&a, object)
	return a, nil
}

// stamped refuses stamps that are not those of the request: something changed them after they were written.
func (g *Guard) stamped(
	a *Answer,
	req *admissionv1.AdmissionRequest,
	old, now *v1alpha1.PortSecurityException,
	asksNew bool,
) {
	who := req.UserInfo.Username
	if !asksNew {
		who = old.Spec.RequestedBy
	}
	if now.Spec.RequestedBy != who {
		a.Deny(
			"spec.requestedBy: %q did not make this request, %q did; leave the field out, admission writes it",
			now.Spec.RequestedBy,
			who,
		)
	}
	if id, err := requestID(&now.Spec); err != nil || now.Spec.RequestID != id {
		a.Deny(
			"spec.requestID: %q does not match the request; leave the field out, admission writes it",
			now.Spec.RequestID,
		)
	}
	switch at := now.Spec.RequestedAt; {
	case at == nil:
		a.Deny(
			"spec.requestedAt: is missing, although admission writes it; check that the mutating webhook of " +
				"ovnguard is registered",
		)
	case asksNew && g.Now().Sub(at.Time).Abs() > stampAge:
		a.Deny(
			"spec.requestedAt: %s is not the time of this request; leave the field out, admission writes it",
			at.UTC().Format(time.RFC3339),
		)
	case !asksNew && old.Spec.RequestedAt != nil && !at.Equal(old.Spec.RequestedAt):
		a.Deny(
			"spec.requestedAt: %s is not the time of the request; leave the field out, admission writes it",
			at.UTC().Format(time.RFC3339),
		)
	}
}

// grantable judges what is asked for.
func (g *Guard) grantable(
	ctx context.Context,
	a *Answer,
	user authenticationv1.UserInfo,
	o *v1alpha1.PortSecurityException,
) error {
	e := kube.ExceptionOf(o)
	if why := e.Err; why != nil {
		a.Deny("%v", why)
		return nil
	}
	if e.Contradiction != "" {
		a.Deny("%s", e.Contradiction)
		return nil
	}
	for _, doubt := range e.Doubts() {
		a.Warn("%s", doubt)
	}
	if !e.Expires.After(g.Now()) {
		a.Deny("spec.expiresAt: %s is past; give a time in the future", e.Expires.UTC().Format(time.RFC3339))
	}
	if err := g.owner(ctx, a, o); err != nil {
		return err
	}
	policies, err := g.Cluster.Policies(ctx)
	if err != nil {
		return fmt.Errorf("the policies could not be read, so no exception is accepted; try again: %w", err)
	}
	ns := g.Cluster.Namespace(ctx, o.Namespace)
	if ns.Err != nil {
		return fmt.Errorf(
			"namespace %s could not be read, so no exception is accepted there; try again: %w",
			o.Namespace,
			ns.Err,
		)
	}
	awaited := a.admissible(&e, policy.Governing(policies, ns, e.Providers))
	if len(a.Denials()) > 0 {
		return nil
	}
	if len(e.Pairs) > 0 {
		if err := g.known(whoseThisIs, append(inventory.Holding, inventory.Pods)...); err != nil {
			return err
		}
	}
	g.Look(func(inv *inventory.State) {
		if listed := inv.Listed(&e, g.Now()); listed > inventory.ExceptionsLimit {
			a.Deny(
				"spec.grant.pairs: with this exception, the exceptions of namespace %s that have not ended "+
					"list %d address pairs (one without pairs counts as one), and the limit is %d; delete unused "+
					"exceptions (condition Used is False), or ask for wider prefixes in place of many pairs",
				e.Namespace,
				listed,
				inventory.ExceptionsLimit,
			)
			return
		}
		a.claimed(&e, inv.Claims(&e), user, awaited)
		a.advertisements(inv, &e)
	})
	return nil
}

// admissible refuses an exception that none of the policies in question could let count, and tells of those that do not
// where others do. It reports whether one that would let it count waits for an approval.
func (a *Answer) admissible(e *policy.Exception, governing []policy.Policy) (awaited bool) {
	var refused, approvers, unrepaired []string
	var counts bool
	for i := range governing {
		p := &governing[i]
		reason, why := e.Admissible(p)
		if reason == policy.InEffect {
			counts = true
			if p.Approval {
				approvers = append(approvers, p.Name)
			}
			if p.Repair != policy.RepairOn {
				unrepaired = append(unrepaired, p.Name)
			}
			continue
		}
		if fix := remedy(e, p, reason); fix != "" {
			why += "; " + fix
		}
		refused = append(refused, why)
	}
	switch {
	case !counts:
		for _, why := range refused {
			a.Deny("%s", why)
		}
	case len(refused) > 0:
		a.Warn("this exception has no effect on some of its NICs: %s", strings.Join(refused, "; "))
	}
	if len(unrepaired) > 0 {
		a.Warn(
			"policy %s does not have repair: repair, so running ports do not change when this exception begins "+
				"or ends; the audit reports them",
			strings.Join(unrepaired, ", "),
		)
	}
	if len(approvers) > 0 && e.ApprovedBy == "" {
		a.Warn(
			"policy %s requires that another user approves it before it has an effect: %s",
			strings.Join(approvers, ", "),
			approveCommand(e.Namespace, e.Name),
		)
	}
	return len(approvers) > 0 && e.ApprovedBy == ""
}

// remedy says what in an exception to change so that the policy lets it count, and which field of the policy is in the
// way. It gives no command for that: whoever writes exceptions need not be who decides policy.
func remedy(e *policy.Exception, p *policy.Policy, reason policy.Reason) string {
	limit := func(field, change, setBy string) string {
		if p.Name == "" {
			return fmt.Sprintf("%s: %s", field, change)
		}
		return fmt.Sprintf(
			"%s: %s; the limit is %s of PortSecurityPolicy %s, and an administrator can change it",
			field,
			change,
			setBy,
			p.Name,
		)
	}
	switch reason {
	case policy.NamespaceNotNamed:
		return "ask an administrator to add the namespace; exceptions have an effect only in the namespaces " +
			"listed there"
	case policy.TooManyPairs:
		return limit(
			"spec.grant.pairs",
			"ask for fewer pairs, or split them into several exceptions",
			"spec.limits.maxPairs",
		)
	case policy.PrefixTooWide:
		return widen(e, limit)
	case policy.LevelTooLoose:
		return limit("spec.grant.level", "ask for pairs instead", "spec.limits.maxLevel")
	case policy.OwnerNotNamed:
		return limit(
			"spec.target.owner",
			"name the object that creates the pods; admission fills in its uid",
			"spec.limits.requireOwner",
		)
	case policy.LifetimeTooLong:
		return limit(
			"spec.expiresAt",
			"give an earlier time, and extend it later",
			"spec.limits.maxLifetime",
		)
	case policy.TicketMissing:
		return limit("spec.ticket", "name one", "spec.exceptions.ticketPattern")
	case policy.InEffect, policy.Unreadable, policy.Contradictory, policy.NotApproved, policy.NotShared,
		policy.TooManyExceptions, policy.NotYet, policy.Expired: // they name their fields, or are no matter of a limit
	}
	return ""
}

// widen is the remedy for a prefix that is too wide. One of length 0 no policy can grant.
func widen(e *policy.Exception, limit func(field, change, setBy string) string) string {
	bits4, bits6 := 33, 129
	for _, pair := range e.Pairs {
		if pair.Prefix.Addr().Is4() {
			bits4 = min(bits4, pair.Prefix.Bits())
		} else {
			bits6 = min(bits6, pair.Prefix.Bits())
		}
	}
	const field, narrower = "spec.grant.pairs", "ask for narrower prefixes"
	switch {
	case bits4 < 1 || bits6 < 1:
		return field + ": " + narrower + "; no policy grants a pair with all addresses; to send from any " +
			"address with its own MAC, ask for level: mac"
	case bits6 == 129:
		return limit(field, narrower, "spec.limits.minPrefixLengthIPv4")
	case bits4 == 33:
		return limit(field, narrower, "spec.limits.minPrefixLengthIPv6")
	}
	return limit(field, narrower, "spec.limits")
}

// ownerKinds are the kinds of owners that ovnguard can follow to their pods, by API group and kind.
var ownerKinds = map[string]string{
	"Deployment":              "apps",
	"ReplicaSet":              "apps",
	"StatefulSet":             "apps",
	"DaemonSet":               "apps",
	"Job":                     "batch",
	"CronJob":                 "batch",
	"VirtualMachine":          "kubevirt.io",
	"VirtualMachineInstance":  "kubevirt.io",
	kubeovn.KindNATGateway:    kubeovn.Group,
	kubeovn.KindEgressGateway: kubeovn.Group,
}

// owner judges the owner that an exception names: it must exist, with this very identity.
func (g *Guard) owner(ctx context.Context, a *Answer, o *v1alpha1.PortSecurityException) error {
	w := o.Spec.Target.Owner
	if w == nil {
		return nil
	}
	if apiGroup, _, _ := strings.Cut(w.APIVersion, "/"); ownerKinds[w.Kind] != apiGroup || apiGroup == "" {
		a.Deny(
			"spec.target.owner: %s of %s is not one of Deployment, ReplicaSet, StatefulSet and DaemonSet "+
				"(apps/v1), Job and CronJob (batch/v1), VirtualMachine and VirtualMachineInstance "+
				"(kubevirt.io/v1), VpcNatGateway and VpcEgressGateway (kubeovn.io/v1)",
			w.Kind,
			w.APIVersion,
		)
		return nil
	}
	uid, found, err := g.Cluster.OwnerUID(ctx, o.Namespace, *w)
	switch {
	case err != nil:
		return fmt.Errorf(
			"spec.target.owner: %s %s/%s could not be read, so no exception is accepted for it; try again: %w",
			w.Kind,
			o.Namespace,
			w.Name,
			err,
		)
	case !found:
		a.Deny(
			"spec.target.owner: namespace %s has no %s %q; create it first, because the exception is for one "+
				"object with its uid",
			o.Namespace,
			w.Kind,
			w.Name,
		)
	case string(w.UID) != uid:
		a.Deny(
			"spec.target.owner.uid: %s %s/%s has another uid than %q; leave the field out, admission fills it "+
				"in",
			w.Kind,
			o.Namespace,
			w.Name,
			w.UID,
		)
	}
	return nil
}

func approveAttributes(req *admissionv1.AdmissionRequest) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Group:     group,
		Version:   v1alpha1.GroupVersion.Version,
		Resource:  "portsecurityexceptions",
		Namespace: req.Namespace,
		Name:      req.Name,
		Verb:      "approve",
	}
}

func approveCommand(namespace, name string) string {
	return fmt.Sprintf(
		`kubectl -n %s patch portsecurityexception %s --type=merge -p '{"spec":{"approvedBy":"THEIR-NAME","approvedRequest":"THE-REQUESTID-THEY-LOOKED-AT"}}'`,
		namespace,
		name,
	)
}
