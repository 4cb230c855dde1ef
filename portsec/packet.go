package portsec

import "encoding/binary"

// Ethertypes that matter.
const (
	typeIP4   = 0x0800
	typeARP   = 0x0806
	typeIP6   = 0x86dd
	typeVLAN  = 0x8100
	typeQinQ  = 0x88a8
	typeNone  = 0x05ff // what OVS takes a frame without ethertype for
	typeFirst = 0x0600 // smaller values are lengths
)

// Protocols that matter.
const (
	protoHopByHop = 0
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoAH       = 51
	protoICMP6    = 58
	protoDstOpts  = 60
)

// ICMPv6 types that matter.
const (
	mldReport1            = 131
	neighbourSolicitation = 135
	neighbourAdvert       = 136
	mldReport2            = 143
)

// ndHopLimit is the hop limit by which receivers tell that neighbour discovery comes from their own link (RFC 4861).
const ndHopLimit = 255

// packet is a frame as OVS sees it (miniflow_extract in its lib/flow.c): fields that a frame does not have are zero,
// and so are those of a header that is cut off or contradicts itself.
type packet struct {
	dst, src  uint64 // MACs, left-aligned
	tagged    bool   // a VLAN tag is left, whatever its number
	etherType uint16

	// IP addresses, or sender and target of ARP; IPv4 left-aligned in the upper half.
	ipSrcHi, ipSrcLo uint64
	ipDstHi, ipDstLo uint64

	proto    uint8
	hopLimit uint8
	// sport and dport are the ports, or type and code of ICMPv6; zero in every fragment.
	sport, dport uint16

	arpSHA             uint64 // left-aligned
	targetHi, targetLo uint64 // of neighbour discovery
	sourceLL, targetLL uint64 // link-layer addresses of its options, left-aligned
}

// read48 reads a MAC left-aligned.
func read48(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint32(b))<<32 | uint64(binary.BigEndian.Uint16(b[4:]))<<16
}

const etherHeader = 14

// parse reads a frame. childTag is the tag by which a child port is told from its parent, and which is taken off first;
// 0 for none. It gives false for what is no Ethernet frame at all.
func (p *packet) parse(frame []byte, childTag uint16) bool {
	if len(frame) < etherHeader {
		return false
	}
	p.dst, p.src = read48(frame), read48(frame[6:])
	rest := frame[12:]
	// OVS looks at two tags; after them, one more is the ethertype.
	for range 2 {
		if len(rest) < 6 || !isVLAN(rest) {
			break
		}
		if childTag != 0 && !p.tagged && binary.BigEndian.Uint16(rest[2:])&0xfff == childTag {
			childTag = 0 // it can be taken off but once
		} else {
			p.tagged = true
		}
		rest = rest[4:]
	}
	p.etherType, rest = etherTypeOf(rest)
	switch p.etherType {
	case typeIP4:
		p.parseIP4(rest)
	case typeIP6:
		p.parseIP6(rest)
	case typeARP:
		p.parseARP(rest)
	}
	return true
}

func isVLAN(b []byte) bool {
	t := binary.BigEndian.Uint16(b)
	return t == typeVLAN || t == typeQinQ
}

// etherTypeOf reads the ethertype, which an 802.3 frame may carry in a SNAP header.
func etherTypeOf(b []byte) (uint16, []byte) {
	t, b := binary.BigEndian.Uint16(b), b[2:]
	if t >= typeFirst {
		return t, b
	}
	const header = 8
	if len(b) < header || b[0] != 0xaa || b[1] != 0xaa || b[2] != 0x03 || b[3] != 0 || b[4] != 0 || b[5] != 0 {
		return typeNone, b
	}
	if t = binary.BigEndian.Uint16(b[6:]); t >= typeFirst {
		return t, b[header:]
	}
	return typeNone, b[header:]
}

func (p *packet) parseARP(b []byte) {
	const ethernetIP4 = 0x0001_0800_06_04 // hardware and protocol type, lengths
	if len(b) < 28 || binary.BigEndian.Uint64(b)>>16 != ethernetIP4 {
		return
	}
	p.arpSHA = read48(b[8:])
	p.ipSrcHi = uint64(binary.BigEndian.Uint32(b[14:])) << 32
	p.ipDstHi = uint64(binary.BigEndian.Uint32(b[24:])) << 32
}

