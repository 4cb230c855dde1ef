//go:build integration

package standin

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// TestOnePod shows every step for a pod with an attachment, from an empty cluster.
func TestOnePod(t *testing.T) {
	w := newWorld(t, upstream.Master)
	w.start()
	t.Cleanup(w.stop)
	w.namespace("ns", nil)
	w.make(
		crd.Subnets,
		"Subnet",
		"",
		"second",
		map[string]any{"cidrBlock": "10.90.0.0/16,fd00:90::/112", "provider": "nad.ns.ovn"},
	)
	w.make(
		crd.NADs,
		"NetworkAttachmentDefinition",
		"ns",
		"nad",
		map[string]any{"config": `{"type":"kube-ovn","provider":"nad.ns.ovn"}`},
	)
	begin := time.Now()
	w.pod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", Annotations: map[string]string{
			kubeovn.Networks:                          "nad",
			"ovn.kubernetes.io/port_security":         "true",
			"nad.ns.ovn.kubernetes.io/mac_address":    "00:00:00:90:00:06",
			"nad.ns.ovn.kubernetes.io/ip_address":     "10.90.0.6",
			"nad.ns.ovn.kubernetes.io/layer2_forward": "true",
		}},
		Spec: corev1.PodSpec{NodeName: "node"},
	})
	w.settle()
	t.Logf("allocated and routed after %v", time.Since(begin))
	first, ok := w.port("pod.ns")
	if !ok {
		t.Fatal("no port for the default network")
	}
	pod := w.getPod("ns", "pod")
	identity := pod.Annotations["ovn.kubernetes.io/mac_address"] + " 10.16.0.2"
	if diff := cmp.Diff([]string{identity}, first.PortSecurity); diff != "" {
		t.Errorf("port_security -want +got\n%s", diff)
	}
	second, ok := w.port("pod.ns.nad.ns.ovn")
	if !ok {
		t.Fatal("no port for the attachment")
	}
	if diff := cmp.Diff([]string{"00:00:00:90:00:06 10.90.0.6 fd00:90::2", "unknown"}, second.Addresses); diff != "" {
		t.Errorf("addresses -want +got\n%s", diff)
	}
	if len(second.PortSecurity) != 0 {
		t.Errorf("the attachment's port has %q", second.PortSecurity)
	}
	for _, provider := range []kubeovn.Provider{"ovn", "nad.ns.ovn"} {
		if pod.Annotations[provider.Key(kubeovn.Routed)] != kubeovn.True {
			t.Errorf("%s is not routed: %v", provider, pod.Annotations)
		}
	}
	for _, name := range []string{"ovn-default-ovn-cluster", "join-ovn-cluster", "second-ovn-cluster"} {
		if row, ok := w.port(name); !ok || row.Type != "router" {
			t.Errorf("router link %s: %+v", name, row)
		}
	}
	if _, err := w.dyn.Resource(crd.IPs).Get(t.Context(), "pod.ns.nad.ns.ovn", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}

	w.deletePod("ns", "pod")
	w.settle()
	for _, name := range []string{"pod.ns", "pod.ns.nad.ns.ovn"} {
		if row, ok := w.port(name); ok {
			t.Errorf("port is left: %+v", row)
		}
		if _, err := w.dyn.Resource(crd.IPs).Get(t.Context(), name, metav1.GetOptions{}); err == nil {
			t.Errorf("ip %s is left", name)
		}
	}
}
