package kube

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

const networkPoliciesYAML = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {tier: front}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicyList
items:
- metadata:
    name: web
    namespace: shop
    labels: {a: b}
    annotations:
      ovn.kubernetes.io/network_policy_for: shop/blue
      kubectl.kubernetes.io/last-applied-configuration: "{}"
  spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}
- metadata: {name: db, namespace: shop}
  spec: {podSelector: {}}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: all}
spec: {tier: Admin, priority: 5, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
status: {conditions: []}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: old}
spec: {priority: 7, subject: {namespaces: {}}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: shop}
spec:
  initContainers:
  - {name: once, ports: [{name: never, containerPort: 1}]}
  - {name: sidecar, restartPolicy: Always, ports: [{name: proxy, containerPort: 15001}]}
  containers:
  - name: c
    ports: [{name: http, containerPort: 8080}, {containerPort: 9}, {name: dns, containerPort: 53, protocol: UDP}]
`

// Policies of what pods may reach, and the named ports of pods, are read from files as they are from the server.
func TestNetworkPolicies(t *testing.T) {
	f := NewFiles(func([]byte) {})
	if err := f.Read(strings.NewReader(networkPoliciesYAML)); err != nil {
		t.Fatal(err)
	}
	inv := inventory.New()
	filled, err := f.Fill(inv)
	if err != nil || len(filled.Bad) > 0 {
		t.Fatal(err, filled.Bad)
	}
	got := NetworkPoliciesOf(inv.Snapshot())
	if len(got.NetworkPolicies) != 2 || got.NetworkPolicies[0].Name != "db" || len(got.ClusterNetworkPolicies) != 1 ||
		len(got.AdminNetworkPolicies) != 1 ||
		got.BaselineAdminNetworkPolicies != nil {
		t.Fatalf("%+v", got)
	}
	web := got.NetworkPolicies[1]
	if web.Spec.Ingress[0].Ports[0].Port.StrVal != "http" || web.Labels != nil || len(web.Annotations) != 1 ||
		web.Annotations["ovn.kubernetes.io/network_policy_for"] != "shop/blue" {
		t.Errorf("%+v", web)
	}
	if p := got.ClusterNetworkPolicies[0].Spec; p.Priority != 5 || len(p.Ingress) != 1 {
		t.Errorf("%+v", p)
	}
	if diff := cmp.Diff(
		[]inventory.Kind{inventory.BaselineNetworkPolicies},
		inv.Unread(inventory.NetworkPolicies, inventory.ClusterNetworkPolicies, inventory.BaselineNetworkPolicies),
	); diff != "" {
		t.Errorf("kinds that the files lack (-want +got):\n%s", diff)
	}
	want := []inventory.NamedPort{
		{Name: "proxy", Protocol: "TCP", Number: 15001},
		{Name: "http", Protocol: "TCP", Number: 8080},
		{Name: "dns", Protocol: "UDP", Number: 53},
	}
	if diff := cmp.Diff(want, podOf(t, networkPoliciesYAML).Ports); diff != "" {
		t.Errorf("named ports of the API's type (-want +got):\n%s", diff)
	}
	raw, err := yaml.YAMLToJSON([]byte(lastDocument(networkPoliciesYAML)))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := decodePod(raw); err != nil || !cmp.Equal(e.fact, any(podOf(t, networkPoliciesYAML))) {
		t.Errorf("a pod of a file is %+v, %v", e, err)
	}

	kept, before := inv.Snapshot(), inv.NetworkPolicyRevision()
	inv.DeleteNetworkPolicy(inventory.NetworkPolicyKey{Kind: inventory.NetworkPolicies, Namespace: "shop", Name: "db"})
	if inv.NetworkPolicyRevision() == before || len(NetworkPoliciesOf(&inv.State).NetworkPolicies) != 1 ||
		len(NetworkPoliciesOf(kept).NetworkPolicies) != 2 {
		t.Error("a policy that went is still there, or gone from what was")
	}
}

// What an export keeps of a pod has its named ports.
func TestKeptPorts(t *testing.T) {
	var u unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(lastDocument(networkPoliciesYAML)), &u.Object); err != nil {
		t.Fatal(err)
	}
	kept := Keep(&u)
	raw, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	e, err := decodePod(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		podOf(t, networkPoliciesYAML).Ports,
		e.fact.(*inventory.Pod).Ports,
	); diff != "" { //nolint:forcetypeassert // it is
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func lastDocument(text string) string { return text[strings.LastIndex(text, "---\n")+4:] }

func podOf(t *testing.T, text string) *inventory.Pod {
	t.Helper()
	var p corev1.Pod
	if err := yaml.Unmarshal([]byte(lastDocument(text)), &p); err != nil {
		t.Fatal(err)
	}
	return PodOf(&p)
}
