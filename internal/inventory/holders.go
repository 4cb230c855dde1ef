package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/persistent"
)

// ExternalLimit is how many external IPs of the Services of one namespace count, those first that came first: whoever
// may write Services claims as many as they like, of any address.
const ExternalLimit = 1024

// holders is who has which addresses and MACs: ports by their IP resources, things that have some of their own, and
// what keeps ranges of addresses. Which of them are near is a matter of the network.
type holders struct {
	byAddress portsBy[netip.Addr] // to names of IP resources
	byMAC     portsBy[string]     // in small letters, to names of IP resources

	fixed   sets[netip.Addr, Holder]
	fixedBy persistent.Map[Holder, []netip.Addr]
	// fixedAt says of some holders where, and for which port, they keep their addresses.
	fixedAt   persistent.Map[Holder, At]
	fixedMACs sets[string, Holder] // some for each subnet: in small letters with colons
	vips      persistent.Map[string, Vip]
	noted     persistent.Map[string, NodeIdentity] // by node

	occupied occupied // the addresses of byAddress and fixed, in order
	points   ranges   // the addresses of gateways, nodes and Services
	reserved ranges   // the ranges of addresses that something keeps
}

// within returns the names of the ports that have an address of a range by their IP resources.
func (hs *holders) within(r Range) (ports []string) {
	for network := range hs.occupied.networks() {
		for a, ok := hs.occupied.next(network, r.From, r.To); ok; a, ok = hs.occupied.next(network, a.Next(), r.To) {
			ports = append(ports, hs.byAddress.names(a)...)
		}
	}
	return ports
}

// KeptFor returns the name of the port that a holder keeps its addresses for; "" where it keeps them for none.
func (hs *holders) KeptFor(h Holder) string { return hs.fixedAt.Get(h).Port }

// IsNode reports whether there is a node of that name.
func (hs *holders) IsNode(name string) bool {
	_, ok := hs.fixedBy.Find(Holder{HeldByNode, name})
	return ok
}

// Vip returns the Vip of that name; ok is false where there is none.
func (hs *holders) Vip(name string) (v Vip, ok bool) {
	v, ok = hs.vips.Find(name)
	return v, ok
}

// nodeOf returns the node whose address the row has; "" where it has none.
func (hs *holders) nodeOf(r *Row) (node string) {
	r.eachIn(r.Switch, func(a switchAddress) {
		if a.mac || node != "" {
			return
		}
		for h := range hs.fixed.of(a.address()) {
			if h.Kind == HeldByNode {
				node = h.Name
			}
		}
	})
	return node
}

// holderEditor changes who has what, and knows what a holder had.
type holderEditor struct {
	*holders
	*changes

	macs      map[Holder][]string // those of fixedMACs
	externals map[string]int      // by namespace, how many external IPs its Services have
	kept      map[Holder][]Range  // those of reserved
}

func newHolderEditor(h *holders, c *changes) holderEditor {
	return holderEditor{
		holders:   h,
		changes:   c,
		macs:      make(map[Holder][]string),
		externals: make(map[string]int),
		kept:      make(map[Holder][]Range),
	}
}

// addRecord enters what an IP resource gives to its port, and returns it.
func (ed *holderEditor) addRecord(r *Record) belongings {
	has := r.belongings()
	for _, a := range has.addresses {
		ed.byAddress.add(ed.edit, a, r.Name)
		ed.occupied.add(r.Subnet, a)
	}
	for _, mac := range has.macs {
		ed.byMAC.add(ed.edit, mac, r.Name)
	}
	return has
}

// removeRecord takes it out, and returns it.
func (ed *holderEditor) removeRecord(r *Record) belongings {
	had := r.belongings()
	for _, a := range had.addresses {
		ed.byAddress.remove(ed.edit, a, r.Name)
		ed.occupied.remove(r.Subnet, a)
	}
	for _, mac := range had.macs {
		ed.byMAC.remove(ed.edit, mac, r.Name)
	}
	return had
}

// add enters what a thing has that is not there yet, and returns what counts of it.
func (ed *holderEditor) add(f Fixed) belongings {
	if f.Holder.Kind == HeldByExternal {
		room := ExternalLimit - ed.externals[f.Holder.namespace()]
		f.Addresses = slices.Clone(f.Addresses[:min(len(f.Addresses), room)]) // what is left out must not take memory
		ed.countExternals(f.Holder, len(f.Addresses))
	}
	ed.fixedBy.Set(ed.edit, f.Holder, f.Addresses)
	if f.At != (At{}) {
		ed.fixedAt.Set(ed.edit, f.Holder, f.At)
	}
	for _, a := range f.Addresses {
		ed.fixed.add(ed.edit, a, f.Holder)
		ed.occupied.add(f.Holder.network(f.At), a)
		if f.Holder.lasting() {
			ed.points = ed.points.add(addressRange{a, a, f.Holder})
		}
	}
	for _, text := range f.MACs {
		if mac, ok := macOf(text); ok {
			ed.fixedMACs.add(ed.edit, mac, f.Holder)
			ed.macs[f.Holder] = append(ed.macs[f.Holder], mac)
		}
	}
	return belongings{f.Addresses, ed.macs[f.Holder]}
}

// remove takes a thing out, and returns what it had.
func (ed *holderEditor) remove(h Holder) belongings {
	had, at := belongings{ed.fixedBy.Get(h), ed.macs[h]}, ed.fixedAt.Get(h)
	if h.Kind == HeldByExternal {
		ed.countExternals(h, -len(had.addresses))
	}
	for _, a := range had.addresses {
		ed.fixed.remove(ed.edit, a, h)
		ed.occupied.remove(h.network(at), a)
		ed.points = ed.points.remove(addressRange{a, a, h})
	}
	for _, mac := range had.macs {
		ed.fixedMACs.remove(ed.edit, mac, h)
	}
	ed.fixedBy.Delete(ed.edit, h)
	ed.fixedAt.Delete(ed.edit, h)
	delete(ed.macs, h)
	return had
}

// reserve enters the ranges that something keeps, and returns those that it kept.
func (ed *holderEditor) reserve(h Holder, list []Range) (had []Range) {
	had = ed.kept[h]
	for _, r := range had {
		ed.reserved = ed.reserved.remove(addressRange{r.From, r.To, h})
	}
	for _, r := range list {
		ed.reserved = ed.reserved.add(addressRange{r.From, r.To, h})
	}
	if delete(ed.kept, h); len(list) > 0 {
		ed.kept[h] = list
	}
	return had
}

// countExternals keeps how many of them each namespace has.
func (ed *holderEditor) countExternals(h Holder, delta int) {
	namespace := h.namespace()
	if ed.externals[namespace] += delta; ed.externals[namespace] == 0 {
		delete(ed.externals, namespace)
	}
}

// belongings are addresses and MACs, the latter in small letters.
type belongings struct {
	addresses []netip.Addr
	macs      []string
}

// belongings returns the addresses that can be read, and the MAC.
func (r *Record) belongings() belongings {
	var has belongings
	for _, ip := range r.IPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			has.addresses = append(has.addresses, a.Unmap())
		}
	}
	if r.MAC != "" {
		has.macs = []string{strings.ToLower(r.MAC)}
	}
	return has
}
