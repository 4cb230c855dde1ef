package inventory

import (
	"net/netip"
	"slices"
)

// Holders returns who has an address and is near, in order. Whom near leaves out, such as holders on another network,
// hides nobody either.
func (inv *State) Holders(a netip.Addr, near func(Holder) bool) []Holder {
	var out []Holder
	for _, name := range inv.byAddress.names(a) {
		out = append(out, Holder{HeldByPort, name})
	}
	inside := inv.inSubnet(a)
	// Anybody may have many Services claim one address. One of each namespace says as much as all of them.
	claimed := make(map[string]bool)
	for h := range inv.fixed.of(a) {
		if h.Kind == HeldByExternal {
			if inside || claimed[h.namespace()] {
				continue
			}
			claimed[h.namespace()] = true
		}
		out = append(out, h)
	}
	return foremost(slices.DeleteFunc(out, func(h Holder) bool { return !near(h) }))
}
