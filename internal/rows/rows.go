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
	}
}

// Apply enters one change into the inventory and gives the names of the ports that it touched.
func Apply(inv *inventory.Inventory, c ovn.Change) []string {
	var touched []string
	if c.Old != nil && (c.New == nil || c.New.Name != c.Old.Name) {
		touched = inv.DeleteRow(c.Old.Name, c.Old.UUID)
	}
	if c.New != nil {
		touched = append(touched, inv.SetRow(Of(c.New))...)
	}
	return touched
}
