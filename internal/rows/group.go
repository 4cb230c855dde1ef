package rows

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Northbound returns the tables of the Northbound database that judgement rests on.
func Northbound() []ovn.Table {
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

// Only returns which rows of tables are enough: of port groups those of security groups. Each port is in the groups of
// its node, too.
func Only() map[ovn.Table]map[string]string {
	return map[ovn.Table]map[string]string{ovn.TablePortGroup: {kubeovn.ExternalIDType: kubeovn.SecurityGroupType}}
}

// PortGroupOf returns the facts of a port group; one that is of no security group has no name.
func PortGroupOf(g *ovn.PortGroup) *inventory.PortGroup {
	out := &inventory.PortGroup{UUID: g.UUID, Name: g.Name, Ports: g.Ports}
	if g.ExternalIDs[kubeovn.ExternalIDType] == kubeovn.SecurityGroupType {
		out.Group = g.ExternalIDs[kubeovn.ExternalIDGroup]
	}
	return out
}

// AddressSetOf returns the facts of an address set; one that is of no security group has no name.
func AddressSetOf(a *ovn.AddressSet) *inventory.AddressSet {
	return &inventory.AddressSet{
		UUID:      a.UUID,
		Name:      a.Name,
		Group:     a.ExternalIDs[kubeovn.ExternalIDGroup],
		Addresses: a.Addresses,
	}
}

func missedGroups(inv *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	for g := range state.PortGroups().All() {
		now := PortGroupOf(g)
		wanted := now.Group != ""
		if have := inv.PortGroup(
			g.UUID,
		); wanted != (have != nil) ||
			wanted && (have.Group != now.Group || !slices.Equal(have.Ports, now.Ports)) {
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Update, Table: ovn.TablePortGroup, Revision: state.Revision, New: g},
			)
		}
	}
	for a := range state.AddressSets().All() {
		now := AddressSetOf(a)
		if have := inv.AddressSet(a.UUID); (now.Group != "") != (have != nil) ||
			have != nil &&
				(have.Group != now.Group || have.Name != now.Name || !slices.Equal(have.Addresses, now.Addresses)) {
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
