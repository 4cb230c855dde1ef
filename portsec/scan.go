package portsec

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// spaces are what OVS' scanner skips before a number.
const spaces = " \t\n\v\f\r"

// scanner reads tokens the way OVS' ovs_scan does, whose leniency is the reason for most surprises: numbers wrap
// around, take signs and blanks before them, and stop where their digits stop.
type scanner struct {
	text string
	at   int
}

func (s *scanner) left() string { return s.text[s.at:] }

func (s *scanner) skipSpaces() {
	for s.at < len(s.text) && strings.IndexByte(spaces, s.text[s.at]) >= 0 {
		s.at++
	}
}

// integer reads digits of a base; the value is that of the low 32 bits, as signed. It consumes nothing where it fails.
func (s *scanner) integer(base uint32) (int32, bool) {
	t := *s
	t.skipSpaces()
	negative := false
	if t.at < len(t.text) && (t.text[t.at] == '+' || t.text[t.at] == '-') {
		negative = t.text[t.at] == '-'
		t.at++
	}
	if base == 16 && len(t.left()) >= 2 && t.text[t.at] == '0' && t.text[t.at+1]|0x20 == 'x' {
		t.at += 2
	}
	var value uint32
	begin := t.at
	for t.at < len(t.text) {
		d, ok := digit(t.text[t.at], base)
		if !ok {
			break
		}
		value = value*base + d
		t.at++
	}
	if t.at == begin {
		return 0, false
	}
	if negative {
		value = -value
	}
	*s = t
	return int32(value), true
}

func digit(c byte, base uint32) (uint32, bool) {
	var d uint32
	switch {
	case c >= '0' && c <= '9':
		d = uint32(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		d = uint32(c|0x20-'a') + 10
	default:
		return 0, false
	}
	return d, d < base
}

func (s *scanner) byte(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// octets reads numbers joined by separator into out, each cut to eight bits. It consumes nothing where it fails.
func (s *scanner) octets(out []byte, base uint32, separator byte) bool {
	t := *s
	for i := range out {
		if i > 0 && !t.byte(separator) {
			return false
		}
		n, ok := t.integer(base)
		if !ok {
			return false
		}
		out[i] = byte(n)
	}
	*s = t
	return true
}

func (s *scanner) mac() (MAC, bool) {
	var m MAC
	ok := s.octets(m[:], 16, ':')
	return m, ok
}

// slashMAC reads a slash and a MAC, as which masks of MACs are written.
func (s *scanner) slashMAC() (MAC, bool) {
	t := *s
	if !t.byte('/') {
		return MAC{}, false
	}
	m, ok := t.mac()
	if ok {
		*s = t
	}
	return m, ok
}

// slashLength reads a slash and a number.
func (s *scanner) slashLength() (int32, bool) {
	t := *s
	if !t.byte('/') {
		return 0, false
	}
	n, ok := t.integer(10)
	if ok {
		*s = t
	}
	return n, ok
}

// cidr4 reads an IPv4 address with an optional prefix length or mask. A bad length or mask is an error that has
// consumed its text, which matters to who goes on from there.
func (s *scanner) cidr4() (netip.Prefix, bool) {
	var a [4]byte
	if !s.octets(a[:], 10, '.') {
		return netip.Prefix{}, false
	}
	addr := netip.AddrFrom4(a)
	mask := *s
	var m [4]byte
	if mask.byte('/') && mask.octets(m[:], 10, '.') {
		*s = mask
		n, ok := contiguous(uint64(binary.BigEndian.Uint32(m[:]))<<32, 0)
		return netip.PrefixFrom(addr, n), ok
	}
	if n, ok := s.slashLength(); ok {
		return netip.PrefixFrom(addr, int(n)), n >= 0 && n <= ip4Bits
	}
	return netip.PrefixFrom(addr, ip4Bits), true
}

// cidr6 reads an IPv6 address with an optional prefix length or mask. What is wrong after the slash is an error, only a
// slash with nothing like a length or mask after it is left over.
func (s *scanner) cidr6() (netip.Prefix, bool) {
	s.skipSpaces()
	addr, ok := parseIP6(s.ip6Text())
	if !ok {
		return netip.Prefix{}, false
	}
	if n, ok := s.slashLength(); ok {
		return netip.PrefixFrom(addr, int(n)), n >= 0 && n <= ip6Bits
	}
	t := *s
	if t.byte('/') {
		if text := t.ip6Text(); text != "" {
			*s = t
			mask, ok := parseIP6(text)
			if !ok {
				return netip.Prefix{}, false
			}
			m := mask.As16()
			n, ok := contiguous(binary.BigEndian.Uint64(m[:8]), binary.BigEndian.Uint64(m[8:]))
			return netip.PrefixFrom(addr, n), ok
		}
	}
	return netip.PrefixFrom(addr, ip6Bits), true
}

// ip6Limit is the longest text that is read as one IPv6 address.
const ip6Limit = 46

// ip6Text reads the characters that may be part of an IPv6 address.
func (s *scanner) ip6Text() string {
	begin := s.at
	for s.at < len(s.text) && s.at-begin < ip6Limit && strings.IndexByte("0123456789abcdefABCDEF:.", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.text[begin:s.at]
}

// parseIP6 reads an IPv6 address as inet_pton does.
func parseIP6(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && addr.Is6()
}
