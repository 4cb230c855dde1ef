package kube

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestGatewayOf(t *testing.T) {
	policies := []any{
		map[string]any{"snat": true, "ipBlocks": []any{"10.1.0.0/24"}, "subnets": []any{"masqueraded"}},
		map[string]any{
			"snat":     false,
			"ipBlocks": []any{"10.2.0.1/24", "10.3.0.7", "rubbish"},
			"subnets":  []any{"apps"},
		},
		"rubbish",
	}
	selectors := []any{map[string]any{"podSelector": map[string]any{}}}
	prefixes := func(texts ...string) (list []netip.Prefix) {
		for _, text := range texts {
			list = append(list, netip.MustParsePrefix(text))
		}
		return list
	}
	egress := policy.Owner{APIVersion: "kubeovn.io/v1", Kind: kubeovn.KindEgressGateway, Name: "g"}
	for name, c := range map[string]struct {
		spec map[string]any
		want inventory.Gateway
	}{
		"masquerades but some": {
			map[string]any{"prefix": "veg-", "policies": policies, "selectors": selectors},
			inventory.Gateway{
				Workload: "veg-g", Prefixes: prefixes("10.2.0.0/24", "10.3.0.7/32"), Subnets: []string{"apps"},
			},
		},
		"BGP": {
			map[string]any{"bgpConf": "b", "policies": policies},
			inventory.Gateway{
				Workload: "g", Prefixes: prefixes("10.1.0.0/24", "10.2.0.0/24", "10.3.0.7/32"),
				Subnets: []string{"masqueraded", "apps"},
			},
		},
		"BGP for pods by labels": {
			map[string]any{"bgpConf": "b", "selectors": selectors}, inventory.Gateway{Workload: "g", Any: true},
		},
		"pods by labels": {map[string]any{"selectors": selectors}, inventory.Gateway{Workload: "g"}},
		"rubbish":        {map[string]any{"policies": "all"}, inventory.Gateway{Workload: "g"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := object(EgressGatewayKind, "g", c.spec)
			u.SetNamespace("edge")
			c.want.Object, c.want.Namespace = egress, "edge"
			if diff := cmp.Diff(
				c.want,
				GatewayOf(u),
				cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
			); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	nat := GatewayOf(object(NATGatewayKind, "east", map[string]any{"namespace": "edge"}))
	if nat.Object.Kind != kubeovn.KindNATGateway || nat.Namespace != "edge" || nat.Workload != "" {
		t.Errorf("a NAT gateway: %+v", nat)
	}
}

// A plain reference makes a parent only if it names a gateway of Kube-OVN's.
func TestParentOf(t *testing.T) {
	ref := func(apiVersion, kind, name string, controller bool) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: "u", Controller: &controller}
	}
	for name, c := range map[string]struct {
		refs []metav1.OwnerReference
		want string
	}{
		"none": {},
		"controller": {
			[]metav1.OwnerReference{
				ref("kubeovn.io/v1", "VpcEgressGateway", "g", false), ref("apps/v1", "Deployment", "d", true),
			},
			"d",
		},
		"gateway": {
			[]metav1.OwnerReference{
				ref("v1", "Secret", "s", false), ref("kubeovn.io/v1", "VpcEgressGateway", "g", false),
			},
			"g",
		},
		"another kind":      {[]metav1.OwnerReference{ref("kubeovn.io/v1", "Vpc", "v", false)}, ""},
		"another's gateway": {[]metav1.OwnerReference{ref("evil.example/v1", "VpcEgressGateway", "g", false)}, ""},
	} {
		got := parentOf(c.refs)
		if (got == nil) != (c.want == "") || got != nil && got.Name != c.want {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
	}
}

// The objects from the API server, or from a file, lead from a pod to its gateway.
func TestGatewayFromAFile(t *testing.T) {
	const file = `
apiVersion: v1
kind: Namespace
metadata: {name: edge}
---
apiVersion: kubeovn.io/v1
kind: VpcEgressGateway
metadata: {name: veg, namespace: edge, uid: g, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {externalSubnet: outer, policies: [{snat: false, ipBlocks: [10.30.0.0/24]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: veg
  namespace: edge
  uid: d
  creationTimestamp: "2026-01-01T00:00:01Z"
  ownerReferences: [{apiVersion: kubeovn.io/v1, kind: VpcEgressGateway, name: veg, uid: g}]
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: veg-1
  namespace: edge
  uid: r
  creationTimestamp: "2026-01-01T00:00:01Z"
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: veg, uid: d, controller: true}]
---
apiVersion: v1
kind: Pod
metadata:
  name: veg-1-a
  namespace: edge
  uid: p
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: veg-1, uid: r, controller: true}]
`
	inv := inventory.New()
	if _, err := fill(file, inv); err != nil {
		t.Fatal(err)
	}
	p := inv.Port("veg-1-a.edge", metav1.Now().Time)
	if p.Passing == nil || p.Passing.Title != "VpcEgressGateway edge/veg" || !p.Passing.Any || !p.Passing.Cut {
		t.Errorf("%+v", p.Passing)
	}
}
