package admission

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var portSecurityOff = &Check{
	ID: "OVGA08", Name: "port-security-off",
	Summary: "a port_security value that gives a NIC less protection than decided; on a new pod the decided value " +
		"replaces it, with a warning",
}

var layer2Forward = &Check{
	ID: "OVGA09", Name: "layer2-forward",
	Summary: "layer-2 forwarding where it is forbidden; from a new pod it is removed, with a warning",
}

// protected checks that every NIC has the annotation that its level needs, but those that were there before: another
// webhook may have taken it away again.
func (r *review) protected(before []kubeovn.NIC) {
	for _, nic := range r.NICs {
		key := nic.Provider.Key(kubeovn.PortSecurity)
		if r.modeOfNIC(nic.Provider) != policy.Enforce || r.Metadata.Annotations[key] != "" ||
			slices.Contains(before, nic) {
			continue // what is there has been looked at; where nothing is enforced, the mutating webhook has said it
		}
		r.level(key, "")
	}
}

// level checks that Kube-OVN reads what was decided.
func (r *review) level(key, value string) {
	d := r.decision(kubeovn.ProviderOf(key))
	if kubeovn.BaseSuffix(key) == kubeovn.Layer2Forward {
		if value == kubeovn.True && d.Forwarding == policy.Forbid {
			r.refuse(
				layer2Forward,
				d.Mode,
				annotation(key),
				r.exceptionOr("layer2Forward: Allow"),
				"the %s forbids layer-2 forwarding",
				d.ForwardingFrom.Phrase(),
			)
		}
		return
	}
	if value != kubeovn.True && d.Value() == kubeovn.True {
		r.refuse(
			portSecurityOff,
			d.Mode,
			annotation(key),
			`write "true"; `+r.exceptionOr("addresses besides the pod's own"),
			"%q would leave the NIC without protection, and the %s asks for %s",
			value,
			d.LevelFrom.Phrase(),
			d.Level,
		)
	}
}

// checkOfLevel returns the check of one of the two keys that say how much a port may do.
func checkOfLevel(key string) *Check {
	if kubeovn.BaseSuffix(key) == kubeovn.Layer2Forward {
		return layer2Forward
	}
	return portSecurityOff
}
