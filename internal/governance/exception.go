package governance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Exception judges exceptions, last: whether policy could ever let it count, whether what is granted is nobody else's, and
// whether it says truly who asked and who approved.
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
	anew := old == nil || asksAnew(&old.Spec, &object.Spec)
	g.stamped(&a, req, old, object, anew)
	if err := g.approval(ctx, &a, req, old, object); err != nil {
		return Answer{}, err
	}
	if anew {
		if err := g.grantable(ctx, &a, object); err != nil {
			return Answer{}, err
		}
	}
	g.decidedOn(&a, object)
	return a, nil
}

// stamped refuses stamps that are not those of the request: something changed them after they were written.
func (g *Guard) stamped(a *Answer, req *admissionv1.AdmissionRequest, old, now *v1alpha1.PortSecurityException, anew bool) {
	who := req.UserInfo.Username
	if !anew {
		who = old.Spec.RequestedBy
	}
	if now.Spec.RequestedBy != who {
		a.deny("spec.requestedBy: %q is not who asked for this, %q is; leave it out, it is written by admission", now.Spec.RequestedBy, who)
	}
	if id, err := requestID(&now.Spec); err != nil || now.Spec.RequestID != id {
		a.deny("spec.requestID: %q is not that of what is asked for; leave it out, it is written by admission", now.Spec.RequestID)
	}
	switch at := now.Spec.RequestedAt; {
	case at == nil:
		a.deny("spec.requestedAt: is written by admission, and is missing; is the mutating webhook of ovnguard registered?")
	case anew && g.Now().Sub(at.Time).Abs() > stampAge:
		a.deny("spec.requestedAt: %s is not the time of this request; leave it out, it is written by admission", at.UTC().Format(time.RFC3339))
	case !anew && old.Spec.RequestedAt != nil && !at.Equal(old.Spec.RequestedAt):
		a.deny("spec.requestedAt: %s is not when this was asked for; leave it out, it is written by admission", at.UTC().Format(time.RFC3339))
	}
}

// grantable judges what is asked for.
func (g *Guard) grantable(ctx context.Context, a *Answer, o *v1alpha1.PortSecurityException) error {
	e := kube.ExceptionOf(o)
	if why := e.Err; why != nil {
		a.deny("%v", why)
		return nil
	}
	if e.Contradiction != "" {
		a.deny("%s", e.Contradiction)
		return nil
	}
	for _, doubt := range e.Doubts() {
		a.warn("%s", doubt)
	}
	if !e.Expires.After(g.Now()) {
		a.deny("spec.expiresAt: %s is past; give a time that is to come", e.Expires.UTC().Format(time.RFC3339))
	}
	if err := g.owner(ctx, a, o); err != nil {
		return err
	}
	policies, err := g.Cluster.Policies(ctx)
	if err != nil {
		return fmt.Errorf("the policies could not be read, so that no exception is accepted; try again: %w", err)
	}
	ns := g.Cluster.Namespace(ctx, o.Namespace)
	if ns.Err != nil {
		return fmt.Errorf("namespace %s could not be read, so that no exception is accepted in it; try again: %w", o.Namespace, ns.Err)
	}
	a.admissible(&e, policy.Governing(policies, ns, e.Providers))
	if len(a.Denials) > 0 {
		return nil
	}
	if len(e.Pairs) > 0 {
		if err := g.known(whoseThisIs, append(inventory.Holding, inventory.Pods)...); err != nil {
			return err
		}
	}
	g.Look(func(inv *inventory.Inventory) { a.overlaps(inv, &e, o) })
	return nil
}

// admissible refuses an exception that none of the policies in question could let count, and tells of those that do not where
// others do.
func (a *Answer) admissible(e *policy.Exception, governing []policy.Policy) {
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
		a.Denials = append(a.Denials, refused...)
	case len(refused) > 0:
		a.warn("this exception has no effect on some of its NICs: %s", strings.Join(refused, "; "))
	}
	if len(unrepaired) > 0 {
		a.warn("policy %s does not say repair: repair, so that nothing reaches a running port when this begins, and nothing is taken from it when it ends: the audit reports it", strings.Join(unrepaired, ", "))
	}
	if len(approvers) > 0 && e.ApprovedBy == "" {
		a.warn("policy %s wants it approved by somebody else before it has effect: %s", strings.Join(approvers, ", "), approveCommand(e.Namespace, e.Name))
	}
}

