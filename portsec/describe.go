package portsec

import (
	"fmt"
	"slices"
	"strings"
)

// Describe says in a short sentence what the set lets a port send.
func (s Set) Describe() string {
	switch {
	case s.Unenforced() && s.era == E0:
		return "Looks protected but is open: nothing of the column can be used. Sends IP with any MAC and any " +
			"address; ARP and neighbour discovery are dropped."
	case s.Unenforced():
		return "Looks protected but is open: nothing of the column can be used. Sends with any MAC and any address."
	case s.Open():
		return "Open: sends with any MAC and any address."
	}
	var parts []string
	for _, h := range s.hosts {
		parts = append(parts, h.describe(s.era))
	}
	for _, r := range s.routers {
		parts = append(parts, r.describe())
	}
	return "Sends only as " + strings.Join(parts, "; or as ") + "."
}

func (h host) describe(era Era) string {
	mac := h.mac.String()
	free := h.bare && (era != E0 || !h.hasIP())
	if free {
		return mac + " with any address; ARP and neighbour discovery checked for the MAC only"
	}
	text := mac + " with " + listed(append(words(h.ip4, ip4Bits, nil), words(h.ip6, ip6Bits, nil)...))
	switch {
	case len(h.ip6) == 0:
		text += "; ARP checked, IPv6 blocked entirely"
	case len(h.ip4) == 0:
		text += "; neighbour discovery checked, IPv4 and ARP blocked entirely"
	default:
		text += "; ARP and neighbour discovery checked"
	}
	return text
}

func (r router) describe() string {
	var macs []string
	for _, m := range slices.Concat(r.mac4, r.mac6) {
		macs = append(macs, macText(m))
	}
	text := "virtual router " + listed(macs) + " of " + r.mac.String()
	if !r.hasIP() {
		return text + " with any address"
	}
	return text + " with " + listed(append(words(r.ip4, ip4Bits, nil), words(r.ip6, ip6Bits, nil)...))
}

// describeLimit bounds how many words a sentence lists.
const describeLimit = 6

func listed(words []string) string {
	if more := len(words) - describeLimit; more > 0 {
		words = append(slices.Clone(words[:describeLimit]), fmt.Sprintf("%d more", more))
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
