package portsec

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// MAC is an Ethernet address.
type MAC [6]byte

// errMAC says what a MAC looks like. Other forms are accepted by some programs, Kube-OVN among them, but not by OVN.
var errMAC = errors.New("want six octets of two hexadecimal digits joined by colons, such as 0a:00:00:00:00:01")

// ParseMAC reads a MAC in the one form that nothing misreads: six octets of two digits joined by colons. It is for what
// people and Kubernetes objects give; elements of port_security are read by Parse, as laxly as OVN does.
func ParseMAC(text string) (MAC, error) {
	hw, err := net.ParseMAC(text)
	if err != nil || len(hw) != len(MAC{}) || len(text) != len("00:00:00:00:00:00") || text[2] != ':' {
		return MAC{}, fmt.Errorf("MAC %q: %w", text, errMAC)
	}
	return MAC(hw), nil
}

// String returns six octets of two digits joined by colons.
func (m MAC) String() string {
	out := make([]byte, 0, 17)
	for i, b := range m {
		if i > 0 {
			out = append(out, ':')
		}
		out = hex.AppendEncode(out, []byte{b})
	}
	return string(out)
}

// Group reports whether the MAC stands for a group (multicast or broadcast). OVN drops every frame from such a source.
func (m MAC) Group() bool { return m[0]&1 != 0 }

// LinkLocal returns the IPv6 address that RFC 4291, appendix A, makes of the MAC. A port with IPv6 addresses may always
// use it.
func (m MAC) LinkLocal() netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}
