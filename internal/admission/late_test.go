package admission

import (
	"context"
	"net/http"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// A review that runs out of time refuses under every policy, and says so: it lets nothing through unseen.
func TestThreat33OutOfTime(t *testing.T) {
	late, cancel := context.WithCancel(t.Context())
	cancel()
	for _, mode := range []policy.Mode{policy.Enforce, policy.Audit} {
		s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
		p := pod(ps, "true", ip, "10.16.0.5")
		for name, webhook := range map[string]func(World) Judge{
			"mutating": MutatePods, "guarding": GuardPods,
		} {
			for _, op := range []admissionv1.Operation{admissionv1.Create, admissionv1.Update} {
				req := request(tenant, op, "")
				req.Object, req.OldObject = raw(t, &p), raw(t, new(pod(ps, "true")))
				observed := ""
				h := &Handler{
					Judge:   webhook(s),
					Observe: func(r Reviewed) { observed = r.Result },
					Now:     func() time.Time { return now },
				}
				r := h.Handle(late, ctrladmission.Request{AdmissionRequest: req})
				if r.Allowed || r.Result.Code != http.StatusGatewayTimeout || observed != ResultInvalid ||
					r.AuditAnnotations[NoteDecision] != notKnown ||
					len(r.Patches) > 0 {
					t.Errorf(
						"%s, %s, mode %s: allowed %v, %+v, noted %v",
						name,
						op,
						mode,
						r.Allowed,
						r.Result,
						r.AuditAnnotations,
					)
				}
			}
		}
	}
}

// The loops over the lists of a pod end when the time does, and refuse the pod if items are left.
func TestThreat33LoopsEndWithTheTime(t *testing.T) {
	over := make(chan struct{})
	close(over)
	s := newScene().policy(func(p *policy.Policy) { p.Mode = policy.Audit })
	p := pod(ps, "true", ip, "10.16.0.5", lsp, "theirs")
	view := func(done <-chan struct{}) *View {
		return &View{
			Accounts:  DefaultAccounts(),
			User:      tenant,
			Namespace: s.namespace,
			Inventory: s.inventory.Snapshot(),
			Now:       now,
			Done:      done,
		}
	}
	refusals, _ := view(nil).CheckCreate(ParsePod("t", &p, nil))
	if len(refusals) != 2 {
		t.Fatalf("with time: %v", refusals)
	}
	refusals, _ = view(over).CheckCreate(ParsePod("t", &p, nil))
	if len(refusals) != 1 || refusals[0].Mode != policy.Enforce {
		t.Errorf("creation, without time: %v", refusals)
	}
	old := running()
	refusals, _ = view(over).CheckUpdate(ParsePod("t", &old, nil), ParsePod("t", new(running(ip, "10.16.0.5")), nil))
	if len(refusals) != 1 || refusals[0].Mode != policy.Enforce {
		t.Errorf("change, without time: %v", refusals)
	}
}
