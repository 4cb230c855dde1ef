package rows

import (
	"maps"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Northbound returns the tables of the Northbound database that judgement rests on.
func Northbound() []ovn.Table { return append(NorthboundPorts(), ovn.TableACL) }

// NorthboundPorts returns those of them that are enough to judge the columns of ports.
func NorthboundPorts() []ovn.Table {
	return []ovn.Table{
		ovn.TablePort,
		ovn.TableSwitch,
		ovn.TableRouterPort,
		ovn.TableNBGlobal,
		ovn.TablePortGroup,
		ovn.TableAddressSet,
	}
}

// Southbound returns the tables of the Southbound database that judgement rests on.
func Southbound() []ovn.Table {
	return []ovn.Table{ovn.TablePortBinding, ovn.TableChassis, ovn.TableSBGlobal}
}

// OnlyForPorts returns which rows of the tables of NorthboundPorts are enough: of port groups those of security groups.
// Each port is in the groups of its node, too.
func OnlyForPorts() map[ovn.Table]map[string]string {
	return map[ovn.Table]map[string]string{ovn.TablePortGroup: {kubeovn.ExternalIDType: kubeovn.SecurityGroupType}}
}

// PortGroupOf returns the facts of a port group; one that is of no security group has no name of one.
func PortGroupOf(g *ovn.PortGroup) *inventory.PortGroup {
	out := &inventory.PortGroup{UUID: g.UUID, Name: g.Name, Ports: g.Ports, ACLs: g.ACLs, ExternalIDs: g.ExternalIDs}
	if g.ExternalIDs[kubeovn.ExternalIDType] == kubeovn.SecurityGroupType {
		out.Group = g.ExternalIDs[kubeovn.ExternalIDGroup]
	}
	return out
}

// AddressSetOf returns the facts of an address set; one that is of no security group has no name of one.
func AddressSetOf(a *ovn.AddressSet) *inventory.AddressSet {
	return &inventory.AddressSet{
		UUID:      a.UUID,
		Name:      a.Name,
		Group:     a.ExternalIDs[kubeovn.ExternalIDGroup],
		Addresses: a.Addresses,

		ExternalIDs: a.ExternalIDs,
	}
}

// ACLOf returns the facts of an ACL.
func ACLOf(a *ovn.ACL) *acl.ACL {
	out := &acl.ACL{
		UUID: a.UUID, Name: a.Name, Direction: acl.Direction(a.Direction), Priority: a.Priority,
		Action: acl.Action(a.Action), Match: a.Match, ExternalIDs: a.ExternalIDs,
		AfterLB: strings.EqualFold(a.Options[acl.OptionAfterLB], "true"),
	}
	if a.Tier != nil {
		out.Tier = *a.Tier
	}
	return out
}

// SwitchOf returns the facts of a switch.
func SwitchOf(s *ovn.Switch) inventory.Switch {
	return inventory.Switch{UUID: s.UUID, Name: s.Name, ACLs: s.ACLs}
}

func missedGroups(inv *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	for g := range state.PortGroups().All() {
		now := PortGroupOf(g)
		if have := inv.PortGroup(g.UUID); have == nil || have.Group != now.Group || have.Name != now.Name ||
			!have.Ports.Equal(now.Ports) || !slices.Equal(have.ACLs, now.ACLs) ||
			!maps.Equal(have.ExternalIDs, now.ExternalIDs) {
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Update, Table: ovn.TablePortGroup, Revision: state.Revision, New: g},
			)
		}
	}
	for a := range state.AddressSets().All() {
		now := AddressSetOf(a)
		if have := inv.AddressSet(a.UUID); have == nil || have.Group != now.Group || have.Name != now.Name ||
			!slices.Equal(have.Addresses, now.Addresses) || !maps.Equal(have.ExternalIDs, now.ExternalIDs) {
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Update, Table: ovn.TableAddressSet, Revision: state.Revision, New: a},
			)
		}
	}
	inv.EachGroup(func(g *inventory.PortGroup) {
		if state.PortGroups().Get(g.UUID) == nil {
			missed = append(
				missed,
				ovn.Event{
					Kind:     ovn.Delete,
					Table:    ovn.TablePortGroup,
					Revision: state.Revision,
					Old:      &ovn.PortGroup{UUID: g.UUID},
				},
			)
		}
	}, func(a *inventory.AddressSet) {
		if state.AddressSets().Get(a.UUID) == nil {
			missed = append(
				missed,
				ovn.Event{
					Kind:     ovn.Delete,
					Table:    ovn.TableAddressSet,
					Revision: state.Revision,
					Old:      &ovn.AddressSet{UUID: a.UUID},
				},
			)
		}
	})
	return missed
}

func missedFilters(inv *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	miss := func(kind ovn.Kind, table ovn.Table, old, now ovn.Row) {
		missed = append(missed, ovn.Event{Kind: kind, Table: table, Revision: state.Revision, Old: old, New: now})
	}
	for a := range state.ACLs().All() {
		if have := inv.ACL(a.UUID); have == nil || !inventory.SameACL(have, ACLOf(a)) {
			miss(ovn.Update, ovn.TableACL, nil, a)
		}
	}
	for s := range state.Switches().All() {
		have, _ := inv.FilteredSwitch(s.UUID)
		if len(s.ACLs)+len(have.ACLs) > 0 && (have.Name != s.Name || !slices.Equal(have.ACLs, s.ACLs)) {
			miss(ovn.Update, ovn.TableSwitch, nil, s)
		}
	}
	inv.EachFilter(func(a *acl.ACL) {
		if state.ACLs().Get(a.UUID) == nil {
			miss(ovn.Delete, ovn.TableACL, &ovn.ACL{UUID: a.UUID}, nil)
		}
	}, func(s inventory.Switch) {
		if state.Switches().Get(s.UUID) == nil {
			miss(ovn.Delete, ovn.TableSwitch, &ovn.Switch{UUID: s.UUID}, nil)
		}
	})
	return missed
}
