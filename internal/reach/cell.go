package reach

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/intent"
)

// Cell is what a port may send to another one.
type Cell struct {
	From, To *Port
	// Honest are the packets that come with the sender's own source, and Forged those that only come with another one.
	Honest, Forged Opened
	// As is a source by which forged ones come.
	As Source
	// Unknown means that some packet was not judged, since something about it is not known.
	Unknown bool
}

// Opened is a set of packets.
type Opened struct {
	// All means packets to any port, as far as no rule names another one.
	All     bool
	Packets []Packet
}

// Any reports whether there is a packet in it.
func (o Opened) Any() bool { return o.All || len(o.Packets) > 0 }

// Texts returns the packets as flags and tables have them; "any" for all.
func (o Opened) Texts() []string {
	texts := []string{}
	if o.All {
		return []string{"any"}
	}
	for _, p := range o.Packets {
		texts = append(texts, p.String())
	}
	return texts
}

func (o *Opened) add(p Packet) {
	if p.Port == unnamedPort {
		o.All = true
	}
	o.Packets = append(o.Packets, p)
}

// Cell returns what a port may send to another one: of packets that rules about the receiver name, of the ports that
// its pod names, and of one that nobody names, unless packets are given.
func (r *Rules) Cell(from, to *Port, packets []Packet) Cell {
	cell := Cell{From: from, To: to}
	if from.network() != to.network() {
		cell.Unknown = from.VPC == "" || to.VPC == ""
		return cell
	}
	at := r.byName[to.Name]
	if len(packets) == 0 {
		packets = r.telling(at)
	}
	forged := r.forged(from, at)
	for _, p := range packets {
		honest := No
		for _, own := range from.Own.IPs {
			honest = better(honest, r.comes(from, to, Source{from.Own.MAC, own}, p))
		}
		switch honest {
		case Yes:
			cell.Honest.add(p)
			continue
		case Unknown:
			cell.Unknown = true
		case No:
		}
		for _, a := range forged {
			as := from.Forged(a)
			passes := r.comes(from, to, as, p)
			if passes == Yes {
				if !cell.Forged.Any() {
					cell.As = as
				}
				cell.Forged.add(p)
				break
			}
			cell.Unknown = cell.Unknown || passes == Unknown
		}
	}
	return cell
}

func better(a, b Passes) Passes {
	if a == Yes || b == Yes {
		return Yes
	}
	if a == Unknown || b == Unknown {
		return Unknown
	}
	return No
}

// telling returns the packets that tell what may be sent to a port.
func (r *Rules) telling(to int) []Packet {
	packets := []Packet{{intent.TCP, unnamedPort}}
	add := func(p Packet) {
		if !slices.Contains(packets, p) {
			packets = append(packets, p)
		}
	}
	for _, i := range r.about[to] {
		if r.all[i].whole {
			continue
		}
		for _, p := range r.all[i].packets {
			add(p)
		}
	}
	if pod := r.ports[to].pod; pod >= 0 {
		for _, named := range r.pods[pod].Ports {
			add(Packet{named.Protocol, named.Number})
		}
	}
	return packets
}

// forged returns sources that a port may forge and that rules about another one trust.
func (r *Rules) forged(from *Port, to int) (sources []netip.Addr) {
	if from.forges.none() {
		return nil
	}
	but := slices.Concat(from.Own.IPs, r.ports[to].Own.IPs)
	for _, i := range r.about[to] {
		for _, a := range r.all[i].sources(&from.forges, but) {
			if !slices.Contains(sources, a) {
				sources = append(sources, a)
			}
		}
	}
	return sources
}

// comes reports whether ACLs let a packet come from one port to another one; where they are not known, whether policies
// do.
func (c *Cluster) comes(from, to *Port, as Source, p Packet) Passes {
	destination := to.address(as.IP)
	if !destination.IsValid() || c.routerRefuses(from, to, as.IP) {
		return No
	}
	if c.acls == nil {
		v := c.asked(from.pod, to.pod, as.IP, destination, p)
		if v.Egress.Unknown || v.Ingress.Unknown {
			return Unknown
		}
		return passes(v.Allowed)
	}
	out := c.acls.Leave(sent(from, to, as, destination, p))
	left := decided(&out)
	if left == No {
		return No
	}
	in := c.acls.Arrive(received(from, to, as, destination, p))
	if arrived := decided(&in); arrived != Yes {
		return arrived
	}
	return left
}

// Forge returns the source by which a port would come to another one with a packet that its own source does not bring
// there; ok is false where there is none.
func (r *Rules) Forge(from, to *Port, p Packet) (as Source, ok bool) {
	for _, a := range r.forged(from, r.byName[to.Name]) {
		if as = from.Forged(a); r.comes(from, to, as, p) == Yes {
			return as, true
		}
	}
	return Source{}, false
}

// Named returns the packets that rules about a port name, and those that its pod does.
func (r *Rules) Named(to *Port) []Packet {
	i, known := r.byName[to.Name]
	if !known {
		return nil
	}
	return slices.DeleteFunc(r.telling(i), func(p Packet) bool { return p.Port == unnamedPort })
}

// Address returns the first address of the port.
func (p *Port) Address() (a netip.Addr) {
	if len(p.Own.IPs) > 0 {
		a = p.Own.IPs[0]
	}
	return a
}
