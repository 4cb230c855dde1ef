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
	// PortSecurity is the column that means what was decided in every era; nil where nothing is asked of it, since the
	// port may send from anything.
	PortSecurity []string
	// Addresses is the column as it must be; nil where it is right, or where what it holds is up to the pod.
	Addresses []string
}

// ExpectedOf returns what the row of a pod's port must hold. The port must have a pod and a row. The error says why
// that is not known: Kube-OVN's record of the port's identity cannot be read, or is not there yet, or what was granted
// cannot be written.
func ExpectedOf(p inventory.Port) (Expected, error) {
	identity, _, err := IdentityOf(&p)
	expected := Expected{Addresses: expectedAddresses(&p, identity, err)}
	if p.Decision.Level == policy.Open {
		return expected, nil
	}
	if err != nil {
		return Expected{}, err
	}
	expected.PortSecurity, err = columnFor(identity, p.Decision)
	if err != nil {
		return Expected{}, err
	}
	return expected, nil
}

// columnFor returns the column that means what was decided in every era.
func columnFor(identity portsec.Identity, d policy.Decision) ([]string, error) {
	identity = base(identity, d)
	if len(d.Pairs) == 0 && plain(identity) {
		return []string{identityText(identity)}, nil // as Build writes it, which takes long to make sure
	}
	return portsec.Build(identity, d.Pairs)
}

// plain reports whether the identity is a MAC alone, or an ordinary one with one address of a family, IPv4 first.
func plain(identity portsec.Identity) bool {
	ips := identity.IPs
	if len(ips) == 0 {
		return !identity.MAC.Group() && identity.MAC != (portsec.MAC{})
	}
	return ordinary(identity) && (len(ips) == 1 || len(ips) == 2 && ips[0].Is4() && ips[1].Is6())
}

// base is the identity as far as the decision binds the port to it: at level mac to the MAC alone.
func base(identity portsec.Identity, d policy.Decision) portsec.Identity {
	if d.Level == policy.MAC {
		identity.IPs = nil
	}
	return identity
}

// Held returns the decision about a pod's port without what its row does not let it send from already, its own identity
// apart. The port must have a row. eras are those that may enforce.
func Held(p *inventory.Port, eras []portsec.Era) policy.Decision {
	d := p.Decision
	identity, _, err := IdentityOf(p)
	if d.Level == policy.Open || err != nil {
		return d // nothing is written then
	}
	if len(p.Eras) > 0 {
		eras = p.Eras
	}
	own := portsec.IdentitySet(identity)
	readings := portsec.Assess(eras, p.Row.Type, p.Row.PortSecurity, own).Readings
	holds := func(level policy.Level, pairs ...portsec.AddressPair) bool {
		want, err := wanted(identity, policy.Decision{Level: level, Pairs: pairs})
		return err == nil &&
			!slices.ContainsFunc(
				readings,
				func(r portsec.Reading) bool { return !r.Open() && !r.Set.Union(own).Covers(want) },
			)
	}
	if d.Level == policy.MAC && !holds(policy.MAC) {
		d.Level = policy.Extended
	}
	d.Pairs = slices.DeleteFunc(
		slices.Clone(d.Pairs),
		func(pair portsec.AddressPair) bool { return !holds(d.Level, pair) },
	)
	return d
}

// wanted returns the set that the decision asks for. It is no good where the pairs cannot be granted.
func wanted(identity portsec.Identity, d policy.Decision) (portsec.Set, error) {
	return portsec.GrantedSet(base(identity, d), d.Pairs)
}

// expectedAddresses returns the column addresses as it must be: the identity of the IP resource in one element, as
// Kube-OVN writes it, and "unknown" put in or taken out as was decided; nil where it is right. Where there is no IP
// resource that can be read, what the column holds beside "unknown" stays, and a column that would be left empty is
// left alone.
func expectedAddresses(p *inventory.Port, identity portsec.Identity, unknown error) []string {
	has := slices.Contains(p.Row.Addresses, kubeovn.AddressUnknown)
	with := p.Decision.Forwarding == policy.Require || has && p.Decision.Forwarding != policy.Forbid
	rest := stations(p.Row.Addresses)
	wrong := p.Record != nil && unknown == nil && !holdsOnly(rest, identity)
	if wrong {
		rest = []string{identityText(identity)}
	}
	if !wrong && with == has || len(rest) == 0 {
		return nil
	}
	if with {
		rest = append(rest, kubeovn.AddressUnknown)
	}
	return rest
}
