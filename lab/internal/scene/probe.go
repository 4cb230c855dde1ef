package scene

import (
	"context"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/lab/wire"
)

// probeTimeout bounds one probe.
const probeTimeout = 10 * time.Second

// Probe is one frame that one pod sends to another.
type Probe struct {
	// Name says what the frame is, such as "foreign IP".
	Name string
	// Forged tells that the sender has no right to it.
	Forged bool

	frame []byte
}

// Probes gives the frames that from tries on to, over IPv4: its own traffic first, then forged. neighbour is whom it poses as.
func Probes(from, to, neighbour *Actor) ([]Probe, error) {
	own := from.V4
	var probes []Probe
	var first error
	add := func(name string, forged bool) func(frame []byte, err error) {
		return func(frame []byte, err error) {
			if err != nil && first == nil {
				first = err
			}
			probes = append(probes, Probe{Name: name, Forged: forged, frame: frame})
		}
	}
	add("own address", false)(wire.UDP(own, to.V4))
	add("own ARP", false)(wire.ARPReply(own.MAC, to.V4, own))
	add("foreign IP", true)(wire.UDP(wire.Host{MAC: own.MAC, IP: ForeignIP}, to.V4))
	add("neighbour's IP", true)(wire.UDP(wire.Host{MAC: own.MAC, IP: neighbour.V4.IP}, to.V4))
	add("foreign MAC", true)(wire.UDP(wire.Host{MAC: ForeignMAC, IP: own.IP}, to.V4))
	add("forged ARP", true)(wire.ARPReply(own.MAC, to.V4, wire.Host{MAC: own.MAC, IP: neighbour.V4.IP}))
	return probes, first
}

// Send sends the probe and tells whether it arrived. The sender's own datagram, sent behind it, shows that the path works.
func (p Probe) Send(ctx context.Context, from, to *Actor) (passed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	control, err := wire.UDP(from.V4, to.V4)
	if err != nil {
		return false, err
	}
	return wire.Probe(ctx, from.socket, to.socket, p.frame, control)
}

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
