//go:build integration

package standin

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// settleTimeout bounds the wait for the stand-in to have nothing left to do. An informer that lost its watch on a busy
// machine comes back after up to half a minute.
const settleTimeout = time.Minute

// markerNamespace holds the pod with changes that show how far the stand-in has come.
const markerNamespace = "marker"

// world is a real API server and a real Northbound database with a stand-in between them.
type world struct {
	t      *testing.T
	config *rest.Config
	kube   kubernetes.Interface
	dyn    dynamic.Interface
	nb     string
	reader *nb.Client // sees the stand-in's writes, over a connection of its own

	standin     *controller
	externalVPC bool
	nonPrimary  bool
	version     upstream.Version
	changes     int
}

// newWorld starts the servers. The stand-in is started separately, since tests stop it and start it again.
func newWorld(t *testing.T, v upstream.Version) *world {
	t.Helper()
	w := &world{t: t, version: v}
	temp, err := os.MkdirTemp("", "standin")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(temp)) })
	dir, err := state.NewDir(temp)
	check(t, err)
	check(t, dir.Prepare(false))
	group := process.NewGroup(process.Options{OnExit: func(e *process.ExitError) { t.Error(e) }})
	t.Cleanup(func() { check(t, group.Stop()) })

	binary, err := controlplane.FindBinary()
	check(t, err)
	cp, err := controlplane.New(controlplane.Config{Dir: dir, Binary: binary})
	check(t, err)
	_, err = cp.StartAPIServer(t.Context(), group)
	check(t, err)
	w.config, err = cp.Admin()
	check(t, err)
	w.kube, err = kubernetes.NewForConfig(w.config)
	check(t, err)
	w.dyn, err = dynamic.NewForConfig(w.config)
	check(t, err)

	w.nb = startNB(t, temp)
	w.reader, err = nb.Dial(t.Context(), w.nb, slog.New(slog.DiscardHandler))
	check(t, err)
	t.Cleanup(w.reader.Close)
	w.namespace(markerNamespace, nil)
	w.pod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: markerNamespace, Name: "marker"},
		Spec:       corev1.PodSpec{HostNetwork: true},
	})
	return w
}

// startNB serves an empty Northbound database in dir and returns its endpoint.
func startNB(t *testing.T, dir string) string {
	t.Helper()
	server, err := ovsdbserver.Create(t.Context(), dir, "nb", ovsdbserver.NorthboundSchema)
	check(t, err)
	check(t, server.Start(t.Context()))
	t.Cleanup(server.Kill)
	return server.Endpoint()
}

// start starts the stand-in; inspection and collection run only when a test calls them.
func (w *world) start() {
	w.t.Helper()
	c, err := start(context.WithoutCancel(w.t.Context()), Config{
		RESTConfig: w.config, NB: w.nb, Version: w.version, InspectInterval: -1, GCInterval: -1, ProbeInterval: -1,
		ExternalVPC: w.externalVPC, NonPrimary: w.nonPrimary, Log: testLog(w.t),
	})
	check(w.t, err)
	w.standin = c
	w.settle()
}

// stop stops the stand-in.
func (w *world) stop() {
	if w.standin != nil {
		w.standin.stop()
		w.standin = nil
	}
}

// settle waits until the stand-in has handled every change so far and has nothing left to do.
func (w *world) settle() {
	w.t.Helper()
	w.changes++
	marker := w.patchPod(
		markerNamespace,
		"marker",
		map[string]any{"metadata": map[string]any{"labels": map[string]any{"change": strconv.Itoa(w.changes)}}},
	)
	deadline := time.Now().Add(settleTimeout)
	for {
		// The check is done twice, since a task's last write may reach the watch just after the queue ran empty.
		if w.standin.pods.caughtUp(version(marker)) && w.standin.queue.idle() &&
			w.standin.pods.caughtUp(version(marker)) {
			return
		}
		if time.Now().After(deadline) {
			w.standin.queue.mu.Lock()
			defer w.standin.queue.mu.Unlock()
			w.t.Fatalf("the stand-in is busy after %v with %v", settleTimeout, w.standin.queue.busy)
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *world) namespace(name string, annotations map[string]string) {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
	if _, err := w.kube.CoreV1().Namespaces().Create(w.t.Context(), ns, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}} // no controller makes it here
	if _, err := w.kube.CoreV1().ServiceAccounts(name).Create(w.t.Context(), sa, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// pod creates a pod with the fields that every pod needs.
func (w *world) pod(pod *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	no := false
	pod.Spec.AutomountServiceAccountToken = &no
	pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "none"}}
	made, err := w.kube.CoreV1().Pods(pod.Namespace).Create(w.t.Context(), pod, metav1.CreateOptions{})
	check(w.t, err)
	return made
}

func (w *world) patchPod(namespace, name string, patch map[string]any, subresource ...string) *corev1.Pod {
	w.t.Helper()
	text, err := json.Marshal(patch)
	check(w.t, err)
	pod, err := w.kube.CoreV1().
		Pods(namespace).
		Patch(w.t.Context(), name, types.MergePatchType, text, metav1.PatchOptions{}, subresource...)
	check(w.t, err)
	return pod
}

func (w *world) annotatePod(namespace, name string, set map[string]any) {
	w.t.Helper()
	w.patchPod(namespace, name, map[string]any{"metadata": map[string]any{"annotations": set}})
}

func (w *world) getPod(namespace, name string) *corev1.Pod {
	w.t.Helper()
	pod, err := w.kube.CoreV1().Pods(namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	check(w.t, err)
	return pod
}

// deletePod deletes a pod as its node would after it has stopped.
func (w *world) deletePod(namespace, name string) {
	w.t.Helper()
	now := int64(0)
	err := w.kube.CoreV1().Pods(namespace).Delete(w.t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if err != nil && !apierrors.IsNotFound(err) {
		w.t.Fatal(err)
	}
}

// make creates an object of Kube-OVN's or KubeVirt's.
func (w *world) make(r schema.GroupVersionResource, kind, namespace, name string, spec map[string]any) {
	w.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": r.GroupVersion().String(), "kind": kind,
		"metadata": map[string]any{"name": name}, "spec": spec,
	}}
	var c dynamic.ResourceInterface = w.dyn.Resource(r)
	if namespace != "" {
		c = w.dyn.Resource(r).Namespace(namespace)
	}
	_, err := c.Create(w.t.Context(), u, metav1.CreateOptions{})
	check(w.t, err)
}

// port returns the present row of a port; ok is false if there is none.
func (w *world) port(name string) (nb.LogicalSwitchPort, bool) {
	w.t.Helper()
	check(w.t, w.reader.Sync(w.t.Context()))
	row, ok, err := w.reader.Port(w.t.Context(), name)
	check(w.t, err)
	return row, ok
}

// nbctl edits the database by hand.
func (w *world) nbctl(args ...string) {
	w.t.Helper()
	out, err := exec.Command("ovn-nbctl", append([]string{"--no-leader-only", "--db=" + w.nb}, args...)...).
		CombinedOutput()
	if err != nil {
		w.t.Fatalf("ovn-nbctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testLog writes the stand-in's messages to the test's log, which is shown if the test fails.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
