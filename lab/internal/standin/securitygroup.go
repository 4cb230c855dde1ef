package standin

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// groupsLock is the lock of everything that is done about SecurityGroups.
const groupsLock = "security groups"

// syncGroup writes a SecurityGroup's rules if they have changed, sets its port group to its ports and its address sets
// to their addresses, from the rows, and updates the group that denies all its ports.
func (c *controller) syncGroup(ctx context.Context, name string) error {
	defer c.locks.lock(groupsLock)()
	group := upstream.SecurityGroup(name)
	g, ok := c.groups.get("", name)
	if !ok {
		return errors.Join(c.nb.DeletePortGroup(ctx, group), c.syncDenyAll(ctx))
	}
	// A group with a rule that is refused keeps the rules that it had, and a new one gets no port group at all.
	refused := upstream.CheckGroup(c.cfg.Version, g, func(name string) bool {
		_, ok := c.groups.get("", name)
		return ok
	})
	if refused == nil {
		if err := c.writeGroup(ctx, g, false); err != nil {
			return err
		}
	} else if _, ok, err := c.nb.PortGroup(ctx, group); err != nil || !ok {
		return errors.Join(refused, err)
	}
	return errors.Join(refused, c.syncMembers(ctx, name), c.syncDenyAll(ctx))
}

// writeGroup writes the ACLs of a SecurityGroup in the directions that have changed since they were last written, or in
// both. A changed tier alone changes nothing, as upstream.
func (c *controller) writeGroup(ctx context.Context, g *crd.SecurityGroup, force bool) error {
	group := upstream.SecurityGroup(g.Name)
	if err := c.nb.EnsurePortGroup(ctx, group, groupIDs(g.Name)); err != nil {
		return err
	}
	in, err := digest(g.Spec.IngressRules)
	if err != nil {
		return err
	}
	out, err := digest(g.Spec.EgressRules)
	if err != nil {
		return err
	}
	status := g.Status
	force = force || status.AllowSameGroupTraffic != g.Spec.AllowSameGroupTraffic
	if force || !status.IngressLastSyncSuccess || status.IngressMD5 != in {
		if err := c.writeGroupACLs(ctx, g, upstream.ToPort); err != nil {
			return err
		}
	}
	if force || !status.EgressLastSyncSuccess || status.EgressMD5 != out {
		if err := c.writeGroupACLs(ctx, g, upstream.FromPort); err != nil {
			return err
		}
	}
	now := crd.SecurityGroupStatus{
		PortGroup: group, AllowSameGroupTraffic: g.Spec.AllowSameGroupTraffic,
		IngressMD5: in, EgressMD5: out, IngressLastSyncSuccess: true, EgressLastSyncSuccess: true,
	}
	if now == status {
		return nil
	}
	return c.merge(ctx, crd.SecurityGroups, g.Name, map[string]any{"status": now}, "status")
}

func (c *controller) writeGroupACLs(ctx context.Context, g *crd.SecurityGroup, direction string) error {
	acls := c.forSchema(upstream.GroupACLs(c.cfg.Version, g, direction))
	return c.nb.ReplaceACLs(ctx, upstream.SecurityGroup(g.Name), direction, acls)
}

// forSchema leaves out the ACLs that mean something else in a schema without tiers. What they would allow stays denied.
func (c *controller) forSchema(acls []nb.ACL) []nb.ACL {
	if c.nb.HasTiers() {
		return acls
	}
	return slices.DeleteFunc(acls, func(a nb.ACL) bool {
		drop := upstream.NeedsTiers(a)
		if drop && a.Priority > upstream.LastBasePriority {
			c.log.Warn("rule is not written: this OVN has no tiers", "direction", a.Direction, "match", a.Match)
		}
		return drop
	})
}

