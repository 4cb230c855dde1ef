package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// PortGroup is the port group of a security group as OVN has it. It is never changed once it is in the inventory.
type PortGroup struct {
	UUID string
	// Group is the name of the security group.
	Group string
	// Ports are the UUIDs of the rows that are in it, sorted.
	Ports []string
}

// AddressSet is one of the address sets of a security group, by which rules of other ports know its members.
type AddressSet struct {
	UUID string
	Name string
	// Group is the name of the security group.
	Group string
	// Addresses are as they are written: addresses and prefixes.
	Addresses []string
}

// Group is a security group as OVN has it.
type Group struct {
	Name string
	// Sets are its address sets.
	Sets []*AddressSet
}

// KnowGroups says that the port groups and address sets of security groups are followed: a port that is in no group
// then is in none.
func (inv *Inventory) KnowGroups() { inv.groupsKnown = true }

// SetPortGroup adds or replaces a port group and returns the names of the ports that came or went.
func (inv *Inventory) SetPortGroup(g *PortGroup) []string {
	if g.Group == "" || g.Group == kubeovn.DenyAllGroup {
		return inv.DeletePortGroup(g.UUID)
	}
	old := inv.portGroups.Get(g.UUID)
	inv.portGroups.Set(inv.edit, g.UUID, g)
	return inv.moveMembers(old, g)
}

// DeletePortGroup takes a port group out and returns the names of the ports that were in it.
func (inv *Inventory) DeletePortGroup(uuid string) []string {
	old := inv.portGroups.Get(uuid)
	inv.portGroups.Delete(inv.edit, uuid)
	return inv.moveMembers(old, nil)
}

// moveMembers makes those members that came, forgets those that went, and returns their names. Either group may be nil.
func (inv *Inventory) moveMembers(old, now *PortGroup) []string {
	if old != nil && now != nil && old.Group != now.Group {
		return union(inv.moveMembers(old, nil), inv.moveMembers(nil, now))
	}
	var before, after []string
	var group string
	if old != nil {
		before, group = old.Ports, old.Group
	}
	if now != nil {
		after, group = now.Ports, now.Group
	}
	if group == "" {
		return nil
	}
	inv.affectGroup(group)
	changed := make(map[string]bool)
	for len(before) > 0 || len(after) > 0 { // both are in order
		switch {
		case len(after) == 0 || len(before) > 0 && before[0] < after[0]:
			uuid := before[0]
			before = before[1:]
			changed[uuid] = true
			left := slices.DeleteFunc(
				slices.Clone(inv.members.Get(uuid)),
				func(name string) bool { return name == group },
			)
			replace(&inv.members, inv.edit, uuid, left)
		case len(before) == 0 || after[0] < before[0]:
			uuid := after[0]
			after = after[1:]
			changed[uuid] = true
			inv.members.Set(inv.edit, uuid, union(inv.members.Get(uuid), []string{group}))
		default:
			before, after = before[1:], after[1:]
		}
	}
	return inv.rowsWith(changed)
}

// rowsWith returns the names of the rows that have these UUIDs.
func (inv *Inventory) rowsWith(uuids map[string]bool) (names []string) {
	if len(uuids) == 0 {
		return nil
	}
	left := len(uuids)
	for uuid := range uuids {
		if name, ok := inv.grouped.Find(uuid); ok {
			names = append(names, name)
			left--
		}
	}
	if left == 0 {
		return names
	}
	for name, e := range inv.entries.All() { // rows that came before their group, and that do not name it
		if e.row != nil && uuids[e.row.UUID] && inv.grouped.Get(e.row.UUID) == "" {
			names = append(names, name)
			if len(inv.members.Get(e.row.UUID)) > 0 {
				inv.grouped.Set(inv.edit, e.row.UUID, name)
			}
		}
	}
	return names
}

// settleGroups notes the name of a row that is, or may be, in security groups; either row may be nil.
func (inv *Inventory) settleGroups(old, now *Row) {
	if old != nil {
		inv.grouped.Delete(inv.edit, old.UUID)
		inv.affectGroups(old)
	}
	if now != nil && (len(inv.members.Get(now.UUID)) > 0 || now.ExternalIDs[kubeovn.ExternalIDSecurityGroups] != "") {
		inv.grouped.Set(inv.edit, now.UUID, now.Name)
		inv.affectGroups(now)
	}
}

// affectGroups notes that a member of security groups changed.
func (inv *Inventory) affectGroups(r *Row) {
	if r == nil {
		return
	}
	for _, name := range inv.members.Get(r.UUID) {
		inv.affectGroup(name)
	}
}

