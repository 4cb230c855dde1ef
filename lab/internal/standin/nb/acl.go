package nb

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// ACLs returns every ACL. The tier is zero where the schema has none.
func (c *Client) ACLs(ctx context.Context) ([]ACL, error) {
	return c.acls(ctx, func(string) bool { return true })
}

// GroupACLs returns the ACLs of a port group.
func (c *Client) GroupACLs(ctx context.Context, group string) ([]ACL, error) {
	g, ok, err := c.PortGroup(ctx, group)
	if err != nil || !ok || len(g.ACLs) == 0 {
		return nil, err
	}
	held := make(map[string]bool, len(g.ACLs))
	for _, uuid := range g.ACLs {
		held[uuid] = true
	}
	return c.acls(ctx, func(uuid string) bool { return held[uuid] })
}

func (c *Client) acls(ctx context.Context, want func(uuid string) bool) ([]ACL, error) {
	var list []ACL
	if c.tiers {
		if err := c.ovs.WhereCache(func(a *ACL) bool { return want(a.UUID) }).List(ctx, &list); err != nil {
			return nil, fmt.Errorf("list ACLs: %w", err)
		}
		return list, nil
	}
	var flat []flatACL
	if err := c.ovs.WhereCache(func(a *flatACL) bool { return want(a.UUID) }).List(ctx, &flat); err != nil {
		return nil, fmt.Errorf("list ACLs: %w", err)
	}
	for i := range flat {
		list = append(list, flat[i].acl())
	}
	return list, nil
}

// ReplaceACLs replaces, in one transaction, the ACLs of a port group in a direction by these; an empty direction means
// all of them. Where the schema has no tiers, that column is not written.
func (c *Client) ReplaceACLs(ctx context.Context, group, direction string, acls []ACL) error {
	old, err := c.GroupACLs(ctx, group)
	if err != nil {
		return err
	}
	var drop []string
	for _, a := range old {
		if direction == "" || a.Direction == direction {
			drop = append(drop, a.UUID)
		}
	}
	return c.changeACLs(ctx, group, drop, acls)
}

// AddACLs adds those of these ACLs to a port group that it does not have: none with the same direction, priority, tier
// and match.
func (c *Client) AddACLs(ctx context.Context, group string, acls []ACL) error {
	old, err := c.GroupACLs(ctx, group)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(acls), func(a ACL) bool {
		return slices.ContainsFunc(old, func(b ACL) bool { return c.Same(a, b) })
	})
	return c.changeACLs(ctx, group, nil, missing)
}

// DropACL removes the ACL of a port group that is the same as this one, if there is one.
func (c *Client) DropACL(ctx context.Context, group string, acl ACL) error {
	old, err := c.GroupACLs(ctx, group)
	if err != nil {
		return err
	}
	var drop []string
	for _, a := range old {
		if c.Same(a, acl) {
			drop = append(drop, a.UUID)
		}
	}
	return c.changeACLs(ctx, group, drop, nil)
}

// Same reports whether two ACLs have the same direction, priority, match and, where there are tiers, tier.
func (c *Client) Same(a, b ACL) bool {
	return a.Direction == b.Direction && a.Priority == b.Priority && a.Match == b.Match &&
		(!c.tiers || a.Tier == b.Tier)
}

func (c *Client) changeACLs(ctx context.Context, group string, drop []string, add []ACL) error {
	if len(drop) == 0 && len(add) == 0 {
		return nil
	}
	what := "ACLs of port group " + group
	g, ok, err := c.PortGroup(ctx, group)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s: it does not exist", what)
	}
	var rows []model.Model
	var uuids []string
	for i, a := range add {
		a.UUID = "acl" + strconv.Itoa(i)
		uuids = append(uuids, a.UUID)
		if c.tiers {
			rows = append(rows, &a)
		} else {
			rows = append(rows, a.flat())
		}
	}
	var ops []ovsdb.Operation
	if len(rows) > 0 {
		if ops, err = c.ovs.Create(rows...); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	var mutations []model.Mutation
	if len(drop) > 0 {
		mutations = append(mutations, model.Mutation{
			Field: &g.ACLs, Mutator: ovsdb.MutateOperationDelete, Value: drop,
		})
	}
	if len(uuids) > 0 {
		mutations = append(mutations, model.Mutation{
			Field: &g.ACLs, Mutator: ovsdb.MutateOperationInsert, Value: uuids,
		})
	}
	attach, err := c.ovs.Where(&PortGroup{UUID: g.UUID}).Mutate(&g, mutations...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return c.transact(ctx, what, append(ops, attach...))
}

// AddressSets returns the address sets for which match is true.
func (c *Client) AddressSets(ctx context.Context, match func(*AddressSet) bool) ([]AddressSet, error) {
	var list []AddressSet
	if err := c.ovs.WhereCache(match).List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list address sets: %w", err)
	}
	return list, nil
}

// DeleteAddressSets deletes address sets, by UUID.
func (c *Client) DeleteAddressSets(ctx context.Context, uuids ...string) error {
	var ops []ovsdb.Operation
	for _, uuid := range uuids {
		op, err := c.ovs.Where(&AddressSet{UUID: uuid}).Delete()
		if err != nil {
			return fmt.Errorf("delete address sets: %w", err)
		}
		ops = append(ops, op...)
	}
	return c.transact(ctx, "delete address sets", ops)
}
