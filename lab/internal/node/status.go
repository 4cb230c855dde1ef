package node

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// NetnsAnnotation is, on each pod of a lab, the name of its network namespace, for `ip netns exec NAME`.
const NetnsAnnotation = "lab.ovnguard.io/netns"

// saidRunning reports whether the pod's status says that it runs and is ready. The control plane sets it to not ready
// when it has not heard of the node for a while.
func saidRunning(pod *corev1.Pod) bool {
	if pod.Status.Phase != corev1.PodRunning {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// sayRunning writes to the pod's status that it runs, with its addresses. It does nothing if the status says so
// already.
func (a *agent) sayRunning(ctx context.Context, pod *corev1.Pod, ips []string, namespace string) error {
	if saidRunning(pod) {
		return nil
	}
	now := metav1.Now()
	start := &now
	if pod.Status.StartTime != nil {
		start = pod.Status.StartTime
	}
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, HostIP: a.IP, HostIPs: []corev1.HostIP{{IP: a.IP}}, StartTime: start,
		QOSClass: pod.Status.QOSClass,
	}
	for _, ip := range ips {
		status.PodIPs = append(status.PodIPs, corev1.PodIP{IP: ip})
	}
	if len(ips) > 0 {
		status.PodIP = ips[0]
	}
	for _, c := range []corev1.PodConditionType{
		corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady,
	} {
		status.Conditions = append(
			status.Conditions,
			corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: now},
		)
	}
	started := true
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: &started,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID, "annotations": map[string]string{NetnsAnnotation: namespace}},
		"status":   status,
	})
	if err != nil {
		return fmt.Errorf("status of %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	_, err = a.kube.CoreV1().
		Pods(pod.Namespace).
		Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // the pod is gone, or replaced by another of its name
	}
	return err
}
