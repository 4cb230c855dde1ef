package reach

import (
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/portsec"
)

// forgery is from which addresses a port may send IP packets besides its own, and which it may claim by ARP or
// neighbour discovery.
type forgery struct {
	// any means any MAC and any address.
	any bool
	// packets are those of IP packets, and claims those of ARP and neighbour advertisements.
	packets, claims []portsec.Pair
}

// forgeryOf returns what a column lets a port send besides its identity. Where eras differ, it is what any lets it
// send.
func forgeryOf(sets portsec.Sets, own portsec.Identity, disabled bool) (f forgery) {
	if disabled {
		return f
	}
	mine := portsec.IdentitySet(own)
	for _, set := range sets {
		if set.Equal(mine) {
			continue
		}
		if set.Open() {
			return forgery{any: true}
		}
		for _, pair := range portsec.Excess(set, mine) {
			switch pair.Traffic {
			case portsec.AllTraffic:
				f.packets, f.claims = append(f.packets, pair), append(f.claims, pair)
			case portsec.IPTraffic:
				f.packets = append(f.packets, pair)
			case portsec.ARPTraffic, portsec.AdvertisementTraffic:
				f.claims = append(f.claims, pair)
			case portsec.SolicitationTraffic, portsec.OtherTraffic:
			}
		}
	}
	return f
}

// none reports whether the port can forge nothing that matters to policies.
func (f *forgery) none() bool { return !f.any && len(f.packets) == 0 }

// sends reports whether the port may send IP packets from an address that is not its own.
func (f *forgery) sends(a netip.Addr) bool { return f.any || within(f.packets, a) }

// takes reports whether the port may claim an address by ARP or neighbour discovery.
func (f *forgery) takes(a netip.Addr) bool { return f.any || within(f.claims, a) }

func within(pairs []portsec.Pair, a netip.Addr) bool {
	return slices.ContainsFunc(pairs, func(p portsec.Pair) bool {
		return (!p.Addresses.IsValid() || p.Addresses.Contains(a)) &&
			!slices.ContainsFunc(p.Except, func(e netip.Prefix) bool { return e.Contains(a) })
	})
}

// mac returns a MAC with which the port may send from an address: its own one where that may be.
func (f *forgery) mac(own portsec.MAC, a netip.Addr) portsec.MAC {
	mac := own
	for _, p := range f.packets {
		if !within([]portsec.Pair{p}, a) {
			continue
		}
		if p.MAC.Has(own) {
			return own
		}
		mac = p.MAC.MAC
	}
	return mac
}
