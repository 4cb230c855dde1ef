package governance

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// withVault adds subnets that select namespaces by labels, and a subnet in a VPC for the bank.
func withVault(g *fedGuard) *fedGuard {
	g.feed(func(inv *inventory.Inventory) {
		inv.SetSubnet(inventory.Subnet{Name: "vault", Selectors: []policy.Selector{labelled("team", "bank")}})
		inv.SetSubnet(inventory.Subnet{Name: "rest", Selectors: []policy.Selector{labelled("team", "")}})
		inv.SetSubnet(inventory.Subnet{Name: "safe", VPC: "safe"})
		inv.SetVPC(inventory.VPC{Name: "safe", Namespaces: []string{"bank"}})
	})
	return g
}

// Kube-OVN binds a subnet to every namespace with labels that it selects, so that a label has the same effect as the
// annotation of the namespace.
func TestThreatT17NamespaceSelectsASubnet(t *testing.T) {
	type keys = map[string]string
	for name, c := range map[string]struct {
		old, now keys // old is nil for a creation
		words    []string
	}{
		"labelled": {
			keys{}, keys{"label:team": "bank"}, []string{"metadata.labels", "subnet vault", `"exempt"`},
		},
		"created so":         {nil, keys{"label:team": "bank"}, []string{"subnet vault", `"exempt"`}},
		"labelled otherwise": {keys{}, keys{"label:x": "y"}, nil},
		"created otherwise":  {nil, keys{"label:x": "y"}, nil},
		"had the label":      {keys{"label:team": "bank"}, keys{"label:team": "bank", "label:x": "y"}, nil},
		"gives it up": {
			keys{"label:team": "bank", "ovn.kubernetes.io/logical_switch": "rest"},
			keys{"ovn.kubernetes.io/logical_switch": "rest"},
			nil,
		},
		"is picked for none": {keys{"label:team": "bank"}, keys{}, []string{"subnet rest", `"exempt"`}},
		"noted by Kube-OVN": {
			keys{"ovn.kubernetes.io/logical_switch": "vault"},
			keys{"ovn.kubernetes.io/logical_switch": "vault", "label:team": "bank"},
			nil,
		},
		"no label is changed": {keys{}, keys{"a": "b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var old any
			if c.old != nil {
				old = namespace("shop", c.old)
			}
			req := request(t, "namespaces", namespace("shop", c.now), old)
			a, err := withVault(guardOf(&tableCluster{})).Namespace(t.Context(), req)
			expect(t, a, err, c.words...)
			a, err = withVault(
				guardOf(&tableCluster{rights: []string{"alice exempt namespaces.ovnguard.io /shop"}}),
			).Namespace(t.Context(), req)
			expect(t, a, err)
			if used := a.Notes["exempt"] != ""; used != (c.words != nil) {
				t.Errorf("the audit annotations say that the right was used: %v", used)
			}
		})
	}
}

func TestThreatT07VipSubnetBySelector(t *testing.T) {
	with := func(subnet string, ns policy.Namespace, words ...string) {
		t.Helper()
		c := honouring()
		c.rights = []string{"alice create pods. shop/"}
		ns.Name = "shop"
		c.namespaces = map[string]policy.Namespace{"shop": ns}
		a, err := withVault(
			guardOf(c),
		).Vip(t.Context(), vipRequest(t, "mine", object{"namespace": "shop", "subnet": subnet}, nil))
		expect(t, a, err, words...)
	}
	bank := map[string]string{"team": "bank"}
	with("vault", policy.Namespace{}, "spec.subnet", "subnet vault is not for namespace shop", "Subnet vault")
	with("vault", policy.Namespace{Labels: bank})
	with("vault", policy.Namespace{Annotations: map[string]string{"ovn.kubernetes.io/logical_switch": "x,vault"}})
	with("rest", policy.Namespace{})
	with("rest", policy.Namespace{Labels: bank}, "subnet rest")
	with("rest", policy.Namespace{Err: errors.New("timeout")}, "subnet rest")
	with("safe", policy.Namespace{Labels: bank}, "spec.subnet", "Vpc safe")
	with("ovn-default", policy.Namespace{Err: errors.New("timeout")})
}

// Pods that run a machine have ports with its name, whoever makes them.
func TestThreat22MachineNamesGoverned(t *testing.T) {
	for _, resource := range []string{"virtualmachines", "virtualmachineinstances"} {
		for name, words := range map[string][]string{
			"x.bank.blue.lab.ovn": {"metadata.name", "x.bank.blue.lab.ovn.shop", "without dots"}, "vm": nil,
			"my.vm": nil,
		} {
			a, err := guardOf(
				honouring(),
			).Machine(t.Context(), calledSo(t, machineRequest(t, resource, nil, nil), name))
			expect(t, a, err, words...)
			// An existing one can still be changed.
			a, err = guardOf(
				honouring(),
			).Machine(t.Context(), calledSo(t, machineRequest(t, resource, map[string]string{"a": "b"},
				map[string]string{}), name))
			expect(t, a, err)
		}
	}
	// A warning says what its launchers would be refused for.
	a, err := guardOf(
		honouring(),
	).Machine(t.Context(), calledSo(t, machineRequest(t, "virtualmachines", map[string]string{"a": "b"}, nil), "web-0"))
	expect(t, a, err)
	said := false
	for _, w := range a.Warnings {
		said = said || strings.Contains(w, "web-0.shop, and that name is taken by a port of pod shop/web-0")
	}
	if !said {
		t.Errorf("warnings %q", a.Warnings)
	}
}

// calledSo returns the request for an object with another name.
func calledSo(t *testing.T, req *admissionv1.AdmissionRequest, name string) *admissionv1.AdmissionRequest {
	t.Helper()
	req.Name = name
	for _, raw := range []*runtime.RawExtension{&req.Object, &req.OldObject} {
		if raw.Raw == nil {
			continue
		}
		var o object
		if err := json.Unmarshal(raw.Raw, &o); err != nil {
			t.Fatal(err)
		}
		metadata, ok := o["metadata"].(map[string]any)
		if !ok {
			metadata = map[string]any{}
		}
		metadata["name"], o["metadata"] = name, metadata
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		raw.Raw = text
	}
	return req
}
