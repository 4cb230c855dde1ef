package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"unique"

	"github.com/ovnguard/ovnguard/portsec"
)

// Duplicate is an address or a MAC that several ports of one layer-2 domain have. For a MAC, the switch's end of a link
// to a router is one of them.
type Duplicate struct {
	// Text is the MAC or the address.
	Text string
	// MAC tells which of both it is.
	MAC bool
	// Others are the names of the other ports that have it, in order.
	Others []string
	// VLAN is the layer-2 domain in words where one of Others is on another switch of it; "" otherwise.
	VLAN string
}

// switchAddress is an address or a MAC in one layer-2 domain. There are several for each port, so that it is kept
// small.
type switchAddress struct {
	domain unique.Handle[string]
	// at is the address in 16 octets, or begins with the MAC.
	at  [16]byte
	mac bool
}

func macOn(domain unique.Handle[string], mac portsec.MAC) switchAddress {
	p := switchAddress{domain: domain, mac: true}
	copy(p.at[:], mac[:])
	return p
}

func addressOn(domain unique.Handle[string], a netip.Addr) switchAddress {
	return switchAddress{domain: domain, at: a.As16()}
}

// text returns the MAC or the address.
func (a switchAddress) text() string {
	if a.mac {
		return portsec.MAC(a.at[:6]).String()
	}
	return a.address().String()
}

// address returns the address; that of a MAC means nothing.
func (a switchAddress) address() netip.Addr { return netip.AddrFrom16(a.at).Unmap() }

// domain returns the layer-2 domain of a switch: the switch itself, or the VLAN that it shares with others.
func (ps *ports) domain(sw string) string {
	if vlan, ok := ps.vlans.Find(sw); ok {
		return vlan
	}
	return sw
}

// eachOnSwitch calls take with each MAC and address that the row has in its layer-2 domain. Only ports of pods and
// machines count: those of routers have theirs elsewhere, a virtual port's address is meant to be where its parents
// are, and a disabled port is not there for anybody.
func (ps *ports) eachOnSwitch(r *Row, take func(switchAddress)) { r.eachIn(ps.domain(r.Switch), take) }

// eachIn is eachOnSwitch for a row in that domain.
func (r *Row) eachIn(domain string, take func(switchAddress)) {
	if r.Type != "" || r.Disabled || r.Switch == "" {
		return
	}
	in := unique.Make(domain)
	for _, element := range r.Addresses {
		text, rest, _ := strings.Cut(element, " ")
		if !strings.Contains(text, ":") {
			continue // unknown, dynamic, router
		}
		if mac, err := portsec.ParseMAC(text); err == nil {
			take(macOn(in, mac))
		}
		for text := range strings.FieldsSeq(rest) {
			if a, err := netip.ParseAddr(text); err == nil {
				take(addressOn(in, a))
			}
		}
	}
}

// sameOnSwitch reports whether both rows are there, and have the same on the same switch.
func (r *Row) sameOnSwitch(o *Row) bool {
	return r != nil && o != nil && r.Switch == o.Switch && r.Type == o.Type && r.Disabled == o.Disabled &&
		slices.Equal(r.Addresses, o.Addresses)
}

// duplicates returns what the row has in common with others of its switch. Rows that Vips account for do not count:
// their addresses are meant to be shared.
func (inv *State) duplicates(e *entry) (duplicates []Duplicate) {
	if e.isVip() {
		return nil
	}
	duplicates = inv.gatewayDuplicates(e.row)
	if inv.onSwitch.more.Len() == 0 {
		return duplicates
	}
	inv.eachOnSwitch(e.row, func(a switchAddress) {
		others := slices.DeleteFunc(inv.onSwitch.others(a, e.name), func(o string) bool { return inv.entry(o).isVip() })
		if len(others) == 0 {
			return
		}
		if i := slices.IndexFunc(
			duplicates,
			func(t Duplicate) bool { return t.MAC && a.mac && t.Text == a.text() },
		); i >= 0 {
			duplicates[i].Others = union(duplicates[i].Others, others)
			return
		}
		d := Duplicate{Text: a.text(), MAC: a.mac, Others: others}
		if slices.ContainsFunc(others, func(o string) bool { return inv.entry(o).row.Switch != e.row.Switch }) {
			d.VLAN = a.domain.Value()
		}
		duplicates = append(duplicates, d)
	})
	return duplicates
}

// withDuplicates returns the name of a port, and those of others on its switch with which its row shares an address.
func (ps *ports) withDuplicates(name string) []string {
	names := []string{name}
	if r := ps.entry(name).row; r != nil {
		ps.eachOnSwitch(r, func(a switchAddress) { names = append(names, ps.onSwitch.others(a, name)...) })
	}
	return names
}
