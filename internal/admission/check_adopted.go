package admission

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var adoption = &Check{
	ID: "OVGA24", Name: "adoption", Always: true,
	Summary: "an owner that did not create the pod, while an exception exists, or may exist, for the pods of " +
		"that owner",
}

var decisionForgotten = &Check{
	ID: "OVGA25", Name: "decision-forgotten", Always: true,
	Summary: "a change that removes the record of the decision for a NIC",
}

// adopted refuses a change that makes the pod one of an owner that an exception names. The exception need not be in
// effect now: it may begin, be approved or be extended later, and a controller adopts pods that it did not make. Like a
// forged owner, this would have an effect once the policy enforces, so it is refused in every mode.
func (r *review) adopted(was *review) {
	owner := r.Metadata.controller()
	before := was.Metadata.controller()
	naming := []inventory.Kind{inventory.Exceptions, inventory.NATGateways, inventory.EgressGateways}
	if owner != nil && (before == nil || *before != *owner) &&
		r.blind(policy.Enforce, "metadata.ownerReferences", naming...) {
		return
	}
	unknown := r.adoptedBeforeKnown(owner, was)
	if r.becomesGateway(owner, was, unknown) {
		return
	}
	exceptions := r.Inventory.Exceptions(r.Namespace.Name)
	for i := range exceptions {
		e := &exceptions[i]
		if e.Owner == nil {
			continue
		}
		if unknown {
			r.refuse(
				adoption,
				policy.Enforce,
				"metadata.ownerReferences",
				"try again",
				"%s %s is not known to ovnguard yet, and PortSecurityException %s may be for its pods",
				owner.Kind,
				owner.Name,
				e.Name,
			)
			return
		}
		nic := slices.IndexFunc(r.NICs, func(nic kubeovn.NIC) bool { return e.Providers.Pick(nic.Provider) })
		if nic < 0 || !e.TargetsAny(r.query.Pod) || e.TargetsAny(was.query.Pod) {
			continue
		}
		field := "metadata.ownerReferences"
		if slices.Equal(was.Metadata.Owners, r.Metadata.Owners) {
			field = "metadata.labels"
		}
		r.refuse(
			adoption,
			policy.Enforce,
			field,
			"let the controller of the owner create the pod again",
			"PortSecurityException %s would apply to NIC %s, but %s %s did not create the pod",
			e.Name,
			r.NICs[nic].Provider,
			e.Owner.Kind,
			e.Owner.Name,
		)
		return
	}
}

// becomesGateway refuses a change that makes the pod one of a Kube-OVN gateway that did not make it. Repair leaves
// gateways alone that ran before they had an exception, so a pod that was open before must not become one.
func (r *review) becomesGateway(owner *policy.Owner, was *review, unknown bool) bool {
	const field = "metadata.ownerReferences"
	switch {
	case unknown && r.Inventory.GatewayIn(r.Namespace.Name):
		r.refuse(
			adoption,
			policy.Enforce,
			field,
			"try again",
			"%s %s is not known to ovnguard yet, and may belong to a gateway of Kube-OVN",
			owner.Kind,
			owner.Name,
		)
		return true
	case ofGateway(r.query.Pod) && !ofGateway(was.query.Pod):
		r.refuse(
			adoption,
			policy.Enforce,
			field,
			"let Kube-OVN create the pods of its gateways",
			"the pod would count as a pod of a Kube-OVN gateway, but Kube-OVN did not create it for the gateway",
		)
		return true
	}
	return false
}

// ofGateway reports whether the pod is proved to be a gateway's.
func ofGateway(p policy.Pod) bool {
	return p.Gateway != "" ||
		slices.ContainsFunc(p.Owners, func(o policy.Owner) bool { return kubeovn.IsGateway(o.APIVersion, o.Kind) })
}

// adoptedBeforeKnown reports whether the pod gets a controlling owner that the inventory does not know yet, so that the
// owner of that owner is not known either. ReplicationControllers are owned by nothing, and not followed.
func (r *review) adoptedBeforeKnown(owner *policy.Owner, was *review) bool {
	if owner == nil || len(r.Inventory.Owners(owner)) > 0 {
		return false
	}
	before := was.Metadata.controller()
	_, known := controllerOf(*owner)
	return known && owner.Kind != "ReplicationController" && (before == nil || *before != *owner)
}

// forgetsDecision refuses a change that removes the record of a decision for a NIC, except where the request takes back
// that decision of repair. Repair leaves gateways alone that were open before ovnguard decided anything, and the pod
// may later become one of a gateway.
func (r *review) forgetsDecision(before, after *ParsedPod, was *review) {
	if r.Accounts.isKubeOVN(r.User) {
		return
	}
	for _, nic := range was.NICs {
		_, had := before.Record[nic.Provider]
		if _, has := after.Record[nic.Provider]; had && !has && !r.Undo.takes(nic.Provider) {
			r.refuse(
				decisionForgotten,
				policy.Enforce,
				annotation(policy.RecordAnnotation),
				"leave it as it is",
				"it is the record of the decision for NIC %s, and repair needs it to see that the port is not "+
					"older than ovnguard",
				nic.Provider,
			)
			return
		}
	}
}
