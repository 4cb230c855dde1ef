package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// PortGroup is a port group as OVN has it. It is never changed once it is in the inventory.
type PortGroup struct {
	UUID string
	// Name is its name in OVN, and Group that of the security group that it is of; "" where it is of none.
	Name, Group string
	// Ports are the UUIDs of the rows that are in it.
	Ports persistent.Set[string]
	// ACLs are the UUIDs of its ACLs.
	ACLs        []string
	ExternalIDs map[string]string
}

// AddressSet is an address set. By those of a security group rules of other ports know its members.
type AddressSet struct {
	UUID string
	Name string
	// Group is the name of the security group that it is of; "" where it is of none.
	Group       string
	ExternalIDs map[string]string
	// Addresses are as they are written: addresses and prefixes.
	Addresses []string
}

// Group is a security group as OVN has it.
type Group struct {
	Name string
	// PortGroup is its port group; nil where there is none.
	PortGroup *PortGroup
	// Sets are its address sets.
	Sets []*AddressSet
}

// UnknownMember is what an address set of a security group holds and no port of the group has, or may send from.
type UnknownMember struct {
	// Set is the name of the address set, and Text what it holds.
	Set, Text string
}

// groups is port groups and address sets as OVN has them: all where ACLs are known, else those of security groups. It
// answers in which security groups a row is, and what their address sets hold.
type groups struct {
	known       bool
	portGroups  persistent.Map[string, *PortGroup]    // by UUID
	addressSets persistent.Map[string, *AddressSet]   // by UUID
	setsOf      persistent.Map[string, []*AddressSet] // by security group
	members     persistent.Map[string, []string]      // UUIDs of rows to the security groups that they are in
	ofGroup     persistent.Map[string, []*PortGroup]  // by security group; nearly always one
	// grouped are the UUIDs of rows that are or may be in security groups, to their names.
	grouped persistent.Map[string, string]
	// groupsRevision counts the changes of port groups and address sets.
	groupsRevision uint64
}

// groupsOf returns the security groups that a row is in, in order.
func (gs *groups) groupsOf(r *Row) []Group {
	if gs.members.Len() == 0 {
		return nil // without a look at the UUID, which is far away in memory
	}
	names := gs.members.Get(r.UUID)
	if len(names) == 0 {
		return nil
	}
	groups := make([]Group, 0, len(names))
	for _, name := range names {
		if name != kubeovn.DenyAllGroup {
			groups = append(groups, gs.group(name))
		}
	}
	return groups
}

// group returns a security group as OVN has it.
func (gs *groups) group(name string) Group {
	g := Group{Name: name, Sets: gs.setsOf.Get(name)}
	if list := gs.ofGroup.Get(name); len(list) > 0 {
		g.PortGroup = list[0]
	}
	return g
}

// PortGroup returns the port group with that UUID; nil where there is none.
func (gs *groups) PortGroup(uuid string) *PortGroup { return gs.portGroups.Get(uuid) }

// AddressSet returns the address set with that UUID; nil where there is none.
func (gs *groups) AddressSet(uuid string) *AddressSet { return gs.addressSets.Get(uuid) }

// EachGroup returns every port group and every address set to be looked at, in no order.
func (gs *groups) EachGroup(look func(*PortGroup), set func(*AddressSet)) {
	for g := range gs.portGroups.Values() {
		look(g)
	}
	for a := range gs.addressSets.Values() {
		set(a)
	}
}

// groupEditor changes the security groups.
type groupEditor struct {
	*groups
	*changes
}

// moveMembers makes those members that came, forgets those that went, and returns their UUIDs. Either group may be nil.
func (ed *groupEditor) moveMembers(old, now *PortGroup) map[string]bool {
	moved := make(map[string]bool)
	var nobody persistent.Set[string]
	if old != nil && now != nil && old.Group == now.Group {
		ed.moveEach(old.Group, old.Ports, now.Ports, moved)
		return moved
	}
	if old != nil {
		ed.moveEach(old.Group, old.Ports, nobody, moved)
	}
	if now != nil {
		ed.moveEach(now.Group, nobody, now.Ports, moved)
	}
	return moved
}

