package vector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Frame describes an Ethernet frame by its fields. Those that its ethertype does not need are left out or null.
type Frame struct {
	EthSrc string `json:"eth_src"`
	EthDst string `json:"eth_dst"`
	// EthType is a number, as "0x0800".
	EthType string `json:"eth_type"`
	// VLAN is the number of the 802.1Q tag; null for none. 0 is a tag, too.
	VLAN *uint16 `json:"vlan,omitempty"`

	IPv4Src *string `json:"ipv4_src,omitempty"`
	IPv4Dst *string `json:"ipv4_dst,omitempty"`
	IPv6Src *string `json:"ipv6_src,omitempty"`
	IPv6Dst *string `json:"ipv6_dst,omitempty"`

	ARPOp  *uint16 `json:"arp_op,omitempty"`
	ARPSHA *string `json:"arp_sha,omitempty"`
	ARPSPA *string `json:"arp_spa,omitempty"`
	ARPTHA *string `json:"arp_tha,omitempty"`
	ARPTPA *string `json:"arp_tpa,omitempty"`

	// NDType is 135 for a neighbour solicitation and 136 for an advertisement; NDLLAddr is the link-layer address of
	// its option, null for no option.
	NDType   *uint8  `json:"nd_type,omitempty"`
	NDTarget *string `json:"nd_target,omitempty"`
	NDLLAddr *string `json:"nd_lladdr,omitempty"`

	// IPProto is 17 where it is left out.
	IPProto *uint8 `json:"ip_proto,omitempty"`
	L4      *L4    `json:"l4,omitempty"`
}

// L4 is what seldom differs from its default.
type L4 struct {
	// SPort and DPort are those of UDP; 1000 and 9999 where left out.
	SPort *uint16 `json:"sport,omitempty"`
	DPort *uint16 `json:"dport,omitempty"`
	// TTL is the hop limit; 255 for ICMPv6 and 64 for everything else where left out.
	TTL *uint8 `json:"ttl,omitempty"`
	// ICMPType and ICMPCode are those of ICMPv6 that is no neighbour discovery; 128 and 0 where left out. The code
	// holds for neighbour discovery, too.
	ICMPType *uint8 `json:"icmp_type,omitempty"`
	ICMPCode *uint8 `json:"icmp_code,omitempty"`
	// Frag is the flags and offset word of IPv4.
	Frag uint16 `json:"frag,omitempty"`
	// Ext is an IPv6 extension header: "frag" (a first fragment), "atomic" (a fragment that is whole) or "hbh" (router
	// alert).
	Ext string `json:"ext,omitempty"`
	// Opt is the type of the neighbour discovery option (1 in solicitations and 2 in advertisements where left out),
	// and OptLen the length it claims, in units of eight bytes; 1 where left out.
	Opt    *uint8 `json:"opt,omitempty"`
	OptLen *uint8 `json:"optlen,omitempty"`
	// Hrd, Pro, Hln and Pln are the first fields of ARP; 1, 0x0800, 6 and 4 where left out.
	Hrd *uint16 `json:"hrd,omitempty"`
	Pro *uint16 `json:"pro,omitempty"`
	Hln *uint8  `json:"hln,omitempty"`
	Pln *uint8  `json:"pln,omitempty"`
}

// Ethertypes whose contents are described by fields.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeVLAN = 0x8100
	typeIPv6 = 0x86dd
)

// Bytes returns the frame as it goes over the wire, without padding and without its checksum. An error names the field.
func (f Frame) Bytes() ([]byte, error) {
	dst, err := parseMAC("eth_dst", f.EthDst)
	if err != nil {
		return nil, err
	}
	src, err := parseMAC("eth_src", f.EthSrc)
	if err != nil {
		return nil, err
	}
	ethType, err := strconv.ParseUint(f.EthType, 0, 16)
	if err != nil {
		return nil, fmt.Errorf("eth_type %q: want a number such as 0x0800", f.EthType)
	}
	out := append(append(make([]byte, 0, 128), dst...), src...)
	if f.VLAN != nil {
		if *f.VLAN > 0xfff {
			return nil, fmt.Errorf("vlan %d: want 0 to 4095", *f.VLAN)
		}
		out = binary.BigEndian.AppendUint16(out, typeVLAN)
		out = binary.BigEndian.AppendUint16(out, *f.VLAN)
	}
	out = binary.BigEndian.AppendUint16(out, uint16(ethType))
	var l4 L4
	if f.L4 != nil {
		l4 = *f.L4
	}
	var body []byte
	switch {
	case f.ARPOp != nil || ethType == typeARP:
		body, err = f.arp(l4)
	case ethType == typeIPv4:
		body, err = f.ipv4(l4)
	case ethType == typeIPv6:
		body, err = f.ipv6(l4)
	default:
		body = make([]byte, 46) // the least that a frame carries
	}
	return append(out, body...), err
}

func (f Frame) arp(l4 L4) ([]byte, error) {
	sha, err := macField("arp_sha", f.ARPSHA)
	if err != nil {
		return nil, err
	}
	tha, err := macField("arp_tha", f.ARPTHA)
	if err != nil {
		return nil, err
	}
	spa, err := ipField("arp_spa", f.ARPSPA, 4)
	if err != nil {
		return nil, err
	}
	tpa, err := ipField("arp_tpa", f.ARPTPA, 4)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint16(nil, or(l4.Hrd, 1))
	out = binary.BigEndian.AppendUint16(out, or(l4.Pro, typeIPv4))
	out = append(out, or(l4.Hln, 6), or(l4.Pln, 4))
	out = binary.BigEndian.AppendUint16(out, or(f.ARPOp, 1))
	for _, field := range [][]byte{sha, spa, tha, tpa} {
		out = append(out, field...)
	}
	return out, nil
}

func or[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}

var (
	errMAC     = errors.New("want six octets joined by colons")
	errMissing = errors.New("it is needed here and missing")
)

func parseMAC(field, text string) ([]byte, error) {
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		return nil, fmt.Errorf("%s %q: %w", field, text, errMAC)
	}
	return mac, nil
}

// macField reads an optional MAC; it is zero where left out.
func macField(field string, text *string) ([]byte, error) {
	if text == nil {
		return make([]byte, 6), nil
	}
	return parseMAC(field, *text)
}

// ipField reads an address of the given number of bytes.
func ipField(field string, text *string, bytes int) ([]byte, error) {
	if text == nil {
		return nil, fmt.Errorf("%s: %w", field, errMissing)
	}
	addr, err := netip.ParseAddr(*text)
	if err != nil || addr.BitLen() != 8*bytes || addr.Zone() != "" {
		return nil, fmt.Errorf("%s %q: want an IPv%d address", field, *text, map[int]int{4: 4, 16: 6}[bytes])
	}
	return addr.AsSlice(), nil
}
