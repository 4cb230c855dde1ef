package admission

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// A program that has just started, or may not read some kind, takes nothing for free only because it does not know the
// holder. Pods that ask for nothing are still made strict.
func TestThreat28NotReadYet(t *testing.T) {
	named := pod()
	named.Metadata.Name = "vm1"
	for name, c := range map[string]struct {
		pod    Pod
		unread []inventory.Kind
		word   string
	}{
		"a gateway's address":   {pod(ip, "10.16.0.1"), inventory.Holding, "Subnet.kubeovn.io"},
		"a neighbour's address": {pod(ip, "10.16.0.5"), []inventory.Kind{inventory.Records}, "IP.kubeovn.io"},
		"a node's address":      {pod(ip, "172.18.0.2"), []inventory.Kind{inventory.Nodes}, "Node"},
		"a neighbour's MAC": {
			pod(hw, "0a:00:00:00:00:05"), []inventory.Kind{inventory.Records}, "IP.kubeovn.io",
		},
		"a foreign pool": {
			pod("ovn.kubernetes.io/ip_pool", "their-pool"), []inventory.Kind{inventory.Pools}, "IPPool.kubeovn.io",
		},
		"a foreign switch": {pod(lsp, "theirs"), []inventory.Kind{inventory.Subnets}, "Subnet.kubeovn.io"},
		"a foreign network": {
			pod(networks, "u/blue"), []inventory.Kind{inventory.Subnets}, "Subnet.kubeovn.io",
		},
		"a network, by a policy": {
			pod(networks, "u/green"), []inventory.Kind{inventory.Policies}, "PortSecurityPolicy.ovnguard.io",
		},
		"an address of a network": {
			pod(networks, `[{"name":"green","namespace":"u","ips":["10.16.0.5"]}]`),
			[]inventory.Kind{inventory.Records},
			"IP.kubeovn.io",
		},
		"a foreign Vip": {
			pod(kubeovn.AAPs, "foreign"), []inventory.Kind{inventory.Vips}, "Vip.kubeovn.io",
		},
		"an address by an exception": {
			pod(vips, "192.0.2.1"), []inventory.Kind{inventory.Exceptions}, "PortSecurityException.ovnguard.io",
		},
		"the name of a machine":  {named, []inventory.Kind{inventory.Records}, "IP.kubeovn.io"},
		"the name of a launcher": {named, []inventory.Kind{inventory.Pods}, "Pod"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene()
			s.inventory = inventory.New()
			for _, k := range c.unread {
				s.inventory.Expect(k)
			}
			if _, refused := create(
				t,
				s,
				tenant,
				c.pod,
			); !strings.Contains(refused, c.word) ||
				!strings.Contains(refused, "try again") {
				t.Errorf("refused with %q, want %s to be named and to try again", refused, c.word)
			}
			// After the kind has been read, the pod is judged.
			for _, k := range c.unread {
				s.inventory.Heard(k)
			}
			if _, refused := create(t, s, tenant, c.pod); strings.Contains(refused, "try again in") {
				t.Errorf("still refused with %q", refused)
			}
		})
	}
}

// A pod that asks for nothing, under a name from the API server, does not have to wait.
func TestNotReadYetKeepsNoOrdinaryPod(t *testing.T) {
	s := newScene()
	s.inventory = inventory.New()
	for _, k := range append(inventory.Holding, inventory.Pods, inventory.Pools, inventory.Policies,
		inventory.Exceptions) {
		s.inventory.Expect(k)
	}
	p := Pod{Metadata: Metadata{Annotations: map[string]string{}}}
	req := request(tenant, admissionv1.Create, "")
	req.Object = raw(t, &p)
	r := ask(t, s, MutatePods, req)
	p.Metadata.Annotations = patched(t, nil, r)
	p.Metadata.Name = "web-x7k2p"
	if refused := guard(t, s, tenant, &p); !r.Allowed || refused != "" || p.Metadata.Annotations[ps] != "true" {
		t.Errorf("allowed %v, refused %q, annotations %v", r.Allowed, refused, p.Metadata.Annotations)
	}
	if text := strings.Join(r.Warnings, " "); !strings.Contains(text, string(inventory.Policies)) {
		t.Errorf("warnings %q", r.Warnings)
	}
	if got := policy.ReadRecord(p.Metadata.Annotations)[kubeovn.DefaultProvider]; got.Named {
		t.Errorf("recorded as named: %+v", got)
	}
}
