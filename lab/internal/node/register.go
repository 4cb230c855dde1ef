package node

import (
	"context"
	"errors"
	"runtime"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

const (
	// leaseNamespace is the namespace in which kube-controller-manager looks for the nodes' leases.
	leaseNamespace = corev1.NamespaceNodeLease
	leaseSeconds   = 40
	renewEvery     = 10 * time.Second
	maxPods        = "500"
)

// NoContainers is the taint of a node without a kubelet in a lab that has nodes with one.
const NoContainers = "lab.ovnguard.io/no-containers"

func fieldSelector(node string) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) { o.FieldSelector = nodeSelector(node) }
}

// register makes the Node object, or takes over an existing one, and reports the node as ready.
func (a *agent) register(ctx context.Context) error {
	want := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: a.Name, Labels: map[string]string{
		corev1.LabelHostname: a.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH,
	}}}
	if a.Tainted {
		want.Spec.Taints = []corev1.Taint{{Key: NoContainers, Effect: corev1.TaintEffectNoSchedule}}
	}
	if _, err := a.kube.CoreV1().
		Nodes().
		Create(ctx, want, metav1.CreateOptions{}); err != nil &&
		!apierrors.IsAlreadyExists(err) {
		return err
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		n, err := a.kube.CoreV1().Nodes().Get(ctx, a.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		n.Status = a.status()
		_, err = a.kube.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	return a.renew(ctx)
}

// status returns the status of a healthy node. A lab's pods use nothing, so there is room for many.
func (a *agent) status() corev1.NodeStatus {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods:   resource.MustParse(maxPods),
	}
	now := metav1.Now()
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus) corev1.NodeCondition {
		return corev1.NodeCondition{
			Type: kind, Status: status, Reason: "LabNode", Message: "the lab's node agent works",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}
	}
	return corev1.NodeStatus{
		Capacity:    room,
		Allocatable: room,
		Conditions: []corev1.NodeCondition{
			condition(corev1.NodeReady, corev1.ConditionTrue),
			condition(corev1.NodeMemoryPressure, corev1.ConditionFalse),
			condition(corev1.NodeDiskPressure, corev1.ConditionFalse),
			condition(corev1.NodePIDPressure, corev1.ConditionFalse),
		},
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: a.IP},
			{Type: corev1.NodeHostName, Address: a.Name},
		},
		NodeInfo: corev1.NodeSystemInfo{
			OperatingSystem: "linux",
			Architecture:    runtime.GOARCH,
			KubeletVersion:  "v1.37.2",
		},
	}
}

// keepAlive renews the lease again and again, until ctx ends.
func (a *agent) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := a.heartbeat(ctx); err != nil && ctx.Err() == nil {
				a.Log.Warn("the node's heartbeat is missing", "error", err)
			}
		}
	}
}

// heartbeat renews the node's lease. If the control plane has given the node up meanwhile, or somebody deleted it, it
// registers again.
func (a *agent) heartbeat(ctx context.Context) error {
	n, err := a.kube.CoreV1().Nodes().Get(ctx, a.Name, metav1.GetOptions{})
	switch {
	case err == nil && isReady(n):
		return a.renew(ctx)
	case err == nil || apierrors.IsNotFound(err):
		return a.register(ctx)
	default:
		return errors.Join(err, a.renew(ctx))
	}
}

func isReady(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (a *agent) renew(ctx context.Context) error {
	now := metav1.NowMicro()
	seconds := int32(leaseSeconds)
	leases := a.kube.CoordinationV1().Leases(leaseNamespace)
	spec := coordinationv1.LeaseSpec{HolderIdentity: &a.Name, LeaseDurationSeconds: &seconds, RenewTime: &now}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		lease, err := leases.Get(ctx, a.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = leases.Create(
				ctx,
				&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: a.Name}, Spec: spec},
				metav1.CreateOptions{},
			)
			return err
		}
		if err != nil {
			return err
		}
		lease.Spec = spec
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
		return err
	})
}
