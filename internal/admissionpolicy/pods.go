package admissionpolicy

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// defaults makes ordinary pods strict, and takes the note from every other pod that came with it.
func (in Input) defaults(strict string) admissionregistrationv1.MutatingAdmissionPolicy {
	finished := OrdinaryUnnamed()
	if excepted := in.excepted(); len(excepted) > 0 {
		// What an exception may concern is judged by the webhooks, which see no stamp of an earlier time.
		finished += " && !(request.namespace in " + List(excepted) + ")"
	}
	forged := "(" + quote(policy.RecordAnnotation) + " in " + annotations + ")"
	ordinary := "variables.strict && !(" + named + ") && " + plain()
	return admissionregistrationv1.MutatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "MutatingAdmissionPolicy"}, ObjectMeta: meta(DefaultName),
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints:   constraints(rule([]string{"pods"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Create)),
			MatchConditions:    Together("on-a-network-and-not-done", append([]admissionregistrationv1.MatchCondition{{Expression: "!(" + finished + ")"}, in.elsewhere()}, OnNetwork()...)...),
			Variables:          []admissionregistrationv1.Variable{{Name: "strict", Expression: strict}},
			FailurePolicy:      new(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			// A JSON patch takes the API server two thirds of the time that an apply configuration does.
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: "(" + ordinary + ") ? (" +
					// Who asks to be strict stays so where the namespace is loosened later.
					quote(portSecurity) + " in " + annotations + " ? [" + add(podAnnotations, policy.RecordAnnotation, policy.AskedRecord) + "] : " +
					stamp("object.metadata", podAnnotations) + ") : " +
					"(!(" + forged + ") ? [] : " +
					// With the record goes what it says was not asked for.
					"(" + recorded(annotations, Record) + ") ? " + unstamp(podAnnotations) + " : " +
					"[" + remove(podAnnotations, policy.RecordAnnotation) + "])"},
			}},
		},
	}
}

// podAnnotations is where a pod's annotations are, for JSON patches.
const podAnnotations = "/metadata/annotations"
