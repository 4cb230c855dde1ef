package admission

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var forgedOwner = &Check{
	ID: "OVGA20", Name: "forged-owner", Always: true,
	Summary: "an owner, although the controller of that owner did not create the pod",
}

// owners refuses what passes for another's workload, except for the owners that were there before. It does so whatever
// the mode: an owner stays with the pod, and would bring it what is granted to that owner once the policy enforces.
func (r *review) owners(before []OwnerReference) {
	known := make(map[OwnerReference]bool, len(before))
	for _, o := range before {
		known[o] = true
	}
	for _, o := range r.Metadata.Owners {
		if known[o] {
			continue
		}
		known[o] = true
		owner := policy.Owner{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: o.UID}
		account, ofKubernetes := controllerOf(owner)
		switch {
		case r.Accounts.made(owner, r.User):
		case kubeovn.OwnsLauncher(o.APIVersion, o.Kind):
			r.refuse(
				forgedOwner,
				policy.Enforce,
				"metadata.ownerReferences",
				"leave the owner out; KubeVirt creates the pods of its machines itself",
				"a pod of VirtualMachineInstance %s gets the port of that machine, so only the accounts of "+
					"KubeVirt may create one",
				o.Name,
			)
		case ofKubernetes && (o.Controller || o.Kind == "StatefulSet"):
			r.refuse(
				forgedOwner,
				policy.Enforce,
				"metadata.ownerReferences",
				fmt.Sprintf("leave the owner out; the %s creates the pods of a %s itself", account, o.Kind),
				"a pod of %s %s gets the grants of that %s, or its port, so only the account of its controller "+
					"may create one",
				o.Kind,
				o.Name,
				o.Kind,
			)
		}
	}
}
