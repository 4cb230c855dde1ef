//go:build integration

package e2e

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// subnetWithOneAddress makes a subnet with a single address in addition to its gateway's.
func subnetWithOneAddress(t *testing.T) (subnet, address string) {
	t.Helper()
	subnet = unique("full")
	makeKubeOVNObject(
		t,
		"subnets",
		"Subnet",
		subnet,
		map[string]any{"cidrBlock": "10.91.0.0/30", "gateway": "10.91.0.1"},
	)
	return subnet, "10.91.0.2"
}

// podWithoutAddress returns a pod with these annotations that somebody makes under the name of a deleted one, when
// there is no address for it. It has the other pod's port; own is that port's port_security.
func podWithoutAddress(t *testing.T, p person, ns string, annotations map[string]string) (pod *corev1.Pod, own string) {
	t.Helper()
	last := run(t, ns, nil)
	own = portSecurityOf(t, portOf(last))
	// It is replaced while Kube-OVN does not look, so that Kube-OVN cannot tell that this is another pod.
	back := stopComponent(t, up.KubeOVNComponent)
	deletePod(t, last)
	pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: last.Name, Annotations: annotations}, Spec: podSpec()}
	pod.Spec.SchedulerName = "nobody" // so that it can be bound
	pod, err := p.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	back()
	awaitKubeOVN(t)
	return pod, own
}

// Nobody makes Kube-OVN write the port security of a pod that has no address yet: the column would have neither an
// address nor a MAC.
func TestThreatT27BeforeTheAddress(t *testing.T) {
	p, groups := tenant(t), kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups)
	full, address := subnetWithOneAddress(t)
	onFull := map[string]string{kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): full}
	if got := allocatedPod(t, p, onFull).Annotations[ipAddress]; got != address {
		t.Fatalf("the first pod on the subnet has %s, want %s", got, address)
	}
	pod, own := podWithoutAddress(t, p, tenantNamespace, onFull)
	if got := portSecurityOf(t, portOf(pod)); got != own {
		t.Fatalf(
			"port_security %s of a pod without an address, want that of the last pod, %s: the test shows nothing",
			got,
			own,
		)
	}
	change := map[string]any{groups: "web"}
	p.tryEveryWay(t, pod, groups, change)
	mustRefuse(
		t,
		"by the status",
		mayWrite(t, "patch", "pods/status").patch(t.Context(), pod, change, "status"),
		groups,
	)
	mustRefuse(
		t,
		"by a Binding",
		mayWrite(t, "create", "pods/binding").CoreV1().Pods(tenantNamespace).Bind(t.Context(), &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{
				Name:        pod.Name,
				Annotations: map[string]string{groups: "web"},
			},
			Target: corev1.ObjectReference{Kind: "Node", Name: "node1"},
		}, metav1.CreateOptions{}),
		groups,
	)
	if err := p.patch(t.Context(), pod, map[string]any{"example.com/note": "x"}); err != nil {
		t.Errorf("what Kube-OVN does not read: %v", err)
	}
	awaitKubeOVN(t)
	if got := portSecurityOf(t, portOf(pod)); got != own {
		t.Errorf("port_security is %q, and was %q", got, own)
	}

	// With an address it may have the same annotations as other pods.
	later := allocatedPod(t, p, nil)
	if err := p.patch(t.Context(), later, change); err != nil {
		t.Errorf("once there is an address: %v", err)
	}
	awaitKubeOVN(t)
	strictInOVN(t, later.Namespace, later.Name)
}

// Any change of a pod that shares a Vip makes Kube-OVN write the ports of all pods that share it, without a request to
// admission. Repair corrects the result.
func TestThreatT27SharedVip(t *testing.T) {
	ns, _ := repairNamespace(t)
	full, address := subnetWithOneAddress(t)
	vip, its := makeVipOn(t, full, ns)
	if its != address {
		t.Fatalf("the Vip has %s, want %s", its, address)
	}
	admin(t).awaitMayShare(t, ns, vip)
	sibling := run(t, ns, map[string]string{kubeovn.AAPs: vip})
	pod, own := podWithoutAddress(
		t,
		admin(t),
		ns,
		map[string]string{kubeovn.AAPs: vip, kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): full},
	)

	port, shared := portOf(pod), strings.Replace(own, `"]`, " "+address+`"]`, 1)
	eventually(
		t,
		"repair to give the port the Vip",
		func() (bool, error) { return portSecurityOf(t, port) == shared, nil },
	)
	before := len(changes(t, port))
	if err := admin(t).patch(t.Context(), sibling, map[string]any{"example.com/note": "x"}); err != nil {
		t.Fatal(err)
	}
	var list []journal.Entry
	eventually(t, "the port to be put right", func() (bool, error) {
		list = changes(t, port)
		return len(list) > before && list[len(list)-1].Outcome == journal.Written, nil
	})
	if was := list[len(list)-1].Before.PortSecurity; was == nil || !slices.Equal(*was, []string{address}) {
		t.Errorf("port_security was %v, want %q, which has no MAC: the test shows nothing", was, address)
	}
	if got := portSecurityOf(t, port); got != shared {
		t.Errorf("port_security %s, want %s", got, shared)
	}
}
