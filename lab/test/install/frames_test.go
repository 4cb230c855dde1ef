//go:build install

package install

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// portSecurity is the annotation that asks Kube-OVN for port security.
var portSecurity = kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)

// root returns a pod on a node with a container in which a process may send any frame: root, with the capabilities that
// a runtime gives to root by default.
func root(name, node string, annotations map[string]string) *corev1.Pod {
	var user, grace int64
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: "main", Image: up.PodImage, Args: []string{"pause"},
				SecurityContext: &corev1.SecurityContext{RunAsUser: &user},
			}},
		},
	}
}

// rootPod runs such a pod.
func rootPod(t *testing.T, ns, name, node string, annotations map[string]string) *corev1.Pod {
	t.Helper()
	_, err := world.Kube.CoreV1().Pods(ns).Create(t.Context(), root(name, node, annotations), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return running(t, ns, name)
}

// running waits until a pod is ready, and returns it as it is then.
func running(t *testing.T, ns, name string) (pod *corev1.Pod) {
	t.Helper()
	eventually(t, "pod "+name+" to run", func() (bool, error) {
		var err error
		pod, err = world.Kube.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && ready(pod), err
	})
	return pod
}

// actor opens a socket on a pod's NIC.
func actor(t *testing.T, pod *corev1.Pod) *scene.Actor {
	t.Helper()
	a, err := scene.OpenActor(pod, kubeovn.DefaultProvider, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// checkFrames has a process in a container of from send its own and forged frames to a pod on the other node, and
// checks which of them arrive.
func checkFrames(t *testing.T, from, to *corev1.Pod, forgedPass bool) {
	t.Helper()
	if err := world.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	sender := world.NewSender(t.Context(), from, "eth0")
	defer func() {
		if err := sender.Close(); err != nil {
			t.Error(err)
		}
	}()
	a, b := actor(t, from), actor(t, to)
	probes, err := scene.Probes(a, b, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range probes {
		passed, err := p.SendBy(t.Context(), sender.Send, a, b)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		if want := forgedPass || !p.Forged; passed != want {
			t.Errorf("%s from a container of %s: passed %v, want %v", p.Name, from.Name, passed, want)
		}
	}
}

// What a process in a container forges is dropped where the pod's port is strict, and passes where it is open.
func TestForgedFramesFromContainers(t *testing.T) {
	ns := namespace(t, "frames")
	to := rootPod(t, ns, "to", node2, nil)
	for name, strict := range map[string]bool{"strict": true, "open": false} {
		t.Run(name, func(t *testing.T) {
			var annotations map[string]string
			if strict {
				annotations = map[string]string{portSecurity: kubeovn.True}
			}
			checkFrames(t, rootPod(t, ns, name, node1, annotations), to, !strict)
		})
	}
}
