// Package floor_test sends the same requests to the webhooks and the admission policies. It is here because this module
// has the API server's evaluator of policies.
package floor_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

// expressions compiles expressions as the API server does, and keeps them.
type expressions struct {
	env      *cel.Env
	programs map[string]cel.Program
	// dearest is the highest cost of an evaluated expression, in the API server's units.
	dearest uint64
}

// costLimit is the API server's limit on the cost of an expression (PerCallLimit in k8s.io/apiserver/pkg/apis/cel).
const costLimit = celconfig.PerCallLimit

func newExpressions(t *testing.T) *expressions {
	t.Helper()
	set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).
		Extend(environment.VersionedOptions{
			IntroducedVersion: environment.DefaultCompatibilityVersion(),
			EnvOptions: []cel.EnvOption{
				cel.Variable("object", cel.DynType),
				cel.Variable("oldObject", cel.DynType),
				cel.Variable("request", cel.DynType),
				cel.Variable("namespaceObject", cel.DynType),
				cel.Variable("variables", cel.DynType),
				cel.Variable("authorizer", library.AuthorizerType),
			},
		})
	if err != nil {
		t.Fatal(err)
	}
	env, err := set.Env(environment.StoredExpressions)
	if err != nil {
		t.Fatal(err)
	}
	return &expressions{env: env, programs: map[string]cel.Program{}}
}

// value evaluates an expression; an error would refuse the request, and fails the test.
func (e *expressions) value(t *testing.T, text string, in map[string]any) any {
	t.Helper()
	p, ok := e.programs[text]
	if !ok {
		ast, issues := e.env.Compile(text)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", text, issues.Err())
		}
		var err error
		if p, err = e.env.Program(
			ast,
			cel.CostTracking(&library.CostEstimator{}),
			cel.CostLimit(costLimit),
		); err != nil {
			t.Fatal(err)
		}
		e.programs[text] = p
	}
	out, details, err := p.Eval(in)
	if err != nil {
		t.Fatalf("%v of %.400s", err, text)
	}
	if cost := details.ActualCost(); cost != nil {
		e.dearest = max(e.dearest, *cost)
	}
	return out.Value()
}

// holds reports whether a condition holds.
func (e *expressions) holds(t *testing.T, text string, in map[string]any) bool {
	t.Helper()
	return e.value(t, text, in) == types.True.Value()
}

// variables returns the request with the policy's variables; ok is false if the policy does not match it.
func (e *expressions) variables(
	t *testing.T,
	p *admissionregistrationv1.ValidatingAdmissionPolicy,
	in map[string]any,
) (with, known map[string]any, ok bool) {
	t.Helper()
	for _, c := range p.Spec.MatchConditions {
		if !e.holds(t, c.Expression, in) {
			return nil, nil, false
		}
	}
	with, known = maps.Clone(in), map[string]any{}
	with["variables"] = known
	for _, v := range p.Spec.Variables {
		known[v.Name] = e.value(t, v.Expression, with)
	}
	return with, known, true
}

// refusal returns the policy's message if it refuses the request, or "".
func (e *expressions) refusal(
	t *testing.T,
	p *admissionregistrationv1.ValidatingAdmissionPolicy,
	in map[string]any,
) string {
	t.Helper()
	with, _, ok := e.variables(t, p, in)
	if !ok {
		return ""
	}
	for _, v := range p.Spec.Validations {
		if !e.holds(t, v.Expression, with) {
			text, isText := e.value(t, v.MessageExpression, with).(string)
			if !isText || text == "" {
				t.Fatalf("no message by %s", v.MessageExpression)
			}
			return text
		}
	}
	return ""
}

// plain returns an object as expressions see it; nil stays nil.
func plain(t *testing.T, object any) any {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
