package scene

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/node"
	"github.com/ovnguard/ovnguard/lab/wire"
)

// image is the image of a scene's pods; nothing is ever pulled.
const image = "example.org/nothing"

// Actor is one NIC of a running pod, with a raw socket on it.
type Actor struct {
	// Pod is the pod at the time when it had started.
	Pod *corev1.Pod
	// Provider is the NIC's provider, Port the name of its Logical_Switch_Port.
	Provider kubeovn.Provider
	Port     string
	// V4 and V6 are its MAC with its addresses; a missing address is not valid.
	V4 wire.Host
	V6 wire.Host

	socket *wire.Port
}

// Pod makes a pod, waits until it runs, and returns it as it is then.
func (s *Scene) Pod(ctx context.Context, namespace, name string, annotations map[string]string) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
	}
	if _, err := s.Kube.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	return s.Running(ctx, namespace, name)
}

// Running waits until a pod runs, and returns it.
func (s *Scene) Running(ctx context.Context, namespace, name string) (pod *corev1.Pod, err error) {
	err = Wait(ctx, fmt.Sprintf("pod %s/%s to run", namespace, name), func() (bool, error) {
		pod, err = s.Kube.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning, err
	})
	return pod, err
}

// Actor makes a pod and opens a socket on its default NIC. Close must be called.
func (s *Scene) Actor(ctx context.Context, namespace, name string, annotations map[string]string) (*Actor, error) {
	pod, err := s.Pod(ctx, namespace, name, annotations)
	if err != nil {
		return nil, err
	}
	return OpenActor(pod, kubeovn.DefaultProvider, "eth0")
}

// OpenActor opens a socket on one NIC of a running pod. Close must be called.
func OpenActor(pod *corev1.Pod, p kubeovn.Provider, link string) (*Actor, error) {
	a := &Actor{Pod: pod, Provider: p, Port: kubeovn.PortName(pod.Name, pod.Namespace, p)}
	mac := pod.Annotations[p.Key(kubeovn.MACAddress)]
	for _, text := range splitList(pod.Annotations[p.Key(kubeovn.IPAddress)]) {
		h, err := wire.ParseHost(mac, text)
		if err != nil {
			return nil, fmt.Errorf("pod %s/%s, NIC %s: %w", pod.Namespace, pod.Name, p, err)
		}
		if h.IP.Is4() {
			a.V4 = h
		} else {
			a.V6 = h
		}
	}
	var err error
	a.socket, err = wire.Open(pod.Annotations[node.NetnsAnnotation], link)
	return a, err
}

// Close closes the socket.
func (a *Actor) Close() error { return a.socket.Close() }

// Addresses that nobody has, for forged frames.
var (
	ForeignIP   = netip.MustParseAddr("192.0.2.66")
	ForeignIPv6 = netip.MustParseAddr("2001:db8::66")
	ForeignMAC  = []byte{0x0a, 0xbb, 0xcc, 0xdd, 0xee, 0x99}
)
