package scene

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/ovnguard/ovnguard/lab/wire"
)

// Packet is a packet of one pod to another that may pretend to come from a third.
type Packet struct {
	// Protocol and Port say what it is for; an echo has no port.
	Protocol wire.Protocol
	Port     uint16
	// SourcePort is the sender's port; zero means one that no packet had before.
	SourcePort uint16
	// Segment is the kind of a TCP segment; empty means one that opens a connection.
	Segment wire.Segment
	// Source is the address that it has as its source; not valid means the sender's own, of the family that V6 says.
	Source netip.Addr
	V6     bool
}

// firstSource is the first source port of packets without one, and sources counts them.
const firstSource = 20000

var sources atomic.Uint32

// frame returns the packet as a frame, from the sender's own MAC.
func (p Packet) frame(from, to *Actor) ([]byte, error) {
	own, target := from.V4, to.V4
	if p.V6 || p.Source.Is6() {
		own, target = from.V6, to.V6
	}
	if !own.IP.IsValid() || !target.IP.IsValid() {
		return nil, fmt.Errorf("ports %s and %s do not have addresses of the same family", from.Port, to.Port)
	}
	if p.Source.IsValid() {
		own.IP = p.Source
	}
	return wire.Packet{
		From: own, To: target, Protocol: p.Protocol, SourcePort: p.SourcePort, Port: p.Port, Segment: p.Segment,
	}.Frame()
}

// Deliver sends a packet from one actor to another and reports whether it arrived. ARP, which no policy restricts,
// shows that the path works.
func Deliver(ctx context.Context, from, to *Actor, p Packet) (delivered bool, err error) {
	if p.SourcePort == 0 {
		p.SourcePort = uint16(firstSource + sources.Add(1)%(1<<15))
	}
	frame, err := p.frame(from, to)
	if err != nil {
		return false, err
	}
	control, err := wire.ARPReply(from.V4.MAC, to.V4, from.V4)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return wire.Probe(ctx, from.socket, to.socket, frame, control)
}
