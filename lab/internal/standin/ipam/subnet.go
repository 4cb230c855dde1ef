package ipam

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// addressRange is a closed range of addresses of one family.
type addressRange struct{ first, last netip.Addr }

func (r addressRange) contains(a netip.Addr) bool {
	return a.BitLen() == r.first.BitLen() && r.first.Compare(a) <= 0 && a.Compare(r.last) <= 0
}

func inAny(ranges []addressRange, a netip.Addr) bool {
	for _, r := range ranges {
		if r.contains(a) {
			return true
		}
	}
	return false
}

// parseRanges parses addresses, ranges ("a..b") and prefixes.
func parseRanges(texts []string) ([]addressRange, error) {
	var ranges []addressRange
	for _, text := range texts {
		text = strings.TrimSpace(text)
		first, last, isRange := strings.Cut(text, "..")
		switch {
		case text == "":
		case strings.Contains(text, "/"):
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, fmt.Errorf("%q is not a prefix: %w", text, err)
			}
			ranges = append(ranges, addressRange{p.Masked().Addr(), lastOf(p)})
		case isRange:
			a, err := parse(first)
			if err != nil {
				return nil, fmt.Errorf("range %q: %w", text, err)
			}
			b, err := parse(last)
			if err != nil {
				return nil, fmt.Errorf("range %q: %w", text, err)
			}
			ranges = append(ranges, addressRange{a, b})
		default:
			a, err := parse(text)
			if err != nil {
				return nil, err
			}
			ranges = append(ranges, addressRange{a, a})
		}
	}
	return ranges, nil
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b) // b has the length of an address
	return a
}

// family is one prefix of a subnet.
type family struct {
	prefix netip.Prefix
	first  netip.Addr // first and last address that may be assigned
	last   netip.Addr
	next   netip.Addr // where the next search for a free address begins
	owner  map[netip.Addr]string
}

// subnet holds up to one prefix a family, and the leases.
type subnet struct {
	families []family
	excluded []addressRange
	gateways []addressRange
	pools    map[string][]addressRange
	leases   map[string]Lease  // by NIC
	byMAC    map[string]string // NIC by normalised MAC
}

func newSubnet(cidrs, exclude, gateways []string) (*subnet, error) {
	s := &subnet{pools: map[string][]addressRange{}, leases: map[string]Lease{}, byMAC: map[string]string{}}
	for _, text := range cidrs {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("spec.cidrBlock: %q is not a prefix: %w", text, err)
		}
		p = p.Masked()
		f := family{prefix: p, first: p.Addr(), last: lastOf(p), owner: map[netip.Addr]string{}}
		if p.Bits() < p.Addr().BitLen()-1 { // the first and the last address of a wider prefix mean the network itself
			f.first, f.last = f.first.Next(), f.last.Prev()
		}
		f.next = f.first
		s.families = append(s.families, f)
	}
	var err error
	if s.excluded, err = parseRanges(exclude); err != nil {
		return nil, fmt.Errorf("spec.excludeIps: %w", err)
	}
	if s.gateways, err = parseRanges(gateways); err != nil {
		return nil, fmt.Errorf("spec.gateway: %w", err)
	}
	return s, nil
}

func (s *subnet) familyOf(a netip.Addr) *family {
	for i := range s.families {
		if s.families[i].prefix.Contains(a) {
			return &s.families[i]
		}
	}
	return nil
}

func (s *subnet) acquire(req Request) (Lease, error) {
	mac, err := s.checkMAC(req)
	if err != nil {
		return Lease{}, err
	}
	old, had := s.leases[req.NIC]
	chosen := make(map[*family]string) // text of the address for each family
	for _, text := range req.Static {
		a, f, err := s.checkStatic(text, req)
		if err != nil {
			return Lease{}, err
		}
		if len(s.families) > 1 {
			text = a.String()
		}
		chosen[f] = text
	}
	for i := range s.families {
		f := &s.families[i]
		if chosen[f] != "" || !wanted(f, req.Family) {
			continue
		}
		if kept := old.of(f); had && kept != "" {
			chosen[f] = kept
			continue
		}
		a, err := s.free(f, req.Pool)
		if err != nil {
			return Lease{}, err
		}
		chosen[f] = a.String()
	}
	if mac == "" && !req.NoMAC {
		if mac = old.MAC; mac == "" {
			mac = s.freeMAC()
		}
	}
	s.release(req.NIC)
	lease := Lease{MAC: mac}
	for f, text := range chosen {
		if a, err := parse(text); err == nil && f.owner[a] == "" {
			f.owner[a] = req.NIC
		}
		if f.prefix.Addr().Is4() {
			lease.V4 = text
		} else {
			lease.V6 = text
		}
	}
	s.leases[req.NIC] = lease
	if key := normalMAC(mac); key != "" && s.byMAC[key] == "" {
		s.byMAC[key] = req.NIC
	}
	return lease, nil
}

