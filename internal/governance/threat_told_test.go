package governance

import (
	"context"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// A refusal of, or a warning about, an object that governs ports says nothing about other namespaces; the audit log has
// all of it.
func TestThreat45AnswersNameNobodyElse(t *testing.T) {
	exception := func(pair v1alpha1.AddressPair) *admissionv1.AdmissionRequest {
		return request(t, exceptions, asked(func(e *v1alpha1.PortSecurityException) {
			e.Spec.Grant = v1alpha1.Grant{Pairs: []v1alpha1.AddressPair{pair}}
		}), nil)
	}
	vipOf := func(spec vipSpec) *admissionv1.AdmissionRequest {
		return request(t, "vips.kubeovn.io", map[string]any{"metadata": map[string]any{"name": "x"}, "spec": spec}, nil)
	}
	forbids := func(mode policy.Mode) *tableCluster {
		c := honouring()
		c.policies[0].ForbidsOthers, c.policies[0].Mode = true, mode
		c.policies[0].ExceptionsIn = []string{"edge", "bank"}
		return c
	}
	network := func() *admissionv1.AdmissionRequest {
		req := request(t, "network-attachment-definitions.k8s.cni.cncf.io", map[string]any{
			"metadata": map[string]any{
				"name": "blue",
			},
			"spec": map[string]any{"config": `{"cniVersion":"0.3.1","type":"macvlan"}`},
		}, nil)
		req.Name = "blue"
		return req
	}
	others := []string{"bank", "edge", "node-1", "worker", "the gateway"}
	for name, c := range map[string]struct {
		judge   func(*Guard, context.Context, *admissionv1.AdmissionRequest) (Answer, error)
		cluster *tableCluster
		req     *admissionv1.AdmissionRequest
		said    string
		logged  string
	}{
		"a range of a grant": {
			(*Guard).Exception, honouring(), exception(v1alpha1.AddressPair{Prefix: "10.16.0.0/24"}),
			"10.16.0.1 is taken", "the gateway of subnet ovn-default",
		},
		"an address of a grant": {
			(*Guard).Exception, honouring(), exception(v1alpha1.AddressPair{Prefix: "10.16.0.200"}),
			"10.16.0.200 is taken", "Vip bank-vip",
		},
		"a node's": {
			(*Guard).Exception, honouring(), exception(v1alpha1.AddressPair{Prefix: "192.168.7.1"}),
			"192.168.7.1 is taken", "node node-1",
		},
		"a Service's": {
			(*Guard).Exception, honouring(), exception(v1alpha1.AddressPair{Prefix: "10.96.0.7"}), "10.96.0.7 is taken",
			"service bank/ledger",
		},
		"a MAC of a grant": {
			(*Guard).Exception, honouring(),
			exception(v1alpha1.AddressPair{MAC: "00:00:00:00:00:02", Prefix: "10.30.0.1"}), "is taken",
			"port web-0.bank",
		},
		"a gateway's MAC": {
			(*Guard).Exception, honouring(),
			exception(v1alpha1.AddressPair{MAC: "00:00:00:00:00:fe", Prefix: "10.30.0.1"}), "is taken",
			"the gateway of subnet ovn-default",
		},
		"a policy's namespaces": {
			(*Guard).Exception, forbids(policy.Enforce), exception(v1alpha1.AddressPair{Prefix: "10.30.0.1"}),
			"spec.exceptions.namespaces", "",
		},
		"a Vip's address": {
			(*Guard).Vip, honouring(), vipOf(vipSpec{Namespace: "shop", Subnet: "ovn-default", V4: "10.16.0.20"}),
			"10.16.0.20 is taken", "port web-0.bank",
		},
		"a Vip's MAC": {
			(*Guard).Vip, honouring(),
			vipOf(vipSpec{Namespace: "shop", Subnet: "ovn-default", MAC: "00:00:00:00:00:bb"}), "is taken",
			"Vip bank-vip",
		},
		"a network in use": {(*Guard).Attachment, forbids(policy.Enforce), network(), "pods of other " +
			"namespaces", "bank/user"},
		"a network in use, warns": {
			(*Guard).Attachment, forbids(policy.Warn), network(), "pods of other namespaces", "bank/user",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.cluster.rights = append(c.cluster.rights, "alice create pods. shop/")
			g := guardOf(c.cluster)
			g.feed(func(inv *inventory.Inventory) {
				inv.SetPod(&inventory.Pod{
					PodKey: inventory.PodKey{
						Namespace: "bank",
						Name:      "user",
					},
					Owner:       "user",
					Attachments: []kubeovn.Attachment{{Namespace: "shop", Name: "blue"}},
				})
			})
			h := handlerOf(func(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
				return c.judge(g.Guard, ctx, req)
			})
			r := h.Handle(t.Context(), ctrladmission.Request{AdmissionRequest: *c.req})
			told := r.Result.Message + "\n" + strings.Join(r.Warnings, "\n")
			if !strings.Contains(told, c.said) ||
				slices.ContainsFunc(others, func(name string) bool { return strings.Contains(told, name) }) {
				t.Errorf("whoever asked is told\n%s\nwant %q in it, and none of %q", told, c.said, others)
			}
			if logged := r.AuditAnnotations["violation"]; logged == "" || !strings.Contains(logged, c.logged) {
				t.Errorf("the audit log has\n%s\nwhich lacks %q", logged, c.logged)
			}
		})
	}
}
