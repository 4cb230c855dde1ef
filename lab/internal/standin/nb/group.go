package nb

import (
	"context"
	"fmt"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// PortGroup returns the port group with that name.
func (c *Client) PortGroup(ctx context.Context, name string) (PortGroup, bool, error) {
	g := PortGroup{Name: name}
	ok, err := found(c.ovs.Get(ctx, &g))
	return g, ok, err
}

// PortGroups returns every port group.
func (c *Client) PortGroups(ctx context.Context) ([]PortGroup, error) {
	var list []PortGroup
	if err := c.ovs.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list port groups: %w", err)
	}
	return list, nil
}

// EnsurePortGroup makes a port group with these external_ids if there is none of that name.
func (c *Client) EnsurePortGroup(ctx context.Context, name string, externalIDs map[string]string) error {
	if _, ok, err := c.PortGroup(ctx, name); err != nil || ok {
		return err
	}
	ops, err := c.ovs.Create(&PortGroup{Name: name, ExternalIDs: externalIDs})
	if err != nil {
		return fmt.Errorf("create port group %s: %w", name, err)
	}
	return c.transact(ctx, "create port group "+name, ops)
}

// JoinPortGroup adds a port, by its UUID, to an existing port group.
func (c *Client) JoinPortGroup(ctx context.Context, name, port string) error {
	g, ok, err := c.PortGroup(ctx, name)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("port group %s does not exist", name)
	}
	if slices.Contains(g.Ports, port) {
		return nil
	}
	ops, err := c.ovs.Where(&PortGroup{UUID: g.UUID}).Mutate(&g, model.Mutation{
		Field: &g.Ports, Mutator: ovsdb.MutateOperationInsert, Value: []string{port},
	})
	if err != nil {
		return fmt.Errorf("join port group %s: %w", name, err)
	}
	return c.transact(ctx, "join port group "+name, ops)
}

// LeavePortGroup removes a port, by its UUID, from a port group. A port that is not in it is no error.
func (c *Client) LeavePortGroup(ctx context.Context, name, port string) error {
	g, ok, err := c.PortGroup(ctx, name)
	if err != nil || !ok || !slices.Contains(g.Ports, port) {
		return err
	}
	ops, err := c.ovs.Where(&PortGroup{UUID: g.UUID}).Mutate(&g, model.Mutation{
		Field: &g.Ports, Mutator: ovsdb.MutateOperationDelete, Value: []string{port},
	})
	if err != nil {
		return fmt.Errorf("leave port group %s: %w", name, err)
	}
	return c.transact(ctx, "leave port group "+name, ops)
}

// SetPortGroup sets the ports of an existing port group, by UUID.
func (c *Client) SetPortGroup(ctx context.Context, name string, ports []string) error {
	g, ok, err := c.PortGroup(ctx, name)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("port group %s does not exist", name)
	}
	if slices.Equal(sorted(g.Ports), sorted(ports)) {
		return nil
	}
	g.Ports = ports
	ops, err := c.ovs.Where(&PortGroup{UUID: g.UUID}).Update(&g, &g.Ports)
	if err != nil {
		return fmt.Errorf("ports of port group %s: %w", name, err)
	}
	return c.transact(ctx, "ports of port group "+name, ops)
}

// DeletePortGroup deletes a port group with its ACLs.
func (c *Client) DeletePortGroup(ctx context.Context, name string) error {
	g, ok, err := c.PortGroup(ctx, name)
	if err != nil || !ok {
		return err
	}
	ops, err := c.ovs.Where(&PortGroup{UUID: g.UUID}).Delete()
	if err != nil {
		return fmt.Errorf("delete port group %s: %w", name, err)
	}
	return c.transact(ctx, "delete port group "+name, ops)
}

// AddressSet returns the address set with that name.
func (c *Client) AddressSet(ctx context.Context, name string) (AddressSet, bool, error) {
	s := AddressSet{Name: name}
	ok, err := found(c.ovs.Get(ctx, &s))
	return s, ok, err
}

// SetAddressSet sets the addresses of an address set, and makes it with these external_ids if it is missing.
func (c *Client) SetAddressSet(
	ctx context.Context,
	name string,
	addresses []string,
	externalIDs map[string]string,
) error {
	s, ok, err := c.AddressSet(ctx, name)
	if err != nil {
		return err
	}
	var ops []ovsdb.Operation
	switch {
	case !ok:
		ops, err = c.ovs.Create(&AddressSet{Name: name, Addresses: addresses, ExternalIDs: externalIDs})
	case !slices.Equal(sorted(s.Addresses), sorted(addresses)):
		s.Addresses = addresses
		ops, err = c.ovs.Where(&AddressSet{UUID: s.UUID}).Update(&s, &s.Addresses)
	}
	if err != nil {
		return fmt.Errorf("address set %s: %w", name, err)
	}
	return c.transact(ctx, "address set "+name, ops)
}

// DropSwitchACLs removes ACLs, by UUID, from a logical switch.
func (c *Client) DropSwitchACLs(ctx context.Context, name string, acls []string) error {
	ls, ok, err := c.Switch(ctx, name)
	if err != nil || !ok || len(acls) == 0 {
		return err
	}
	ops, err := c.ovs.Where(&LogicalSwitch{UUID: ls.UUID}).Mutate(&ls, model.Mutation{
		Field: &ls.ACLs, Mutator: ovsdb.MutateOperationDelete, Value: acls,
	})
	if err != nil {
		return fmt.Errorf("ACLs of logical switch %s: %w", name, err)
	}
	return c.transact(ctx, "ACLs of logical switch "+name, ops)
}
