package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/cni"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
)

// pollEvery is the interval of looks for what Kube-OVN must write first.
const pollEvery = 20 * time.Millisecond

// serveKubelet does what Kube-OVN's daemon does on a node with a kubelet, until ctx ends: it connects the node itself
// to OVN, and answers the runtime's CNI plugin.
func (a *agent) serveKubelet(ctx context.Context) error {
	factory, informer := a.podInformer()
	a.pods = informer.Lister()
	informer.Informer() // Start knows only what was asked for
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
		return ctx.Err()
	}
	if err := a.joinNode(ctx); err != nil {
		return fmt.Errorf("node agent: connect %s to OVN: %w", a.Name, err)
	}
	ready := a.Ready
	if ready == nil {
		ready = func() {}
	}
	return cni.Serve(ctx, a.PluginSocket, a.handle, ready)
}

// handle answers the plugin.
func (a *agent) handle(ctx context.Context, root string, request cni.Request) (cni.Response, error) {
	key := request.Namespace + "/" + request.Pod
	var pod *corev1.Pod
	var nics []nic
	if request.Add {
		var err error
		if pod, nics, err = a.awaitPlan(ctx, key); err != nil {
			return cni.Response{}, err
		}
	}
	a.kubeletTurn.LockKey(key)
	defer func() { _ = a.kubeletTurn.UnlockKey(key) }() // it never fails
	if !request.Add {
		return cni.Response{}, a.unplugSandbox(ctx, key, request.Sandbox)
	}
	response, err := a.plugSandbox(ctx, pod, nics, root, request)
	if err != nil {
		a.Log.Warn("pod is not plugged", "pod", key, "sandbox", request.Sandbox, "error", err)
	}
	return response, err
}

// plugSandbox plugs the NICs of a pod into its sandbox's namespace.
func (a *agent) plugSandbox(
	ctx context.Context,
	pod *corev1.Pod,
	nics []nic,
	root string,
	request cni.Request,
) (cni.Response, error) {
	key := pod.Namespace + "/" + pod.Name
	if len(nics) == 0 || nics[0].link != request.Interface {
		return cni.Response{}, fmt.Errorf("pod %s: Kube-OVN has no NIC for interface %s", key, request.Interface)
	}
	// What a sandbox of this name had before, also one that ended with its node.
	if err := a.unplug(ctx, key); err != nil {
		return cni.Response{}, err
	}
	name := podNetns(a.LabID, a.Name, pod.Namespace, pod.Name)
	if err := attach(name, root, request.Netns); err != nil {
		return cni.Response{}, err
	}
	if err := netns.Batch(ctx, name, "link set lo up"); err != nil {
		return cni.Response{}, err
	}
	// Subnets may be newer than the agent.
	if err := a.routeSubnets(ctx); err != nil {
		return cni.Response{}, err
	}
	all := plug{pod: key, podUID: string(pod.UID), sandbox: request.Sandbox}
	if err := a.plugInto(ctx, name, all, nics); err != nil {
		return cni.Response{}, err
	}
	if err := a.sayNetns(ctx, pod, name); err != nil {
		return cni.Response{}, err
	}
	response := cni.Response{MAC: nics[0].mac}
	for _, p := range nics[0].prefixes {
		response.Addresses = append(response.Addresses, p.String())
	}
	return response, nil
}

// awaitPlan waits until Kube-OVN has allocated all NICs of a pod.
func (a *agent) awaitPlan(ctx context.Context, key string) (*corev1.Pod, []nic, error) {
	kind := func(at kubeovn.Attachment) (kubeovn.AttachmentKind, error) { return a.kind(ctx, at) }
	for {
		pod, err := a.podOf(key)
		if err != nil {
			return nil, nil, err
		}
		if pod != nil {
			nics, ready, err := plan(pod, a.NonPrimary, kind)
			if err != nil || ready {
				return pod, nics, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("pod %s has no addresses of Kube-OVN yet: %w", key, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// unplugSandbox removes a pod's NICs unless they are those of another sandbox: the runtime may remove an old one late,
// and more than once.
func (a *agent) unplugSandbox(ctx context.Context, key, sandbox string) error {
	plugs, err := a.bridge.list(ctx, key)
	if err != nil {
		return err
	}
	for _, p := range plugs {
		if p.sandbox != sandbox {
			return nil
		}
	}
	return a.unplug(ctx, key)
}

// sayNetns writes the name of the pod's namespace on the pod.
func (a *agent) sayNetns(ctx context.Context, pod *corev1.Pod, name string) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID, "annotations": map[string]string{NetnsAnnotation: name}},
	})
	if err != nil {
		return fmt.Errorf("annotate %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	_, err = a.kube.CoreV1().
		Pods(pod.Namespace).
		Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // the pod is gone, or replaced by another of its name
	}
	return err
}

// attach gives a namespace in another file system a name among the lab's.
func attach(name, root, path string) (err error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("file system of the node: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(dir)) }()
	// Symbolic links, such as /var/run, are followed inside that file system.
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(dir, path, how)
	if err != nil {
		return fmt.Errorf("network namespace %s of the node: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	return errors.Join(netns.Attach(name, file), file.Close())
}
