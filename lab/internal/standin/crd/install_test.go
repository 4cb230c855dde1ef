package crd

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestDefinitions shows that each resource that the stand-in watches, or tests make, is defined, in the version that it
// asks for.
func TestDefinitions(t *testing.T) {
	list, err := decode(definitions)
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]*unstructured.Unstructured{}
	for _, d := range list {
		defined[d.GetName()] = d
	}
	want := []schema.GroupVersionResource{
		Subnets,
		VPCs,
		IPs,
		Vips,
		IPPools,
		Vlans,
		SecurityGroups,
		NATGateways,
		EgressGateways,
		NADs,
	}
	if len(defined) != len(want) {
		t.Errorf("%d definitions, want %d", len(defined), len(want))
	}
	for _, r := range want {
		d := defined[r.Resource+"."+r.Group]
		if d == nil {
			t.Errorf("%s is not defined", r)
			continue
		}
		versions, _, err := unstructured.NestedSlice(d.Object, "spec", "versions")
		if err != nil || len(versions) != 1 {
			t.Errorf("%s: versions %v, %v", r, versions, err)
			continue
		}
		if v, ok := versions[0].(map[string]any); !ok || v["name"] != r.Version {
			t.Errorf("%s: version %v", r, versions[0])
		}
		if IsEstablished(d) {
			t.Errorf("%s is established before anybody served it", r)
		}
	}
}

func TestIsOVN(t *testing.T) {
	for provider, want := range map[string]bool{
		"": true, "ovn": true, "nad.ns.ovn": true, "macvlan.ns": false, "ovn.ns": false,
	} {
		if got := (&Subnet{Spec: SubnetSpec{Provider: provider}}).IsOVN(); got != want {
			t.Errorf("provider %q: %v, want %v", provider, got, want)
		}
	}
}
