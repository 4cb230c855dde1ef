package portsec

import (
	"errors"
	"fmt"
	"net/netip"
)

// AddressPair is what a port may use besides its identity.
type AddressPair struct {
	// MAC is zero for the MAC of the identity.
	MAC MAC
	// Prefix is the addresses; the zero Prefix stands for any. It must not have host bits set.
	Prefix netip.Prefix
}

// String returns the pair as people write it.
func (p AddressPair) String() string {
	mac, prefix := "the port's own MAC", "any address"
	if p.MAC != (MAC{}) {
		mac = p.MAC.String()
	}
	if p.Prefix.IsValid() {
		prefix = prefixText(p.Prefix)
	}
	return mac + " with " + prefix
}

// Reasons why a column cannot be built.
var (
	errNoMAC    = errors.New("the identity has no MAC, give one")
	errGroupMAC = errors.New("the MAC has the group bit, and OVN drops every frame from it; give a unicast MAC")
	errZone     = errors.New("the address has a zone, which OVN does not know; leave out what follows the %")
	errHostBits = errors.New(
		"the prefix has host bits set, which OVN takes for that one address; write the address with its full length, " +
			"or the first address of the range",
	)
	errMapped = errors.New(
		"the prefix is of IPv4-mapped IPv6 addresses, which eras before E3 take for IPv6 and E3 for IPv4; write it " +
			"as IPv4",
	)
	errAddress = errors.New("the address is not set")
)

// Build returns the canonical column for an identity with address pairs: every era reads it as exactly that set, which
// is checked. Pairs that overlap are joined. It refuses what cannot be written so that all eras agree; the error names
// the address or the pair and says why.
func Build(identity Identity, pairs []AddressPair) ([]string, error) {
	want, err := GrantedSet(identity, pairs)
	if err != nil {
		return nil, err
	}
	column := want.Canonical()
	for _, era := range Eras() {
		read := Parse(era, column)
		for _, e := range read.Elements {
			if e.Outcome != Accepted {
				return nil, fmt.Errorf("element %q: %s does not take it: %s", e.Text, era, e.Reason)
			}
		}
		if !read.Set().Equal(want) {
			return nil, fmt.Errorf("column %q: %s reads it as %s", column, era, read.Set())
		}
	}
	return column, nil
}

// GrantedSet returns the set of an identity with address pairs, without era as that of IdentitySet. It refuses what
// Build refuses.
func GrantedSet(identity Identity, pairs []AddressPair) (Set, error) {
	if identity.MAC == (MAC{}) {
		return Set{}, errNoMAC
	}
	if identity.MAC.Group() {
		return Set{}, fmt.Errorf("MAC %s: %w", identity.MAC, errGroupMAC)
	}
	hosts := []host{{key: identity.MAC.key(), mac: identity.MAC, bare: len(identity.IPs) == 0}}
	for _, ip := range identity.IPs {
		switch {
		case !ip.IsValid():
			return Set{}, fmt.Errorf("IP of %s: %w", identity.MAC, errAddress)
		case ip.Zone() != "":
			return Set{}, fmt.Errorf("IP %s: %w", ip, errZone)
		}
		hosts[0].add(netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
	}
	for _, p := range pairs {
		if p.MAC == (MAC{}) {
			p.MAC = identity.MAC
		}
		if err := p.check(); err != nil {
			return Set{}, fmt.Errorf("address pair of %s: %w", p, err)
		}
		h := host{key: p.MAC.key(), mac: p.MAC, bare: !p.Prefix.IsValid()}
		if p.Prefix.IsValid() {
			h.add(p.Prefix)
		}
		hosts = append(hosts, h)
	}
	free := make(map[uint64]bool)
	for _, h := range hosts {
		free[h.key] = free[h.key] || h.bare
	}
	var out []host
	for _, h := range hosts {
		// Beside any address no other counts; written down, it would narrow E0, and what the port may receive.
		if h.bare || !free[h.key] {
			out = append(out, h)
		}
	}
	return oneEach(out), nil
}

// oneEach returns the set in which each MAC has one element for all its addresses.
func oneEach(hosts []host) Set {
	s := neutral(hosts...)
	for i := range s.hosts {
		s.hosts[i].noIP6 = len(s.hosts[i].ip6) == 0
	}
	return s
}

func (p AddressPair) check() error {
	switch {
	case p.MAC.Group():
		return errGroupMAC
	case !p.Prefix.IsValid():
		return nil
	case p.Prefix.Addr().Zone() != "":
		return errZone
	case p.Prefix.Addr().Is4In6():
		return errMapped
	case p.Prefix != p.Prefix.Masked():
		return errHostBits
	}
	return nil
}
