package admissionpolicy

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// newPods are the pods that a policy may change.
func newPods() *admissionregistrationv1.MatchResources {
	return constraints(rule([]string{"pods"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Create))
}

// defaults makes ordinary pods strict, and takes the note from every other pod that came with it. Pods of a template that was made strict
// are not even looked at, which would cost the API server a copy of each: the webhooks and the floor see whether they are what they say.
func (in Input) defaults(strict string) admissionregistrationv1.MutatingAdmissionPolicy {
	finished := OrdinaryUnnamed()
	if excepted := in.excepted(); len(excepted) > 0 {
		// What an exception may concern is judged by the webhooks, which see no stamp of an earlier time.
		finished += " && !(request.namespace in " + List(excepted) + ")"
	}
	ordinary := "variables.strict && !(" + named + ") && " + plain()
	pods := newPods()
	pods.ObjectSelector = ofTemplates(metav1.LabelSelectorOpNotIn)
	return admissionregistrationv1.MutatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "MutatingAdmissionPolicy"}, ObjectMeta: meta(DefaultName),
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints:   pods,
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
					stamp("object.metadata", podAnnotations) + ") : (" + forgotten() + ")"},
			}},
		},
	}
}

// fewNamespaces is up to how many namespaces are selected, which spares the pods of all others. Of more the API server reads the selector too
// long: see constraints.
const fewNamespaces = 16

// unstamps takes the stamp of an earlier time from the pods of stamped templates in namespaces that may hold exceptions, as the default policy
// does with all others: the webhooks judge what an exception may concern. It is there where no namespace may, too, for nothing: whoever applies
// a rendered set over an earlier one leaves nothing of that. The label stays, which somebody may select by.
func (in Input) unstamps() admissionregistrationv1.MutatingAdmissionPolicy {
	excepted := in.excepted()
	if len(excepted) == 0 {
		excepted = []string{in.Namespace} // left out by elsewhere
	}
	pods := newPods()
	pods.ObjectSelector = ofTemplates(metav1.LabelSelectorOpIn)
	if len(excepted) <= fewNamespaces {
		pods.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: excepted},
		}}
	}
	return admissionregistrationv1.MutatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "MutatingAdmissionPolicy"}, ObjectMeta: meta(ExceptedName),
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: pods,
			MatchConditions: Together("on-a-network-and-excepted", append([]admissionregistrationv1.MatchCondition{
				{Expression: "request.namespace in " + List(excepted)}, in.elsewhere(),
			}, OnNetwork()...)...),
			FailurePolicy:      new(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: forgotten()},
			}},
		},
	}
}

// forgotten gives a list of operations that take a record off a pod, and with it what it says was not asked for; none where there is none.
func forgotten() string {
	forged := "(" + quote(policy.RecordAnnotation) + " in " + annotations + ")"
	return "!(" + forged + ") ? [] : " +
		"(" + recorded(annotations, Record) + ") ? " + unstamp(podAnnotations) + " : " +
		"[" + remove(podAnnotations, policy.RecordAnnotation) + "]"
}

// podAnnotations is where a pod's annotations are, for JSON patches.
const podAnnotations = "/metadata/annotations"
