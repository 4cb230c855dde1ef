package rows

import (
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Missed returns the changes that lead from what an inventory holds of a database to this state of it: none, unless
// events were lost on the way. held has all that came before the state, and nothing that came after.
func Missed(held *inventory.State, state *ovn.Snapshot) []ovn.Event {
	if state.Database == ovn.Southbound {
		return append(missedBindings(held, state), missedChassis(held, state)...)
	}
	return slices.Concat(
		missedPorts(held, state), missedRouterPorts(held, state), missedGroups(held, state), missedFilters(held, state),
		missedOptions(held, state),
	)
}

func missedPorts(held *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	for p := range state.Ports().All() {
		if r := held.Row(p.Name); r == nil || !same(r, p) {
			missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TablePort, Revision: state.Revision, New: p})
		}
	}
	held.EachRow(func(r *inventory.Row) {
		if p := state.Ports().Get(r.UUID); p == nil || p.Name != r.Name {
			gone := &ovn.Port{UUID: r.UUID, Name: r.Name}
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Delete, Table: ovn.TablePort, Revision: state.Revision, Old: gone},
			)
		}
	})
	return missed
}

// same reports whether the inventory has the port as it is.
func same(r *inventory.Row, p *ovn.Port) bool {
	return r.UUID == p.UUID && r.Switch == p.Switch && r.Type == p.Type && r.Disabled == disabled(p) &&
		slices.Equal(
			r.Addresses,
			p.Addresses,
		) && slices.Equal(r.PortSecurity, p.PortSecurity) && maps.Equal(r.ExternalIDs, p.ExternalIDs)
}

func missedBindings(held *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	for b := range state.PortBindings().All() {
		if have, now := held.Binding(
			b.LogicalPort,
		), BindingOf(
			b,
		); have == nil || have.UUID != now.UUID ||
			!have.Says(now) {
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Update, Table: ovn.TablePortBinding, Revision: state.Revision, New: b},
			)
		}
	}
	held.EachBinding(func(b *inventory.Binding) {
		if now := state.PortBindings().Get(b.UUID); now == nil || now.LogicalPort != b.Port {
			gone := &ovn.PortBinding{UUID: b.UUID, LogicalPort: b.Port}
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Delete, Table: ovn.TablePortBinding, Revision: state.Revision, Old: gone},
			)
		}
	})
	return missed
}

func missedChassis(inv *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	for c := range state.Chassis().All() {
		now := ChassisOf(c)
		if have, ok := inv.Chassis(
			c.UUID,
		); !ok || have.Name != now.Name || have.Host != now.Host ||
			!maps.Equal(have.Config, now.Config) {
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Update, Table: ovn.TableChassis, Revision: state.Revision, New: c},
			)
		}
	}
	for _, t := range inv.Subjects() {
		if t.Kind == inventory.SubjectChassis && state.Chassis().Get(t.Name) == nil {
			missed = append(
				missed,
				ovn.Event{
					Kind:     ovn.Delete,
					Table:    ovn.TableChassis,
					Revision: state.Revision,
					Old:      &ovn.Chassis{UUID: t.Name},
				},
			)
		}
	}
	return missed
}

func missedOptions(inv *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	if g := state.NBGlobal(); g != nil && !inv.HasOptions(g.Options) {
		missed = append(missed, ovn.Event{Kind: ovn.Update, Table: ovn.TableNBGlobal, Revision: state.Revision, New: g})
	}
	return missed
}

func missedRouterPorts(inv *inventory.State, state *ovn.Snapshot) (missed []ovn.Event) {
	for p := range state.RouterPorts().All() {
		if have, ok := inv.RouterPort(p.Name); !ok || have != RouterPortOf(p) {
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Update, Table: ovn.TableRouterPort, Revision: state.Revision, New: p},
			)
		}
	}
	inv.EachRouterPort(func(have inventory.RouterPort) {
		if p := state.RouterPorts().Get(have.UUID); p == nil || p.Name != have.Name {
			gone := &ovn.RouterPort{UUID: have.UUID, Name: have.Name}
			missed = append(
				missed,
				ovn.Event{Kind: ovn.Delete, Table: ovn.TableRouterPort, Revision: state.Revision, Old: gone},
			)
		}
	})
	return missed
}
