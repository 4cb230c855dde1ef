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

// errMAC says what a MAC looks like. Others forms are accepted by some programs, Kube-OVN among them, but not by OVN.
var errMAC = errors.New("want six octets joined by colons")

// ParseMAC reads a MAC as OVN can use it: six octets of two digits joined by colons.
func ParseMAC(text string) (MAC, error) {
	hw, err := net.ParseMAC(text)
	if err != nil || len(hw) != len(MAC{}) || len(text) != len("00:00:00:00:00:00") || text[2] != ':' {
		return MAC{}, fmt.Errorf("MAC %q: %w", text, errMAC)
	}
	return MAC(hw), nil
}

// String gives six octets of two digits joined by colons.
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

// linkLocal gives the address that RFC 4291, appendix A, makes of the MAC. OVN always lets a port with IPv6 addresses use it.
func (m MAC) linkLocal() netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}

// Range is the addresses that one word of an element allows as source.
type Range = netip.Prefix

// newRange gives what an address with a length means to OVN: the whole prefix where no host bit is set, else that one
// address.
func newRange(addr netip.Addr, bits int) Range {
	if p := netip.PrefixFrom(addr, bits); p.Masked() == p {
		return p
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// Identity is what a port is assigned.
type Identity struct {
	MAC MAC
	// IPs is empty for a port that gets its address from elsewhere.
	IPs []netip.Addr
}

// Pair is a MAC with source addresses.
type Pair struct {
	MAC MAC
	// AnyMAC stands for every MAC, MAC then means nothing.
	AnyMAC bool
	// IPs is the range of addresses; not valid where Any is set.
	IPs Range
	// Any stands for every address, and for every protocol that has none.
	Any bool
}

// String gives the pair as people write it, such as "0a:00:00:00:00:01 10.0.0.1".
func (p Pair) String() string {
	mac := p.MAC.String()
	if p.AnyMAC {
		mac = "any MAC"
	}
	switch {
	case p.Any:
		return mac + " with any address"
	case p.IPs.IsSingleIP():
		return mac + " " + p.IPs.Addr().String()
	}
	return mac + " " + p.IPs.String()
}
