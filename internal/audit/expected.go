package audit

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Expected is what the row of a pod's port must hold.
type Expected struct {
	// PortSecurity is the column that means what was decided in every era; nil where nothing is asked of it, since the port may
	// send from anything.
	PortSecurity []string
	// Addresses is the column as it must be; nil where it is right, or where what it holds is up to the pod.
	Addresses []string
}

// ExpectedOf gives what the row of a pod's port must hold. The port must have a pod and a row. The error says why that is not
// known: Kube-OVN's record of the port's identity cannot be read, or is not there yet, or what was granted cannot be written.
func ExpectedOf(p inventory.Port) (Expected, error) {
	expected := Expected{Addresses: expectedAddresses(p)}
	if p.Decision.Level == policy.Open {
		return expected, nil
	}
	identity, _, err := identityOf(&p)
	if err != nil {
		return Expected{}, err
	}
	expected.PortSecurity, err = portsec.Build(base(identity, p.Decision), p.Decision.Pairs)
	if err != nil {
		return Expected{}, err
	}
	return expected, nil
}

// base is the identity as far as the decision binds the port to it: at level mac to the MAC alone.
func base(identity portsec.Identity, d policy.Decision) portsec.Identity {
	if d.Level == policy.MAC {
		identity.IPs = nil
	}
	return identity
}

// wanted gives the set that the decision asks for. It is no good where the pairs cannot be granted.
func wanted(identity portsec.Identity, d policy.Decision) (portsec.Set, error) {
	return portsec.GrantedSet(base(identity, d), d.Pairs)
}

// expectedAddresses gives the column addresses with "unknown" put in or taken out as was decided; nil where it is right. A column that
// would be left empty is left alone: Kube-OVN always writes an address beside "unknown".
func expectedAddresses(p inventory.Port) []string {
	has := slices.Contains(p.Row.Addresses, kubeovn.AddressUnknown)
	switch {
	case p.Decision.Forwarding == policy.Require && !has:
		return append(slices.Clone(p.Row.Addresses), kubeovn.AddressUnknown)
	case p.Decision.Forwarding == policy.Forbid && has:
		rest := slices.DeleteFunc(slices.Clone(p.Row.Addresses), func(a string) bool { return a == kubeovn.AddressUnknown })
		if len(rest) > 0 {
			return rest
		}
	}
	return nil
}
