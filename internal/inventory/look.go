package inventory

import "github.com/ovnguard/ovnguard/internal/policy"

// Namespace returns what policy reads of a namespace; Err says so where it has not been seen.
func (inv *State) Namespace(name string) policy.Namespace { return inv.namespace(name) }

// Chassis returns the chassis of that UUID; ok is false where there is none.
func (inv *State) Chassis(uuid string) (c Chassis, ok bool) {
	if known := inv.chassis.Get(uuid); known != nil {
		return known.one[0], true
	}
	return Chassis{}, false
}

// PortGroup returns the port group of a security group with that UUID; nil where there is none.
func (inv *State) PortGroup(uuid string) *PortGroup { return inv.portGroups.Get(uuid) }

// AddressSet returns the address set of a security group with that UUID; nil where there is none.
func (inv *State) AddressSet(uuid string) *AddressSet { return inv.addressSets.Get(uuid) }

// EachGroup returns every port group and every address set of security groups to be looked at, in no order.
func (inv *State) EachGroup(look func(*PortGroup), set func(*AddressSet)) {
	for g := range inv.portGroups.Values() {
		look(g)
	}
	for a := range inv.addressSets.Values() {
		set(a)
	}
}

// EachException returns every exception to look, in no order.
func (inv *State) EachException(look func(*policy.Exception)) {
	for list := range inv.exceptions.Values() {
		for i := range list {
			look(&list[i])
		}
	}
}

// Namespaces returns all namespaces, in no order.
func (inv *State) Namespaces() []policy.Namespace {
	out := make([]policy.Namespace, 0, inv.namespaces.Len())
	for ns := range inv.namespaces.Values() {
		out = append(out, ns)
	}
	return out
}
