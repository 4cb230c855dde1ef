package inventory

import "github.com/ovnguard/ovnguard/internal/policy"

// Namespace gives what policy reads of a namespace; Err says so where it has not been seen.
func (inv *Inventory) Namespace(name string) policy.Namespace { return inv.namespace(name) }

// Row gives the row of that name; nil where there is none.
func (inv *Inventory) Row(name string) *Row { return inv.slot(name).row }

// Binding gives the binding of the port of that name; nil where there is none.
func (inv *Inventory) Binding(port string) *Binding { return inv.slot(port).binding }

// Chassis gives the chassis of that UUID; ok is false where there is none.
func (inv *Inventory) Chassis(uuid string) (c Chassis, ok bool) {
	if known := inv.chassis[uuid]; known != nil {
		return known.one[0], true
	}
	return Chassis{}, false
}

// PortGroup gives the port group of a security group with that UUID; nil where there is none.
func (inv *Inventory) PortGroup(uuid string) *PortGroup { return inv.portGroups[uuid] }

// AddressSet gives the address set of a security group with that UUID; nil where there is none.
func (inv *Inventory) AddressSet(uuid string) *AddressSet { return inv.addressSets[uuid] }

// EachGroup gives every port group and every address set of security groups to be looked at, in no order.
func (inv *Inventory) EachGroup(look func(*PortGroup), set func(*AddressSet)) {
	for _, g := range inv.portGroups {
		look(g)
	}
	for _, a := range inv.addressSets {
		set(a)
	}
}

// EachRow gives every row to look, in no order.
func (inv *Inventory) EachRow(look func(*Row)) {
	for _, s := range inv.order {
		if s.row != nil {
			look(s.row)
		}
	}
}

// EachBinding gives every binding to look, in no order.
func (inv *Inventory) EachBinding(look func(*Binding)) {
	for _, s := range inv.order {
		if s.binding != nil {
			look(s.binding)
		}
	}
}

// EachException gives every exception to look, in no order.
func (inv *Inventory) EachException(look func(*policy.Exception)) {
	for _, list := range inv.exceptions {
		for i := range list {
			look(&list[i])
		}
	}
}
