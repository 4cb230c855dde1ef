package governance

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// A webhook that only advises lets through what it cannot judge, and says why in a warning; another one refuses it.
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
			func() (Answer, error) { return Answer{Denials: []string{"a", "b"}, Warnings: []string{"w"}}, nil },
			[]string{"w", "ovnguard: a; b"},
		},
	} {
		refusing := &Handler{
			Judge:   func(context.Context, *admissionv1.AdmissionRequest) (Answer, error) { return c.judge() },
			Observe: func(string, time.Duration) {},
			Now:     time.Now,
		}
		refused, advised := refusing.Handle(
			t.Context(),
			admission.Request{},
		), Advisory{
			refusing,
		}.Handle(
			t.Context(),
			admission.Request{},
		)
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
