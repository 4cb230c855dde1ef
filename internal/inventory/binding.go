package inventory

import "slices"

// Binding is a Port_Binding as the Southbound database holds it: what ovn-northd made of a port, and where it is bound.
// It is never changed once it is in the inventory.
type Binding struct {
	UUID string
	// Port is the name of the Logical_Switch_Port.
	Port         string
	Type         string
	PortSecurity []string
	// Up means that a chassis has the port in place.
	Up bool
	// Chassis are the UUIDs of those that it is bound to: none, one, or two while a machine moves.
	Chassis []string
}

// SetBinding adds or replaces a binding and returns the port's name, or nothing where no more than its UUID changed.
func (inv *Inventory) SetBinding(b *Binding) []string {
	old := inv.entry(b.Port).binding
	inv.ports.setBinding(b.Port, b)
	if old != nil && old.Says(b) {
		return nil
	}
	return []string{b.Port}
}

// Says reports whether two bindings say the same of the port; their UUIDs may differ.
func (b *Binding) Says(o *Binding) bool {
	return b.Type == o.Type && b.Up == o.Up && slices.Equal(b.PortSecurity, o.PortSecurity) &&
		slices.Equal(b.Chassis, o.Chassis)
}

// DeleteBinding takes the binding with this UUID out and returns the port's name.
func (inv *Inventory) DeleteBinding(port, uuid string) []string {
	if b := inv.entry(port).binding; b == nil || b.UUID != uuid {
		return nil
	}
	inv.ports.setBinding(port, nil)
	return []string{port}
}

// SetContested says how often the row of a port was put right lately only for somebody to write something else, 0 for
// not at all. It returns the port's name where that is news.
func (inv *Inventory) SetContested(port string, times int) []string {
	if inv.entry(port).contested() == times {
		return nil
	}
	inv.ports.alter(port, func(e *entry) { e.uncommon().contested = times })
	return []string{port}
}
