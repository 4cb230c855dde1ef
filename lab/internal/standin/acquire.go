package standin

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// acquire returns the NIC's addresses: those of the Vip that the pod uses, or else those that it asks for, or else free
// ones.
func (c *controller) acquire(ctx context.Context, pod *corev1.Pod, n upstream.NIC) (upstream.Allocation, error) {
	if name := pod.Annotations[upstream.StaticVip]; name != "" {
		return c.takeVip(ctx, pod, n, name)
	}
	pool := ""
	if ns, ok := c.namespaces.get("", pod.Namespace); ok {
		pool = ns.Annotations[kubeovn.DefaultProvider.Key(upstream.IPPool)]
	}
	err := errors.New("the NIC has no subnet")
	for _, r := range upstream.Requests(c.cfg.Version, pod, n, pool) {
		subnet, ok := c.subnets.get("", r.Subnet)
		if !ok {
			err = fmt.Errorf("subnet %s is not found", r.Subnet)
			continue
		}
		if len(subnet.CIDRs()) == 0 && !c.cfg.Version.AllowsMACOnly() {
			return upstream.Allocation{}, fmt.Errorf("subnet %s: cidr is invalid", r.Subnet)
		}
		var lease ipam.Lease
		if lease, err = c.ipam.Acquire(r); err == nil {
			return upstream.Allocation{NIC: n, Subnet: subnet, Lease: lease}, nil
		}
	}
	return upstream.Allocation{}, err
}

// takeVip returns a Vip's addresses and MAC for the pod. It compares neither the Vip's namespace nor its subnet; only
// one port at a time can have it.
func (c *controller) takeVip(
	ctx context.Context,
	pod *corev1.Pod,
	n upstream.NIC,
	name string,
) (upstream.Allocation, error) {
	v, ok := c.vips.get("", name)
	if !ok {
		return upstream.Allocation{}, fmt.Errorf("vip %s is not found", name)
	}
	port := portName(pod, n)
	if holder := v.Labels[crd.LabelReserved]; holder != "" && holder != port {
		return upstream.Allocation{}, fmt.Errorf("vip %s is in use by %s", name, holder)
	}
	if v.Status.MAC == "" {
		return upstream.Allocation{}, fmt.Errorf("vip %s has no address yet", name)
	}
	label := map[string]any{"metadata": map[string]any{"labels": map[string]any{crd.LabelReserved: port}}}
	if err := c.merge(ctx, crd.Vips, name, label); err != nil {
		return upstream.Allocation{}, err
	}
	return upstream.Allocation{
		NIC:    n,
		Subnet: n.Subnets[0],
		Lease:  ipam.Lease{V4: v.Status.V4IP, V6: v.Status.V6IP, MAC: v.Status.MAC},
	}, nil
}

// vip returns a Vip by name.
func (c *controller) vip(name string) (*crd.Vip, bool) { return c.vips.get("", name) }
