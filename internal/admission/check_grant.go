package admission

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var grantedAddress = &Check{
	ID: "OVGA10", Name: "granted-address",
	Summary: "addresses to send from besides its own (port_vips, aaps) that nobody grants the pod",
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
			"namespace %s could not be read, so that nothing is granted in it: %v",
			ns,
			r.Namespace.Err,
		)
		return
	}
	if r.blind(mode, annotation(key), inventory.Vips, inventory.Subnets, inventory.Policies, inventory.Exceptions) {
		return
	}
	makeVip := fmt.Sprintf(
		"make a Vip whose spec.namespace is %s and whose spec.subnet is the NIC's (kubectl create, kind Vip of "+
			"kubeovn.io/v1)",
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
