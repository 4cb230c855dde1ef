package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/portsec"
)

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

// Chassis is what the Southbound database says of one ovn-controller.
type Chassis struct {
	UUID string
	Name string
	Host string
	// Config is its column other_config, which tells what it can do.
	Config map[string]string
}

// chassis is one with what follows for the parser that enforces there.
type chassis struct {
	// one is the chassis as a list, which most ports are given.
	one  []Chassis
	eras []portsec.Era
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

// SetChassis adds or replaces a chassis and returns the names of the ports for which another parser may enforce now.
func (inv *Inventory) SetChassis(c Chassis) []string {
	if !inv.settleChassis(c) {
		return nil
	}
	return inv.ports.boundTo(func(uuid string) bool { return uuid == c.UUID })
}

// settleChassis enters a chassis and says whether that changes anything for the ports that are bound to it.
func (inv *Inventory) settleChassis(c Chassis) (changed bool) {
	old := inv.chassis.Get(c.UUID)
	inv.affected[Subject{Kind: SubjectChassis, Name: c.UUID}] = true
	now := &chassis{[]Chassis{c}, portsec.PlausibleErasAt(inv.ovn, c.Config)}
	inv.chassis.Set(inv.edit, c.UUID, now)
	return old == nil || old.one[0].Name != c.Name || !slices.Equal(old.eras, now.eras)
}

// DeleteChassis takes a chassis out and returns the names of the ports that are bound to it.
func (inv *Inventory) DeleteChassis(uuid string) []string {
	inv.chassis.Delete(inv.edit, uuid)
	inv.affected[Subject{Kind: SubjectChassis, Name: uuid}] = true
	return inv.ports.boundTo(func(at string) bool { return at == uuid })
}

// SetOVN says what is known of the build of ovn-northd, which bounds what enforces on each chassis, and returns the
// names of the ports for which that changed something.
func (inv *Inventory) SetOVN(ovn portsec.OVN) []string {
	if inv.ovn == ovn {
		return nil
	}
	touched := inv.settleOption(inv.option, ovn)
	changed := make(map[string]bool)
	for _, c := range slices.Collect(inv.chassis.Values()) {
		if inv.settleChassis(c.one[0]) {
			changed[c.one[0].UUID] = true
		}
	}
	return distinct(append(touched, inv.ports.boundTo(func(uuid string) bool { return changed[uuid] })...))
}

// boundAt returns the chassis of a binding that are known, with the parsers that may enforce on them; none where one is
// not known.
func (inv *State) boundAt(b *Binding) (at []Chassis, eras []portsec.Era) {
	if b == nil || len(b.Chassis) == 0 {
		return nil, nil
	}
	if c := inv.chassis.Get(b.Chassis[0]); c != nil && len(b.Chassis) == 1 {
		return c.one, c.eras
	}
	for _, uuid := range b.Chassis {
		c := inv.chassis.Get(uuid)
		if c == nil {
			return at, nil
		}
		at = append(at, c.one[0])
		eras = append(eras, c.eras...)
	}
	slices.Sort(eras)
	return at, slices.Compact(eras)
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
