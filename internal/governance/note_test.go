package governance

import (
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// notes returns the entries of an answer to the request in the audit log.
func notes(t *testing.T, judge Judge, req *admissionv1.AdmissionRequest) map[string]string {
	t.Helper()
	return handlerOf(judge).Handle(t.Context(), ctrladmission.Request{AdmissionRequest: *req}).AuditAnnotations
}

// For every request about an object that governs ports, the audit log has its policy, the decision, and the objections.
func TestEveryAnswerIsNoted(t *testing.T) {
	with := func(rights ...string) *fedGuard {
		c := honouring()
		c.policies, c.rights = append(c.policies, policiesOfTests()[1]), rights
		return guardOf(c)
	}
	policyOf := func(level v1alpha1.Level) *v1alpha1.PortSecurityPolicy {
		return &v1alpha1.PortSecurityPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "mine"},
			Spec:       v1alpha1.PortSecurityPolicySpec{Level: level},
		}
	}
	broken := policyOf(v1alpha1.LevelStrict)
	broken.Spec.NamespaceSelector = &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Has"}},
	}
	approving := honouring(func(p *policy.Policy) { p.Approval = true })
	exempt := "alice exempt namespaces.ovnguard.io /shop"
	shop := namespace("shop", nil)
	cases := map[string]struct {
		judge                       Judge
		req                         *admissionv1.AdmissionRequest
		policy, decision, violation string
	}{
		"a namespace": {
			with().Namespace,
			request(t, "namespaces", namespace("shop", map[string]string{"a": "1"}), shop),
			"PortSecurityPolicy all",
			"strict",
			"",
		},
		"a new namespace": {
			with().Namespace,
			request(t, "namespaces", namespace("shop", nil), nil),
			"PortSecurityPolicy all",
			"strict",
			"",
		},
		"a namespace that may not loosen": {
			with().Namespace,
			request(t, "namespaces", namespace("shop", map[string]string{ps: "false"}), shop),
			"PortSecurityPolicy all",
			"strict",
			"open instead of strict",
		},
		"a namespace that may": {
			with(exempt).Namespace,
			request(t, "namespaces", namespace("shop", map[string]string{ps: "false"}), shop),
			"PortSecurityPolicy all",
			"open",
			"",
		},
		"a namespace that moves": {
			with(exempt).Namespace,
			request(t, "namespaces", namespace("shop", map[string]string{"label:tier": "edge"}), shop),
			"PortSecurityPolicy loose",
			"mac",
			"",
		},
		"a namespace with garbage": {
			with().Namespace,
			request(t, "namespaces", namespace("shop", map[string]string{ps: "flase"}), shop),
			"PortSecurityPolicy all",
			"strict",
			"flase",
		},
		"a namespace under no policy": {
			guardOf(&tableCluster{}).Namespace,
			request(t, "namespaces", namespace("shop", nil), nil),
			"the built-in default",
			"strict",
			"",
		},
		"a namespace that nobody can judge": {
			guardOf(&tableCluster{policyErr: errors.New("no answer")}).Namespace,
			request(t, "namespaces", namespace("shop", map[string]string{ps: "false"}), shop),
			"",
			"unknown",
			"no answer",
		},
		"a policy": {
			with().Policy,
			request(t, "portsecuritypolicies.ovnguard.io", policyOf(v1alpha1.LevelMAC), nil),
			"PortSecurityPolicy mine",
			"mac",
			"",
		},
		"a policy that goes": {
			with().Policy,
			request(t, "portsecuritypolicies.ovnguard.io", nil, policyOf("")),
			"PortSecurityPolicy x",
			"gone",
			"",
		},
		"while a policy cannot be read": {
			with().Policy,
			request(t, "portsecuritypolicies.ovnguard.io", broken, nil),
			"PortSecurityPolicy mine",
			"refused",
			"namespaceSelector",
		},
		"an exception": {
			with().Exception,
			request(t, exceptions, asked(), nil),
			"PortSecurityPolicy all",
			"InEffect",
			"",
		},
		"an exception that waits": {
			guardOf(approving).Exception,
			request(t, exceptions, asked(), nil),
			"PortSecurityPolicy all",
			"NotApproved",
			"",
		},
		"an exception that is too wide": {
			with().Exception,
			request(t, exceptions, asked(pairs(v1alpha1.AddressPair{Prefix: "0.0.0.0/0"})), nil),
			"PortSecurityPolicy all",
			"refused",
			"/24",
		},
		"a machine": {
			with().Machine,
			machineRequest(t, "virtualmachines", map[string]string{"a": "1"}, nil),
			"PortSecurityPolicy all",
			"strict",
			"",
		},
		"a machine with another's port": {
			with().Machine,
			machineRequest(t, "virtualmachines", map[string]string{"kubevirt.io/migrationJobName": "x"}, nil),
			"PortSecurityPolicy all",
			"strict",
			"migrationJobName",
		},
		"a template whose networks are odd": {
			with().Workload,
			workloadRequest(t, "Deployment", map[string]string{"k8s.v1.cni.cncf.io/networks": "["}, nil),
			"PortSecurityPolicy all",
			"strict",
			"networks",
		},
		"a template that asks to be open": {
			with().Workload,
			workloadRequest(t, "Deployment", map[string]string{ps: "false"}, nil),
			"PortSecurityPolicy all",
			"strict",
			ps,
		},
		"what is no review": {
			with().Policy,
			request(t, "pods", object{}, nil),
			"",
			"unknown",
			"does not answer",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := notes(t, c.judge, c.req)
			if got[admission.NotePolicy] != c.policy || got[admission.NoteDecision] != c.decision ||
				!strings.Contains(
					got[admission.NoteViolation],
					c.violation,
				) || (got[admission.NoteViolation] != "") != (c.violation != "") {
				t.Errorf(
					"noted %q, want policy %q, decision %q, a violation with %q",
					got,
					c.policy,
					c.decision,
					c.violation,
				)
			}
		})
	}
}

// Long text of authors does not fill the audit log.
func TestNotesAreShort(t *testing.T) {
	got := notes(
		t,
		guardOf(honouring()).Namespace,
		request(
			t,
			"namespaces",
			namespace("shop", map[string]string{ps: strings.Repeat("€", 60_000)}),
			namespace("shop", nil),
		),
	)
	noted := got[admission.NoteViolation]
	if n := len(noted); n == 0 || n > 2100 || !strings.HasSuffix(noted, "...") {
		t.Errorf("a violation of %d bytes was noted", n)
	}
}
