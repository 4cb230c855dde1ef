package wire

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// markerSize is the number of random bytes at the end of each frame, so that no two are the same.
const markerSize = 16

// Host is a MAC and an address.
type Host struct {
	MAC net.HardwareAddr
	IP  netip.Addr
}

// ParseHost parses a MAC and an address.
func ParseHost(mac, ip string) (Host, error) {
	m, err := net.ParseMAC(mac)
	if err != nil {
		return Host{}, err
	}
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return Host{}, err
	}
	return Host{MAC: m, IP: a}, nil
}

// Ports of the UDP datagrams.
const (
	udpSource      = 40000
	udpDestination = 9999
)

// UDP returns a datagram from one host to another, over IPv4 or IPv6 according to the addresses.
func UDP(from, to Host) ([]byte, error) {
	return Packet{From: from, To: to, Protocol: ProtocolUDP, SourcePort: udpSource, Port: udpDestination}.Frame()
}

// ARPReply returns a reply from one MAC to a host that claims that claimed.IP is at claimed.MAC.
func ARPReply(source net.HardwareAddr, to, claimed Host) ([]byte, error) {
	return arp(layers.ARPReply, source, to.MAC, claimed, to)
}

// ARPRequest returns a broadcast from one MAC that asks who has an address, and claims in its sender fields that
// claimed.IP is at claimed.MAC; receivers may believe that.
func ARPRequest(source net.HardwareAddr, target netip.Addr, claimed Host) ([]byte, error) {
	return arp(layers.ARPRequest, source, broadcast, claimed, Host{MAC: make(net.HardwareAddr, macSize), IP: target})
}

// broadcast is the destination of a frame to everybody.
var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func arp(operation uint16, source, destination net.HardwareAddr, sender, target Host) ([]byte, error) {
	if !sender.IP.Is4() || !target.IP.Is4() {
		return nil, fmt.Errorf("ARP is for IPv4, not for %s and %s", sender.IP, target.IP)
	}
	return build(source, destination, layers.EthernetTypeARP, &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
		HwAddressSize: macSize, ProtAddressSize: 4, Operation: operation,
		SourceHwAddress: sender.MAC, SourceProtAddress: sender.IP.AsSlice(),
		DstHwAddress: target.MAC, DstProtAddress: target.IP.AsSlice(),
	})
}

// hopLimit is the value that neighbour discovery requires, so that no routed packet is believed.
const hopLimit = 255

// NeighbourAdvertisement returns an advertisement from one host to another that claims that claimed.IP is at
// claimed.MAC (RFC 4861, section 4.4).
func NeighbourAdvertisement(from, to, claimed Host) ([]byte, error) {
	if !claimed.IP.Is6() || !from.IP.Is6() || !to.IP.Is6() {
		return nil, fmt.Errorf("neighbour discovery is for IPv6, not for %s, %s and %s", from.IP, to.IP, claimed.IP)
	}
	ip := &layers.IPv6{
		Version: 6, HopLimit: hopLimit, NextHeader: layers.IPProtocolICMPv6,
		SrcIP: from.IP.AsSlice(), DstIP: to.IP.AsSlice(),
	}
	const solicitedOverride = 0x60
	return build(from.MAC, to.MAC, layers.EthernetTypeIPv6, ip,
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborAdvertisement, 0)},
		&layers.ICMPv6NeighborAdvertisement{
			Flags: solicitedOverride, TargetAddress: claimed.IP.AsSlice(),
			Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: claimed.MAC}},
		})
}

// NeighbourSolicitation returns a question of one host for the address target, to the target's solicited-node group; it
// claims that from.IP is at claimed (RFC 4861, section 4.3).
func NeighbourSolicitation(from Host, target netip.Addr, claimed net.HardwareAddr) ([]byte, error) {
	if !from.IP.Is6() || !target.Is6() {
		return nil, fmt.Errorf("neighbour discovery is for IPv6, not for %s and %s", from.IP, target)
	}
	t := target.As16()
	group := netip.AddrFrom16([16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: t[13], 14: t[14], 15: t[15]})
	ip := &layers.IPv6{
		Version: 6, HopLimit: hopLimit, NextHeader: layers.IPProtocolICMPv6,
		SrcIP: from.IP.AsSlice(), DstIP: group.AsSlice(),
	}
	return build(from.MAC, net.HardwareAddr{0x33, 0x33, 0xff, t[13], t[14], t[15]}, layers.EthernetTypeIPv6, ip,
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)},
		&layers.ICMPv6NeighborSolicitation{
			TargetAddress: target.AsSlice(),
			Options:       layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: claimed}},
		})
}

// build serialises the layers behind an Ethernet header. The marker is the payload of UDP, TCP and an echo; behind
// other protocols it is the padding of the frame, which no header counts.
func build(
	source, destination net.HardwareAddr,
	kind layers.EthernetType,
	parts ...gopacket.SerializableLayer,
) ([]byte, error) {
	marker := make([]byte, markerSize)
	if _, err := rand.Read(marker); err != nil {
		return nil, fmt.Errorf("marker: %w", err)
	}
	padding := marker
	stack := []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: source, DstMAC: destination, EthernetType: kind}}
	var network gopacket.NetworkLayer
	for _, part := range parts {
		if n, ok := part.(gopacket.NetworkLayer); ok {
			network = n
		}
		sums, ok := part.(interface {
			SetNetworkLayerForChecksum(l gopacket.NetworkLayer) error
		})
		if ok {
			if err := sums.SetNetworkLayerForChecksum(network); err != nil {
				return nil, fmt.Errorf("checksum: %w", err)
			}
		}
		stack = append(stack, part)
	}
	switch parts[len(parts)-1].(type) {
	case *layers.UDP, *layers.TCP, *layers.ICMPv4, *layers.ICMPv6Echo:
		stack = append(stack, gopacket.Payload(marker))
		padding = nil
	}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(
		buffer,
		gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		stack...); err != nil {
		return nil, fmt.Errorf("build frame: %w", err)
	}
	return append(buffer.Bytes(), padding...), nil
}
