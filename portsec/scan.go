package portsec

import (
	"net/netip"
	"strings"
)

// spaces are what OVS' scanner skips before a number.
const spaces = " \t\n\v\f\r"

// scanner reads tokens the way OVS' ovs_scan does, whose leniency is the reason for most surprises: numbers wrap around,
// take signs and blanks before them, and stop where their digits stop.
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

// integer reads digits of a base; the value is that of the low 32 bits, as signed.
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

// octets reads numbers joined by separator into out, each cut to eight bits.
func (s *scanner) octets(out []byte, base uint32, separator byte) bool {
	t := *s
	for i := range out {
		if i > 0 {
			if t.at >= len(t.text) || t.text[t.at] != separator {
				return false
			}
			t.at++
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

func (s *scanner) byte(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// cidr4 reads an IPv4 address with an optional prefix length or mask. A bad mask is an error that has consumed its text.
func (s *scanner) cidr4() (Range, bool) {
	var a [4]byte
	if !s.octets(a[:], 10, '.') {
		return Range{}, false
	}
	addr := netip.AddrFrom4(a)
	slash := *s
	if !slash.byte('/') {
		return newRange(addr, 32), true
	}
	mask := slash
	var m [4]byte
	if mask.octets(m[:], 10, '.') {
		*s = mask
		bits, ok := maskBits(m[:])
		return newRange(addr, bits), ok
	}
	if bits, ok := slash.integer(10); ok {
		*s = slash
		if bits < 0 || bits > 32 {
			return Range{}, false
		}
		return newRange(addr, int(bits)), true
	}
	return newRange(addr, 32), true
}

// cidr6 reads an IPv6 address with an optional prefix length or mask.
func (s *scanner) cidr6() (Range, bool) {
	addr, ok := s.ip6()
	if !ok {
		return Range{}, false
	}
	slash := *s
	if !slash.byte('/') {
		return newRange(addr, 128), true
	}
	number := slash
	if bits, ok := number.integer(10); ok {
		*s = number
		if bits < 0 || bits > 128 {
			return Range{}, false
		}
		return newRange(addr, int(bits)), true
	}
	if mask, ok := slash.ip6(); ok {
		*s = slash
		m := mask.As16()
		bits, ok := maskBits(m[:])
		return newRange(addr, bits), ok
	}
	return newRange(addr, 128), true
}

// ip6Limit is the longest text that is read as one IPv6 address.
const ip6Limit = 46

func (s *scanner) ip6() (netip.Addr, bool) {
	t := *s
	t.skipSpaces()
	begin := t.at
	for t.at < len(t.text) && t.at-begin < ip6Limit && strings.IndexByte("0123456789abcdefABCDEF:.", t.text[t.at]) >= 0 {
		t.at++
	}
	addr, err := netip.ParseAddr(t.text[begin:t.at])
	if err != nil || !addr.Is6() {
		return netip.Addr{}, false
	}
	*s = t
	return addr, true
}

// maskBits gives the length of a contiguous mask.
func maskBits(mask []byte) (int, bool) {
	bits, ended := 0, false
	for _, b := range mask {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && ended {
				return 0, false
			}
			if one {
				bits++
			} else {
				ended = true
			}
		}
	}
	return bits, true
}
