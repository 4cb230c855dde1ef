package portsec

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Canonical returns the shortest sorted column with this effective set: read by the set's era it allows exactly the
// same frames in both directions. It is empty for a set that is Open.
func (s Set) Canonical() []string {
	var out []string
	for _, h := range s.hosts {
		out = append(out, h.elements()...)
	}
	for _, r := range s.routers {
		out = append(out, r.element())
	}
	return out
}

// elements writes the elements of one MAC.
func (h host) elements() []string {
	mac := h.mac.String()
	var out []string
	if h.bare {
		out = append(out, mac)
	}
	ip4, ip6 := words(h.ip4, ip4Bits, h.broadcast), words(h.ip6, ip6Bits, nil)
	switch {
	case !h.hasIP():
	case h.noIP6 && !h.bare && len(ip4) > 0 && len(ip6) > 0:
		// An element without IPv6 addresses lets the MAC advertise any neighbour, so that it must stay one of its own.
		out = append(out, element(mac, ip4), element(mac, ip6))
	default:
		out = append(out, element(mac, ip4, ip6))
	}
	return out
}

func (r router) element() string {
	macs := []string{vrrpKeyword, r.mac.String()}
	for _, m := range slices.Concat(r.mac4, r.mac6) {
		macs = append(macs, macText(m))
	}
	return element(strings.Join(macs, " "), words(r.ip4, ip4Bits, r.broadcast), words(r.ip6, ip6Bits, nil))
}

func element(mac string, addresses ...[]string) string {
	return strings.Join(append([]string{mac}, slices.Concat(addresses...)...), " ")
}

// words writes ranges and the addresses that bring a broadcast address along.
func words(spans []span, width int, broadcasts []broadcast) []string {
	var out []string
	for _, s := range spans {
		out = append(out, prefixText(s.prefix(width)))
	}
	for _, b := range broadcasts {
		out = append(out, b.from.String())
	}
	return out
}

// prefixText writes a prefix, without its length where it is a single address.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// macText writes a range of MACs.
func macText(m span) string {
	text := keyMAC(m.hi).String()
	if m.n < macBits {
		text += "/" + strconv.Itoa(int(m.n))
	}
	return text
}
