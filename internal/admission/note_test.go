package admission

import (
	"strings"
	"testing"
	"unicode/utf8"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// For every review of a pod the audit log has the pod's policy, the decision and the objections, in every mode.
func TestEveryReviewOfAPodIsNoted(t *testing.T) {
	type maker = func(World) Judge
	mutating, guarding := MutatePods, GuardPods
	granted := pod(vips, "10.16.0.5")
	cases := map[string]struct {
		make       maker
		operation  admissionv1.Operation
		sub        string
		object     Pod
		old        *Pod
		violations []string
	}{
		"new":                 {make: mutating, operation: admissionv1.Create, object: pod()},
		"new, looked at last": {make: guarding, operation: admissionv1.Create, object: pod(ps, "true")},
		"asks to be open": {
			make:       mutating,
			operation:  admissionv1.Create,
			object:     pod(ps, "false"),
			violations: []string{ps},
		},
		"asks for forwarding": {
			make:       mutating,
			operation:  admissionv1.Create,
			object:     pod(l2, "true", ps, "true"),
			violations: []string{l2},
		},
		"takes an address": {
			make:       guarding,
			operation:  admissionv1.Create,
			object:     pod(ps, "true", vips, "10.16.0.5"),
			violations: []string{vips},
		},
		"networks that are garbage": {
			make:       mutating,
			operation:  admissionv1.Create,
			object:     pod(networks, "["),
			violations: []string{"networks"},
		},
		"no NIC of the default": {
			make:      mutating,
			operation: admissionv1.Create,
			object:    pod(networks, "n/nad,n/other", "v1.multus-cni.io/default-network", "n/third"),
		},
		"takes an address later": {
			make:       guarding,
			operation:  admissionv1.Update,
			object:     granted,
			old:        new(pod()),
			violations: []string{vips},
		},
		"in its status": {
			make:       guarding,
			operation:  admissionv1.Update,
			sub:        "status",
			object:     granted,
			old:        new(pod()),
			violations: []string{vips},
		},
		"the same networks as before": {make: mutating, operation: admissionv1.Update, object: pod(), old: new(pod())},
	}
	for name, c := range cases {
		for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				req := request(tenant, c.operation, c.sub)
				req.Object = raw(t, &c.object)
				if c.old != nil {
					req.OldObject = raw(t, c.old)
				}
				s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
				got := ask(t, s, c.make, req).AuditAnnotations
				if got[NotePolicy] != "PortSecurityPolicy test" || got[NoteDecision] != "strict" {
					t.Errorf("noted %q", got)
				}
				if len(c.violations) == 0 && got[NoteViolation] != "" && mode == policy.Enforce {
					t.Errorf("noted as a violation: %q", got[NoteViolation])
				}
				for _, word := range c.violations {
					if !strings.Contains(got[NoteViolation], word) {
						t.Errorf("the violation %q lacks %q", got[NoteViolation], word)
					}
				}
			})
		}
	}
}

// The audit log has the decision of each NIC where they differ: otherwise the decision for the default network would
// hide a NIC that another policy leaves open.
func TestEachNICIsNoted(t *testing.T) {
	s := newScene()
	s.inventory.SetPolicy(policy.Policy{Name: "blue", Level: policy.Open, Providers: policy.Providers{"blue.t.ovn"}})
	for _, c := range []struct{ networks, policy, decision string }{
		{"", "the built-in default", "strict"},
		{"green", "the built-in default", "strict"},
		{"blue", "ovn=the built-in default, blue.t.ovn=PortSecurityPolicy blue", "ovn=strict, blue.t.ovn=open"},
	} {
		for name, answers := range map[string]func(World) Judge{
			"mutating": MutatePods, "guarding": GuardPods,
		} {
			req := request(tenant, admissionv1.Create, "")
			req.Object = raw(t, new(pod(networks, c.networks)))
			got := ask(t, s, answers, req).AuditAnnotations
			if got[NotePolicy] != c.policy || got[NoteDecision] != c.decision {
				t.Errorf("%s, networks %q: noted %q", name, c.networks, got)
			}
		}
	}
	// The review of a NIC that is plugged in later is about that NIC.
	req := request(virtualize, admissionv1.Update, "")
	req.OldObject, req.Object = raw(t, new(pod())), raw(t, new(pod(networks, "blue")))
	if got := ask(
		t,
		s,
		MutatePods,
		req,
	).AuditAnnotations; got[NotePolicy] != "PortSecurityPolicy blue" ||
		got[NoteDecision] != "open" {
		t.Errorf("plugged in: noted %q", got)
	}
}

// A review is refused if it, or its pod, cannot be read, and the audit log says that nothing is known of it.
func TestWhatCannotBeJudgedIsNoted(t *testing.T) {
	req := request(tenant, admissionv1.Create, "")
	req.Object.Raw = []byte("[]")
	for _, answers := range []func(World) Judge{
		MutatePods, GuardPods,
	} {
		r := ask(t, newScene(), answers, req)
		if r.Allowed || r.AuditAnnotations[NoteDecision] != notKnown || r.AuditAnnotations[NoteViolation] == "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestShortNote(t *testing.T) {
	for n := range 4 {
		text := strings.Repeat("x", n) + strings.Repeat("€", noteLimit)
		if got := ShortNote(text); len(got) > noteLimit+3 || !utf8.ValidString(got) || !strings.HasSuffix(got, "€...") {
			t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
		}
	}
	if got := ShortNote("as it is"); got != "as it is" {
		t.Errorf("%q", got)
	}
}
