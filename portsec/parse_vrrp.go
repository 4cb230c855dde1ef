package portsec

import (
	"errors"
	"fmt"
)

// Virtual MACs of VRRPv3 (RFC 5798, section 7.3): five fixed octets and the number of the router.
var (
	vrrp4 = newSpan(MAC{0x00, 0x00, 0x5e, 0x00, 0x01, 0x00}.key(), 0, vrrpBits)
	vrrp6 = newSpan(MAC{0x00, 0x00, 0x5e, 0x00, 0x02, 0x00}.key(), 0, vrrpBits)
)

// vrrpBits is how many bits of a virtual MAC are fixed.
const vrrpBits = 40

// parseVRRP reads an element of a virtual router: the keyword, the MAC of the physical interface, then virtual MACs and
// addresses in any order. Without a virtual MAC it has all of them.
func parseVRRP(text string) Element {
	// The character after the keyword is skipped unseen. OVN would read behind the end of a bare keyword.
	const begin = len(vrrpKeyword) + 1
	if len(text) < begin {
		return rejected(text, len(text), "no MAC follows the keyword "+vrrpKeyword)
	}
	e := Element{Text: text, VRRP: true}
	s := scanner{text: text, at: begin}
	var ok bool
	if e.MAC, ok = s.mac(); !ok {
		return rejected(text, begin, "no MAC follows the keyword "+vrrpKeyword)
	}
	for offset, token := range tokens(text, s.at) {
		m, isMAC, err := parseVirtualMAC(token)
		switch {
		case err != nil:
			return rejected(
				text,
				offset,
				fmt.Sprintf("%q is no virtual MAC of VRRPv3: %s, and one bad word costs the whole element", token, err),
			)
		case isMAC && vrrp4.covers(m):
			e.virtual4 = append(e.virtual4, m)
		case isMAC:
			e.virtual6 = append(e.virtual6, m)
		default:
			p, ok := parseAddress(token)
			if !ok {
				return rejected(
					text,
					offset,
					fmt.Sprintf(
						"%q is neither a virtual MAC nor an address, and one bad word costs the whole element",
						token,
					),
				)
			}
			e.Addresses = append(e.Addresses, p)
		}
	}
	if len(e.virtual4) == 0 && len(e.virtual6) == 0 {
		e.virtual4, e.virtual6 = []span{vrrp4}, []span{vrrp6}
	}
	return e
}

var (
	errVirtualLength = errors.New("its length must be from 40 to 48")
	errVirtualMask   = errors.New("its mask must be ones followed by zeros")
	errVirtualHost   = errors.New("bits outside its length must be zero")
	errVirtualRange  = errors.New("it must begin with 00:00:5e:00:01 or 00:00:5e:00:02")
	errVirtualZero   = errors.New("no virtual router has the number 0")
)

// parseVirtualMAC reads a MAC with an optional length or mask; isMAC is false where the token does not begin with a
// MAC. What follows within the token is ignored, as OVN does.
func parseVirtualMAC(token string) (m span, isMAC bool, err error) {
	s := scanner{text: token}
	mac, ok := s.mac()
	if !ok {
		return span{}, false, nil
	}
	length := macBits
	if mask, ok := s.slashMAC(); ok {
		n, ok := contiguous(mask.key(), 0)
		if !ok {
			return span{}, true, errVirtualMask
		}
		length = n
	} else if n, ok := s.slashLength(); ok {
		length = int(n)
	}
	if length < vrrpBits || length > macBits {
		return span{}, true, errVirtualLength
	}
	m = newSpan(mac.key(), 0, uint8(length))
	switch {
	case m.hi != mac.key():
		return span{}, true, errVirtualHost
	case !vrrp4.covers(m) && !vrrp6.covers(m):
		return span{}, true, errVirtualRange
	case length == macBits && mac[5] == 0:
		return span{}, true, errVirtualZero
	}
	return m, true, nil
}
