// Package rows hands what the Northbound database says to the inventory, as values that judgement can read without
// knowing a database client.
package rows

import (
	"cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Of returns the facts of a port. Both share their contents, which neither side ever changes.
func Of(p *ovn.Port) *inventory.Row {
	return &inventory.Row{
		UUID: p.UUID, Name: p.Name, Switch: p.Switch, Type: p.Type,
		Addresses: p.Addresses, PortSecurity: p.PortSecurity, ExternalIDs: p.ExternalIDs,
		Disabled: disabled(p),
	}
}

// disabled reports whether the column says false: an empty one means enabled.
func disabled(p *ovn.Port) bool { return p.Enabled != nil && !*p.Enabled }

// BindingOf returns the facts of a binding in the Southbound database.
func BindingOf(b *ovn.PortBinding) *inventory.Binding {
	out := &inventory.Binding{
		UUID: b.UUID, Port: b.LogicalPort, Type: b.Type, PortSecurity: b.PortSecurity, Up: b.Up != nil && *b.Up,
	}
	if b.Chassis != "" {
		out.Chassis = append(append(make([]string, 0, 1+len(b.AdditionalChassis)), b.Chassis), b.AdditionalChassis...)
	}
	return out
}

// ChassisOf returns the facts of a chassis.
func ChassisOf(c *ovn.Chassis) inventory.Chassis {
	return inventory.Chassis{UUID: c.UUID, Name: c.Name, Host: c.Hostname, Config: c.OtherConfig}
}

// RouterPortOf returns the facts of a router's port.
func RouterPortOf(p *ovn.RouterPort) inventory.RouterPort {
	return inventory.RouterPort{UUID: p.UUID, Name: p.Name, MAC: p.MAC}
}

// ApplyAll enters a batch of changes into the inventory and returns the names of the ports that they touched. Chassis
// come first: what ports are bound to one has to be looked through where it changes, and is not while none is.
func ApplyAll(inv *inventory.Inventory, events []ovn.Event) (touched []string) {
	for _, e := range events {
		if e.Table == ovn.TableChassis {
			touched = append(touched, Apply(inv, e)...)
		}
	}
	for _, e := range events {
		if e.Table != ovn.TableChassis {
			touched = append(touched, Apply(inv, e)...)
		}
	}
	return touched
}

// Apply enters one change of either database into the inventory and returns the names of the ports that it touched.
// Events about other tables touch none.
func Apply(inv *inventory.Inventory, e ovn.Event) []string {
	switch row := cmp.Or(e.Old, e.New).(type) {
	case *ovn.Port:
		return applyPort(inv, e)
	case *ovn.RouterPort:
		return applyRouterPort(inv, e, row)
	case *ovn.PortBinding:
		if now, ok := e.New.(*ovn.PortBinding); ok {
			return inv.SetBinding(BindingOf(now))
		}
		return inv.DeleteBinding(row.LogicalPort, row.UUID)
	case *ovn.Chassis:
		if now, ok := e.New.(*ovn.Chassis); ok {
			return inv.SetChassis(ChassisOf(now))
		}
		return inv.DeleteChassis(row.UUID)
	case *ovn.PortGroup:
		if now, ok := e.New.(*ovn.PortGroup); ok {
			return inv.SetPortGroup(PortGroupOf(now))
		}
		return inv.DeletePortGroup(row.UUID)
	case *ovn.AddressSet:
		if now, ok := e.New.(*ovn.AddressSet); ok {
			return inv.SetAddressSet(AddressSetOf(now))
		}
		return inv.DeleteAddressSet(row.UUID)
	case *ovn.ACL:
		if now, ok := e.New.(*ovn.ACL); ok {
			inv.SetACL(ACLOf(now))
		} else {
			inv.DeleteACL(row.UUID)
		}
	case *ovn.Switch:
		if now, ok := e.New.(*ovn.Switch); ok {
			inv.SetSwitch(SwitchOf(now))
		} else {
			inv.DeleteSwitch(row.UUID)
		}
	case *ovn.NBGlobal:
		if now, ok := e.New.(*ovn.NBGlobal); ok {
			return inv.SetOptions(now.Options)
		}
		return inv.SetOptions(nil)
	}
	return nil
}

func applyPort(inv *inventory.Inventory, e ovn.Event) []string {
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

func applyRouterPort(inv *inventory.Inventory, e ovn.Event, row *ovn.RouterPort) (touched []string) {
	now, stays := e.New.(*ovn.RouterPort)
	if !stays || now.Name != row.Name {
		touched = inv.DeleteRouterPort(row.Name, row.UUID)
	}
	if stays {
		touched = append(touched, inv.SetRouterPort(RouterPortOf(now))...)
	}
	return touched
}
