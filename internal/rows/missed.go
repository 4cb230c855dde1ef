package rows

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Missed gives the changes that lead from what the inventory holds of a database to this state of it: none, unless events were
// lost on the way. All that came before the state must have been applied, and nothing that came after.
func Missed(inv *inventory.Inventory, state *ovn.Snapshot) []ovn.Event {
	if state.Database == ovn.Southbound {
		return append(missedBindings(inv, state), missedChassis(inv, state)...)
	}
	return append(missedPorts(inv, state), missedGroups(inv, state)...)
}

func missedPorts(inv *inventory.Inventory, state *ovn.Snapshot) (missed []ovn.Event) {
	there := 0
	for p := range state.Ports().All() {
		if r := inv.Row(p.Name); r == nil || !same(r, p) {
			missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TablePort, Revision: state.Revision, New: p})
		} else {
			there++
		}
	}
	inv.EachRow(func(*inventory.Row) { there-- })
	if there == 0 {
		return missed
	}
	inv.EachRow(func(r *inventory.Row) {
		if p := state.Ports().Get(r.UUID); p == nil || p.Name != r.Name {
			missed = append(missed, ovn.Event{Kind: ovn.Delete, Table: ovn.TablePort, Revision: state.Revision, Old: &ovn.Port{UUID: r.UUID, Name: r.Name}})
		}
	})
	return missed
}

// same tells that the inventory has the port as it is.
func same(r *inventory.Row, p *ovn.Port) bool {
	return r.UUID == p.UUID && r.Switch == p.Switch && r.Type == p.Type && r.Disabled == disabled(p) &&
		slices.Equal(r.Addresses, p.Addresses) && slices.Equal(r.PortSecurity, p.PortSecurity) && maps.Equal(r.ExternalIDs, p.ExternalIDs)
}

func missedBindings(inv *inventory.Inventory, state *ovn.Snapshot) (missed []ovn.Event) {
	for b := range state.PortBindings().All() {
		if have, now := inv.Binding(b.LogicalPort), BindingOf(b); have == nil || have.UUID != now.UUID || !have.Says(now) {
			missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TablePortBinding, Revision: state.Revision, New: b})
		}
	}
	inv.EachBinding(func(b *inventory.Binding) {
		if now := state.PortBindings().Get(b.UUID); now == nil || now.LogicalPort != b.Port {
			gone := &ovn.PortBinding{UUID: b.UUID, LogicalPort: b.Port}
			missed = append(missed, ovn.Event{Kind: ovn.Delete, Table: ovn.TablePortBinding, Revision: state.Revision, Old: gone})
		}
	})
	return missed
}

func missedChassis(inv *inventory.Inventory, state *ovn.Snapshot) (missed []ovn.Event) {
	for c := range state.Chassis().All() {
		now := ChassisOf(c)
		if have, ok := inv.Chassis(c.UUID); !ok || have.Name != now.Name || have.Host != now.Host || !maps.Equal(have.Config, now.Config) {
			missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TableChassis, Revision: state.Revision, New: c})
		}
	}
	for _, t := range inv.Things() {
		if t.Kind == inventory.ThingChassis && state.Chassis().Get(t.Name) == nil {
			missed = append(missed, ovn.Event{Kind: ovn.Delete, Table: ovn.TableChassis, Revision: state.Revision, Old: &ovn.Chassis{UUID: t.Name}})
		}
	}
	return missed
}
