package standin

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// securePod writes port security, VIPs and security groups of all the pod's NICs from its present annotations.
func (c *controller) securePod(ctx context.Context, pod *corev1.Pod) error {
	nics, err := c.nics(pod)
	if err != nil {
		return err
	}
	for _, n := range nics {
		if n.IPAMOnly {
			continue
		}
		name := portName(pod, n)
		row, ok, err := c.nb.Port(ctx, name)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("security of port %s: the port does not exist", name)
		}
		subnet := c.subnetOf(pod, n)
		wanted := upstream.Secure(pod, n, upstream.VIPs(pod, n, subnet, c.vip), row)
		if !slices.Equal(row.PortSecurity, wanted.PortSecurity) || !maps.Equal(row.ExternalIDs, wanted.ExternalIDs) {
			if err := c.nb.UpdatePort(ctx, &wanted, &wanted.PortSecurity, &wanted.ExternalIDs); err != nil {
				return err
			}
		}
		c.queueGroups(&wanted)
		c.queue.add(kindVirtual, "", subnet)
		c.event.Eventf(
			pod,
			corev1.EventTypeNormal,
			reasonSecurity,
			"provider=%s subnet=%s logicalSwitchPort=%s",
			n.Provider,
			subnet,
			name,
		)
	}
	return nil
}
