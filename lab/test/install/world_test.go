//go:build install

// Package install tries ovnguard where it is meant to run: in containers of a cluster with real kubelets, with real
// pods around it. One lab with two such nodes and one without serves all tests.
package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/ovnguard/ovnguard/lab/internal/leftover"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// Nodes of the lab: the first two have a real kubelet.
const (
	node1 = "node1"
	node2 = "node2"
	node3 = "node3"
)

const (
	// startTimeout bounds the start of the lab, on a machine with other load.
	startTimeout = 4 * time.Minute
	// waitTime bounds each wait for something that must come. It is much longer than needed on an idle machine.
	waitTime = 2 * time.Minute
)

// world is the lab that all tests share. Each test leaves it as it found it.
var world *scene.Scene

func TestMain(m *testing.M) {
	code, err := inWorld(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// inWorld runs the tests between the start and the end of the world. The error says what failed at either, or what the
// machine was left with.
func inWorld(run func() int) (code int, err error) {
	ctrl.SetLogger(logr.Discard()) // the clients of tests return errors
	dir, err := os.MkdirTemp("", "install")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code != 0 || err != nil {
			fmt.Fprintln(os.Stderr, "logs are kept in", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	before, err := machine()
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	begin := time.Now()
	lab, err := up.Start(ctx, up.Options{StateDir: dir, Nodes: 3, Kubelets: 2})
	if err != nil {
		return 1, err
	}
	fmt.Fprintln(os.Stderr, "the lab was ready after", time.Since(begin).Round(time.Millisecond))
	defer func() {
		err = errors.Join(err, lab.Stop(), nothingLeft(dir, before))
	}()
	if world, err = scene.Open(lab); err != nil {
		return 1, err
	}
	return run(), nil
}

// nothingLeft returns an error that names what a lab left on the machine.
func nothingLeft(dir string, before map[string]string) error {
	left, err := leftover.Of(dir)
	for _, what := range left {
		err = errors.Join(err, errors.New("left behind: "+what))
	}
	after, machineErr := machine()
	for path, value := range after {
		if before[path] != value {
			err = errors.Join(err, fmt.Errorf("%s was %q and is %q", path, before[path], value))
		}
	}
	return errors.Join(err, machineErr)
}

// machine returns what a node must not change on the machine: sysctls that kubelet would set, and the mounts.
func machine() (map[string]string, error) {
	is := map[string]string{}
	for _, path := range []string{
		"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/panic_on_oom", "/proc/sys/kernel/panic",
		"/proc/sys/kernel/panic_on_oops", "/proc/sys/kernel/keys/root_maxkeys", "/proc/sys/kernel/keys/root_maxbytes",
		"/proc/sys/net/ipv4/ip_forward",
	} {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		is[path] = string(data)
	}
	for _, dir := range []string{
		"/etc/cni", "/opt/cni", "/opt/containerd", "/run/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/log/pods",
	} {
		if _, err := os.Stat(dir); err == nil {
			is[dir] = "there"
		}
	}
	return is, nil
}

// cleanup returns a context that a test's cleanup may use as well.
func cleanup(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

// eventually waits until ask is true and returns how long that took.
func eventually(t *testing.T, what string, ask func() (bool, error)) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(cleanup(t), waitTime) // the cleanup of a test waits, too
	defer cancel()
	if err := scene.Wait(ctx, what, ask); err != nil {
		t.Fatal(err)
	}
	return time.Since(begin)
}

// namespace makes a namespace for a test and deletes it when the test has ended.
func namespace(t *testing.T, name string) string {
	t.Helper()
	if err := world.Namespace(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		namespaces := world.Kube.CoreV1().Namespaces()
		if err := namespaces.Delete(cleanup(t), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return name
}

// ready reports whether a pod is ready.
func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// pods returns the ready pods of a namespace with a label, by the name of their node.
func pods(t *testing.T, namespace, label string) map[string]*corev1.Pod {
	t.Helper()
	list, err := world.Kube.CoreV1().Pods(namespace).List(cleanup(t), metav1.ListOptions{LabelSelector: label})
	if err != nil {
		t.Fatal(err)
	}
	byNode := map[string]*corev1.Pod{}
	for i := range list.Items {
		if ready(&list.Items[i]) {
			byNode[list.Items[i].Spec.NodeName] = &list.Items[i]
		}
	}
	return byNode
}

// program returns the path of ovnguard as it is put into an image.
func program(t *testing.T) string {
	t.Helper()
	path := os.Getenv("OVNGUARD_STATIC")
	if path == "" {
		t.Fatal("OVNGUARD_STATIC does not name a static ovnguard: run `make test-install`")
	}
	return path
}

// replicaLogs writes the end of the log of each replica of ovnguard to the test's.
func replicaLogs(t *testing.T) {
	t.Helper()
	list, err := world.Kube.CoreV1().Pods(system).List(cleanup(t), metav1.ListOptions{LabelSelector: appLabel})
	if err != nil {
		t.Log(err)
		return
	}
	lines := int64(30)
	for _, pod := range list.Items {
		data, err := world.Kube.CoreV1().
			Pods(system).
			GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: &lines}).
			DoRaw(cleanup(t))
		t.Logf("%s on %s, %s, %v:\n%s", pod.Name, pod.Spec.NodeName, pod.Status.Phase, err, data)
	}
}