func (p *packet) parseIP4(b []byte) {
	const shortest = 20
	if len(b) < shortest {
		return
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < shortest || len(b) < header || total > len(b) || header > total || len(b)-total > 0xffff {
		return
	}
	p.ipSrcHi = uint64(binary.BigEndian.Uint32(b[12:])) << 32
	p.ipDstHi = uint64(binary.BigEndian.Uint32(b[16:])) << 32
	p.hopLimit, p.proto = b[8], b[9]
	const moreAndOffset = 0x3fff
	if fragment := binary.BigEndian.Uint16(b[6:])&moreAndOffset != 0; !fragment {
		p.parsePorts(b[header:total])
	}
}

func (p *packet) parseIP6(b []byte) {
	const header = 40
	if len(b) < header {
		return
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if header+length > len(b) || len(b)-header-length > 0xffff {
		return
	}
	p.ipSrcHi, p.ipSrcLo = binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	p.ipDstHi, p.ipDstLo = binary.BigEndian.Uint64(b[24:]), binary.BigEndian.Uint64(b[32:])
	proto, payload, fragment, ok := skipExtensions(b[6], b[header:header+length])
	if !ok {
		return
	}
	p.hopLimit, p.proto = b[7], proto
	// Ports, type and code of every fragment read as zero, the first one's too, and no rule tests what is behind them.
	if fragment == noFragment {
		p.parsePorts(payload)
	}
}

// Kinds of fragments.
const (
	noFragment = iota
	firstFragment
	laterFragment
)

// skipExtensions goes over the extension headers that OVS knows. It gives false where one is cut off.
func skipExtensions(proto uint8, b []byte) (uint8, []byte, int, bool) {
	fragment := noFragment
	for {
		var size int
		switch proto {
		case protoHopByHop, protoRouting, protoDstOpts, protoAH, protoFragment:
			if len(b) < 8 {
				return 0, nil, 0, false
			}
		default:
			return proto, b, fragment, true
		}
		switch proto {
		case protoAH:
			size = (int(b[1]) + 2) * 4
		case protoFragment:
			size = 8
		default:
			size = (int(b[1]) + 1) * 8
		}
		if len(b) < size {
			return 0, nil, 0, false
		}
		if proto == protoFragment {
			if offset := binary.BigEndian.Uint16(b[2:]); offset != 0 {
				fragment = firstFragment
				if offset&0xfff8 != 0 {
					return protoFragment, b[size:], laterFragment, true
				}
			}
		}
		proto, b = b[0], b[size:]
	}
}

// parsePorts reads what follows the IP headers.
func (p *packet) parsePorts(b []byte) {
	switch {
	case p.proto == protoUDP && len(b) >= 8, p.proto == protoTCP && len(b) >= 20:
		p.sport, p.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case p.proto == protoICMP6 && p.etherType == typeIP6 && len(b) >= 8:
		p.sport, p.dport = uint16(b[0]), uint16(b[1])
		if (b[0] == neighbourSolicitation || b[0] == neighbourAdvert) && b[1] == 0 {
			p.parseDiscovery(b[8:])
		}
	}
}

// parseDiscovery reads the target and the link-layer addresses of neighbour discovery. An option that is too long ends
// it; the same address twice voids all fields.
func (p *packet) parseDiscovery(b []byte) {
	if len(b) < 16 {
		return
	}
	p.targetHi, p.targetLo = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	const unit, sourceOption, targetOption = 8, 1, 2
	for b = b[16:]; len(b) >= unit; {
		size := int(b[1]) * unit
		if size == 0 || size > len(b) {
			return
		}
		if size == unit && (b[0] == sourceOption || b[0] == targetOption) {
			address := &p.sourceLL
			if b[0] == targetOption {
				address = &p.targetLL
			}
			if *address != 0 {
				p.targetHi, p.targetLo, p.sourceLL, p.targetLL = 0, 0, 0, 0
				return
			}
			*address = read48(b[2:])
		}
		b = b[size:]
	}
}

// Whether the packet is the exception that tables mention.

func (p *packet) isDHCPRequest() bool {
	return p.ipSrcHi == 0 && p.ipDstHi == 0xffffffff<<32 && p.proto == protoUDP && p.sport == 68 && p.dport == 67
}

func (p *packet) isICMP6(t uint16) bool { return p.proto == protoICMP6 && p.sport == t }

// isDiscovery reports whether neighbour discovery of the type is checked beyond its addresses.
func (p *packet) isDiscovery() bool {
	return p.etherType == typeIP6 && p.hopLimit == ndHopLimit &&
		(p.isICMP6(neighbourSolicitation) || p.isICMP6(neighbourAdvert))
}

// isUnspecifiedToLink reports whether an IPv6 packet goes from the unspecified address to a group of the link.
func (p *packet) isUnspecifiedToLink() bool {
	return p.ipSrcHi == 0 && p.ipSrcLo == 0 && linkScope6.has(p.ipDstHi, p.ipDstLo)
}
