package admission

import (
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var securityGroup = &Check{
	ID: "OVGA19", Name: "security-group",
	Summary: "security groups for a port that may send from more than its own addresses",
}

// groups refuses security groups for a port to which an exception grants more than its identity: the group's address
// sets are computed from port_security, and every rule that refers to the group would grow by what was granted, or lose
// the port where its entry has no address. The Vips of a namespace are meant to be in them.
func (r *review) groups(key string) {
	d := r.decision(kubeovn.ProviderOf(key))
	if d.Level == policy.MAC || d.Level == policy.Extended && len(d.Exceptions) > 0 {
		r.refuse(
			securityGroup,
			d.Mode,
			annotation(key),
			"use a NetworkPolicy instead, or run the part of the workload that needs the exception in another "+
				"pod",
			"the port may send from more than its own addresses (%s), and Kube-OVN would put these into the "+
				"address sets of its security groups; rules that refer to the groups would then let them pass",
			d.Level,
		)
	}
}