// SetAddressSet adds or replaces an address set and returns the names of the ports for which it may matter: those of
// its group whose port_security is not their address to the letter.
func (inv *Inventory) SetAddressSet(a *AddressSet) []string {
	if a.Group == "" {
		return inv.DeleteAddressSet(a.UUID)
	}
	inv.forgetSet(a.UUID)
	inv.addressSets.Set(inv.edit, a.UUID, a)
	inv.setsOf.Set(inv.edit, a.Group, append(slices.Clone(inv.setsOf.Get(a.Group)), a))
	return inv.unlikeTheirAddress(a.Group)
}

// DeleteAddressSet takes an address set out and returns the names of the ports for which it may have mattered.
func (inv *Inventory) DeleteAddressSet(uuid string) []string {
	old := inv.addressSets.Get(uuid)
	if old == nil {
		return nil
	}
	inv.forgetSet(uuid)
	return inv.unlikeTheirAddress(old.Group)
}

func (inv *Inventory) forgetSet(uuid string) {
	old := inv.addressSets.Get(uuid)
	if old == nil {
		return
	}
	inv.addressSets.Delete(inv.edit, uuid)
	left := slices.DeleteFunc(
		slices.Clone(inv.setsOf.Get(old.Group)),
		func(a *AddressSet) bool { return a.UUID == uuid },
	)
	replace(&inv.setsOf, inv.edit, old.Group, left)
	inv.affectGroup(old.Group)
}

func (inv *Inventory) unlikeTheirAddress(group string) (names []string) {
	inv.affectGroup(group)
	inv.eachMember(group, func(r *Row) bool {
		if len(r.PortSecurity) > 0 && !slices.Equal(r.PortSecurity, r.Addresses) {
			names = append(names, r.Name)
		}
		return true
	})
	return names
}

// eachMember returns the rows that are in a security group to look, until it has seen enough.
func (inv *State) eachMember(group string, look func(*Row) bool) {
	for g := range inv.portGroups.Values() {
		if g.Group != group {
			continue
		}
		for _, uuid := range g.Ports {
			if r := inv.entry(inv.grouped.Get(uuid)).row; r != nil && r.UUID == uuid && !look(r) {
				return
			}
		}
	}
}

// groupsOf returns the security groups that a row is in, in order.
func (inv *State) groupsOf(r *Row) []Group {
	if inv.members.Len() == 0 {
		return nil // without a look at the UUID, which is far away in memory
	}
	names := inv.members.Get(r.UUID)
	if len(names) == 0 {
		return nil
	}
	groups := make([]Group, len(names))
	for i, name := range names {
		groups[i] = Group{Name: name, Sets: inv.setsOf.Get(name)}
	}
	return groups
}

// UnknownMember is what an address set of a security group holds and no port of the group has, or may send from.
type UnknownMember struct {
	// Set is the name of the address set, and Text what it holds.
	Set, Text string
}

// unknownMembers returns what the sets of a group hold that no port of the group accounts for: not by its IP resource,
// nor by its row.
func (inv *State) unknownMembers(group string) (unknown []UnknownMember) {
	var members []*Row // read when they are needed first: nearly always each element is some member's address
	for _, set := range inv.setsOf.Get(group) {
		for _, text := range set.Addresses {
			if a, err := netip.ParseAddr(text); err == nil && inv.isMembers(a.Unmap(), group) {
				continue
			}
			if members == nil {
				inv.eachMember(group, func(r *Row) bool { members = append(members, r); return true })
			}
			if !slices.ContainsFunc(members, func(r *Row) bool { return r.mentions(text) }) {
				unknown = append(unknown, UnknownMember{set.Name, text})
			}
		}
	}
	return unknown
}

// isMembers reports whether a member of the group has the address by its IP resource.
func (inv *State) isMembers(a netip.Addr, group string) bool {
	return slices.ContainsFunc(inv.byAddress.names(a), func(name string) bool {
		r := inv.entry(name).row
		return r != nil && slices.Contains(inv.members.Get(r.UUID), group)
	})
}

// mentions reports whether one of the row's columns has the text as one of its words: an address that an IP resource
// lacks, or one that the port may send from, which is told of the port.
func (r *Row) mentions(text string) bool {
	has := func(element string) bool { return strings.Contains(" "+element+" ", " "+text+" ") }
	return slices.ContainsFunc(r.PortSecurity, has) || slices.ContainsFunc(r.Addresses, has)
}
