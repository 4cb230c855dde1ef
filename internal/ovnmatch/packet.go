// Package ovnmatch evaluates the match expressions of OVN's ACLs for one packet. What it does not know is unknown,
// never guessed, and it says which text that was.
//
// The grammar and the meaning are those of ovn-sb(5), "Match Expressions"; a test compares them with ovn-trace.
package ovnmatch

import (
	"encoding/binary"
	"net/netip"

	"github.com/ovnguard/ovnguard/portsec"
)

// Packet has the fields that expressions test. Fields that the packet does not have are zero: a field is only looked at
// where the packet has its header.
type Packet struct {
	// InPort and OutPort are names of logical ports. OutPort is "" before the switch has chosen it.
	InPort, OutPort string

	EthSrc, EthDst portsec.MAC
	EthType        uint16
	// VLAN is the tag with its priority, and Tagged reports whether there is one.
	VLAN   uint16
	Tagged bool

	// IPSrc and IPDst are the addresses of an IP packet.
	IPSrc, IPDst netip.Addr
	Proto, TTL   uint8
	// Fragment reports whether the packet is a fragment, and Later whether it is not the first one.
	Fragment, Later bool
	// SrcPort and DstPort are those of TCP, UDP and SCTP.
	SrcPort, DstPort uint16
	// ICMPType and ICMPCode are those of ICMP and ICMPv6.
	ICMPType, ICMPCode uint8

	// These are the fields of ARP.
	ARPOp    uint16
	SPA, TPA netip.Addr
	SHA, THA portsec.MAC

	// These are the fields of neighbour discovery: the target, and the link-layer addresses of its options.
	Target   netip.Addr
	SLL, TLL portsec.MAC
}

// Ethertypes.
const (
	TypeIP4 = 0x0800
	TypeARP = 0x0806
	TypeIP6 = 0x86dd
)

// number is the value of a field: up to 128 bits.
type number struct{ hi, lo uint64 }

func (n number) and(m number) number { return number{n.hi & m.hi, n.lo & m.lo} }

// less reports whether n is smaller.
func (n number) less(m number) bool { return n.hi < m.hi || n.hi == m.hi && n.lo < m.lo }

// shifted returns n without its lowest bits.
func (n number) shifted(bits int) number {
	if bits >= 64 {
		return number{0, n.hi >> (bits - 64)}
	}
	if bits == 0 {
		return n
	}
	return number{n.hi >> bits, n.lo>>bits | n.hi<<(64-bits)}
}

// ones returns a number with its lowest bits set.
func ones(bits int) number {
	switch {
	case bits >= 128:
		return number{^uint64(0), ^uint64(0)}
	case bits >= 64:
		return number{1<<(bits-64) - 1, ^uint64(0)}
	}
	return number{0, 1<<bits - 1}
}

func ofMAC(m portsec.MAC) number {
	return number{0, uint64(binary.BigEndian.Uint16(m[:]))<<32 | uint64(binary.BigEndian.Uint32(m[2:]))}
}

// ofAddr returns an address as a number of 32 or 128 bits; zero for none.
func ofAddr(a netip.Addr) number {
	switch {
	case a.Is4():
		b := a.As4()
		return number{0, uint64(binary.BigEndian.Uint32(b[:]))}
	case a.Is6():
		b := a.As16()
		return number{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
	}
	return number{}
}

func ofBool(b bool) number {
	if b {
		return number{0, 1}
	}
	return number{}
}
