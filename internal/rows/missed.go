package rows

import (
	"iter"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Reader gives the inventory to look at, while nobody changes it.
type Reader func(look func(*inventory.Inventory))

// batch is how many rows are compared before others get their turn with the inventory: it takes some milliseconds.
const batch = 4096

// Missed gives the changes that lead from what the inventory holds of a database to this state of it: none, unless events were
// lost on the way. All that came before the state must have been applied, and nothing that came after, nor anything while it looks.
func Missed(read Reader, state *ovn.Snapshot) (missed []ovn.Event) {
	if state.Database == ovn.Southbound {
		missed = missedBindings(read, state)
		read(func(inv *inventory.Inventory) { missed = append(missed, missedChassis(inv, state)...) })
		return missed
	}
	missed = missedPorts(read, state)
	read(func(inv *inventory.Inventory) {
		missed = append(append(missed, missedRouterPorts(inv, state)...), missedGroups(inv, state)...)
	})
	return missed
}

// each gives some rows at a time to look at beside the inventory.
func each[T any](read Reader, all iter.Seq[*T], look func(*inventory.Inventory, *T)) {
	for some := range slices.Chunk(slices.Collect(all), batch) {
		read(func(inv *inventory.Inventory) {
			for _, row := range some {
				look(inv, row)
			}
		})
	}
}

func missedPorts(read Reader, state *ovn.Snapshot) (missed []ovn.Event) {
	each(read, state.Ports().All(), func(inv *inventory.Inventory, p *ovn.Port) {
		if r := inv.Row(p.Name); r == nil || !same(r, p) {
			missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TablePort, Revision: state.Revision, New: p})
		}
	})
	var held []*inventory.Row
	read(func(inv *inventory.Inventory) { inv.EachRow(func(r *inventory.Row) { held = append(held, r) }) })
	for _, r := range held {
		if p := state.Ports().Get(r.UUID); p == nil || p.Name != r.Name {
			missed = append(missed, ovn.Event{Kind: ovn.Delete, Table: ovn.TablePort, Revision: state.Revision, Old: &ovn.Port{UUID: r.UUID, Name: r.Name}})
		}
	}
	return missed
}

// same tells that the inventory has the port as it is.
func same(r *inventory.Row, p *ovn.Port) bool {
	return r.UUID == p.UUID && r.Switch == p.Switch && r.Type == p.Type && r.Disabled == disabled(p) &&
		slices.Equal(r.Addresses, p.Addresses) && slices.Equal(r.PortSecurity, p.PortSecurity) && maps.Equal(r.ExternalIDs, p.ExternalIDs)
}

func missedBindings(read Reader, state *ovn.Snapshot) (missed []ovn.Event) {
	each(read, state.PortBindings().All(), func(inv *inventory.Inventory, b *ovn.PortBinding) {
		if have, now := inv.Binding(b.LogicalPort), BindingOf(b); have == nil || have.UUID != now.UUID || !have.Says(now) {
			missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TablePortBinding, Revision: state.Revision, New: b})
		}
	})
	var held []*inventory.Binding
	read(func(inv *inventory.Inventory) { inv.EachBinding(func(b *inventory.Binding) { held = append(held, b) }) })
	for _, b := range held {
		if now := state.PortBindings().Get(b.UUID); now == nil || now.LogicalPort != b.Port {
			gone := &ovn.PortBinding{UUID: b.UUID, LogicalPort: b.Port}
			missed = append(missed, ovn.Event{Kind: ovn.Delete, Table: ovn.TablePortBinding, Revision: state.Revision, Old: gone})
		}
	}
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

func missedRouterPorts(inv *inventory.Inventory, state *ovn.Snapshot) (missed []ovn.Event) {
	for p := range state.RouterPorts().All() {
		if have, ok := inv.RouterPort(p.Name); !ok || have != RouterPortOf(p) {
			missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TableRouterPort, Revision: state.Revision, New: p})
		}
	}
	inv.EachRouterPort(func(have inventory.RouterPort) {
		if p := state.RouterPorts().Get(have.UUID); p == nil || p.Name != have.Name {
			gone := &ovn.RouterPort{UUID: have.UUID, Name: have.Name}
			missed = append(missed, ovn.Event{Kind: ovn.Delete, Table: ovn.TableRouterPort, Revision: state.Revision, Old: gone})
		}
	})
	return missed
}
