package wire

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// markerSize is how many random bytes end each frame, so that no two are the same.
const markerSize = 16

// Host is a MAC and an address.
type Host struct {
	MAC net.HardwareAddr
	IP  netip.Addr
}

// ParseHost reads a MAC and an address.
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

// UDP gives a datagram from one host to another, over IPv4 or IPv6 as the addresses are.
func UDP(from, to Host) ([]byte, error) {
	udp := &layers.UDP{SrcPort: udpSource, DstPort: udpDestination}
	if from.IP.Is4() {
		ip := &layers.IPv4{
			Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP,
			SrcIP: from.IP.AsSlice(), DstIP: to.IP.AsSlice(),
		}
		return build(from.MAC, to.MAC, layers.EthernetTypeIPv4, ip, udp)
	}
	ip := &layers.IPv6{
		Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP,
		SrcIP: from.IP.AsSlice(), DstIP: to.IP.AsSlice(),
	}
	return build(from.MAC, to.MAC, layers.EthernetTypeIPv6, ip, udp)
}

// ARPReply gives a reply that is sent from one MAC to a host and claims that claimed.IP is at claimed.MAC.
func ARPReply(source net.HardwareAddr, to, claimed Host) ([]byte, error) {
	if !claimed.IP.Is4() || !to.IP.Is4() {
		return nil, fmt.Errorf("ARP is for IPv4, not for %s and %s", claimed.IP, to.IP)
	}
	arp := &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
		HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPReply,
		SourceHwAddress: claimed.MAC, SourceProtAddress: claimed.IP.AsSlice(),
		DstHwAddress: to.MAC, DstProtAddress: to.IP.AsSlice(),
	}
	return build(source, to.MAC, layers.EthernetTypeARP, arp)
}

// NeighbourAdvertisement gives an advertisement that is sent by one host to another and claims that claimed.IP is at
// claimed.MAC (RFC 4861, section 4.4).
func NeighbourAdvertisement(from, to, claimed Host) ([]byte, error) {
	if !claimed.IP.Is6() || !from.IP.Is6() || !to.IP.Is6() {
		return nil, fmt.Errorf("neighbour discovery is for IPv6, not for %s, %s and %s", from.IP, to.IP, claimed.IP)
	}
	ip := &layers.IPv6{
		Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6,
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

// build serialises the layers behind an Ethernet header. The marker is a datagram's payload; behind other protocols it is
// the padding of the frame, which no header counts.
func build(source, destination net.HardwareAddr, kind layers.EthernetType, parts ...gopacket.SerializableLayer) ([]byte, error) {
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
		var err error
		switch l := part.(type) {
		case *layers.UDP:
			err = l.SetNetworkLayerForChecksum(network)
		case *layers.ICMPv6:
			err = l.SetNetworkLayerForChecksum(network)
		}
		if err != nil {
			return nil, fmt.Errorf("checksum: %w", err)
		}
		stack = append(stack, part)
	}
	if _, datagram := parts[len(parts)-1].(*layers.UDP); datagram {
		stack = append(stack, gopacket.Payload(marker))
		padding = nil
	}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...); err != nil {
		return nil, fmt.Errorf("build frame: %w", err)
	}
	return append(buffer.Bytes(), padding...), nil
}
