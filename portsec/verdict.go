package portsec

import "fmt"

// Direction says which way a frame goes.
type Direction uint8

// Directions, as seen from the port's owner.
const (
	// FromPort is a frame that the owner sends ("in", because it enters the switch).
	FromPort Direction = iota
	// ToPort is a frame that the owner is about to receive ("out").
	ToPort
)

// String returns "in" for FromPort and "out" for ToPort, as OVN names its pipelines.
func (d Direction) String() string {
	if d == ToPort {
		return "out"
	}
	return "in"
}

// ParseDirection reads "in" or "out".
func ParseDirection(text string) (Direction, error) {
	switch text {
	case "in":
		return FromPort, nil
	case "out":
		return ToPort, nil
	}
	return 0, fmt.Errorf("direction %q: want in (from the port) or out (to the port)", text)
}

// Port is what else of a logical switch port decides about a frame. The zero Port is that of an ordinary pod or VM.
type Port struct {
	// Type is the port's type in the Northbound database.
	Type string
	// Disabled means that the port's enabled is false.
	Disabled bool
	// VLANPassthrough means that the switch has other_config:vlan-passthru=true.
	VLANPassthrough bool
	// ChildTag is the VLAN tag by which a child port is told from its parent, 0 for any other port. It is taken off a
	// frame that carries it; a frame without it counts as one from which it was taken already.
	ChildTag uint16
}

// Verdict is what becomes of a frame, and why.
type Verdict struct {
	Allow bool
	Rule  Rule
}

// String returns "allow" or "drop".
func (v Verdict) String() string {
	if v.Allow {
		return "allow"
	}
	return "drop"
}

func allow(r Rule) Verdict { return Verdict{Allow: true, Rule: r} }

func drop(r Rule) Verdict { return Verdict{Rule: r} }

// Checks reports whether OVN of the era applies port_security to ports of the type. Ports that belong to pods have
// none. E0 checks all but external ports. Since E1, ovn-controller writes rules for those that are bound to its chassis
// alone: for a localport they last until the next full recomputation, so that they do not count.
func (e Era) Checks(portType string) bool {
	if !e.Has(ByController) {
		return portType != "external"
	}
	return portType == ""
}

// groupBit is that of a left-aligned MAC.
const groupBit = 1 << 56

// Verdict judges one Ethernet frame (without its checksum) at a port. It allocates nothing.
//
// It tells what OVN does before and in port security, for a frame to the port including what its switch does with it on
// entry. A frame that is allowed here may still meet an ACL, or a switch that knows no way for it.
func (s Set) Verdict(port Port, direction Direction, frame []byte) Verdict {
	var p packet
	switch {
	case port.Disabled:
		return drop(PortDisabled)
	case !p.parse(frame, port.ChildTag):
		return drop(NoFrame)
	case p.tagged && !port.VLANPassthrough:
		return drop(VLANTag)
	case p.src&groupBit != 0:
		return drop(GroupSource)
	case direction == ToPort:
		return s.receives(port, &p)
	case port.Type != "" && !s.era.Checks(port.Type):
		return allow(NotChecked)
	case s.Open() && !s.written:
		return allow(ColumnEmpty)
	case s.era == E0:
		return s.sendsE0(&p)
	case s.Open():
		return allow(ColumnUnusable)
	}
	return s.sends(&p)
}

// receives judges a frame to the port. Its source plays no part.
func (s *Set) receives(port Port, p *packet) Verdict {
	switch {
	case p.dst&groupBit != 0 && (s.era != E0 || s.find(p.dst) == nil):
		// In E0 addresses are tested first; a listed group MAC is the one case where that shows.
		return allow(GroupDestination)
	case port.Type != "" && !s.era.Checks(port.Type):
		return allow(NotChecked)
	case s.Open() && s.written:
		return allow(ColumnUnusable)
	case s.Open():
		return allow(ColumnEmpty)
	}
	listed, restricted := false, false
	if h := s.find(p.dst); h != nil {
		listed, restricted = true, h.hasIP()
		if v, ok := receivesIP(p, h.ip4, h.ip6, macSpan(h.mac), h.broadcast); ok {
			return v
		}
	}
	for i := range s.routers {
		r := &s.routers[i]
		for _, m := range r.mac4 {
			if m.has(p.dst, 0) {
				listed, restricted = true, restricted || r.hasIP() && p.etherType == typeIP4
				if v, ok := receivesIP(p, r.ip4, nil, m, r.broadcast); ok {
					return v
				}
			}
		}
		for _, m := range r.mac6 {
			if m.has(p.dst, 0) {
				listed, restricted = true, restricted || r.hasIP() && p.etherType == typeIP6
				if v, ok := receivesIP(p, nil, r.ip6, m, nil); ok {
					return v
				}
			}
		}
	}
	switch {
	case restricted && (p.etherType == typeIP4 || p.etherType == typeIP6):
		return drop(UnlistedDestinationIP)
	case listed:
		return allow(MACDestination)
	case p.dst&groupBit != 0:
		return allow(GroupDestination)
	}
	return drop(UnlistedDestinationMAC)
}

// receivesIP reports whether a packet's destination is one of those of a MAC that has the addresses.
func receivesIP(p *packet, ip4, ip6 []span, mac span, broadcasts []broadcast) (Verdict, bool) {
	switch {
	case p.etherType == typeIP4 && len(ip4) > 0:
		if anyHas(ip4, p.ipDstHi, 0) || limitedBroadcast.has(p.ipDstHi, 0) || multicast4.has(p.ipDstHi, 0) {
			return allow(IP4Destination), true
		}
		for _, b := range broadcasts {
			if b.to == p.ipDstHi {
				return allow(IP4Destination), true
			}
		}
	case p.etherType == typeIP6 && len(ip6) > 0:
		if anyHas(ip6, p.ipDstHi, p.ipDstLo) || linkLocalSpan(mac).has(p.ipDstHi, p.ipDstLo) ||
			multicast6.has(p.ipDstHi, p.ipDstLo) {
			return allow(IP6Destination), true
		}
	}
	return Verdict{}, false
}