// moveEach has those rows in a security group that are members after a change, and enters into moved which came or
// went. The port groups of others make nobody a member.
func (ed *groupEditor) moveEach(group string, before, after persistent.Set[string], moved map[string]bool) {
	if group == "" {
		return
	}
	ed.affectGroup(group)
	for uuid := range before.Without(after) {
		moved[uuid] = true
		left := slices.DeleteFunc(slices.Clone(ed.members.Get(uuid)), func(name string) bool { return name == group })
		replace(&ed.members, ed.edit, uuid, left)
	}
	for uuid := range after.Without(before) {
		moved[uuid] = true
		ed.members.Set(ed.edit, uuid, union(ed.members.Get(uuid), []string{group}))
	}
}

// replaceRow notes the name of a row that is, or may be, in security groups, and forgets that of the one before; either
// may be nil. The name of one that is a member is kept until it is none: a row and its memberships go together.
func (ed *groupEditor) replaceRow(old, now *Row) {
	if old != nil {
		if len(ed.members.Get(old.UUID)) == 0 {
			ed.grouped.Delete(ed.edit, old.UUID)
		}
		ed.affectGroups(old)
	}
	if now != nil && (len(ed.members.Get(now.UUID)) > 0 || now.ExternalIDs[kubeovn.ExternalIDSecurityGroups] != "") {
		ed.grouped.Set(ed.edit, now.UUID, now.Name)
		ed.affectGroups(now)
	}
}

// affectGroups notes that a member of security groups changed.
func (ed *groupEditor) affectGroups(r *Row) {
	if r == nil {
		return
	}
	for _, name := range ed.members.Get(r.UUID) {
		ed.affectGroup(name)
	}
}

// deleteAddressSet takes an address set out, where it is there.
func (ed *groupEditor) deleteAddressSet(uuid string) {
	old := ed.addressSets.Get(uuid)
	if old == nil {
		return
	}
	ed.groupsRevision++
	ed.addressSets.Delete(ed.edit, uuid)
	if old.Group == "" {
		return
	}
	left := slices.DeleteFunc(
		slices.Clone(ed.setsOf.Get(old.Group)),
		func(a *AddressSet) bool { return a.UUID == uuid },
	)
	replace(&ed.setsOf, ed.edit, old.Group, left)
	ed.affectGroup(old.Group)
}

// setPortGroup adds or replaces a port group. It returns the UUIDs of the rows that came or went, and the names of the
// security groups that have a port group now and had none, or the other way round.
func (ed *groupEditor) setPortGroup(g *PortGroup) (moved map[string]bool, changed []string) {
	old := ed.portGroups.Get(g.UUID)
	ed.groupsRevision++
	ed.portGroups.Set(ed.edit, g.UUID, g)
	if old != nil {
		changed = ed.dropOfGroup(old)
	}
	if g.Group != "" {
		list := ed.ofGroup.Get(g.Group)
		if len(list) == 0 {
			changed = append(changed, g.Group)
		}
		ed.ofGroup.Set(ed.edit, g.Group, append(slices.Clone(list), g))
	}
	if old != nil && old.Group == g.Group {
		changed = nil
	}
	return ed.moveMembers(old, g), changed
}

// deletePortGroup takes a port group out and returns the same.
func (ed *groupEditor) deletePortGroup(uuid string) (moved map[string]bool, changed []string) {
	old := ed.portGroups.Get(uuid)
	ed.portGroups.Delete(ed.edit, uuid)
	if old != nil {
		ed.groupsRevision++
		changed = ed.dropOfGroup(old)
	}
	return ed.moveMembers(old, nil), changed
}

// dropOfGroup takes a port group out from its security group, and returns the name of that where no other is left.
func (ed *groupEditor) dropOfGroup(old *PortGroup) (changed []string) {
	if old.Group == "" {
		return nil
	}
	left := slices.DeleteFunc(
		slices.Clone(ed.ofGroup.Get(old.Group)),
		func(g *PortGroup) bool { return g.UUID == old.UUID },
	)
	if replace(&ed.ofGroup, ed.edit, old.Group, left); len(left) > 0 {
		return nil
	}
	return []string{old.Group}
}

