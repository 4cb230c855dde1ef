package standin

import (
	"context"
	"errors"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// routePod does upstream's work for a NIC once the pod has a node, and marks the NIC as routed.
func (c *controller) routePod(ctx context.Context, pod *corev1.Pod, nics []upstream.NIC) error {
	set := map[string]*string{}
	for _, n := range nics {
		if pod.Annotations[n.Provider.Key(upstream.ActivationStrategy)] != "" {
			if err := c.setOptions(
				ctx,
				portName(pod, n),
				upstream.MigrationOptions(pod.Spec.NodeName, pod.Spec.NodeName),
			); err != nil {
				return err
			}
		}
		if err := errors.Join(c.leaveGroups(ctx, pod, n), c.joinGroups(ctx, pod, n)); err != nil {
			return err
		}
		value := kubeovn.True
		set[n.Provider.Key(kubeovn.Routed)] = &value
	}
	_, err := c.annotatePod(ctx, pod, set)
	return err
}

// setOptions sets keys of the port's options and leaves the others; an empty value removes a key.
func (c *controller) setOptions(ctx context.Context, name string, options map[string]string) error {
	row, ok, err := c.nb.Port(ctx, name)
	if err != nil || !ok {
		return err
	}
	wanted := maps.Clone(row.Options)
	if wanted == nil {
		wanted = map[string]string{}
	}
	for key, value := range options {
		if value == "" {
			delete(wanted, key)
		} else {
			wanted[key] = value
		}
	}
	if maps.Equal(row.Options, wanted) {
		return nil
	}
	row.Options = wanted
	return c.nb.UpdatePort(ctx, &row, &row.Options)
}

// subnetOf returns the name of the subnet in the NIC's annotations, or else the first that it may be on.
func (c *controller) subnetOf(pod *corev1.Pod, n upstream.NIC) string {
	if name := pod.Annotations[n.Provider.Key(kubeovn.LogicalSwitch)]; name != "" {
		return name
	}
	if len(n.Subnets) > 0 && n.Subnets[0] != nil {
		return n.Subnets[0].Name
	}
	return ""
}
