//go:build integration

package e2e

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// mustDrop sends these frames from a pod that asked for nothing, in a namespace without annotations. The forged ones
// must not arrive, and from a pod that is rightly open they must, which shows that port security drops them.
func mustDrop(t *testing.T, make func(from, to, neighbour *scene.Actor) ([]scene.Probe, error)) {
	t.Helper()
	applyDual(t)
	strict, open := namespace(t, nil), namespace(t, map[string]string{portSecurity: "false"})
	to, neighbour := openActor(t, strict), openActor(t, strict)
	for _, from := range []*scene.Actor{openActor(t, strict), openActor(t, open)} {
		probes, err := make(from, to, neighbour)
		if err != nil {
			t.Fatal(err)
		}
		mayForge := strings.HasSuffix(from.Port, "."+open)
		for _, p := range probes {
			if passed, err := p.Send(t.Context(), from, to); err != nil || passed != (mayForge || !p.Forged) {
				t.Errorf("%s from %s: passed %v, %v", p.Name, from.Port, passed, err)
			}
		}
	}
}

// only keeps the probes with these names.
func only(probes []scene.Probe, err error, words ...string) ([]scene.Probe, error) {
	return slices.DeleteFunc(probes, func(p scene.Probe) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(p.Name, w) })
	}), err
}

// A pod that asks for nothing at all is bound to its MAC and addresses.
func TestThreatT01NothingAsked(t *testing.T) {
	mustDrop(t, func(from, to, neighbour *scene.Actor) ([]scene.Probe, error) {
		return scene.Probes(from, to, neighbour)
	})
}

// NetworkPolicies let everything from a node's address pass.
func TestThreatT13NodeAddress(t *testing.T) {
	nodes, err := world.Kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var addresses []netip.Addr
	for _, node := range nodes.Items {
		for _, a := range node.Status.Addresses {
			if ip, err := netip.ParseAddr(a.Address); err == nil {
				addresses = append(addresses, ip)
			}
		}
	}
	if len(addresses) == 0 {
		t.Fatal("no node has an address")
	}
	mustDrop(t, func(from, to, _ *scene.Actor) (probes []scene.Probe, err error) {
		for _, a := range addresses {
			p, err := scene.Forwarded(from, to, a)
			if err != nil {
				return nil, err
			}
			probes = append(probes, p)
		}
		return probes, nil
	})
}

// Security groups and private subnets let their members' addresses pass.
func TestThreatT14MembersAddress(t *testing.T) {
	mustDrop(t, func(from, to, neighbour *scene.Actor) ([]scene.Probe, error) {
		four, err := scene.Probes(from, to, neighbour)
		if err != nil {
			return nil, err
		}
		six, err := scene.Probes6(from, to, neighbour)
		return only(append(four, six...), err, "neighbour's IP")
	})
}

// No security group checks ARP and neighbour discovery.
func TestThreatT15ForgedNeighbours(t *testing.T) {
	mustDrop(t, func(from, to, neighbour *scene.Actor) ([]scene.Probe, error) {
		four, err := scene.Probes(from, to, neighbour)
		if err != nil {
			return nil, err
		}
		six, err := scene.Probes6(from, to, neighbour)
		return only(append(four, six...), err, "ARP", "neighbour advertisement")
	})
}

// A leftover of layer-2 forwarding that nothing asks for any more is removed from the row.
func TestThreatT05StaleUnknown(t *testing.T) {
	ns, _ := repairNamespace(t)
	pod := run(t, ns, nil)
	before := northboundRows(t)
	asked, err := tenant(t).dryRun(t.Context(), tenantNamespace, map[string]string{layer2Forward: "true"})
	if err == nil && asked.Annotations[layer2Forward] == "true" {
		t.Error("a tenant's pod was given layer-2 forwarding")
	}
	nbctl(t, "add", "logical_switch_port", portOf(pod), "addresses", "unknown")
	t.Logf("taken out after %s", awaitUnchanged(t, before))
}

// Accounts that make pods for others are not exempt: a tenant's ReplicaSet gets nothing that the tenant would not get.
func TestThreat38ControllersAreNotExempt(t *testing.T) {
	sets := tenant(t).AppsV1().ReplicaSets(tenantNamespace)
	for key, want := range map[string]string{
		kubeovn.DefaultProvider.Key(kubeovn.Allocated): "Kube-OVN writes this annotation itself",
		kubeovn.DefaultProvider.Key(kubeovn.Routed):    "Kube-OVN writes this annotation itself",
		portVIPs: "Vip",
	} {
		value := map[string]string{portVIPs: "10.16.0.1"}[key]
		if value == "" {
			value = "true"
		}
		name := unique("set")
		set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"set": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      map[string]string{"set": name},
					Annotations: map[string]string{key: value},
				},
				Spec: podSpec(),
			},
		}}
		if _, err := sets.Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := tenant(
				t,
			).AppsV1().
				ReplicaSets(tenantNamespace).
				Delete(cleanup(t), name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
		var said string
		eventually(t, "the ReplicaSet to say that its pod is refused", func() (bool, error) {
			now, err := sets.Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			for _, c := range now.Status.Conditions {
				if c.Type == appsv1.ReplicaSetReplicaFailure {
					said = c.Message
				}
			}
			return said != "", nil
		})
		if !strings.Contains(said, "ovnguard") || !strings.Contains(said, key) || !strings.Contains(said, want) {
			t.Errorf("%s: %s", key, said)
		}
		pods, err := world.Kube.CoreV1().
			Pods(tenantNamespace).
			List(t.Context(), metav1.ListOptions{LabelSelector: "set=" + name})
		if err != nil || len(pods.Items) > 0 {
			t.Errorf("%s: %d pods were made, %v", key, len(pods.Items), err)
		}
	}
}

// A NIC that OVN does not make has no port that restricts it: a finding names its pod.
func TestThreat12NICOutsideOVN(t *testing.T) {
	ns := namespace(t, nil)
	if err := world.Apply(t.Context(), []byte(strings.ReplaceAll(networks, "NAMESPACE", ns))); err != nil {
		t.Fatal(err)
	}
	before := standing(t, "OVG024")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        unique("pod"),
			Namespace:   ns,
			Annotations: map[string]string{kubeovn.Networks: "outside"},
		},
		Spec: podSpec(),
	}
	pod.Spec.NodeSelector = map[string]string{"example.org/nowhere": "true"}
	if _, err := admin(t).CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deletePod(t, pod) })
	eventually(t, "OVG024 in the metrics", func() (bool, error) { return standing(t, "OVG024") > before, nil })
	if !slices.ContainsFunc(audit(t).Findings, func(f finding) bool {
		return f.Rule == "OVG024" && f.Namespace == ns && f.Pod == pod.Name && strings.Contains(f.Message, "outside")
	}) {
		t.Error("ovnguard audit does not name the pod with its network")
	}
	deletePod(t, pod)
	eventually(t, "OVG024 to be gone", func() (bool, error) { return standing(t, "OVG024") == before, nil })
}
