package standin

import (
	"context"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// inspect allocates again for allocated NICs that have no port. It compares nothing else.
func (c *controller) inspect(ctx context.Context) error {
	for _, pod := range c.podsSeen.list() {
		if pod.Spec.HostNetwork || pod.DeletionTimestamp != nil || upstream.IsFinished(pod) {
			continue
		}
		nics, err := c.nics(pod)
		if err != nil {
			c.log.Warn("pod is not inspected", "pod", pod.Namespace+"/"+pod.Name, "error", err)
			continue
		}
		set := map[string]*string{}
		for _, n := range nics {
			if n.IPAMOnly || pod.Annotations[n.Provider.Key(kubeovn.Allocated)] != kubeovn.True {
				continue
			}
			if _, ok, err := c.nb.Port(ctx, portName(pod, n)); err != nil {
				return err
			} else if !ok {
				set[n.Provider.Key(kubeovn.Allocated)], set[n.Provider.Key(kubeovn.Routed)] = nil, nil
			}
		}
		if _, err := c.annotatePod(ctx, pod, set); err != nil {
			return err
		}
	}
	return nil
}

// gcMarks holds the ports without an owner in the last round.
type gcMarks struct{ ports map[string]bool }

// collect deletes ports without a type that belong to nothing the stand-in knows, when it finds them twice in a row,
// whoever made them.
func (c *controller) collect(ctx context.Context) error {
	mine := map[string]bool{}
	for _, pod := range c.podsSeen.list() {
		if !pod.Spec.HostNetwork && !upstream.IsFinished(pod) {
			nics, err := c.nics(pod)
			if err != nil {
				return err // deleting with incomplete knowledge would take a pod's network
			}
			for _, n := range nics {
				mine[portName(pod, n)] = true
			}
		}
	}
	for _, ip := range c.ips.list() { // ports that a StatefulSet or a VM keeps
		if ip.Spec.PodType != "" || ip.Spec.Namespace == "" {
			mine[ip.Name] = true
		}
	}
	for _, v := range c.vips.list() {
		if row := upstream.VipPort(v, nil); row != nil {
			mine[row.Name] = true
		}
	}
	rows, err := c.nb.Ports(ctx, func(row *nb.LogicalSwitchPort) bool {
		foreign := row.ExternalIDs[kubeovn.ExternalIDVendor] != kubeovn.Vendor
		return row.Type == "" && !mine[row.Name] && (!foreign || !c.cfg.ExternalVPC)
	})
	if err != nil {
		return err
	}
	marks := map[string]bool{}
	for _, row := range rows {
		if !c.gc.ports[row.Name] {
			marks[row.Name] = true
			continue
		}
		if err := c.removePort(ctx, row.Name); err != nil {
			return err
		}
	}
	c.gc.ports = marks
	return nil
}
