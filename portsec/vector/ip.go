package vector

import (
	"encoding/binary"
	"fmt"
)

// Protocols whose contents are described by fields.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// Numbers of IPv6 extension headers.
const (
	headerHopByHop = 0
	headerFragment = 44
)

const defaultTTL = 64

func (f Frame) ipv4(l4 L4) ([]byte, error) {
	src, err := ipField("ipv4_src", f.IPv4Src, 4)
	if err != nil {
		return nil, err
	}
	dst, err := ipField("ipv4_dst", f.IPv4Dst, 4)
	if err != nil {
		return nil, err
	}
	proto := or(f.IPProto, protoUDP)
	payload := transport(proto, src, dst, or(l4.SPort, 1000), or(l4.DPort, dportOver4(proto)))
	const header, version = 20, 0x45
	out := binary.BigEndian.AppendUint16([]byte{version, 0}, uint16(header+len(payload)))
	out = binary.BigEndian.AppendUint16(out, 1) // identification
	out = binary.BigEndian.AppendUint16(out, l4.Frag)
	out = append(out, or(l4.TTL, defaultTTL), proto, 0, 0)
	out = append(append(out, src...), dst...)
	binary.BigEndian.PutUint16(out[10:], checksum(out))
	return append(out, payload...), nil
}

func dportOver4(proto uint8) uint16 {
	if proto == protoTCP {
		return 80
	}
	return 9999
}

func (f Frame) ipv6(l4 L4) ([]byte, error) {
	src, err := ipField("ipv6_src", f.IPv6Src, 16)
	if err != nil {
		return nil, err
	}
	dst, err := ipField("ipv6_dst", f.IPv6Dst, 16)
	if err != nil {
		return nil, err
	}
	proto := or(f.IPProto, protoUDP)
	if f.NDType != nil {
		proto = protoICMPv6
	}
	var payload []byte
	ttl := uint8(defaultTTL)
	switch proto {
	case protoICMPv6:
		ttl = 255
		if payload, err = f.icmpv6(l4); err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint16(payload[2:], pseudoChecksum(proto, src, dst, payload))
	case protoTCP:
		payload = transport(proto, src, dst, 1000, 80)
	default:
		payload = transport(proto, src, dst, or(l4.SPort, 1000), or(l4.DPort, 9999))
	}
	next, extension, err := extensionHeader(l4.Ext, proto)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(len(extension)+len(payload)))
	out = append(out, next, or(l4.TTL, ttl))
	out = append(append(out, src...), dst...)
	return append(append(out, extension...), payload...), nil
}

// extensionHeader returns the header that goes before the protocol, and the number by which the header before names it.
func extensionHeader(name string, proto uint8) (next uint8, header []byte, err error) {
	switch name {
	case "":
		return proto, nil, nil
	case "frag":
		return headerFragment, []byte{proto, 0, 0, 1, 0, 0, 0, 1}, nil // offset 0, more follow
	case "atomic":
		return headerFragment, []byte{proto, 0, 0, 0, 0, 0, 0, 1}, nil
	case "hbh":
		return headerHopByHop, []byte{proto, 0, 5, 2, 0, 0, 1, 0}, nil // router alert, padded
	}
	return 0, nil, fmt.Errorf("l4.ext %q: want frag, atomic or hbh", name)
}

// icmpv6 returns a message without its checksum.
func (f Frame) icmpv6(l4 L4) ([]byte, error) {
	code := or(l4.ICMPCode, 0)
	if f.NDType == nil {
		return append([]byte{or(l4.ICMPType, 128), code}, make([]byte, 26)...), nil
	}
	target, err := ipField("nd_target", f.NDTarget, 16)
	if err != nil {
		return nil, err
	}
	out := append([]byte{*f.NDType, code, 0, 0, 0, 0, 0, 0}, target...)
	if f.NDLLAddr == nil {
		return out, nil
	}
	mac, err := parseMAC("nd_lladdr", *f.NDLLAddr)
	if err != nil {
		return nil, err
	}
	const solicitation, sourceOption, targetOption = 135, 1, 2
	option := uint8(targetOption)
	if *f.NDType == solicitation {
		option = sourceOption
	}
	return append(append(out, or(l4.Opt, option), or(l4.OptLen, 1)), mac...), nil
}

// transport returns a short message of the protocol; one that has no fields here is eight zeros.
func transport(proto uint8, src, dst []byte, sport, dport uint16) []byte {
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, sport), dport)
	switch proto {
	case protoUDP:
		out := append(ports, 0, 8, 0, 0)
		binary.BigEndian.PutUint16(out[6:], pseudoChecksum(proto, src, dst, out))
		return out
	case protoTCP:
		const syn = 0x02
		out := append(ports, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, syn, 0x20, 0, 0, 0, 0, 0)
		binary.BigEndian.PutUint16(out[16:], pseudoChecksum(proto, src, dst, out))
		return out
	case protoICMP:
		out := []byte{8, 0, 0, 0, 0, 1, 0, 1} // echo request
		binary.BigEndian.PutUint16(out[2:], checksum(out))
		return out
	}
	return make([]byte, 8)
}

// pseudoChecksum returns the checksum of a message with its addresses, protocol and length.
func pseudoChecksum(proto uint8, src, dst, message []byte) uint16 {
	all := append(append([]byte{}, src...), dst...)
	all = binary.BigEndian.AppendUint32(all, uint32(len(message)))
	all = append(all, 0, 0, 0, proto)
	return checksum(append(all, message...))
}

// checksum returns the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
