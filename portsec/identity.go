package portsec

import "net/netip"

// Identity is what a port is assigned.
type Identity struct {
	MAC MAC
	// IPs is empty for a port that gets its address from elsewhere: it may then use any.
	IPs []netip.Addr
}

// IdentitySet returns the set that covers exactly an identity: its MAC with its addresses, or with any address where it
// has none. It has no era: beside the set of a column it means what the element "MAC IP..." means to that column's era.
func IdentitySet(identity Identity) Set {
	h := host{key: identity.MAC.key(), mac: identity.MAC, bare: len(identity.IPs) == 0}
	for _, ip := range identity.IPs {
		h.add(netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
	}
	return neutral(h)
}

// neutral returns the set of hosts that no era has read.
func neutral(hosts ...host) Set {
	for i := range hosts {
		hosts[i].noIP6 = len(hosts[i].ip6) == 0
	}
	return Set{era: E3, anyEra: true, written: true, hosts: hosts}.normal()
}

// add lets the host use all addresses of a prefix.
func (h *host) add(p netip.Prefix) {
	if p.Addr().Is4() {
		h.ip4 = append(h.ip4, prefixSpan(p))
	} else {
		h.ip6 = append(h.ip6, prefixSpan(p))
	}
}