// setAddressSet adds or replaces an address set.
func (ed *groupEditor) setAddressSet(a *AddressSet) {
	ed.deleteAddressSet(a.UUID)
	ed.groupsRevision++
	ed.addressSets.Set(ed.edit, a.UUID, a)
	if a.Group == "" {
		return
	}
	ed.setsOf.Set(ed.edit, a.Group, append(slices.Clone(ed.setsOf.Get(a.Group)), a))
	ed.affectGroup(a.Group)
}

// KnowGroups says that the port groups and address sets of security groups are followed: a port that is in no group
// then is in none.
func (inv *Inventory) KnowGroups() { inv.groups.known = true }

// SetPortGroup adds or replaces a port group and returns the names of the ports that came or went, and where the
// security group had no port group, those of the pods that name it.
func (inv *Inventory) SetPortGroup(g *PortGroup) []string {
	moved, changed := inv.groups.setPortGroup(g)
	return append(inv.rowsWith(moved), inv.pods.portsNaming(changed)...)
}

// DeletePortGroup takes a port group out and returns the names of the ports that were in it, and of the pods that name
// its security group.
func (inv *Inventory) DeletePortGroup(uuid string) []string {
	moved, changed := inv.groups.deletePortGroup(uuid)
	return append(inv.rowsWith(moved), inv.pods.portsNaming(changed)...)
}

// rowsWith returns the names of the rows that have these UUIDs.
func (inv *Inventory) rowsWith(uuids map[string]bool) (names []string) {
	if len(uuids) == 0 {
		return nil
	}
	unnoted := false
	for uuid := range uuids {
		member := len(inv.members.Get(uuid)) > 0
		name, ok := inv.grouped.Find(uuid)
		switch {
		case !ok:
			unnoted = unnoted || member // the row of one that was a member and is not noted is gone
			continue
		case !member && !inv.hasRow(name, uuid):
			inv.groups.grouped.Delete(inv.edit, uuid)
		}
		names = append(names, name)
	}
	if !unnoted {
		return names
	}
	for name, e := range inv.entries.All() { // rows that came before their group, and that do not name it
		if e.row != nil && uuids[e.row.UUID] && inv.grouped.Get(e.row.UUID) == "" {
			names = append(names, name)
			if len(inv.members.Get(e.row.UUID)) > 0 {
				inv.groups.grouped.Set(inv.edit, e.row.UUID, name)
			}
		}
	}
	return names
}

// hasRow reports whether the row of that name has the UUID.
func (inv *State) hasRow(name, uuid string) bool {
	r := inv.entry(name).row
	return r != nil && r.UUID == uuid
}

// SetAddressSet adds or replaces an address set and returns the names of the ports for which it may matter: those of
// its security group whose port_security is not their address to the letter.
func (inv *Inventory) SetAddressSet(a *AddressSet) []string {
	var before []string
	if old := inv.addressSets.Get(a.UUID); old != nil && old.Group != a.Group {
		before = inv.unlikeTheirAddress(old.Group)
	}
	inv.groups.setAddressSet(a)
	return append(before, inv.unlikeTheirAddress(a.Group)...)
}

// DeleteAddressSet takes an address set out and returns the names of the ports for which it may have mattered.
func (inv *Inventory) DeleteAddressSet(uuid string) []string {
	old := inv.addressSets.Get(uuid)
	if old == nil {
		return nil
	}
	inv.groups.deleteAddressSet(uuid)
	return inv.unlikeTheirAddress(old.Group)
}

// unlikeTheirAddress returns the names of the ports of a group whose port_security is not their address to the letter.
func (inv *State) unlikeTheirAddress(group string) (names []string) {
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
	for _, g := range inv.ofGroup.Get(group) {
		for uuid := range g.Ports.All() {
			if r := inv.entry(inv.grouped.Get(uuid)).row; r != nil && r.UUID == uuid && !look(r) {
				return
			}
		}
	}
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
