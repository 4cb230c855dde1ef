package portsec

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// MACRange is the MACs that share their first bits.
type MACRange struct {
	MAC MAC
	// Bits is 48 for a single MAC and 0 for any.
	Bits int
}

// Has reports whether a MAC is one of the range.
func (r MACRange) Has(mac MAC) bool {
	for i := range mac {
		bits := min(max(r.Bits-8*i, 0), 8)
		if (mac[i]^r.MAC[i])>>(8-bits) != 0 {
			return false
		}
	}
	return true
}

// String returns the MAC, the MAC with a length, or "any MAC".
func (r MACRange) String() string {
	switch r.Bits {
	case 0:
		return "any MAC"
	case macBits:
		return r.MAC.String()
	}
	return r.MAC.String() + "/" + strconv.Itoa(r.Bits)
}

// Traffic is the kind of traffic that a pair is about.
type Traffic uint8

// Kinds of traffic.
const (
	// AllTraffic is IP from the addresses, and ARP and neighbour discovery for them.
	AllTraffic Traffic = iota
	// IPTraffic is IP without ARP.
	IPTraffic
	// ARPTraffic is ARP messages that claim the addresses for the MAC.
	ARPTraffic
	// SolicitationTraffic is neighbour solicitations that give the MAC as the sender's.
	SolicitationTraffic
	// AdvertisementTraffic is neighbour advertisements that claim the addresses for the MAC.
	AdvertisementTraffic
	// OtherTraffic is protocols that are neither IP nor ARP.
	OtherTraffic
)

// Pair is a range of MACs with a range of addresses from which a port may send.
type Pair struct {
	MAC MACRange
	// Addresses is the range; the zero Prefix stands for any address.
	Addresses netip.Prefix
	// Except are parts of the range that do not belong to the pair.
	Except []netip.Prefix
	// Traffic narrows the pair to a kind of traffic.
	Traffic Traffic
}

// Any reports whether the pair stands for any address.
func (p Pair) Any() bool { return !p.Addresses.IsValid() }

// String returns the pair as people write it, such as "0a:00:00:00:00:01 10.0.0.0/24 but 10.0.0.5".
func (p Pair) String() string {
	text := p.MAC.String()
	switch {
	case p.Traffic == OtherTraffic:
		return text + " with protocols other than IP and ARP"
	case p.Traffic == SolicitationTraffic:
		return text + " in neighbour solicitations"
	case p.Any():
		text += " with any address"
	default:
		text += " " + prefixText(p.Addresses)
	}
	if len(p.Except) > 0 {
		words := make([]string, len(p.Except))
		for i, e := range p.Except {
			words[i] = prefixText(e)
		}
		text += " but " + strings.Join(words, ", ")
	}
	switch p.Traffic {
	case IPTraffic:
		text += " (not in ARP)"
	case ARPTraffic:
		text += " (in ARP only)"
	case AdvertisementTraffic:
		text += " (in neighbour advertisements only)"
	case AllTraffic, SolicitationTraffic, OtherTraffic:
	}
	return text
}

func (p Pair) compare(o Pair) int {
	return cmp.Or(
		slices.Compare(
			p.MAC.MAC[:],
			o.MAC.MAC[:],
		),
		cmp.Compare(p.MAC.Bits, o.MAC.Bits),
		cmp.Compare(p.Traffic, o.Traffic),
		p.Addresses.Addr().Compare(o.Addresses.Addr()),
		cmp.Compare(p.Addresses.Bits(), o.Addresses.Bits()),
	)
}
