package standin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// putIP records the addresses of a pod's NIC.
func (c *controller) putIP(ctx context.Context, pod *corev1.Pod, a upstream.Allocation) error {
	owner := upstream.OwnerOf(pod)
	return c.writeIP(ctx, newIP(portName(pod, a.NIC), a.Subnet.Name, a.Lease, crd.IPSpec{
		PodName: owner.Name, Namespace: pod.Namespace, NodeName: pod.Spec.NodeName, PodType: owner.PodType(),
	}))
}

// newIP completes an IP resource.
func newIP(name, subnet string, lease ipam.Lease, spec crd.IPSpec) *crd.IP {
	spec.Subnet = subnet
	spec.IPAddress, spec.V4IPAddress, spec.V6IPAddress, spec.MACAddress = lease.Addresses(), lease.V4, lease.V6, lease.MAC
	spec.AttachIPs, spec.AttachMACs, spec.AttachSubnets = []string{}, []string{}, []string{}
	return &crd.IP{
		TypeMeta: metav1.TypeMeta{APIVersion: crd.APIVersion, Kind: "IP"},
		ObjectMeta: metav1.ObjectMeta{
			Name:       name,
			Finalizers: []string{crd.Finalizer},
			Labels: map[string]string{
				subnet:            "",
				crd.LabelSubnet:   subnet,
				crd.LabelNode:     spec.NodeName,
				crd.LabelReserved: "false",
			},
		},
		Spec: spec,
	}
}

// writeIP creates the IP resource, or updates an existing one to this content.
func (c *controller) writeIP(ctx context.Context, ip *crd.IP) error {
	old, known := c.ips.get("", ip.Name)
	if !known {
		made, err := c.create(ctx, crd.IPs, ip)
		if err != nil || made {
			return err
		}
	}
	if known && old.DeletionTimestamp != nil {
		return fmt.Errorf("ip %s is being deleted", ip.Name)
	}
	if known && sameIP(&old.Spec, &ip.Spec) {
		return nil
	}
	labels := map[string]any{}
	if known && old.Spec.Subnet != ip.Spec.Subnet {
		labels[old.Spec.Subnet] = nil
	}
	for key, value := range ip.Labels {
		labels[key] = value
	}
	return c.merge(ctx, crd.IPs, ip.Name, map[string]any{"metadata": map[string]any{"labels": labels}, "spec": ip.Spec})
}

// sameIP compares all fields that the stand-in writes.
func sameIP(a, b *crd.IPSpec) bool {
	return a.PodName == b.PodName && a.Namespace == b.Namespace && a.Subnet == b.Subnet && a.NodeName == b.NodeName &&
		a.IPAddress == b.IPAddress && a.MACAddress == b.MACAddress && a.PodType == b.PodType
}

// deleteIP deletes the IP resource. It removes the finalizer first, so that the deletion is not taken for a user's.
func (c *controller) deleteIP(ctx context.Context, name string) error {
	if err := c.merge(ctx, crd.IPs, name, finalizers()); err != nil {
		return err
	}
	err := c.dyn.Resource(crd.IPs).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete ip %s: %w", name, err)
	}
	return nil
}

// syncIP follows the deletion of an IP resource by a user: it deletes the port too, and the next inspection makes it
// again.
func (c *controller) syncIP(ctx context.Context, name string) error {
	ip, ok := c.ips.get("", name)
	if !ok || ip.DeletionTimestamp == nil {
		return nil
	}
	defer c.locks.lock(ip.Spec.Namespace + "/" + ip.Spec.PodName)()
	if err := c.nb.DeletePort(ctx, name); err != nil {
		return err
	}
	c.ipam.ReleaseNIC(name)
	return c.merge(ctx, crd.IPs, name, finalizers())
}
