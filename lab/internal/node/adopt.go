package node

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"github.com/ovnguard/ovnguard/lab/internal/netns"
)

// adopt keeps the NICs that an earlier agent plugged for pods that it reported as running, and removes the rest: NICs
// of pods that are gone, and of pods that it did not get ready. The latter are plugged again.
func (a *agent) adopt(ctx context.Context) error {
	pods, err := a.pods.List(labels.Everything())
	if err != nil {
		return err
	}
	running := make(map[string]string, len(pods))
	for _, p := range pods {
		if p.Status.Phase == corev1.PodRunning && netns.Exists(podNetns(a.LabID, a.Name, p.Namespace, p.Name)) {
			running[p.Namespace+"/"+p.Name] = string(p.UID)
		}
	}
	plugs, err := a.bridge.list(ctx, "")
	if err != nil {
		return err
	}
	ours := make(map[string]bool, len(plugs))
	for _, p := range plugs {
		// One name may have NICs of two pods: one that is gone and one that took its name.
		uid, runs := running[p.pod]
		adopt, seen := ours[p.pod]
		ours[p.pod] = runs && uid == p.podUID && (adopt || !seen)
	}
	keep := make(map[string]bool, len(ours))
	for key, adopt := range ours {
		if !adopt {
			a.Log.Info("unplugging what is left of a pod", "pod", key)
			if err := a.unplug(ctx, key); err != nil {
				return err
			}
			continue
		}
		namespace, name, err := cache.SplitMetaNamespaceKey(key)
		if err != nil {
			return err
		}
		a.plugged[key] = running[key]
		keep[podNetns(a.LabID, a.Name, namespace, name)] = true
	}
	return a.sweep(ctx, keep)
}

// sweep removes the namespaces of this node's pods except those to keep.
func (a *agent) sweep(ctx context.Context, keep map[string]bool) error {
	names, err := netns.List(podPrefix(a.LabID, a.Name))
	if err != nil {
		return err
	}
	for _, name := range names {
		if keep[name] {
			continue
		}
		a.Log.Info("removing what is left of a pod", "netns", name)
		if err := netns.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