// restoreGroups writes the rules of the SecurityGroups that have lost one while the stand-in was away.
func (c *controller) restoreGroups(ctx context.Context) error {
	for _, g := range c.groups.list() {
		have, err := c.nb.GroupACLs(ctx, upstream.SecurityGroup(g.Name))
		if err != nil {
			return err
		}
		for _, direction := range []string{upstream.ToPort, upstream.FromPort} {
			lost := slices.ContainsFunc(
				c.forSchema(upstream.GroupRules(c.cfg.Version, g, direction)),
				func(want nb.ACL) bool {
					return !slices.ContainsFunc(have, func(a nb.ACL) bool { return c.nb.Same(a, want) })
				},
			)
			if !lost {
				continue
			}
			exists := func(name string) bool { _, ok := c.groups.get("", name); return ok }
			if err := upstream.CheckGroup(c.cfg.Version, g, exists); err != nil {
				c.log.Warn("security group is not restored", "group", g.Name, "error", err)
			} else if err := c.writeGroup(ctx, g, true); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// digest returns a short text that differs for different rules.
func digest(rules []crd.SecurityGroupRule) (string, error) {
	text, err := json.Marshal(rules)
	if err != nil {
		return "", fmt.Errorf("rules of a security group: %w", err)
	}
	sum := md5.Sum(text)
	return hex.EncodeToString(sum[:]), nil
}

func groupIDs(name string) map[string]string {
	return map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor, "sg": name, "type": "security_group"}
}

func (c *controller) syncMembers(ctx context.Context, name string) error {
	rows, err := c.nb.Ports(ctx, func(row *nb.LogicalSwitchPort) bool { return upstream.IsMember(row, name) })
	if err != nil {
		return err
	}
	if err := c.nb.SetPortGroup(ctx, upstream.SecurityGroup(name), uuids(rows)); err != nil {
		return err
	}
	v4, v6 := upstream.AddressSets(name)
	addresses4, addresses6 := upstream.MemberAddresses(rows)
	ids := groupIDs(name)
	delete(ids, "type")
	return errors.Join(
		c.nb.SetAddressSet(ctx, v4, addresses4, ids),
		c.nb.SetAddressSet(ctx, v6, addresses6, ids),
	)
}

func (c *controller) syncDenyAll(ctx context.Context) error {
	groups, err := c.nb.PortGroups(ctx)
	if err != nil {
		return err
	}
	exists := map[string]bool{}
	for _, g := range groups {
		exists[g.Name] = true
	}
	rows, err := c.nb.Ports(ctx, func(row *nb.LogicalSwitchPort) bool {
		return upstream.IsDenied(row, func(group string) bool { return exists[group] })
	})
	if err != nil {
		return err
	}
	if err := c.nb.EnsurePortGroup(ctx, upstream.DenyAllGroup, groupIDs(upstream.DenyAllName)); err != nil {
		return err
	}
	return c.nb.SetPortGroup(ctx, upstream.DenyAllGroup, uuids(rows))
}

// ensureDenyAll makes the group that denies all and those of its ACLs that are missing, when the stand-in starts.
func (c *controller) ensureDenyAll(ctx context.Context) error {
	if err := c.syncDenyAll(ctx); err != nil {
		return err
	}
	return c.nb.AddACLs(ctx, upstream.DenyAllGroup, c.forSchema(upstream.DenyAllACLs(c.cfg.Version)))
}

// queueGroups queues the SecurityGroups that a row names.
func (c *controller) queueGroups(row *nb.LogicalSwitchPort) {
	for _, name := range upstream.GroupsOf(row) {
		c.queue.add(kindGroup, "", name)
	}
}

// groupChanged queues a SecurityGroup that is new or has another spec. One that is refused is tried again by itself.
func (c *controller) groupChanged(before, g *crd.SecurityGroup) {
	if before == nil || !reflect.DeepEqual(before.Spec, g.Spec) {
		c.queue.add(kindGroup, "", g.Name)
	}
}

func uuids(rows []nb.LogicalSwitchPort) []string {
	list := make([]string, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.UUID)
	}
	return list
}
