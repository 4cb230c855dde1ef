package governance

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/admission"
)

// A webhook that only advises allows what it cannot judge, and says why in a warning; another webhook refuses it.
func TestAdvisoryRefusesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		judge func() (Answer, error)
		warns []string
	}{
		"cannot be judged": {
			func() (Answer, error) { return Answer{}, errors.New("no answer of the API server") },
			[]string{"ovnguard: no answer of the API server"},
		},
		"denied": {
			func() (Answer, error) { return denied(), nil },
			[]string{"w", "ovnguard: a; b"},
		},
	} {
		h := handlerOf(func(context.Context, *admissionv1.AdmissionRequest) (Answer, error) { return c.judge() })
		refused := h.Handle(t.Context(), ctrladmission.Request{})
		h.Advises = true
		advised := h.Handle(t.Context(), ctrladmission.Request{})
		if refused.Allowed || !advised.Allowed || !slices.Equal(advised.Warnings, c.warns) {
			t.Errorf(
				"%s: refused %v, advised %v %q; want it let through with %q",
				name,
				!refused.Allowed,
				advised.Allowed,
				advised.Warnings,
				c.warns,
			)
		}
		if len(refused.AuditAnnotations) == 0 || len(advised.AuditAnnotations) != len(refused.AuditAnnotations) {
			t.Errorf("%s: noted %v, want %v", name, advised.AuditAnnotations, refused.AuditAnnotations)
		}
	}
}

// denied returns an answer that refuses for two reasons.
func denied() (a Answer) {
	a.Deny("a")
	a.Deny("b")
	a.Warnings = []string{"w"}
	return a
}

// respond returns the response for an answer.
func respond(t *testing.T, a Answer) ctrladmission.Response {
	t.Helper()
	judge := func(context.Context, *admissionv1.AdmissionRequest) (Answer, error) { return a, nil }
	return handlerOf(judge).Handle(t.Context(), ctrladmission.Request{})
}

// handlerOf returns the webhook of a judge.
func handlerOf(judge Judge) *admission.Handler {
	return &admission.Handler{
		Judge:   judge.Plain(),
		Observe: func(admission.Reviewed) {},
		Now:     time.Now,
	}
}
