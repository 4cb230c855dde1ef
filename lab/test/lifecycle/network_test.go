//go:build integration

package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/node"
	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// TestPodsReachEachOther runs a lab inside the test, as the demo does, and
// sends data between pods on two nodes while parts of the lab are killed.
func TestPodsReachEachOther(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	l, err := up.Start(t.Context(), up.Options{StateDir: dir, Nodes: 2, Log: &log})
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	t.Cleanup(func() {
		if err := l.Stop(); err != nil {
			t.Error(err)
		}
		for _, left := range leftovers(t, dir) {
			t.Errorf("left behind: %s", left)
		}
		if t.Failed() {
			t.Logf("the lab wrote:\n%s", &log)
		}
	})
	t.Logf("a lab of two nodes was ready after %s", l.Info().ReadyIn)
	if loaded, err := state.Load(dir); err != nil || loaded.ID != l.Info().ID || len(loaded.Nodes) != 2 {
		t.Errorf("lab.json says %+v (%v), the lab says %+v", loaded, err, l.Info())
	}
	client := clientFrom(t, l.Info().Kubeconfigs[controlplane.TenantIdentity])
	server, near, far := runPod(
		t,
		client,
		"server",
		"node1",
	), runPod(
		t,
		client,
		"near",
		"node1",
	), runPod(
		t,
		client,
		"far",
		"node2",
	)

	reach := func(when string) {
		t.Helper()
		for _, from := range []*corev1.Pod{near, far} {
			if err := exchange(t.Context(), from, server); err != nil {
				t.Fatalf("%s: from %s to %s: %v", when, from.Name, server.Name, err)
			}
		}
	}
	reach("at first")

	for _, part := range []string{
		"node1-agent", "node1-ovn-controller", "ovn-northd", "ovn-sb", "ovn-nb", "node1-vswitchd", "node2-vswitchd",
		up.KubeOVNComponent, controlplane.APIServer, controlplane.Scheduler, controlplane.ControllerManager,
	} {
		if err := l.KillComponent(part); err != nil {
			t.Fatal(err)
		}
		if err := l.RestartComponent(t.Context(), part); err != nil {
			t.Fatalf("restart %s: %v", part, err)
		}
		reach("after " + part + " was killed")
	}
	late := runPod(t, client, "late", "node1")
	if err := exchange(t.Context(), late, server); err != nil {
		t.Errorf("a pod made after all parts were killed once: %v", err)
	}
	if err := l.RestartComponent(t.Context(), "nobody"); err == nil {
		t.Error("a component that does not exist was restarted")
	}

	// Deleting a pod removes its namespace.
	if err := client.CoreV1().
		Pods(controlplane.TenantNamespace).
		Delete(t.Context(), late.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod's network namespace is gone", func() bool {
		_, err := os.Stat("/var/run/netns/" + late.Annotations[node.NetnsAnnotation])
		return errors.Is(err, os.ErrNotExist)
	})
}

// runPod makes a pod on a node and waits until it runs.
func runPod(t *testing.T, client kubernetes.Interface, name, nodeName string) *corev1.Pod {
	t.Helper()
	spec := podSpec()
	spec.NodeSelector = map[string]string{corev1.LabelHostname: nodeName}
	pods := client.CoreV1().Pods(controlplane.TenantNamespace)
	pod, err := pods.Create(
		t.Context(),
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec},
		metav1.CreateOptions{},
	)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, "pod "+name+" runs", func() bool {
		pod, err = pods.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return pod.Status.Phase == corev1.PodRunning
	})
	t.Logf(
		"pod %s on %s ran after %s with %s",
		name,
		pod.Spec.NodeName,
		time.Since(begin).Round(10*time.Millisecond),
		pod.Status.PodIP,
	)
	if pod.Spec.NodeName != nodeName || pod.Status.PodIP == "" || pod.Annotations[node.NetnsAnnotation] == "" {
		t.Fatalf(
			"pod %s: node %q, address %q, annotations %v",
			name,
			pod.Spec.NodeName,
			pod.Status.PodIP,
			pod.Annotations,
		)
	}
	return pod
}

// exchange sends a line over TCP from one pod to another and back, trying for
// some seconds.
func exchange(ctx context.Context, from, to *corev1.Pod) error {
	const line = "is anybody there?\n"
	var listener net.Listener
	err := inside(to, func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(to.Status.PodIP, "0"))
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // it only ends the echo below
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the listener is closed
			}
			_, _ = io.Copy(conn, conn) // the other end sees an error here
			_ = conn.Close()
		}
	}()

	try := func() error {
		var conn net.Conn
		err := inside(from, func() (err error) {
			conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", listener.Addr().String())
			return err
		})
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }() // everything was read
		if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
			return err
		}
		if _, err := io.WriteString(conn, line); err != nil {
			return err
		}
		got := make([]byte, len(line))
		if _, err := io.ReadFull(conn, got); err != nil {
			return err
		}
		if string(got) != line {
			return fmt.Errorf("got %q back", got)
		}
		return nil
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// inside runs f on a thread in the pod's network namespace. Sockets that f
// makes stay there.
func inside(pod *corev1.Pod, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		result <- func() error {
			handle, err := netns.GetFromName(pod.Annotations[node.NetnsAnnotation])
			if err != nil {
				return err
			}
			defer func() { _ = handle.Close() }() // it was only entered
			if err := netns.Set(handle); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-result
}
