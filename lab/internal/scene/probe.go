package scene

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/lab/wire"
)

// probeTimeout bounds one probe.
const probeTimeout = 10 * time.Second

// Probe is one frame that one pod sends to another.
type Probe struct {
	// Name describes the frame, such as "foreign IP".
	Name string
	// Forged means that the sender has no right to the frame.
	Forged bool

	frame []byte
}

// probeList collects probes, and the first error of making one.
type probeList struct {
	probes []Probe
	err    error
}

// add returns a function that takes the results of a function of package wire.
func (l *probeList) add(name string, forged bool) func(frame []byte, err error) {
	return func(frame []byte, err error) {
		if err != nil && l.err == nil {
			l.err = err
		}
		l.probes = append(l.probes, Probe{Name: name, Forged: forged, frame: frame})
	}
}

// Probes returns the frames for a test from from to to, over IPv4: its own traffic first, then forged. neighbour has
// the forged addresses.
func Probes(from, to, neighbour *Actor) ([]Probe, error) {
	own := from.V4
	var list probeList
	add := list.add
	add("own address", false)(wire.UDP(own, to.V4))
	add("own ARP", false)(wire.ARPReply(own.MAC, to.V4, own))
	add("foreign IP", true)(wire.UDP(wire.Host{MAC: own.MAC, IP: ForeignIP}, to.V4))
	add("neighbour's IP", true)(wire.UDP(wire.Host{MAC: own.MAC, IP: neighbour.V4.IP}, to.V4))
	add("foreign MAC", true)(wire.UDP(wire.Host{MAC: ForeignMAC, IP: own.IP}, to.V4))
	add("forged ARP", true)(wire.ARPReply(own.MAC, to.V4, wire.Host{MAC: own.MAC, IP: neighbour.V4.IP}))
	return list.probes, list.err
}

// Probes6 returns the same over IPv6, with forged neighbour discovery in place of forged ARP.
func Probes6(from, to, neighbour *Actor) ([]Probe, error) {
	for _, a := range []*Actor{from, to, neighbour} {
		if !a.V6.IP.IsValid() {
			return nil, fmt.Errorf("port %s has no IPv6 address", a.Port)
		}
	}
	own := from.V6
	var list probeList
	add := list.add
	add("own IPv6 address", false)(wire.UDP(own, to.V6))
	add("own link-local address", false)(wire.UDP(wire.Host{MAC: own.MAC, IP: linkLocal(own.MAC)}, to.V6))
	add("own neighbour advertisement", false)(wire.NeighbourAdvertisement(own, to.V6, own))
	add("foreign IPv6", true)(wire.UDP(wire.Host{MAC: own.MAC, IP: ForeignIPv6}, to.V6))
	add("neighbour's IPv6", true)(wire.UDP(wire.Host{MAC: own.MAC, IP: neighbour.V6.IP}, to.V6))
	add(
		"neighbour's link-local address",
		true,
	)(
		wire.UDP(wire.Host{MAC: own.MAC, IP: linkLocal(neighbour.V6.MAC)}, to.V6),
	)
	add("foreign MAC over IPv6", true)(wire.UDP(wire.Host{MAC: ForeignMAC, IP: own.IP}, to.V6))
	add("forged neighbour advertisement", true)(
		wire.NeighbourAdvertisement(own, to.V6, wire.Host{MAC: own.MAC, IP: neighbour.V6.IP}))
	add("neighbour advertisement of a foreign MAC", true)(
		wire.NeighbourAdvertisement(own, to.V6, wire.Host{MAC: ForeignMAC, IP: own.IP}))
	return list.probes, list.err
}

// linkLocal returns the address that a host with this MAC makes for itself (RFC 4291, appendix A).
func linkLocal(mac net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{
		0xfe, 0x80, 8: mac[0] ^ 0x02, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5],
	})
}

// Send sends the probe and reports whether it arrived. The sender's own datagram, sent after it, shows that the path
// works.
func (p Probe) Send(ctx context.Context, from, to *Actor) (passed bool, err error) {
	return p.SendBy(ctx, from.socket.Send, from, to)
}

// SendBy is Send for a probe that send puts on the sender's NIC.
func (p Probe) SendBy(
	ctx context.Context,
	send func(frame []byte) error,
	from, to *Actor,
) (passed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	control, err := wire.UDP(from.V4, to.V4)
	if err != nil {
		return false, err
	}
	return wire.ProbeBy(ctx, send, to.socket, p.frame, control)
}

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// Forwarded returns a frame that a gateway forwards for a source behind it, from its own MAC.
func Forwarded(from, to *Actor, source netip.Addr) (Probe, error) {
	frame, err := wire.UDP(wire.Host{MAC: from.V4.MAC, IP: source}, to.at(source))
	return Probe{Name: "forwarded for " + source.String(), Forged: true, frame: frame}, err
}

// Nested returns a datagram that a guest behind the sender's NIC sends, with a MAC and an address of its own.
func Nested(from, to *Actor, guest wire.Host) (Probe, error) {
	frame, err := wire.UDP(guest, to.at(guest.IP))
	return Probe{Name: "from guest " + guest.IP.String() + " at " + guest.MAC.String(), Forged: true, frame: frame}, err
}

// ToGuest returns a datagram for a guest behind the receiver's NIC.
func ToGuest(from *Actor, guest wire.Host) (Probe, error) {
	frame, err := wire.UDP(from.at(guest.IP), guest)
	return Probe{Name: "to guest " + guest.IP.String() + " at " + guest.MAC.String(), frame: frame}, err
}

// at returns the actor's own host in the family of an address.
func (a *Actor) at(family netip.Addr) wire.Host {
	if family.Is6() {
		return a.V6
	}
	return a.V4
}

// Stream sends the probe at intervals until ctx ends, and returns how many were sent and how many arrived.
func (p Probe) Stream(ctx context.Context, from, to *Actor, every time.Duration) (sent, arrived int, err error) {
	return wire.Stream(ctx, from.socket, to.socket, p.frame, every)
}
