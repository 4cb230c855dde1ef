package admission

import (
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var externalAddress = &Check{
	ID: "OVGA18", Name: "external-address",
	Summary: "external addresses and routes where policy does not allow them for pods",
}

func (r *review) egress(key string) {
	if d := r.decision(kubeovn.DefaultProvider); !d.ExternalAddresses {
		r.refuse(
			externalAddress,
			d.Mode,
			annotation(key),
			"leave it out, or ask an administrator to allow it by spec.externalAddresses of a policy",
			"%s does not allow pods to take external addresses and routes",
			PolicyTitle(d.Policy),
		)
	}
}
