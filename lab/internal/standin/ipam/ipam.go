// Package ipam assigns addresses and MACs from subnets, in memory, as Kube-OVN's controller does: one lease for each
// NIC, kept until it is released. It serves random requests in order from the start of the subnet, and static requests
// as asked. It has no connections; its user fills it again after a restart.
package ipam

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// Reasons why a request is refused; their texts are those in Kube-OVN's events.
var (
	// ErrConflict means that somebody else has the address or the MAC, or that it is the subnet's gateway.
	ErrConflict = errors.New("AddressConflict")
	// ErrOutOfRange means that the address lies outside the subnet, or is its first or last.
	ErrOutOfRange = errors.New("AddressOutOfRange")
	// ErrNoAvailable means that the subnet, or the pool, has no free address left.
	ErrNoAvailable = errors.New("NoAvailableAddress")
	// ErrNoSubnet means that the subnet is not known.
	ErrNoSubnet = errors.New("subnet is not known to the address manager")
)

// Lease has the addresses of one NIC. Addresses are text because Kube-OVN keeps a static address of a single-stack
// subnet as it was typed.
type Lease struct {
	V4, V6, MAC string
}

// Addresses returns the addresses in the form of Kube-OVN's annotation: IPv4 first, comma between.
func (l Lease) Addresses() string {
	if l.V4 != "" && l.V6 != "" {
		return l.V4 + "," + l.V6
	}
	return l.V4 + l.V6
}

// Family limits a random request on a dual-stack subnet to one family.
type Family int

// Families of a request.
const (
	Both Family = iota
	OnlyIPv4
	OnlyIPv6
)

// Request asks for a lease.
type Request struct {
	// Subnet and NIC name the lease; NIC is the port's name and unique in the cluster.
	Subnet, NIC string
	// Static lists requested addresses, at most one a family; empty for the next free ones.
	Static []string
	// MAC is a requested MAC, kept as typed; empty for a random one.
	MAC string
	// NoMAC asks for addresses only.
	NoMAC bool
	// Family limits a random request.
	Family Family
	// Pool limits a random request to the addresses of a named pool of the subnet.
	Pool string
	// AllowConflict assigns the static addresses and the MAC although somebody else may have them.
	AllowConflict bool
}

// IPAM holds the subnets and their leases. It is safe for concurrent use.
type IPAM struct {
	mu      sync.Mutex
	subnets map[string]*subnet
}

// New returns an IPAM without subnets.
func New() *IPAM { return &IPAM{subnets: make(map[string]*subnet)} }

// SetSubnet adds a subnet or changes its ranges; leases stay. cidrs has at most one prefix a family, and none for a
// subnet that assigns only MACs. exclude has addresses and ranges ("a..b") that are assigned only on request, gateways
// addresses that are never assigned.
func (m *IPAM) SetSubnet(name string, cidrs, exclude, gateways []string) error {
	s, err := newSubnet(cidrs, exclude, gateways)
	if err != nil {
		return fmt.Errorf("subnet %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.subnets[name]; ok {
		s.leases, s.byMAC, s.pools = old.leases, old.byMAC, old.pools
		for i := range s.families {
			for j := range old.families {
				if s.families[i].prefix == old.families[j].prefix {
					s.families[i].owner, s.families[i].next = old.families[j].owner, old.families[j].next
				}
			}
		}
	}
	m.subnets[name] = s
	return nil
}

// SetPool reserves a set of addresses, ranges and prefixes of a subnet for requests that name the pool.
func (m *IPAM) SetPool(subnetName, pool string, addresses []string) error {
	ranges, err := parseRanges(addresses)
	if err != nil {
		return fmt.Errorf("pool %s: %w", pool, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.subnets[subnetName]
	if !ok {
		return fmt.Errorf("pool %s: subnet %s: %w", pool, subnetName, ErrNoSubnet)
	}
	s.pools[pool] = ranges
	return nil
}

// DeleteSubnet forgets a subnet and its leases.
func (m *IPAM) DeleteSubnet(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.subnets, name)
}

// Acquire returns the NIC's lease. A NIC with a lease keeps it if the request asks for nothing else.
func (m *IPAM) Acquire(req Request) (Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.subnets[req.Subnet]
	if !ok {
		return Lease{}, fmt.Errorf("subnet %s: %w", req.Subnet, ErrNoSubnet)
	}
	return s.acquire(req)
}

// Release ends the NIC's lease on the subnet, if it has one.
func (m *IPAM) Release(subnetName, nic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.subnets[subnetName]; ok {
		s.release(nic)
	}
}

// ReleaseNIC ends every lease of the NIC.
func (m *IPAM) ReleaseNIC(nic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.subnets {
		s.release(nic)
	}
}

// Contains reports whether the subnet is known and the address lies in it.
func (m *IPAM) Contains(subnetName, address string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.subnets[subnetName]
	if !ok {
		return false
	}
	a, err := parse(address)
	return err == nil && s.familyOf(a) != nil
}

// Owner returns the NIC with that address on the subnet.
func (m *IPAM) Owner(subnetName, address string) (nic string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, known := m.subnets[subnetName]
	a, err := parse(address)
	if !known || err != nil {
		return "", false
	}
	f := s.familyOf(a)
	if f == nil {
		return "", false
	}
	nic, ok = f.owner[a]
	return nic, ok
}

// parse parses an address as Kube-OVN does, with the standard library's older parser: no zone, no prefix length.
func parse(text string) (netip.Addr, error) {
	ip := net.ParseIP(text)
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Addr{}, fmt.Errorf("failed to parse IP %s", text)
	}
	return a.Unmap(), nil
}

// RandomMAC returns a random unicast MAC that is marked as locally administered.
func RandomMAC() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[0] = b[0]&^0x01 | 0x02
	return net.HardwareAddr(b[:]).String()
}
