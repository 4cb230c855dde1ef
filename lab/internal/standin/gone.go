package standin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// removePod removes the ports of a pod that is gone or has ended, unless its set or its VM keeps them, or another pod
// has its name by now.
func (c *controller) removePod(ctx context.Context, gone *corev1.Pod) error {
	if now, ok := c.podsSeen.get(gone.Namespace, gone.Name); ok && now.UID != gone.UID && !upstream.IsFinished(now) {
		return nil
	}
	owner := upstream.OwnerOf(gone)
	defer c.locks.lock(upstream.PodKey(gone.Namespace, owner))()
	keep, err := c.keepsPorts(ctx, gone.Namespace, owner)
	if err != nil {
		return err
	}
	if keep || owner.VM && len(c.launchers(gone.Namespace, owner.Name)) > 0 {
		return c.parkPorts(ctx, gone.Namespace, owner)
	}
	if name := gone.Annotations[upstream.StaticVip]; name != "" {
		label := map[string]any{"metadata": map[string]any{"labels": map[string]any{crd.LabelReserved: ""}}}
		if err := c.merge(ctx, crd.Vips, name, label); err != nil {
			return err
		}
	}
	return c.removePorts(ctx, gone.Namespace, owner)
}

// removePorts deletes all ports and IP resources under the owner's name.
func (c *controller) removePorts(ctx context.Context, namespace string, owner upstream.Owner) error {
	rows, err := c.nb.PortsOfPod(ctx, upstream.PodKey(namespace, owner))
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Type == "" {
			if err := c.removePort(ctx, row.Name); err != nil {
				return err
			}
		}
	}
	ips, err := c.ipsOfPod(upstream.PodKey(namespace, owner)) // also those of NICs outside OVN, which have no port
	if err != nil {
		return err
	}
	for _, ip := range ips {
		if err := c.removePort(ctx, ip.Name); err != nil {
			return err
		}
	}
	return nil
}

// removePort deletes one port and its IP resource, and releases its addresses.
func (c *controller) removePort(ctx context.Context, name string) error {
	if err := c.nb.DeletePort(ctx, name); err != nil {
		return err
	}
	c.ipam.ReleaseNIC(name)
	return c.deleteIP(ctx, name)
}

// keepsPorts reports whether the ports stay for the owner's next pod: the StatefulSet needs a pod of that number, or
// the VM exists.
func (c *controller) keepsPorts(ctx context.Context, namespace string, owner upstream.Owner) (bool, error) {
	switch {
	case owner.VM:
		for _, r := range []schema.GroupVersionResource{crd.VMs, crd.VMIs} {
			_, err := c.dyn.Resource(r).Namespace(namespace).Get(ctx, owner.Name, metav1.GetOptions{})
			switch {
			case err == nil:
				return true, nil
			case !apierrors.IsNotFound(err):
				return false, fmt.Errorf("%s %s/%s: %w", r.Resource, namespace, owner.Name, err)
			}
		}
	case owner.StatefulSet != "":
		set, err := c.kube.AppsV1().StatefulSets(namespace).Get(ctx, owner.StatefulSet, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("statefulset %s/%s: %w", namespace, owner.StatefulSet, err)
		}
		first, replicas := 0, 1
		if set.Spec.Ordinals != nil {
			first = int(set.Spec.Ordinals.Start)
		}
		if set.Spec.Replicas != nil {
			replicas = int(*set.Spec.Replicas)
		}
		return set.DeletionTimestamp == nil && owner.Ordinal >= first && owner.Ordinal < first+replicas, nil
	}
	return false, nil
}
