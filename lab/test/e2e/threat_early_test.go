//go:build integration

package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// withoutAddress gives a pod that somebody makes under the name of another one, which is gone by then, on a subnet that has no address left.
// It has that other pod's port, whose port_security is own.
func withoutAddress(t *testing.T, p person, ns string) (pod *corev1.Pod, own string) {
	t.Helper()
	const component = "kube-ovn"
	full := unique("full")
	ofKubeOVN(t, "subnets", "Subnet", full, map[string]any{"cidrBlock": "10.91.0.0/30", "gateway": "10.91.0.1", "excludeIps": []any{"10.91.0.2"}})
	last := run(t, ns, nil)
	own = portSecurityOf(t, portOf(last))
	t.Cleanup(func() {
		if err := world.Lab.RestartComponent(cleanup(t), component); err != nil {
			t.Error(err)
		}
	})
	// It is exchanged while Kube-OVN looks away, which cannot tell then that this is another one.
	if err := world.Lab.KillComponent(component); err != nil {
		t.Fatal(err)
	}
	deletePod(t, last)
	pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: last.Name, Annotations: map[string]string{kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): full},
	}, Spec: podSpec()}
	pod.Spec.SchedulerName = "nobody" // so that it can be bound
	pod, err := p.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	restart(t, component)
	followed(t)
	if got := portSecurityOf(t, portOf(pod)); got != own {
		t.Fatalf("port_security %q of a pod without an address, want that of the last pod, %q: the test shows nothing", got, own)
	}
	return pod, own
}

// Nobody has Kube-OVN write the port security of a pod that has no address yet: what it wrote would have neither an address nor a MAC.
func TestThreatT27BeforeTheAddress(t *testing.T) {
	p, groups := tenant(t), kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups)
	pod, own := withoutAddress(t, p, tenantNamespace)
	change := map[string]any{groups: "web"}
	p.everyWay(t, pod, groups, change)
	mustRefuse(t, "by the status", mayWrite(t, "patch", "pods/status").patch(t.Context(), pod, change, "status"), groups)
	mustRefuse(t, "by a Binding", mayWrite(t, "create", "pods/binding").CoreV1().Pods(tenantNamespace).Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Annotations: map[string]string{groups: "web"}}, Target: corev1.ObjectReference{Kind: "Node", Name: "node1"},
	}, metav1.CreateOptions{}), groups)
	if err := p.patch(t.Context(), pod, map[string]any{"example.com/note": "x"}); err != nil {
		t.Errorf("what Kube-OVN does not read: %v", err)
	}
	followed(t)
	if got := portSecurityOf(t, portOf(pod)); got != own {
		t.Errorf("port_security is %q, and was %q", got, own)
	}

	// With an address it may have what others may.
	later := allocated(t, p, nil)
	if err := p.patch(t.Context(), later, change); err != nil {
		t.Errorf("once there is an address: %v", err)
	}
	followed(t)
	strictInOVN(t, later.Namespace, later.Name)
}

// What admission cannot keep from being written, as by a change of the last pod that Kube-OVN deals with late, does not stay.
func TestThreatT27PortOfTheLastPod(t *testing.T) {
	ns, _ := repaired(t)
	pod, own := withoutAddress(t, admin(t), ns)
	nbctl(t, "set", "logical_switch_port", portOf(pod), `port_security=[""]`)
	eventually(t, "the port to be put right", func() (bool, error) { return portSecurityOf(t, portOf(pod)) == own, nil })
}