// remedy says what in an exception to change so that the policy lets it count, and who could change the policy by which command.
func remedy(e *policy.Exception, p *policy.Policy, reason policy.Reason) string {
	limit := func(field, change, key string, value any) string {
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"limits": map[string]any{key: value}}})
		if err != nil {
			return field + ": " + change
		}
		return fmt.Sprintf("%s: %s, or an administrator can run: kubectl patch portsecuritypolicy %s --type=merge -p '%s'", field, change, p.Name, patch)
	}
	switch reason {
	case policy.NamespaceNotNamed:
		return nameCommand(p, e.Namespace)
	case policy.TooManyPairs:
		return limit("spec.grant.pairs", "ask for fewer, or in several exceptions", "maxPairs", len(e.Pairs))
	case policy.PrefixTooWide:
		return widen(e, p, limit)
	case policy.LevelTooLoose:
		return limit("spec.grant.level", "ask for pairs instead", "maxLevel", e.Level.String())
	case policy.OwnerNotNamed:
		return limit("spec.target.owner", "name the object that makes the pods, and its uid is entered", "requireOwner", false)
	case policy.LifetimeTooLong:
		return limit("spec.expiresAt", "give an earlier time, and a later one when that is near", "maxLifetime", (e.Expires.Sub(e.Asked) + time.Hour - 1).Truncate(time.Hour).String())
	case policy.TicketMissing:
		return "spec.ticket: name one, or an administrator can change spec.exceptions.ticketPattern: kubectl edit portsecuritypolicy " + p.Name
	case policy.InEffect, policy.Unreadable, policy.Contradictory, policy.NotApproved, policy.NotYet, policy.Expired: // they name their fields, or are no matter of a limit
	}
	return ""
}

// widen is the remedy for a prefix that is too wide. One of length 0 no policy can grant.
func widen(e *policy.Exception, p *policy.Policy, limit func(field, change, key string, value any) string) string {
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
		return field + ": " + narrower + "; no policy grants all addresses as a pair, and level: mac is what means that"
	case bits6 == 129:
		return limit(field, narrower, "minPrefixLengthIPv4", bits4)
	case bits4 == 33:
		return limit(field, narrower, "minPrefixLengthIPv6", bits6)
	}
	return field + ": " + narrower + ", or an administrator can change spec.limits: kubectl edit portsecuritypolicy " + p.Name
}

// nameCommand gives what would let a policy honour exceptions of the namespace.
func nameCommand(p *policy.Policy, namespace string) string {
	if p.Name == "" {
		return fmt.Sprintf("an administrator can create a PortSecurityPolicy for the namespace with spec.exceptions.namespaces: [%s]", namespace)
	}
	names := append(slices.Clone(p.ExceptionsIn), namespace)
	return fmt.Sprintf(`an administrator can run: kubectl patch portsecuritypolicy %s --type=merge -p '{"spec":{"exceptions":{"namespaces":["%s"]}}}'`,
		p.Name, strings.Join(names, `","`))
}

// ownerKinds are the kinds of objects whose pods can be told, by API group and kind.
var ownerKinds = map[string]string{
	"Deployment": "apps", "ReplicaSet": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "Job": "batch", "CronJob": "batch",
	"VirtualMachine": "kubevirt.io", "VirtualMachineInstance": "kubevirt.io",
}

