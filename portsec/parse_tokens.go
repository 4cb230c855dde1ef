package portsec

import (
	"fmt"
	"net/netip"
	"strings"
)

// vrrpKeyword begins an element for a virtual router.
const vrrpKeyword = "VRRPv3"

// parseTokens reads an element as eras with WholeElements do: a MAC, then tokens separated by blanks, all of them good
// or nothing at all.
func parseTokens(text string) Element {
	if strings.HasPrefix(text, vrrpKeyword) {
		return parseVRRP(text)
	}
	e := Element{Text: text}
	s := scanner{text: text}
	var ok bool
	if e.MAC, ok = s.mac(); !ok {
		return rejected(text, 0, noMAC)
	}
	for offset, token := range tokens(text, s.at) {
		p, ok := parseAddress(token)
		if !ok {
			return rejected(
				text,
				offset,
				fmt.Sprintf("%q is not an address, and one bad word costs the whole element", token),
			)
		}
		e.Addresses = append(e.Addresses, p)
	}
	return e
}

// tokens returns the words of text from offset on, and where they stand. Only the space separates words.
func tokens(text string, offset int) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		for word := range strings.SplitSeq(text[offset:], " ") {
			if word != "" && !yield(offset, word) {
				return
			}
			offset += len(word) + 1
		}
	}
}

// parseAddress reads a token that is wholly one address. An IPv4-mapped IPv6 address counts as IPv4 with the length as
// written, which must therefore fit IPv4.
func parseAddress(token string) (netip.Prefix, bool) {
	s := scanner{text: token}
	if p, ok := s.cidr4(); ok && s.left() == "" {
		return p, true
	}
	s = scanner{text: token}
	p, ok := s.cidr6()
	switch {
	case !ok || s.left() != "":
		return netip.Prefix{}, false
	case p.Addr().Is4In6():
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()), p.Bits() <= ip4Bits
	}
	return p, true
}
