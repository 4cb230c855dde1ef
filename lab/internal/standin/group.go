package standin

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
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

// probeNodes sets each node's group to the ports of the node's pods, and its ACLs.
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
	for _, node := range c.nodes.list() {
		group := upstream.NodeGroup(node.Name)
		if _, ok, err := c.nb.PortGroup(ctx, group); err != nil {
			return err
		} else if !ok {
			continue
		}
		if err := errors.Join(c.nb.SetPortGroup(ctx, group, ports[group]), c.syncNodeACLs(ctx, node)); err != nil {
			return err
		}
	}
	return nil
}

// syncNodeACLs lets the node and its pods talk to each other while there is a NetworkPolicy in the cluster.
func (c *controller) syncNodeACLs(ctx context.Context, node *corev1.Node) error {
	group := upstream.NodeGroup(node.Name)
	if len(c.policies.list()) == 0 {
		return c.nb.ReplaceACLs(ctx, group, "", nil)
	}
	wanted, stale := upstream.NodeACLs(c.cfg.Version, node)
	for _, a := range stale {
		if err := c.nb.DropACL(ctx, group, a); err != nil {
			return err
		}
	}
	return c.nb.AddACLs(ctx, group, wanted)
}
