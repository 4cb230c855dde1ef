package governance

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// A namespace may not have so many annotations that comparing it with all policies takes long; those from before stay.
func TestThreat33NamespaceOfManyAnnotations(t *testing.T) {
	many := map[string]string{}
	for i := range maxGuarded {
		many[fmt.Sprintf("n%d.shop.ovn.kubernetes.io/port_security", i)] = "true"
	}
	g := guardOf(&tableCluster{})
	a, err := g.Namespace(t.Context(), request(t, "namespaces", namespace("shop", many), namespace("shop", nil)))
	expect(t, a, err)
	over := map[string]string{"blue.shop.ovn.kubernetes.io/layer2_forward": "false"}
	maps.Copy(over, many)
	a, err = g.Namespace(t.Context(), request(t, "namespaces", namespace("shop", over), namespace("shop", many)))
	expect(t, a, err, "129", "128")
	labelled := namespace("shop", over)
	labelled.Labels["note"] = "x"
	a, err = g.Namespace(t.Context(), request(t, "namespaces", labelled, namespace("shop", over)))
	expect(t, a, err)
}

// A request that cannot be judged in time is refused, and an answer stays short however much is wrong.
func TestThreat33JudgesOutOfTime(t *testing.T) {
	late, cancel := context.WithCancel(t.Context())
	cancel()
	answer := func(ctx context.Context, judge Judge) ctrladmission.Response {
		return handlerOf(judge).Handle(ctx, ctrladmission.Request{})
	}
	allows := func(context.Context, *admissionv1.AdmissionRequest) (Answer, error) { return Answer{}, nil }
	if r := answer(t.Context(), allows); !r.Allowed {
		t.Errorf("in time: %+v", r)
	}
	if r := answer(late, allows); r.Allowed || !strings.Contains(r.Result.Message, "no time left") {
		t.Errorf("late: %+v", r)
	}
	r := answer(t.Context(), func(context.Context, *admissionv1.AdmissionRequest) (a Answer, err error) {
		for i := range 1000 {
			a.Deny("field %d: %s", i, strings.Repeat("x", 1000))
			a.Warn("field %d", i)
		}
		return a, nil
	})
	if r.Allowed || len(r.Result.Message) > 20_000 || !strings.Contains(r.Result.Message, "and 990 more") ||
		len(r.Warnings) != 11 {
		t.Errorf("%d bytes and %d warnings", len(r.Result.Message), len(r.Warnings))
	}
}
