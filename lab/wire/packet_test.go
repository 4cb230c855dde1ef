package wire

import (
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// The frame of a packet has its ports, flags and identifier in either family, and says so to a second reader.
func TestPackets(t *testing.T) {
	families := map[string][2]Host{
		"IPv4": {host(t, "0a:00:00:00:00:01", "10.0.0.1"), host(t, "0a:00:00:00:00:02", "10.0.0.2")},
		"IPv6": {host(t, "0a:00:00:00:00:01", "fd00::1"), host(t, "0a:00:00:00:00:02", "fd00::2")},
	}
	for family, ends := range families {
		packet := Packet{From: ends[0], To: ends[1], SourcePort: 7, Port: 9}
		for segment, want := range map[Segment][2]bool{
			"": {true, false}, SegmentSYN: {true, false}, SegmentSYNACK: {true, true}, SegmentACK: {false, true},
		} {
			packet.Protocol, packet.Segment = ProtocolTCP, segment
			frame, err := packet.Frame()
			tcp, ok := decode(t, frame, err).Layer(layers.LayerTypeTCP).(*layers.TCP)
			if !ok || tcp.SrcPort != 7 || tcp.DstPort != 9 || [2]bool{tcp.SYN, tcp.ACK} != want {
				t.Errorf("%s, segment %q: %+v", family, segment, tcp)
			}
		}
		packet.Protocol, packet.Segment = ProtocolUDP, ""
		frame, err := packet.Frame()
		udp, ok := decode(t, frame, err).Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !ok || udp.SrcPort != 7 || udp.DstPort != 9 {
			t.Errorf("%s: %+v", family, udp)
		}
		packet.Protocol = ProtocolSCTP
		frame, err = packet.Frame()
		sctp, ok := decode(t, frame, err).Layer(layers.LayerTypeSCTP).(*layers.SCTP)
		if !ok || sctp.SrcPort != 7 || sctp.DstPort != 9 {
			t.Errorf("%s: %+v", family, sctp)
		}
		packet.Protocol = ProtocolICMP
		frame, err = packet.Frame()
		p := decode(t, frame, err)
		echo4, ok4 := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
		echo6, ok6 := p.Layer(layers.LayerTypeICMPv6Echo).(*layers.ICMPv6Echo)
		if ok4 && (echo4.TypeCode.Type() != layers.ICMPv4TypeEchoRequest || echo4.Id != 7) ||
			ok6 && echo6.Identifier != 7 || ok4 == ok6 {
			t.Errorf("%s: %v", family, p)
		}
	}
	for _, p := range []Packet{{Protocol: "dccp"}, {Protocol: ProtocolTCP, Segment: "FIN"}} {
		p.From, p.To = families["IPv4"][0], families["IPv4"][1]
		if _, err := p.Frame(); err == nil {
			t.Errorf("%+v has a frame", p)
		}
	}
}
