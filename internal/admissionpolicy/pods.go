package admissionpolicy

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// defaults makes ordinary pods strict, and takes the note from every other pod that came with it.
func (in Input) defaults(strict string) admissionregistrationv1.MutatingAdmissionPolicy {
	finished := "!(" + named + ") && " + done()
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

// refusal refuses a pod that has keys in the list of that name, unless it is passed. after is an expression whose text ends the
// message; empty for none.
func refusal(passed, list, why, after string) admissionregistrationv1.Validation {
	message := "'ovnguard: metadata.annotations[\"' + variables." + list + "[0] + '\"]: ' + " + quote(why)
	if after != "" {
		message += " + " + after + " + ' ' + variables." + list + "[0] + '=...'"
	}
	return admissionregistrationv1.Validation{
		Expression:        passed + " || size(variables." + list + ") == 0",
		MessageExpression: message,
		Message:           "ovnguard: " + why,
	}
}

// floor refuses what no webhook would allow either.
func (in Input) floor(strict string) admissionregistrationv1.ValidatingAdmissionPolicy {
	trusted := "request.userInfo.username in " + List(in.Accounts)
	frozen := anyKey(kubeovn.IdentityKey, kubeovn.OwnKey, kubeovn.MachineKey, kubeovn.NetworkKey)
	own := anyKey(kubeovn.OwnKey, kubeovn.MachineKey)
	securityKey := "k.endsWith('.kubernetes.io/" + string(kubeovn.PortSecurity) + "')"
	forwardKey := "k.endsWith('.kubernetes.io/" + string(kubeovn.Layer2Forward) + "')"
	return admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicy"}, ObjectMeta: meta(FloorName),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				rule([]string{"pods"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Create, admissionregistrationv1.Update),
				rule([]string{"pods/status"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Update),
				rule([]string{"pods/binding", "bindings"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Create),
			),
			// For most new pods the first is all that is evaluated: it takes a quarter of the time that judging them does.
			MatchConditions: Together("on-a-network-and-changes-annotations", append([]admissionregistrationv1.MatchCondition{
				{Expression: "!(" + Ordinary() + ")"},
				{Expression: annotations + " != " + before},
				in.elsewhere(),
			}, OnNetwork()...)...),
			FailurePolicy: new(admissionregistrationv1.Fail),
			Variables: []admissionregistrationv1.Variable{
				{Name: "after", Expression: annotations},
				{Name: "before", Expression: before},
				{Name: "isNew", Expression: "request.operation == 'CREATE' && request.kind.kind == 'Pod'"},
				{Name: "trusted", Expression: trusted},
				// The namespace's object is known to variables, not to match conditions.
				{Name: "strict", Expression: strict},
				// What is refused: keys that are written with another value, and keys that are taken away. A Binding takes none away.
				{Name: "taken", Expression: "request.kind.kind == 'Binding' ? [] : variables.before.filter(k, !(k in variables.after))"},
				{Name: "written", Expression: "variables.after.filter(k, !(k in variables.before && variables.before[k] == variables.after[k]))"},
				{Name: "frozen", Expression: "variables.written.filter(k, " + frozen + " && variables.after[k] != '') + variables.taken.filter(k, " + frozen + " && variables.before[k] != '')"},
				{Name: "own", Expression: "variables.after.filter(k, " + own + " && variables.after[k] != '')"},
				{Name: "loosened", Expression: "variables.written.filter(k, " + securityKey + " && variables.after[k] != 'true' || " + forwardKey + " && variables.after[k] == 'true') + " +
					"variables.taken.filter(k, " + securityKey + ")"},
			},
			Validations: []admissionregistrationv1.Validation{
				refusal("!variables.strict || variables.trusted || variables.isNew", "frozen",
					"Kube-OVN reads the pod's addresses, switch, networks and its own notes again and believes them, so only its own accounts may change them; make the pod anew with what it shall have", ""),
				refusal("!variables.strict || variables.trusted || !variables.isNew", "own",
					"only Kube-OVN and KubeVirt may write this; leave it out", ""),
				refusal("!variables.strict", "loosened",
					"the namespace asks for strict ports without layer-2 forwarding, and a pod may only tighten; a PortSecurityException in a namespace that a PortSecurityPolicy names can grant what the pod needs, "+
						"and whoever has the verb exempt on namespaces.ovnguard.io can loosen the namespace: kubectl annotate namespace ", "request.namespace"),
			},
		},
	}
}
