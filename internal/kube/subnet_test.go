package kube

import (
	"net/netip"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// An unreadable selector binds the subnet to no namespace, and does not open it.
func TestNamespaceSelectorsOfSubnet(t *testing.T) {
	type object = map[string]any
	bank := object{"matchLabels": object{"team": "bank"}}
	for name, c := range map[string]struct {
		selectors    any
		bank, others bool
	}{
		"none":       {nil, true, true},
		"empty list": {[]any{}, true, true},
		"labels":     {[]any{bank}, true, false},
		"expressions": {
			[]any{object{"matchExpressions": []any{object{"key": "team", "operator": "Exists"}}}}, true, false,
		},
		"one of two": {[]any{object{"matchLabels": object{"x": "y"}}, bank}, true, false},
		"all":        {[]any{object{}}, true, true},
		"unknown operator": {
			[]any{object{"matchExpressions": []any{object{"key": "team", "operator": "Near"}}}}, false, false,
		},
		"another type": {[]any{object{"matchLabels": "team=bank"}}, false, false},
		"no selector":  {[]any{"team=bank"}, false, false},
		"no list":      {"team=bank", false, false},
		"one besides":  {[]any{"team=bank", bank}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			spec := object{}
			if c.selectors != nil {
				spec["namespaceSelectors"] = c.selectors
			}
			s := SubnetOf(&unstructured.Unstructured{Object: object{"metadata": object{"name": "vault"}, "spec": spec}})
			inv := inventory.New()
			if got := inv.Usable(
				s,
				policy.Namespace{Name: "b", Labels: map[string]string{"team": "bank"}},
			); got != c.bank {
				t.Errorf("usable for the bank: %v", got)
			}
			if got := inv.Usable(s, policy.Namespace{Name: "o"}); got != c.others {
				t.Errorf("usable for others: %v", got)
			}
		})
	}
}

// The default VPC is for every namespace, whatever it lists.
func TestNamespacesOfVPC(t *testing.T) {
	type object = map[string]any
	for name, c := range map[string]struct {
		vpc  object
		want int
	}{
		"listed":     {object{"metadata": object{"name": "own"}, "spec": object{"namespaces": []any{"bank"}}}, 1},
		"not listed": {object{"metadata": object{"name": "own"}, "spec": object{}}, 0},
		"another default": {
			object{
				"metadata": object{"name": "router"}, "spec": object{"namespaces": []any{"bank"}},
				"status": object{"default": true},
			},
			0,
		},
		"not the default": {
			object{
				"metadata": object{"name": "own"}, "spec": object{"namespaces": []any{"bank"}},
				"status": object{"default": false},
			},
			1,
		},
		"of another type": {object{"metadata": object{"name": "own"}, "spec": object{"namespaces": "bank"}}, 0},
	} {
		if got := VPCOf(&unstructured.Unstructured{Object: c.vpc}); len(got.Namespaces) != c.want || got.Name == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Routes are read with what they match and each next hop that is an address.
func TestRoutesOfVPC(t *testing.T) {
	type object = map[string]any
	vpc := object{
		"metadata": object{"name": "own"}, "status": object{"default": true},
		"spec": object{
			"staticRoutes": []any{
				object{"cidr": "192.0.2.0/24", "nextHopIP": "10.16.0.9"}, object{"cidr": "192.0.3.0/24"}, "no object",
			},
			"policyRoutes": []any{
				object{"match": "ip4.src == 10.0.0.0/8", "action": "reroute", "nextHopIP": "10.16.0.7, 10.16.0.8"},
				object{"match": "ip4", "action": "drop", "nextHopIP": "none"},
			},
		},
	}
	want := []inventory.Route{
		{Matches: "192.0.2.0/24", NextHop: netip.MustParseAddr("10.16.0.9")},
		{Matches: "ip4.src == 10.0.0.0/8", NextHop: netip.MustParseAddr("10.16.0.7")},
		{Matches: "ip4.src == 10.0.0.0/8", NextHop: netip.MustParseAddr("10.16.0.8")},
	}
	if got := VPCOf(&unstructured.Unstructured{Object: vpc}).Routes; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
