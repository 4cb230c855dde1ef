package wire

import (
	"fmt"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Protocol is the protocol of a Packet.
type Protocol string

// Protocols of a Packet. ICMP is an echo request, of the version that the addresses ask for.
const (
	ProtocolTCP  Protocol = "tcp"
	ProtocolUDP  Protocol = "udp"
	ProtocolSCTP Protocol = "sctp"
	ProtocolICMP Protocol = "icmp"
)

// Segment is the kind of a TCP segment, by its flags.
type Segment string

// Kinds of TCP segments: one that opens a connection, its answer, and one inside a connection.
const (
	SegmentSYN    Segment = "SYN"
	SegmentSYNACK Segment = "SYN-ACK"
	SegmentACK    Segment = "ACK"
)

// Packet is a packet of one host to another, over IPv4 or IPv6 according to the addresses.
type Packet struct {
	From, To Host
	Protocol Protocol
	// SourcePort and Port are the ports. An echo has SourcePort as its identifier.
	SourcePort, Port uint16
	// Segment is for TCP only; empty means one that opens a connection.
	Segment Segment
}

// firstSequence is the sequence number of the segment that opens a connection. The answer has the same, so that the two
// ends need not tell each other.
const firstSequence = 1000

// ttl is the time to live of a packet that has not been forwarded.
const ttl = 64

// Frame returns the packet as a frame, from its destination MAC to the end of its payload.
func (p Packet) Frame() ([]byte, error) {
	transport, number, err := p.transport()
	if err != nil {
		return nil, err
	}
	if p.From.IP.Is4() {
		ip := &layers.IPv4{
			Version: 4, TTL: ttl, Protocol: number, SrcIP: p.From.IP.AsSlice(), DstIP: p.To.IP.AsSlice(),
		}
		return build(p.From.MAC, p.To.MAC, layers.EthernetTypeIPv4,
			append([]gopacket.SerializableLayer{ip}, transport...)...)
	}
	ip := &layers.IPv6{
		Version: 6, HopLimit: ttl, NextHeader: number, SrcIP: p.From.IP.AsSlice(), DstIP: p.To.IP.AsSlice(),
	}
	return build(p.From.MAC, p.To.MAC, layers.EthernetTypeIPv6,
		append([]gopacket.SerializableLayer{ip}, transport...)...)
}

// transport returns the layers behind the IP header.
func (p Packet) transport() ([]gopacket.SerializableLayer, layers.IPProtocol, error) {
	switch p.Protocol {
	case ProtocolUDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(p.SourcePort), DstPort: layers.UDPPort(p.Port)}
		return []gopacket.SerializableLayer{udp}, layers.IPProtocolUDP, nil
	case ProtocolTCP:
		tcp := &layers.TCP{
			SrcPort: layers.TCPPort(p.SourcePort), DstPort: layers.TCPPort(p.Port), Seq: firstSequence, Window: 0xffff,
		}
		switch p.Segment {
		case "", SegmentSYN:
			tcp.SYN = true
		case SegmentSYNACK:
			tcp.SYN, tcp.ACK, tcp.Ack = true, true, firstSequence+1
		case SegmentACK:
			tcp.ACK, tcp.PSH, tcp.Seq, tcp.Ack = true, true, firstSequence+1, firstSequence+1
		default:
			return nil, 0, fmt.Errorf("TCP segment %q is not known", p.Segment)
		}
		return []gopacket.SerializableLayer{tcp}, layers.IPProtocolTCP, nil
	case ProtocolSCTP:
		return []gopacket.SerializableLayer{
			&layers.SCTP{SrcPort: layers.SCTPPort(p.SourcePort), DstPort: layers.SCTPPort(p.Port)},
		}, layers.IPProtocolSCTP, nil
	case ProtocolICMP:
		if p.From.IP.Is4() {
			return []gopacket.SerializableLayer{&layers.ICMPv4{
				TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: p.SourcePort, Seq: 1,
			}}, layers.IPProtocolICMPv4, nil
		}
		return []gopacket.SerializableLayer{
			&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeEchoRequest, 0)},
			&layers.ICMPv6Echo{Identifier: p.SourcePort, SeqNumber: 1},
		}, layers.IPProtocolICMPv6, nil
	}
	return nil, 0, fmt.Errorf("protocol %q is not known", p.Protocol)
}
