package node

import (
	"context"
	"fmt"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
)

// installTimeout is how long a pod waits for the flows of its ports before it is reported as running anyway.
const installTimeout = 8 * time.Second

// sync brings one pod to its desired state.
func (a *agent) sync(ctx context.Context, key string) error {
	pod, err := a.podOf(key)
	if err != nil {
		return err
	}
	a.mu.Lock()
	uid, isPlugged := a.plugged[key]
	a.mu.Unlock()
	if isPlugged && (pod == nil || string(pod.UID) != uid || pod.DeletionTimestamp != nil || finished(pod)) {
		if err := a.unplug(ctx, key); err != nil {
			return err
		}
		isPlugged = false
	}
	switch {
	case pod == nil:
		return nil
	case pod.DeletionTimestamp != nil:
		return a.confirmDeletion(ctx, pod)
	case finished(pod):
		return nil
	case isPlugged && saidRunning(pod):
		return nil // a pod's network is made once, whatever changes later
	case pod.Spec.HostNetwork:
		return a.sayRunning(ctx, pod, []string{a.IP}, a.Netns)
	}
	nics, ready, err := plan(
		pod,
		a.NonPrimary,
		func(at kubeovn.Attachment) (kubeovn.AttachmentKind, error) { return a.kind(ctx, at) },
	)
	if err != nil || !ready {
		return err // nil means that a change of Kube-OVN's annotations brings the next event
	}
	if !isPlugged {
		if err := a.plug(ctx, key, pod, nics); err != nil {
			return err
		}
	}
	var ips []string
	for _, n := range nics[:min(1, len(nics))] {
		for _, p := range n.prefixes {
			ips = append(ips, p.Addr().String())
		}
	}
	return a.sayRunning(ctx, pod, ips, podNetns(a.LabID, a.Name, pod.Namespace, pod.Name))
}

// finished reports whether a pod has ended and will not run again.
func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// kind returns the kind of an attachment. A pod with an unreadable attachment does not start, as with Multus.
func (a *agent) kind(ctx context.Context, at kubeovn.Attachment) (kubeovn.AttachmentKind, error) {
	resource := nadv1.SchemeGroupVersion.WithResource("network-attachment-definitions")
	u, err := a.dynamic.Resource(resource).Namespace(at.Namespace).Get(ctx, at.Name, metav1.GetOptions{})
	if err != nil {
		return kubeovn.KindUnknown, fmt.Errorf("attachment %s/%s: %w", at.Namespace, at.Name, err)
	}
	var nad nadv1.NetworkAttachmentDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &nad); err != nil {
		return kubeovn.KindUnknown, fmt.Errorf("attachment %s/%s: %w", at.Namespace, at.Name, err)
	}
	return multus.KindOf(&nad)
}

// plug makes the pod's namespace and its NICs and waits until OVN has the flows of each.
func (a *agent) plug(ctx context.Context, key string, pod *corev1.Pod, nics []nic) error {
	name := podNetns(a.LabID, a.Name, pod.Namespace, pod.Name)
	// Remains there belong to an earlier pod of that name, or to an attempt that failed half-way.
	if err := netns.Remove(ctx, name); err != nil {
		return err
	}
	if err := netns.Ensure(ctx, name); err != nil {
		return err
	}
	return a.plugInto(ctx, name, plug{pod: key, podUID: string(pod.UID)}, nics)
}

// plugInto makes the NICs of a pod in a namespace and waits until OVN has the flows of each. all is what their ports on
// the bridge have in common.
func (a *agent) plugInto(ctx context.Context, name string, all plug, nics []nic) error {
	for _, n := range nics {
		// The kernel removes the links of a namespace some time after it, and not at all while a process is in there.
		if err := a.bridge.remove(ctx, n.peer); err != nil {
			return err
		}
		if err := netns.RemoveLink(ctx, a.Netns, n.peer); err != nil {
			return err
		}
		err := netns.Batch(
			ctx,
			a.Netns,
			fmt.Sprintf("link add %s type veth peer name %s netns %s", n.peer, n.link, name),
		)
		if err != nil {
			return err
		}
		if err := withoutOffload(name, n.link); err != nil {
			return err
		}
		if err := netns.Batch(ctx, name, n.commands()...); err != nil {
			return err
		}
		if err := netns.Batch(ctx, a.Netns, fmt.Sprintf("link set %s up", n.peer)); err != nil {
			return err
		}
		one := all
		one.iface = n.peer
		if err := a.bridge.add(ctx, one, n.port); err != nil {
			return err
		}
	}
	a.mu.Lock()
	a.plugged[all.pod] = all.podUID
	a.mu.Unlock()

	wait, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	for _, n := range nics {
		if err := a.bridge.waitInstalled(wait, n.peer); err != nil {
			a.Log.Warn("the port's flows are not in place yet", "pod", all.pod, "port", n.port, "error", err)
		}
	}
	return nil
}

// unplug removes the pod's NICs and its namespace.
func (a *agent) unplug(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	nics, err := a.bridge.list(ctx, key)
	if err != nil {
		return err
	}
	for _, n := range nics {
		if err := a.bridge.remove(ctx, n.iface); err != nil {
			return err
		}
		// The ends of the veth go with the namespace, but on a node with a kubelet the runtime holds that as well.
		if n.sandbox == "" {
			continue
		}
		if err := netns.RemoveLink(ctx, a.Netns, n.iface); err != nil {
			return err
		}
	}
	if err := netns.Remove(ctx, podNetns(a.LabID, a.Name, namespace, name)); err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.plugged, key)
	a.mu.Unlock()
	return nil
}

// confirmDeletion ends a graceful deletion, as a kubelet does when a pod's processes have ended.
func (a *agent) confirmDeletion(ctx context.Context, pod *corev1.Pod) error {
	now := int64(0)
	err := a.kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it is gone, or replaced by another of its name
	}
	return err
}
