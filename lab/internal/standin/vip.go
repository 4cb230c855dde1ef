package standin

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// vipLease returns the name of a Vip's lease. The blank keeps it apart from every port's name.
func vipLease(name string) string { return "vip " + name }

// syncVip allocates addresses for a new Vip and makes its port, or removes both.
func (c *controller) syncVip(ctx context.Context, name string) error {
	v, ok := c.vips.get("", name)
	if !ok || v.DeletionTimestamp != nil {
		return c.removeVip(ctx, name, v)
	}
	if v.Status.MAC != "" {
		return nil // it has its addresses; later changes of its port do not count
	}
	subnet := v.Spec.Subnet
	if subnet == "" {
		subnet = DefaultSubnet
	}
	s, ok := c.subnets.get("", subnet)
	if !ok {
		return fmt.Errorf("vip %s: spec.subnet: subnet %s is not found", name, subnet)
	}
	var static []string
	for _, text := range []string{v.Spec.V4IP, v.Spec.V6IP} {
		if text != "" {
			static = append(static, text)
		}
	}
	lease, err := c.ipam.Acquire(
		ipam.Request{Subnet: subnet, NIC: vipLease(name), Static: static, MAC: v.Spec.MACAddress},
	)
	if err != nil {
		return fmt.Errorf("vip %s: %w", name, err)
	}
	if v.Spec.Type == crd.VipSwitchLB { // it answers with the gateway's MAC
		if lrp, ok, err := c.nb.RouterPort(ctx, upstream.RouterPortName(s)); err != nil {
			return err
		} else if ok {
			lease.MAC = lrp.MAC
		}
	}
	given := *v
	given.Spec.Subnet = subnet
	given.Status = crd.VipStatus{Type: v.Spec.Type, V4IP: lease.V4, V6IP: lease.V6, MAC: lease.MAC}
	if row := upstream.VipPort(&given, nil); row != nil {
		if err := c.ensurePort(ctx, subnet, *row); err != nil {
			return err
		}
	}
	reserved := v.Labels[crd.LabelReserved]
	err = c.merge(ctx, crd.Vips, name, map[string]any{
		"metadata": map[string]any{
			"finalizers": []string{crd.Finalizer},
			"labels":     map[string]any{crd.LabelSubnet: subnet, crd.LabelReserved: reserved},
		},
		"spec": map[string]any{
			"subnet":     subnet,
			"type":       v.Spec.Type,
			"v4ip":       lease.V4,
			"v6ip":       lease.V6,
			"macAddress": lease.MAC,
		},
	})
	if err != nil {
		return err
	}
	if err := c.merge(ctx, crd.Vips, name, map[string]any{"status": given.Status}, "status"); err != nil {
		return err
	}
	c.queue.add(kindParents, "", name)
	return nil
}

func (c *controller) removeVip(ctx context.Context, name string, v *crd.Vip) error {
	c.ipam.ReleaseNIC(vipLease(name))
	if v == nil {
		return nil
	}
	if row := upstream.VipPort(v, nil); row != nil {
		if err := c.nb.DeletePort(ctx, row.Name); err != nil {
			return err
		}
	}
	return c.merge(ctx, crd.Vips, name, finalizers())
}

// syncParents names the ports of the pods that share a Vip as parents of its virtual port, and writes the port security
// of each of these pods again.
func (c *controller) syncParents(ctx context.Context, name string) error {
	v, ok := c.vips.get("", name)
	if !ok || v.DeletionTimestamp != nil || v.Spec.Type != "" || v.Spec.Namespace == "" ||
		v.Status.V4IP == "" && v.Status.V6IP == "" {
		return nil
	}
	selector, err := vipSelector(v)
	if err != nil {
		return err
	}
	var parents []string
	for _, pod := range c.podsSeen.list() {
		if pod.Namespace != v.Spec.Namespace || !selector.Matches(labels.Set(pod.Labels)) ||
			!slices.Contains(upstream.VipNames(pod), name) ||
			pod.Spec.HostNetwork ||
			pod.DeletionTimestamp != nil ||
			upstream.IsFinished(pod) {
			continue
		}
		nics, err := c.nics(pod)
		if err != nil {
			return err
		}
		for _, n := range nics {
			if c.subnetOf(pod, n) != v.Spec.Subnet {
				continue
			}
			parents = append(parents, portName(pod, n))
			c.pods.secure(pod.Namespace + "/" + pod.Name)
			c.queue.add(kindPod, pod.Namespace, pod.Name)
			break
		}
	}
	if row := upstream.VipPort(v, parents); row != nil {
		return c.putVirtual(ctx, v.Spec.Subnet, *row)
	}
	return nil
}

// vipSelector parses a Vip's selector, a list of "key: value".
func vipSelector(v *crd.Vip) (labels.Selector, error) {
	set := labels.Set{}
	for _, text := range v.Spec.Selector {
		key, value, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf(`vip %s: spec.selector: %q is not "key: value"`, v.Name, text)
		}
		set[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return labels.SelectorFromSet(set), nil
}

// syncVirtual makes the virtual ports of the addresses in a subnet's spec.vips and names their parents.
func (c *controller) syncVirtual(ctx context.Context, name string) error {
	s, ok := c.subnets.get("", name)
	if !ok || s.DeletionTimestamp != nil || !s.IsOVN() {
		return nil
	}
	for _, address := range s.Spec.Vips {
		rows, err := c.nb.Ports(
			ctx,
			func(row *nb.LogicalSwitchPort) bool { return upstream.HasVIP(row, name, address) },
		)
		if err != nil {
			return err
		}
		var parents []string
		for _, row := range rows {
			parents = append(parents, row.Name)
		}
		if err := c.putVirtual(ctx, name, upstream.SubnetVip(name, address, parents)); err != nil {
			return err
		}
	}
	return nil
}

// putVirtual makes a virtual port or sets its parents.
func (c *controller) putVirtual(ctx context.Context, subnet string, want nb.LogicalSwitchPort) error {
	row, ok, err := c.nb.Port(ctx, want.Name)
	if err != nil {
		return err
	}
	if !ok {
		return c.nb.CreatePort(ctx, subnet, want)
	}
	if maps.Equal(row.Options, want.Options) {
		return nil
	}
	row.Options = want.Options
	return c.nb.UpdatePort(ctx, &row, &row.Options)
}

// dropVirtual deletes the virtual ports on a subnet's switch with addresses that are not in spec.vips. That removes the
// ports of plain Vips too, which come back only when a pod that shares the Vip changes; upstream does the same. It does
// not understand an address of both families, and leaves its port.
func (c *controller) dropVirtual(ctx context.Context, s *crd.Subnet) error {
	rows, err := c.nb.Ports(ctx, func(row *nb.LogicalSwitchPort) bool {
		address := row.Options[upstream.OptionVirtualIP]
		_, err := netip.ParseAddr(address)
		return row.Type == nb.TypeVirtual && row.ExternalIDs[kubeovn.ExternalIDSwitch] == s.Name && err == nil &&
			!slices.Contains(s.Spec.Vips, address)
	})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := c.nb.DeletePort(ctx, row.Name); err != nil {
			return err
		}
	}
	return nil
}