func wanted(f *family, want Family) bool {
	return want == Both || (want == OnlyIPv4) == f.prefix.Addr().Is4()
}

// of returns the lease's address of a family.
func (l Lease) of(f *family) string {
	if f.prefix.Addr().Is4() {
		return l.V4
	}
	return l.V6
}

func (s *subnet) checkMAC(req Request) (string, error) {
	if req.NoMAC || req.MAC == "" {
		return "", nil
	}
	key := normalMAC(req.MAC)
	if key == "" {
		return "", fmt.Errorf("%q is not a MAC", req.MAC)
	}
	if owner := s.byMAC[key]; owner != "" && owner != req.NIC && !req.AllowConflict {
		return "", ErrConflict
	}
	return req.MAC, nil
}

func (s *subnet) checkStatic(text string, req Request) (netip.Addr, *family, error) {
	a, err := parse(text)
	if err != nil {
		return netip.Addr{}, nil, err
	}
	f := s.familyOf(a)
	if f == nil || !f.assigns(a) {
		return netip.Addr{}, nil, ErrOutOfRange
	}
	if owner := f.owner[a]; owner != "" && owner != req.NIC && !req.AllowConflict {
		return netip.Addr{}, nil, ErrConflict
	}
	// An excluded address, alone or in a range, is assigned to a NIC that asks for it: it is kept for that purpose
	// (Subnet.GetStaticAddress in Kube-OVN's pkg/ipam).
	if inAny(s.gateways, a) {
		return netip.Addr{}, nil, ErrConflict
	}
	return a, f, nil
}

// assigns reports whether the address is in the range for NICs.
func (f *family) assigns(a netip.Addr) bool { return a.Compare(f.first) >= 0 && a.Compare(f.last) <= 0 }

// free returns the next free address, going round once from the end of the last search.
func (s *subnet) free(f *family, pool string) (netip.Addr, error) {
	if pool != "" {
		return s.freeOf(f, s.pools[pool])
	}
	reserved := func(a netip.Addr) bool {
		if inAny(s.excluded, a) || inAny(s.gateways, a) || f.owner[a] != "" {
			return true
		}
		for _, ranges := range s.pools {
			if inAny(ranges, a) {
				return true
			}
		}
		return false
	}
	start := f.next
	for a := start; ; {
		following := a.Next()
		if a == f.last {
			following = f.first
		}
		if !reserved(a) {
			f.next = following
			return a, nil
		}
		if a = following; a == start {
			return netip.Addr{}, ErrNoAvailable
		}
	}
}

func (s *subnet) freeOf(f *family, ranges []addressRange) (netip.Addr, error) {
	for _, r := range ranges {
		if !f.prefix.Contains(r.first) {
			continue
		}
		for a := r.first; r.contains(a); a = a.Next() {
			if f.owner[a] == "" && f.assigns(a) && !inAny(s.excluded, a) && !inAny(s.gateways, a) {
				return a, nil
			}
		}
	}
	return netip.Addr{}, ErrNoAvailable
}

func (s *subnet) freeMAC() string {
	for {
		if mac := RandomMAC(); s.byMAC[mac] == "" {
			return mac
		}
	}
}

func (s *subnet) release(nic string) {
	lease, ok := s.leases[nic]
	if !ok {
		return
	}
	delete(s.leases, nic)
	for _, text := range []string{lease.V4, lease.V6} {
		a, err := parse(text)
		if err != nil {
			continue // the family is not leased
		}
		if f := s.familyOf(a); f != nil && f.owner[a] == nic {
			delete(f.owner, a)
		}
	}
	if key := normalMAC(lease.MAC); s.byMAC[key] == nic {
		delete(s.byMAC, key)
	}
}

// normalMAC returns one spelling for all spellings that the standard library accepts, and "" for other text.
func normalMAC(text string) string {
	mac, err := net.ParseMAC(text)
	if err != nil {
		return ""
	}
	return mac.String()
}
