package standin

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// joinGroups puts a pod's port into the groups of its node.
func (c *controller) joinGroups(ctx context.Context, pod *corev1.Pod, n upstream.NIC) error {
	if !upstream.InNodeGroups(pod, n, c.cfg.Router) {
		return nil
	}
	row, ok, err := c.nb.Port(ctx, portName(pod, n))
	if err != nil || !ok {
		return err
	}
	return errors.Join(
		c.joinGroup(ctx, upstream.NodeGroup(pod.Spec.NodeName), row.UUID),
		c.joinSubnetGroup(ctx, pod, n, row.UUID),
	)
}

func (c *controller) joinSubnetGroup(ctx context.Context, pod *corev1.Pod, n upstream.NIC, port string) error {
	s, ok := c.subnets.get("", c.subnetOf(pod, n))
	if !ok || !upstream.InSubnetGroup(pod, n, s) {
		return nil
	}
	return c.joinGroup(ctx, upstream.SubnetGroup(s.Name, pod.Spec.NodeName), port)
}

func (c *controller) joinGroup(ctx context.Context, group, port string) error {
	if err := c.nb.EnsurePortGroup(
		ctx,
		group,
		map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor},
	); err != nil {
		return err
	}
	return c.nb.JoinPortGroup(ctx, group, port)
}

// leaveGroups removes a port from the groups of a node that it was on before.
func (c *controller) leaveGroups(ctx context.Context, pod *corev1.Pod, n upstream.NIC) error {
	row, ok, err := c.nb.Port(ctx, portName(pod, n))
	if err != nil || !ok {
		return err
	}
	for _, node := range c.nodes.list() {
		if node.Name == pod.Spec.NodeName {
			continue
		}
		for _, group := range []string{
			upstream.NodeGroup(node.Name), upstream.SubnetGroup(c.subnetOf(pod, n), node.Name),
		} {
			if err := c.nb.LeavePortGroup(ctx, group, row.UUID); err != nil {
				return err
			}
		}
	}
	return nil
}

// allocatedNICs calls f for each allocated NIC of living pods.
func (c *controller) allocatedNICs(f func(*corev1.Pod, upstream.NIC) error) error {
	for _, pod := range c.podsSeen.list() {
		if pod.Spec.HostNetwork || pod.DeletionTimestamp != nil || upstream.IsFinished(pod) {
			continue
		}
		nics, err := c.nics(pod)
		if err != nil {
			c.log.Warn("networks of a pod are not known", "pod", pod.Namespace+"/"+pod.Name, "error", err)
			continue
		}
		for _, n := range nics {
			if n.IPAMOnly || pod.Annotations[n.Provider.Key(kubeovn.Allocated)] != kubeovn.True {
				continue
			}
			if err := f(pod, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// joinSubnetGroups puts every port into its subnet's group; upstream does so when it starts, and never later.
func (c *controller) joinSubnetGroups(ctx context.Context) error {
	return c.allocatedNICs(func(pod *corev1.Pod, n upstream.NIC) error {
		if !upstream.InNodeGroups(pod, n, c.cfg.Router) {
			return nil
		}
		row, ok, err := c.nb.Port(ctx, portName(pod, n))
		if err != nil || !ok {
			return err
		}
		return c.joinSubnetGroup(ctx, pod, n, row.UUID)
	})
}

// probeNodes sets each node's group to the ports of the node's pods.
func (c *controller) probeNodes(ctx context.Context) error {
	ports := map[string][]string{}
	for _, node := range c.nodes.list() {
		ports[upstream.NodeGroup(node.Name)] = nil
	}
	err := c.allocatedNICs(func(pod *corev1.Pod, n upstream.NIC) error {
		if !upstream.InNodeGroups(pod, n, c.cfg.Router) {
			return nil
		}
		row, ok, err := c.nb.Port(ctx, portName(pod, n))
		if err == nil && ok {
			group := upstream.NodeGroup(pod.Spec.NodeName)
			ports[group] = append(ports[group], row.UUID)
		}
		return err
	})
	if err != nil {
		return err
	}
	for group, list := range ports {
		if _, ok, err := c.nb.PortGroup(ctx, group); err != nil {
			return err
		} else if !ok {
			continue
		}
		if err := c.nb.SetPortGroup(ctx, group, list); err != nil {
			return err
		}
	}
	return nil
}

// syncGroup sets a SecurityGroup's port group to its ports and its address sets to their addresses, from the rows, and
// updates the group that denies all its ports. The groups' ACLs are not made.
func (c *controller) syncGroup(ctx context.Context, name string) error {
	defer c.locks.lock("security groups")()
	ids := map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor, "sg": name, "type": "security_group"}
	group := upstream.SecurityGroup(name)
	if _, ok := c.groups.get("", name); ok {
		if err := c.nb.EnsurePortGroup(ctx, group, ids); err != nil {
			return err
		}
		rows, err := c.nb.Ports(ctx, func(row *nb.LogicalSwitchPort) bool { return upstream.IsMember(row, name) })
		if err != nil {
			return err
		}
		if err := c.nb.SetPortGroup(ctx, group, uuids(rows)); err != nil {
			return err
		}
		v4, v6 := upstream.AddressSets(name)
		addresses4, addresses6 := upstream.MemberAddresses(rows)
		delete(ids, "type")
		if err := errors.Join(
			c.nb.SetAddressSet(ctx, v4, addresses4, ids),
			c.nb.SetAddressSet(ctx, v6, addresses6, ids),
		); err != nil {
			return err
		}
	} else if err := c.nb.DeletePortGroup(ctx, group); err != nil {
		return err
	}
	return c.syncDenyAll(ctx)
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
	ids := map[string]string{
		kubeovn.ExternalIDVendor: kubeovn.Vendor,
		"sg":                     "kubeovn_deny_all",
		"type":                   "security_group",
	}
	if err := c.nb.EnsurePortGroup(ctx, upstream.DenyAllGroup, ids); err != nil {
		return err
	}
	return c.nb.SetPortGroup(ctx, upstream.DenyAllGroup, uuids(rows))
}

// queueGroups queues the SecurityGroups that a row names.
func (c *controller) queueGroups(row *nb.LogicalSwitchPort) {
	for _, name := range upstream.GroupsOf(row) {
		c.queue.add(kindGroup, "", name)
	}
}

// groupChanged queues a SecurityGroup that is new or changed.
func (c *controller) groupChanged(_, g *crd.SecurityGroup) { c.queue.add(kindGroup, "", g.Name) }

func uuids(rows []nb.LogicalSwitchPort) []string {
	list := make([]string, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.UUID)
	}
	return list
}
