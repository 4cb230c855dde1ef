package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ovnguard/ovnguard/portsec"
)

// Class names what an exception is for. It is the narrowest grant that works for that purpose, on layer 2 and on layer
// 3 together.
type Class string

// Classes.
const (
	// Router forwards for the networks that its pairs name, from its own MAC.
	Router Class = "router"
	// VPN sends from the addresses of its clients, which its pairs name, from its own MAC.
	VPN Class = "vpn"
	// VRRP shares single addresses with other ports, with or without the virtual MACs of RFC 9568, section 7.3.
	VRRP Class = "vrrp"
	// NATGateway forwards answers from anywhere, from its own MAC.
	NATGateway Class = "nat-gateway"
	// NestedVirtualization carries machines that have MACs of their own, which its pairs name.
	NestedVirtualization Class = "nested-virtualization"
)

// Classes returns all classes, in the order of their description.
func Classes() []Class { return []Class{Router, VPN, VRRP, NATGateway, NestedVirtualization} }

// Grant is what an exception asks for, as written: nil where it says nothing.
type Grant struct {
	Pairs      []portsec.AddressPair
	Level      *Level
	Forwarding *Forwarding
}

// Complete returns the level and the layer-2 forwarding that a grant amounts to: what it says, and what its class adds.
// The error names the field that contradicts the class, and says why. Without a class a grant means what it says.
func (c Class) Complete(g Grant) (Level, Forwarding, error) {
	level, forwarding := Strict, Forbid
	if g.Level != nil {
		level = *g.Level
	}
	if g.Forwarding != nil {
		forwarding = *g.Forwarding
	}
	if c == "" {
		return level, forwarding, nil
	}
	if !slices.Contains(Classes(), c) {
		return Strict, Forbid, fmt.Errorf("spec.class: %q is not one of %v", c, Classes())
	}
	wantLevel, wantForwarding := Strict, Forbid
	if c == NATGateway {
		wantLevel = MAC
	}
	if c == NestedVirtualization || c == VRRP && slices.ContainsFunc(g.Pairs, hasMAC) {
		wantForwarding = Require
	}
	if g.Level != nil && level != wantLevel {
		return Strict, Forbid, c.levelConflict(level)
	}
	if g.Forwarding != nil && (forwarding == Forbid) != (wantForwarding == Forbid) {
		return Strict, Forbid, c.forwardingConflict(wantForwarding)
	}
	if err := c.checkPairs(g.Pairs); err != nil {
		return Strict, Forbid, err
	}
	return wantLevel, wantForwarding, nil
}

func (c Class) levelConflict(level Level) error {
	if c == NATGateway {
		return fmt.Errorf("spec.grant.level: class %s means level mac, not %s; leave the level out", c, level)
	}
	return fmt.Errorf(
		"spec.grant.level: class %s grants only the addresses in spec.grant.pairs, but level %s grants more; "+
			"leave the level or spec.class out",
		c,
		level,
	)
}

func (c Class) forwardingConflict(want Forwarding) error {
	switch {
	case want != Forbid:
		return fmt.Errorf(
			"spec.grant.layer2Forward: Forbid stops frames for the MACs in spec.grant.pairs, so class %s would "+
				"not work; leave it out",
			c,
		)
	case c == VRRP:
		return errors.New(
			"spec.grant.layer2Forward: no pair has a virtual MAC, so all frames go to the port's own MAC and " +
				"arrive anyway; leave it out",
		)
	default:
		return fmt.Errorf(
			"spec.grant.layer2Forward: class %s uses only the port's own MAC, so all frames arrive anyway; "+
				"leave it out",
			c,
		)
	}
}

func (c Class) checkPairs(pairs []portsec.AddressPair) error {
	if c == NATGateway {
		if len(pairs) > 0 {
			return fmt.Errorf(
				"spec.grant.pairs: class %s sends from any address with its own MAC, so pairs add nothing, or "+
					"add another MAC; leave them out, or use class %s for known networks",
				c,
				Router,
			)
		}
		return nil
	}
	if len(pairs) == 0 {
		return fmt.Errorf("spec.grant.pairs: class %s needs at least one pair", c)
	}
	for i, p := range pairs {
		if err := c.checkPair(p); err != nil {
			return fmt.Errorf("spec.grant.pairs[%d].%w", i, err)
		}
	}
	return nil
}

func (c Class) checkPair(p portsec.AddressPair) error {
	switch c {
	case Router, VPN:
		if hasMAC(p) {
			return fmt.Errorf(
				"mac: class %s sends from the port's own MAC; leave it out, or use class %s for machines with MACs "+
					"of their own",
				c,
				NestedVirtualization,
			)
		}
	case VRRP:
		if !p.Prefix.IsSingleIP() {
			return fmt.Errorf(
				"prefix: class %s shares single addresses, and %s is a range; name each address",
				c,
				p.Prefix,
			)
		}
		if want := virtualMAC(p); hasMAC(p) && !IsVirtual(p) {
			return fmt.Errorf(
				"mac: the virtual MAC for %s begins with %02x:%02x:%02x:%02x:%02x (RFC 9568, section 7.3), and %s "+
					"does not; leave it out where the routers use their own MACs",
				p.Prefix.Addr(),
				want[0],
				want[1],
				want[2],
				want[3],
				want[4],
				p.MAC,
			)
		}
	case NestedVirtualization:
		if !hasMAC(p) {
			return fmt.Errorf(
				"mac: class %s is for machines with their own MACs; name the MAC, or use class %s for machines "+
					"behind the port's own MAC",
				c,
				Router,
			)
		}
	case NATGateway:
	}
	return nil
}

// virtualMAC returns how the virtual MAC of an address begins; the last octet is the router's number.
func virtualMAC(p portsec.AddressPair) [5]byte {
	if p.Prefix.Addr().Is6() {
		return [5]byte{0x00, 0x00, 0x5e, 0x00, 0x02}
	}
	return [5]byte{0x00, 0x00, 0x5e, 0x00, 0x01}
}

// IsVirtual reports whether the pair's MAC is a virtual one of the pair's family (RFC 9568, section 7.3).
func IsVirtual(p portsec.AddressPair) bool { return hasMAC(p) && [5]byte(p.MAC[:5]) == virtualMAC(p) }

func hasMAC(p portsec.AddressPair) bool { return p.MAC != (portsec.MAC{}) }

// Doubts returns what does not fit together in a grant without a class: one half of layer 2 and layer 3 without the
// other.
func (e *Exception) Doubts() []string {
	if e.Class != "" || e.Level == Open {
		return nil
	}
	var out []string
	switch foreign := slices.ContainsFunc(e.Pairs, hasMAC); {
	case foreign && e.Forwarding == Forbid:
		out = append(
			out,
			"spec.grant.pairs name other MACs, but frames for them do not arrive without "+
				"spec.grant.layer2Forward: Allow",
		)
	case !foreign && e.Forwarding != Forbid:
		out = append(
			out,
			"spec.grant.layer2Forward: Allow brings frames for other MACs to the port, but port security drops "+
				"them unless spec.grant.pairs name those MACs",
		)
	}
	return out
}
