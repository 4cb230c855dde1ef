package admission

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var grantedAddress = &Check{
	ID: "OVGA10", Name: "granted-address",
	Summary: "addresses besides the pod's own to send from (port_vips, aaps), without a grant",
}

// grant checks addresses that the pod would like to share.
func (r *review) grant(k *Key) {
	key, ns, mode := k.Name, r.Namespace.Name, r.modeOfKey(k)
	if r.Namespace.Err != nil {
		r.refuse(
			grantedAddress,
			mode,
			annotation(key),
			"try again",
			"namespace %s could not be read, so nothing is granted there: %v",
			ns,
			r.Namespace.Err,
		)
		return
	}
	if r.blind(mode, annotation(key), inventory.Vips, inventory.Subnets, inventory.Policies, inventory.Exceptions) {
		return
	}
	makeVip := fmt.Sprintf(
		"create a Vip with spec.namespace %s and, as spec.subnet, the subnet of the NIC (kubectl create, "+
			"kind Vip of kubeovn.io/v1)",
		ns,
	)
	if k.Suffix == kubeovn.VIP {
		r.vip(k, makeVip)
		return
	}
	missing := makeVip + ", or " + r.exceptionOr("the address")
	for _, s := range r.decision(k.Provider).Steps {
		if s.Key != key || s.Outcome != policy.Refused && s.Outcome != policy.Invalid {
			continue
		}
		fix := missing
		if s.Outcome == policy.Invalid {
			fix = "write addresses with commas and no blanks between them"
		}
		r.refuse(grantedAddress, mode, annotation(key), fix, "%q: %s", s.Value, s.Detail)
	}
}
