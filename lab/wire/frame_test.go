package wire

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func host(t *testing.T, mac, ip string) Host {
	t.Helper()
	h, err := ParseHost(mac, ip)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func decode(t *testing.T, frame []byte, err error) gopacket.Packet {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if p.ErrorLayer() != nil {
		t.Fatalf("%v\n%x", p.ErrorLayer().Error(), frame)
	}
	return p
}

func TestFramesSayWhatTheyMust(t *testing.T) {
	a4, b4, c4 := host(
		t,
		"0a:00:00:00:00:01",
		"10.0.0.1",
	), host(
		t,
		"0a:00:00:00:00:02",
		"10.0.0.2",
	), host(
		t,
		"0a:00:00:00:00:03",
		"10.0.0.3",
	)
	a6, b6, c6 := host(
		t,
		"0a:00:00:00:00:01",
		"fd00::1",
	), host(
		t,
		"0a:00:00:00:00:02",
		"fd00::2",
	), host(
		t,
		"0a:00:00:00:00:03",
		"fd00::3",
	)

	frame, err := UDP(a4, b4)
	p := decode(t, frame, err)
	if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); !ok || ip.SrcIP.String() != "10.0.0.1" ||
		ip.DstIP.String() != "10.0.0.2" ||
		p.Layer(layers.LayerTypeUDP) == nil {
		t.Errorf("IPv4 datagram: %v", p)
	}
	frame, err = UDP(a6, b6)
	p = decode(t, frame, err)
	if ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6); !ok || ip.SrcIP.String() != "fd00::1" ||
		p.Layer(layers.LayerTypeUDP) == nil {
		t.Errorf("IPv6 datagram: %v", p)
	}
	frame, err = ARPReply(a4.MAC, b4, c4)
	p = decode(t, frame, err)
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); !ok || !bytes.Equal(eth.SrcMAC, a4.MAC) ||
		!bytes.Equal(arp.SourceHwAddress, c4.MAC) ||
		!bytes.Equal(arp.SourceProtAddress, c4.IP.AsSlice()) {
		t.Errorf("ARP reply: %v", p)
	}
	frame, err = NeighbourAdvertisement(a6, b6, c6)
	p = decode(t, frame, err)
	if na, ok := p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement); !ok ||
		na.TargetAddress.String() != "fd00::3" {
		t.Errorf("neighbour advertisement: %v", p)
	}
	if ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6); !ok || ip.HopLimit != 255 {
		t.Errorf("neighbour advertisement without hop limit 255: %v", p)
	}
}

func TestQuestionsSayWhatTheyMust(t *testing.T) {
	a4, c4 := host(t, "0a:00:00:00:00:01", "10.0.0.1"), host(t, "0a:00:00:00:00:03", "10.0.0.3")
	frame, err := ARPRequest(a4.MAC, netip.MustParseAddr("10.0.0.2"), c4)
	p := decode(t, frame, err)
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); !ok || arp.Operation != layers.ARPRequest ||
		!bytes.Equal(eth.SrcMAC, a4.MAC) || eth.DstMAC.String() != "ff:ff:ff:ff:ff:ff" ||
		!bytes.Equal(arp.SourceHwAddress, c4.MAC) || !bytes.Equal(arp.SourceProtAddress, c4.IP.AsSlice()) ||
		!bytes.Equal(arp.DstProtAddress, []byte{10, 0, 0, 2}) || !bytes.Equal(arp.DstHwAddress, make([]byte, macSize)) {
		t.Errorf("ARP request: %v", p)
	}

	a6, c6 := host(t, "0a:00:00:00:00:01", "fd00::1"), host(t, "0a:00:00:00:00:03", "fd00::3")
	frame, err = NeighbourSolicitation(a6, netip.MustParseAddr("fd00::ab:cdef"), c6.MAC)
	p = decode(t, frame, err)
	eth, _ = p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	ip, _ := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	ns, ok := p.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation)
	if !ok || ip.HopLimit != 255 || ip.SrcIP.String() != "fd00::1" || ip.DstIP.String() != "ff02::1:ffab:cdef" ||
		eth.DstMAC.String() != "33:33:ff:ab:cd:ef" || ns.TargetAddress.String() != "fd00::ab:cdef" ||
		len(
			ns.Options,
		) != 1 || ns.Options[0].Type != layers.ICMPv6OptSourceAddress || !bytes.Equal(ns.Options[0].Data, c6.MAC) {
		t.Errorf("neighbour solicitation: %v", p)
	}
}

// A receiver drops a frame with a wrong checksum, and then a frame that passed would look like one that was dropped.
func TestChecksums(t *testing.T) {
	a, b := host(t, "0a:00:00:00:00:01", "fd00::1"), host(t, "0a:00:00:00:00:02", "fd00::2")
	for name, make := range map[string]func() ([]byte, error){
		"UDP over IPv4": func() ([]byte, error) {
			return UDP(host(t, "0a:00:00:00:00:01", "10.0.0.1"), host(t, "0a:00:00:00:00:02", "10.0.0.2"))
		},
		"UDP over IPv6": func() ([]byte, error) { return UDP(a, b) },
		"advertisement": func() ([]byte, error) { return NeighbourAdvertisement(a, b, a) },
		"solicitation":  func() ([]byte, error) { return NeighbourSolicitation(a, b.IP, a.MAC) },
	} {
		frame, err := make()
		p := decode(t, frame, err)
		for _, l := range p.Layers() {
			if c, ok := l.(interface {
				SetNetworkLayerForChecksum(l gopacket.NetworkLayer) error
			}); ok {
				if err := c.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err, mismatches := p.VerifyChecksums(); err != nil || len(mismatches) > 0 {
			t.Errorf("%s: %v, %v", name, err, mismatches)
		}
	}
}

func TestFramesDiffer(t *testing.T) {
	a, b := host(t, "0a:00:00:00:00:01", "10.0.0.1"), host(t, "0a:00:00:00:00:02", "10.0.0.2")
	for name, make := range map[string]func() ([]byte, error){
		"UDP": func() ([]byte, error) { return UDP(a, b) },
		"ARP": func() ([]byte, error) { return ARPReply(a.MAC, b, a) },
		"solicitation": func() ([]byte, error) {
			return NeighbourSolicitation(host(t, "0a:00:00:00:00:01", "fd00::1"), netip.MustParseAddr("fd00::2"), a.MAC)
		},
	} {
		first, err := make()
		if err != nil {
			t.Fatal(err)
		}
		second, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(first, second) {
			t.Errorf("%s: two frames are the same", name)
		}
	}
}

func TestWrongFamily(t *testing.T) {
	a4, a6 := host(t, "0a:00:00:00:00:01", "10.0.0.1"), host(t, "0a:00:00:00:00:01", "fd00::1")
	if _, err := ARPReply(a4.MAC, a4, a6); err == nil {
		t.Error("ARP for an IPv6 address was built")
	}
	if _, err := NeighbourAdvertisement(a6, a6, a4); err == nil {
		t.Error("neighbour discovery for an IPv4 address was built")
	}
	if _, err := ARPRequest(a4.MAC, a6.IP, a4); err == nil {
		t.Error("an ARP request for an IPv6 address was built")
	}
	if _, err := NeighbourSolicitation(a6, a4.IP, a4.MAC); err == nil {
		t.Error("a neighbour solicitation for an IPv4 address was built")
	}
}
