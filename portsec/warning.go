package portsec

import (
	"fmt"
	"net/netip"
	"strings"
)

// Topic is the stable identifier of a kind of warning.
type Topic string

// Topics of warnings.
const (
	TopicUnusable      Topic = "unusable-column"
	TopicElement       Topic = "bad-element"
	TopicWritten       Topic = "read-otherwise"
	TopicHostBits      Topic = "host-bits"
	TopicGroupMAC      Topic = "group-mac"
	TopicBareBeside    Topic = "mac-only-beside-addresses"
	TopicIP4Only       Topic = "ipv4-only"
	TopicIP6Only       Topic = "ipv6-only"
	TopicARPProbe      Topic = "arp-probe"
	TopicNoAdvert      Topic = "no-advertisement"
	TopicNoLinkLocal   Topic = "no-link-local-advertisement"
	TopicSolicitation  Topic = "forged-solicitation"
	TopicAdvertLeak    Topic = "advertisement-leak"
	TopicVirtualRouter Topic = "virtual-router-alone"
	TopicOther         Topic = "other-protocols"
)

// Warning is something about a column that surprises people.
type Warning struct {
	Topic Topic
	Text  string
}

// Warnings returns what is surprising about the column in its era, the worst first.
func (c Column) Warnings() []Warning {
	var out []Warning
	warn := func(t Topic, format string, args ...any) {
		out = append(out, Warning{Topic: t, Text: fmt.Sprintf(format, args...)})
	}
	set := c.Set()
	if set.Unenforced() {
		if c.Era == E0 {
			warn(
				TopicUnusable,
				"nothing of the column can be used: IP is not checked at all, and ARP and neighbour discovery are "+
					"dropped",
			)
		} else {
			warn(
				TopicUnusable,
				"nothing of the column can be used, so that nothing is checked; the column looks protected and is open",
			)
		}
	}
	for _, e := range c.Elements {
		c.warnElement(e, warn)
	}
	for _, h := range set.hosts {
		set.warnHost(h, warn)
	}
	set.warnLeak(warn)
	for _, r := range set.routers {
		if set.find(r.key) == nil {
			warn(
				TopicVirtualRouter,
				"virtual router of %s: the MAC itself may send no IP at all; give it an element of its own",
				r.mac,
			)
		}
	}
	return out
}

type warnFunc func(t Topic, format string, args ...any)

// warnElement warns of what is written differently from what it means.
func (c Column) warnElement(e Element, warn warnFunc) {
	if e.Outcome != Accepted {
		warn(TopicElement, "element %q is %s at byte %d: %s", e.Text, e.Outcome, e.Offset, e.Reason)
	}
	if !e.Usable() {
		return
	}
	if e.MAC.Group() && !e.VRRP {
		warn(
			TopicGroupMAC,
			"element %q: %s has the group bit, and OVN drops every frame from such a source",
			e.Text,
			e.MAC,
		)
	}
	if e.Outcome == Accepted && !e.VRRP {
		if meant := e.meant(); !sameWords(e.Text, meant) {
			warn(TopicWritten, "element %q is read as %q", e.Text, meant)
		}
	}
	for _, p := range e.Addresses {
		if p != p.Masked() {
			warn(
				TopicHostBits,
				"element %q: %s has host bits set and therefore means the one address %s, not the range %s",
				e.Text,
				p,
				p.Addr(),
				p.Masked(),
			)
		}
	}
}

// meant writes the element in plain words.
func (e Element) meant() string {
	out := []string{e.MAC.String()}
	for _, p := range e.Addresses {
		out = append(out, prefixText(p))
	}
	return strings.Join(out, " ")
}

// sameWords reports whether two texts have the same words, except for case and the ways to write an address.
func sameWords(a, b string) bool {
	wordsA, wordsB := strings.Fields(strings.ToLower(a)), strings.Fields(b)
	if len(wordsA) != len(wordsB) {
		return false
	}
	for i, w := range wordsA {
		if w == wordsB[i] {
			continue
		}
		if p, ok := plainPrefix(w); !ok || prefixText(p) != wordsB[i] {
			return false
		}
	}
	return true
}

func plainPrefix(word string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(word); err == nil {
		return p, true
	}
	addr, err := netip.ParseAddr(word)
	return netip.PrefixFrom(addr, addr.BitLen()), err == nil
}

// warnHost warns of what a MAC with its addresses cannot do, or can beyond expectation.
func (s Set) warnHost(h host, warn warnFunc) {
	if h.bare && h.hasIP() {
		if s.era == E0 {
			warn(
				TopicBareBeside,
				"%s: the element without addresses does not widen the one with addresses, except for ARP",
				h.mac,
			)
		} else {
			warn(
				TopicBareBeside,
				"%s: the element without addresses lets it send from any address, while it receives only for those "+
					"listed",
				h.mac,
			)
		}
	}
	free := h.bare && (s.era != E0 || !h.hasIP())
	switch {
	case free:
	case len(h.ip6) == 0:
		warn(
			TopicIP4Only,
			"%s has IPv4 addresses only: all its IPv6 is dropped, link-local, duplicate address detection and MLD "+
				"included",
			h.mac,
		)
	case len(h.ip4) == 0:
		warn(TopicIP6Only, "%s has IPv6 addresses only: all its ARP and IPv4 is dropped, DHCP included", h.mac)
	}
	if !free && len(h.ip4) > 0 && !anyHas(h.ip4, 0, 0) && !h.bare {
		warn(
			TopicARPProbe,
			"%s: ARP probes for duplicate addresses (RFC 5227), whose sender address is 0.0.0.0, are dropped",
			h.mac,
		)
	}
	if !free && s.era != E0 {
		warn(TopicOther, "%s: protocols other than IP and ARP, such as RARP and LLDP, are dropped", h.mac)
	}
	if !s.era.Has(AdvertisementLimit) && h.bare && len(h.ip6) == 0 {
		warn(TopicNoAdvert, "%s: no neighbour advertisement passes, so that IPv6 neighbours cannot resolve it", h.mac)
	}
	if !s.era.Has(AdvertisementLimit) && len(h.ip6) > 0 {
		warn(
			TopicNoLinkLocal,
			"%s: advertisements for its link-local address are dropped, so that neighbours cannot resolve that",
			h.mac,
		)
	}
	switch {
	case !h.bare && len(h.ip6) == 0:
	case !s.era.Has(SolicitationDrop):
		warn(
			TopicSolicitation,
			"%s: neighbour solicitations with a forged link-layer address pass and can poison neighbours' caches",
			h.mac,
		)
	case s.era.lendsDiscovery() && len(s.hosts) > 1:
		warn(
			TopicSolicitation,
			"%s: neighbour solicitations with the link-layer address of another listed MAC pass",
			h.mac,
		)
	}
}

// warnLeak warns of rules that forget the source MAC.
func (s Set) warnLeak(warn warnFunc) {
	if !s.era.lendsDiscovery() {
		return
	}
	for _, h := range s.hosts {
		for _, o := range s.hosts {
			if h.noIP6 && (o.bare || len(o.ip6) > 0) && (o.key != h.key || len(h.ip6) > 0) {
				warn(
					TopicAdvertLeak,
					"%s may send neighbour advertisements for any address, because an element of %s has no IPv6 "+
						"address",
					o.mac,
					h.mac,
				)
				return
			}
		}
	}
}
