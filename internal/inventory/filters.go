package inventory

import (
	"maps"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// Switch is a logical switch with ACLs of its own.
type Switch struct {
	UUID, Name string
	// ACLs are their UUIDs.
	ACLs []string
}

// filters is what decides in OVN what ports may send and are sent, besides port security: ACLs, and which switches have
// some of their own. Those of a port group are with the group.
type filters struct {
	aclsKnown     bool
	acls          persistent.Map[string, *acl.ACL] // by UUID, without the group
	switches      persistent.Map[string, Switch]   // by UUID; those without ACLs are not here
	dropByDefault bool
	// filtersRevision counts the changes.
	filtersRevision uint64
}

// ACLsKnown reports whether the ACLs are known that OVN has: they were read, with all port groups and address sets.
func (fs *filters) ACLsKnown() bool { return fs.aclsKnown }

// ACL returns the ACL with that UUID, without the group that has it; nil where there is none.
func (fs *filters) ACL(uuid string) *acl.ACL { return fs.acls.Get(uuid) }

// FilteredSwitch returns the switch with that UUID where it has ACLs of its own; ok is false where it has none.
func (fs *filters) FilteredSwitch(uuid string) (s Switch, ok bool) { return fs.switches.Find(uuid) }

// HasACLs reports whether OVN has some ACL.
func (fs *filters) HasACLs() bool { return fs.acls.Len() > 0 }

// EachFilter returns every ACL, and every switch with ACLs of its own, to be looked at, in no order.
func (fs *filters) EachFilter(look func(*acl.ACL), at func(Switch)) {
	for a := range fs.acls.Values() {
		look(a)
	}
	for s := range fs.switches.Values() {
		at(s)
	}
}

// FilterRevision changes with each change of ACLs, port groups and address sets. Rows of ports are not counted.
func (inv *State) FilterRevision() uint64 { return inv.filtersRevision + inv.groupsRevision }

// ACLs returns the ACLs that OVN has, with the ports and the addresses that they name. It is empty where they are not
// known. Lists are in no order; what they have is shared, and must not be changed.
//
// An ACL that several port groups have is there once for each of them. One that nothing has is not there: OVN makes
// nothing of it.
func (inv *State) ACLs() acl.Database {
	if !inv.aclsKnown {
		return acl.Database{}
	}
	db := acl.Database{
		ACLs:          make([]acl.ACL, 0, inv.acls.Len()),
		Groups:        make(map[string][]string, inv.portGroups.Len()),
		Sets:          make(map[string][]string, inv.addressSets.Len()),
		Owners:        make(map[string]acl.Owner),
		OnSwitch:      make(map[string][]string),
		SwitchOf:      make(map[string]string, inv.entries.Len()),
		Addresses:     make(map[string][]string, inv.entries.Len()),
		DropByDefault: inv.dropByDefault,
	}
	names := make(map[string]string, inv.entries.Len()) // of ports, by UUID
	for name, e := range inv.entries.All() {
		if e.row != nil {
			names[e.row.UUID] = name
			db.SwitchOf[name], db.Addresses[name] = e.row.Switch, e.row.Addresses
		}
	}
	enter := func(uuid, group string) {
		if a := inv.acls.Get(uuid); a != nil {
			of := *a
			of.Group = group
			db.ACLs = append(db.ACLs, of)
		}
	}
	for g := range inv.portGroups.Values() {
		ports := make([]string, 0, g.Ports.Len())
		for uuid := range g.Ports.All() {
			if name, ok := names[uuid]; ok {
				ports = append(ports, name)
			}
		}
		db.Groups[g.Name] = ports
		if kind, namespace, name, ok := kubeovn.GroupOwner(g.ExternalIDs); ok {
			db.Owners[g.Name] = acl.Owner{Kind: kind, Namespace: namespace, Name: name}
		}
		for _, uuid := range g.ACLs {
			enter(uuid, g.Name)
		}
	}
	for a := range inv.addressSets.Values() {
		db.Sets[a.Name] = a.Addresses
	}
	for s := range inv.switches.Values() {
		for _, uuid := range s.ACLs {
			if _, entered := db.OnSwitch[uuid]; !entered {
				enter(uuid, "")
			}
			db.OnSwitch[uuid] = append(db.OnSwitch[uuid], s.Name)
		}
	}
	return db
}

// filterEditor changes the filters.
type filterEditor struct {
	*filters
	*changes
}

// SameACL reports whether two rows of ACLs say the same.
func SameACL(a, b *acl.ACL) bool {
	return a.Name == b.Name && a.Direction == b.Direction && a.Tier == b.Tier && a.Priority == b.Priority &&
		a.Action == b.Action && a.Match == b.Match && a.AfterLB == b.AfterLB && maps.Equal(a.ExternalIDs, b.ExternalIDs)
}

// KnowACLs says that ACLs are followed, with all port groups and address sets.
func (inv *Inventory) KnowACLs() {
	inv.filters.aclsKnown = true
	inv.filters.filtersRevision++
}

// SetACL adds or replaces an ACL, which is not changed afterwards.
func (inv *Inventory) SetACL(a *acl.ACL) {
	if old := inv.acls.Get(a.UUID); old != nil && SameACL(old, a) {
		return
	}
	inv.filters.acls.Set(inv.edit, a.UUID, a)
	inv.filters.filtersRevision++
}

// DeleteACL takes an ACL out.
func (inv *Inventory) DeleteACL(uuid string) {
	if inv.acls.Has(uuid) {
		inv.filters.acls.Delete(inv.edit, uuid)
		inv.filters.filtersRevision++
	}
}

// SetSwitch enters which ACLs a switch has of its own.
func (inv *Inventory) SetSwitch(s Switch) {
	old, ok := inv.switches.Find(s.UUID)
	switch {
	case len(s.ACLs) == 0:
		inv.DeleteSwitch(s.UUID)
	case !ok || old.Name != s.Name || !slices.Equal(old.ACLs, s.ACLs):
		inv.filters.switches.Set(inv.edit, s.UUID, s)
		inv.filters.filtersRevision++
	}
}

// DeleteSwitch takes a switch out.
func (inv *Inventory) DeleteSwitch(uuid string) {
	if inv.switches.Has(uuid) {
		inv.filters.switches.Delete(inv.edit, uuid)
		inv.filters.filtersRevision++
	}
}

// setOptions enters what NB_Global.options say of ACLs.
func (ed *filterEditor) setOptions(options map[string]string) {
	if drops := dropsByDefault(options); drops != ed.dropByDefault {
		ed.dropByDefault = drops
		ed.filtersRevision++
	}
}

// dropsByDefault reports whether the options have OVN drop what no ACL of a switch decides. OVN reads the word as
// ovsdb's smap_get_bool does.
func dropsByDefault(options map[string]string) bool {
	return strings.EqualFold(options[acl.OptionDropByDefault], "true")
}
