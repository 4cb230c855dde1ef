package nb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// EnsureRoute puts a static route on a router that has none for its prefix.
func (c *Client) EnsureRoute(ctx context.Context, router string, route LogicalRouterStaticRoute) error {
	lr, ok, err := c.Router(ctx, router)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("route to %s: logical router %s does not exist", route.IPPrefix, router)
	}
	var same []LogicalRouterStaticRoute
	if err := c.ovs.WhereCache(func(r *LogicalRouterStaticRoute) bool {
		return r.IPPrefix == route.IPPrefix && slices.Contains(lr.StaticRoutes, r.UUID)
	}).List(ctx, &same); err != nil {
		return fmt.Errorf("routes of %s: %w", router, err)
	}
	if len(same) > 0 {
		return nil
	}
	route.UUID = "route"
	ops, err := c.ovs.Create(&route)
	if err != nil {
		return fmt.Errorf("create route to %s: %w", route.IPPrefix, err)
	}
	attach, err := c.ovs.Where(&LogicalRouter{UUID: lr.UUID}).Mutate(&lr, model.Mutation{
		Field: &lr.StaticRoutes, Mutator: ovsdb.MutateOperationInsert, Value: []string{route.UUID},
	})
	if err != nil {
		return fmt.Errorf("create route to %s: %w", route.IPPrefix, err)
	}
	return c.transact(ctx, "create route to "+route.IPPrefix, append(ops, attach...))
}

// SetPolicies sets the policies of a router that have these external_ids among theirs, and leaves others alone.
func (c *Client) SetPolicies(
	ctx context.Context,
	router string,
	ours map[string]string,
	want []LogicalRouterPolicy,
) error {
	lr, ok, err := c.Router(ctx, router)
	if err != nil || !ok {
		return err
	}
	var have []LogicalRouterPolicy
	if err := c.ovs.WhereCache(func(p *LogicalRouterPolicy) bool {
		for key, value := range ours {
			if p.ExternalIDs[key] != value {
				return false
			}
		}
		return slices.Contains(lr.Policies, p.UUID)
	}).List(ctx, &have); err != nil {
		return fmt.Errorf("policies of %s: %w", router, err)
	}
	missing, stale := difference(have, want)
	if len(missing) == 0 && len(stale) == 0 {
		return nil
	}
	var ops []ovsdb.Operation
	var added []string
	for i := range missing {
		missing[i].UUID = "policy" + strconv.Itoa(i)
		added = append(added, missing[i].UUID)
		create, err := c.ovs.Create(&missing[i])
		if err != nil {
			return fmt.Errorf("create policy of %s: %w", router, err)
		}
		ops = append(ops, create...)
	}
	attach, err := c.ovs.Where(&LogicalRouter{UUID: lr.UUID}).Mutate(&lr,
		model.Mutation{Field: &lr.Policies, Mutator: ovsdb.MutateOperationInsert, Value: added},
		model.Mutation{Field: &lr.Policies, Mutator: ovsdb.MutateOperationDelete, Value: stale},
	)
	if err != nil {
		return fmt.Errorf("policies of %s: %w", router, err)
	}
	return c.transact(ctx, "policies of "+router, append(ops, attach...))
}

// difference returns the policies that are not there, and the UUIDs of those that should not be.
func difference(have, want []LogicalRouterPolicy) (missing []LogicalRouterPolicy, stale []string) {
	same := func(a, b LogicalRouterPolicy) bool {
		return a.Priority == b.Priority && a.Action == b.Action && a.Match == b.Match &&
			slices.Equal(a.Nexthops, b.Nexthops) && maps.Equal(a.ExternalIDs, b.ExternalIDs)
	}
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h LogicalRouterPolicy) bool { return same(h, w) }) {
			missing = append(missing, w)
		}
	}
	for _, h := range have {
		if !slices.ContainsFunc(want, func(w LogicalRouterPolicy) bool { return same(h, w) }) {
			stale = append(stale, h.UUID)
		}
	}
	return missing, stale
}
