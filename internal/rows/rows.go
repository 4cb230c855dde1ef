// Package rows hands what the Northbound database says to the inventory, as values that judgement can read without knowing
// a database client.
package rows

import (
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Of gives the facts of a port. Both share their contents, which neither side ever changes.
func Of(p *ovn.Port) *inventory.Row {
	return &inventory.Row{
		UUID: p.UUID, Name: p.Name, Switch: p.Switch, Type: p.Type,
		Addresses: p.Addresses, PortSecurity: p.PortSecurity, ExternalIDs: p.ExternalIDs,
		Disabled: p.Enabled != nil && !*p.Enabled,
	}
}

// Apply enters one change into the inventory and gives the names of the ports that it touched. Events about other tables
// touch none.
func Apply(inv *inventory.Inventory, e ovn.Event) []string {
	old, now := e.Ports()
	var touched []string
	if old != nil && (now == nil || now.Name != old.Name) {
		touched = inv.DeleteRow(old.Name, old.UUID)
	}
	if now != nil {
		touched = append(touched, inv.SetRow(Of(now))...)
	}
	return touched
}