// owner judges the owner that an exception names: it must exist, with this very identity.
func (g *Guard) owner(ctx context.Context, a *Answer, o *v1alpha1.PortSecurityException) error {
	w := o.Spec.Target.Owner
	if w == nil {
		return nil
	}
	if apiGroup, _, _ := strings.Cut(w.APIVersion, "/"); ownerKinds[w.Kind] != apiGroup || apiGroup == "" {
		a.deny("spec.target.owner: %s of %s is none of Deployment, ReplicaSet, StatefulSet and DaemonSet (apps/v1), Job and CronJob (batch/v1), "+
			"VirtualMachine and VirtualMachineInstance (kubevirt.io/v1)", w.Kind, w.APIVersion)
		return nil
	}
	uid, found, err := g.Cluster.OwnerUID(ctx, o.Namespace, *w)
	switch {
	case err != nil:
		return fmt.Errorf("spec.target.owner: %s %s/%s could not be read, so that no exception is accepted for it; try again: %w", w.Kind, o.Namespace, w.Name, err)
	case !found:
		a.deny("spec.target.owner: namespace %s has no %s %q; create it first, so that the exception is for this very object", o.Namespace, w.Kind, w.Name)
	case string(w.UID) != uid:
		a.deny("spec.target.owner.uid: %s %s/%s has the uid %s, not %q; leave it out to have it entered", w.Kind, o.Namespace, w.Name, uid, w.UID)
	}
	return nil
}

// overlaps refuses pairs with addresses that are somebody else's, unless the pair names them.
func (a *Answer) overlaps(inv *inventory.Inventory, e *policy.Exception, o *v1alpha1.PortSecurityException) {
	own := inv.Targets(e)
	for i, pair := range e.Pairs {
		shared := o.Spec.Grant.Pairs[i].SharedWith
		var others []string
		for _, held := range inv.HoldersIn(pair.Prefix) {
			switch h := held.Holder; {
			case h.Kind == inventory.HeldByPort && slices.Contains(own, h.Name):
			case h.Kind == inventory.HeldByVip && ofNamespace(inv, h.Name, e.Namespace), h.OfService(e.Namespace):
			case h.Name == shared:
				a.warn("spec.grant.pairs[%d] lets these ports speak for %s; whoever approves it should have asked its owner", i, h)
			default:
				others = append(others, fmt.Sprintf("%s is that of %s", held.Address, h))
			}
		}
		for _, subnet := range inv.NodesAt(pair.Prefix) {
			if subnet == shared {
				a.warn("spec.grant.pairs[%d] lets these ports speak for the nodes, by addresses of subnet %s", i, subnet)
				continue
			}
			others = append(others, fmt.Sprintf("some are of subnet %s, which is the nodes' own", subnet))
		}
		if n := len(others); n > 0 {
			const most = 3
			if n > most {
				others = append(others[:most], fmt.Sprintf("and %d more", n-most))
			}
			a.deny("spec.grant.pairs[%d].prefix: %s holds addresses of others: %s; narrow it, or name the owner in sharedWith where that is meant",
				i, pair.Prefix, strings.Join(others, ", "))
		}
		if text := o.Spec.Grant.Pairs[i].MAC; text != "" {
			for _, h := range inv.MACHolders(text) {
				switch {
				case h.Kind == inventory.HeldByPort && slices.Contains(own, h.Name):
				case h.Kind == inventory.HeldByVip && ofNamespace(inv, h.Name, e.Namespace):
				case h.Name == shared:
					a.warn("spec.grant.pairs[%d] lets these ports pose as %s, whose MAC is %s; whoever approves it should have asked its owner", i, h, text)
				default:
					a.deny("spec.grant.pairs[%d].mac: %s is that of %s; name it in sharedWith where that is meant", i, text, h)
				}
			}
		}
	}
}

func ofNamespace(inv *inventory.Inventory, vip, namespace string) bool {
	v, ok := inv.Vip(vip)
	return ok && v.Namespace == namespace
}

func approveAttributes(req *admissionv1.AdmissionRequest) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Group: group, Version: v1alpha1.GroupVersion.Version, Resource: "portsecurityexceptions", Namespace: req.Namespace, Name: req.Name, Verb: "approve",
	}
}

func approveCommand(namespace, name string) string {
	return fmt.Sprintf(`kubectl -n %s patch portsecurityexception %s --type=merge -p '{"spec":{"approvedBy":"THEIR-NAME","approvedRequest":"THE-REQUESTID-THEY-LOOKED-AT"}}'`, namespace, name)
}
