package admissionpolicy

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Record is what the default policy notes on a pod that it made strict. The webhooks leave such a pod alone: see Ordinary.
var Record = policy.OrdinaryRecord

var portSecurity = kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)

// annotations is the pod's annotations, which may be missing.
const annotations = "(has(object.metadata.annotations) ? object.metadata.annotations : {})"

// before is those that it had.
const before = "(oldObject != null && has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {})"

// suffixPattern is a regular expression for keys with one of the suffixes, per interface or not.
func suffixPattern(suffixes []kubeovn.Suffix) string {
	words := make([]string, len(suffixes))
	for i, s := range suffixes {
		words[i] = string(s)
	}
	return `^[^/]+\\.kubernetes\\.io/(` + strings.Join(words, "|") + `)(\\..*)?$`
}

// anyKey gives an expression that holds for a key k of one of the classes.
func anyKey(classes ...kubeovn.KeyClass) string {
	// Most keys of most pods are none of this, and to see that needs no regular expression.
	parts := []string{"(k.contains('.kubernetes.io/') && k.matches('" + suffixPattern(kubeovn.Suffixes(classes...)) + "'))"}
	for _, c := range classes {
		switch c { //nolint:exhaustive // the others have no keys without a suffix
		case kubeovn.NetworkKey:
			parts = append(parts, "k in "+List([]string{kubeovn.Networks, kubeovn.DefaultNetwork}))
		case kubeovn.MachineKey:
			parts = append(parts, "k == "+quote(kubeovn.MigrationJob))
		}
	}
	return "(" + strings.Join(parts, " || ") + ")"
}

// everyKey gives an expression that holds for a key k of any class.
func everyKey() string {
	return anyKey(kubeovn.LevelKey, kubeovn.GrantKey, kubeovn.IdentityKey, kubeovn.OwnKey, kubeovn.MachineKey, kubeovn.EgressKey, kubeovn.GroupKey, kubeovn.NetworkKey)
}

// Counts gives an expression that holds for the key k of an annotation of which a port's decision or protection is made: one that
// Kube-OVN reads, or the record.
func Counts() string { return "(k == " + quote(policy.RecordAnnotation) + " || " + everyKey() + ")" }

// Touches gives an expression, for the webhooks' matchConditions, that holds for an update of a pod that changes something of which its
// ports' decision or protection is made: an annotation that Kube-OVN reads, the record, labels or owners.
func Touches() string {
	part := func(object, field, none string) string {
		return "(has(" + object + ".metadata." + field + ") ? " + object + ".metadata." + field + " : " + none + ")"
	}
	after, before := part("object", "annotations", "{}"), part("oldObject", "annotations", "{}")
	return after + " != " + before + " && (" +
		after + ".exists(k, " + Counts() + " && !(k in " + before + " && " + before + "[k] == " + after + "[k])) || " +
		before + ".exists(k, " + Counts() + " && !(k in " + after + "))) || " +
		part("object", "labels", "{}") + " != " + part("oldObject", "labels", "{}") + " || " +
		part("object", "ownerReferences", "[]") + " != " + part("oldObject", "ownerReferences", "[]")
}

// plain holds for a pod that asks nothing of the network: nobody's machine owns it, nor a workload that did not make it, and no
// annotation but a port_security of "true" means anything to Kube-OVN.
func plain() string {
	return asksNothing(annotations) + " && (!has(object.metadata.ownerReferences) || " +
		"!object.metadata.ownerReferences.exists(o, o.apiVersion.startsWith(" + quote(kubeovn.MachineGroup) + ")) && " +
		"(request.userInfo.username in " + List(admission.Controllers()) + " || " +
		"!object.metadata.ownerReferences.exists(o, o.kind in " + List(admission.ControllerKinds()) + ")))"
}

// Ordinary gives an expression, for the webhooks' matchConditions, that holds for a new pod that the default policy, or its template,
// has made strict and that asks for nothing: no webhook has anything to say about it.
func Ordinary() string {
	return "request.operation == 'CREATE' && request.kind.kind == 'Pod' && has(object.metadata.annotations) && " + recorded("object.metadata.annotations") + " && " + plain()
}

// OrdinaryUnnamed is Ordinary for what comes before the API server has made the pod's name: one that is there was chosen, and may be
// that of another port, whatever stamp the pod brings.
func OrdinaryUnnamed() string { return "!(" + named + ") && " + Ordinary() }

// named holds, until the API server makes names, for a pod whose author chose its name.
const named = "has(object.metadata.name) && object.metadata.name != ''"

// recorded holds for annotations with what the default policy writes on a pod, whether or not the pod asked to be strict.
func recorded(annotations string) string {
	return quote(policy.RecordAnnotation) + " in " + annotations + " && " + annotations + "[" + quote(policy.RecordAnnotation) + "] in " + List([]string{Record, policy.AskedRecord}) + " && " +
		quote(portSecurity) + " in " + annotations + " && " + annotations + "[" + quote(portSecurity) + "] == 'true'"
}

// onHost and mirror are what the webhooks skip, too.
var conditions = []admissionregistrationv1.MatchCondition{
	{Name: "not-on-the-host-network", Expression: "!has(object.spec) || !has(object.spec.hostNetwork) || !object.spec.hostNetwork"},
	{Name: "not-a-mirror-pod", Expression: "!has(object.metadata.annotations) || !('" + corev1.MirrorPodAnnotationKey +
		"' in object.metadata.annotations) || !request.userInfo.username.startsWith('system:node:')"},
}

// Together gives conditions as one, which holds where all of them do. The API server evaluates every condition of a policy or webhook for
// each request, but an expression no further than its first part that does not hold.
func Together(name string, conditions ...admissionregistrationv1.MatchCondition) []admissionregistrationv1.MatchCondition {
	parts := make([]string, len(conditions))
	for i, c := range conditions {
		parts[i] = "(" + c.Expression + ")"
	}
	return []admissionregistrationv1.MatchCondition{{Name: name, Expression: strings.Join(parts, " && ")}}
}

// defaults makes ordinary pods strict, and takes the note from every other pod that came with it.
func (in Input) defaults(strict string) admissionregistrationv1.MutatingAdmissionPolicy {
	done := "has(object.metadata.annotations) && " + recorded("object.metadata.annotations") + " && !(" + named + ") && " + plain()
	if excepted := in.excepted(); len(excepted) > 0 {
		// What an exception may concern is judged by the webhooks, which see no stamp of an earlier time.
		done += " && !(request.namespace in " + List(excepted) + ")"
	}
	forged := "(" + quote(policy.RecordAnnotation) + " in " + annotations + ")"
	ordinary := "variables.strict && !(" + named + ") && " + plain()
	return admissionregistrationv1.MutatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "MutatingAdmissionPolicy"}, ObjectMeta: meta(DefaultName),
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints:   in.constraints(rule([]string{"pods"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Create)),
			MatchConditions:    Together("on-a-network-and-not-done", append([]admissionregistrationv1.MatchCondition{{Expression: "!(" + done + ")"}}, conditions...)...),
			Variables:          []admissionregistrationv1.Variable{{Name: "strict", Expression: strict}},
			FailurePolicy:      new(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			// A JSON patch takes the API server two thirds of the time that an apply configuration does.
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: "(" + ordinary + ") ? (" +
					// Who asks to be strict stays so where the namespace is loosened later.
					quote(portSecurity) + " in " + annotations + " ? [" + add(podAnnotations, policy.RecordAnnotation, policy.AskedRecord) + "] : " +
					"(has(object.metadata.annotations) ? [" + add(podAnnotations, portSecurity, "true") + ", " + add(podAnnotations, policy.RecordAnnotation, Record) + "] : " +
					"[JSONPatch{op: 'add', path: '/metadata/annotations', value: {" + quote(portSecurity) + ": 'true', " + quote(policy.RecordAnnotation) + ": " + quote(Record) + "}}])) : " +
					"(!(" + forged + ") ? [] : " +
					// With the record goes what it says was not asked for.
					"(" + stamped(annotations) + ") ? [" + remove(podAnnotations, portSecurity) + ", " + remove(podAnnotations, policy.RecordAnnotation) + "] : " +
					"[" + remove(podAnnotations, policy.RecordAnnotation) + "])"},
			}},
		},
	}
}

// podAnnotations is where a pod's annotations are, for JSON patches.
const podAnnotations = "/metadata/annotations"

// add gives the operation of a JSON patch that sets an annotation of an object that has some.
func add(pointer, key, value string) string {
	return "JSONPatch{op: 'add', path: '" + pointer + "/' + jsonpatch.escapeKey(" + quote(key) + "), value: " + quote(value) + "}"
}

// remove gives the operation of a JSON patch that takes out an annotation that is there.
func remove(pointer, key string) string {
	return "JSONPatch{op: 'remove', path: '" + pointer + "/' + jsonpatch.escapeKey(" + quote(key) + ")}"
}

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
			MatchConstraints: in.constraints(
				rule([]string{"pods"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Create, admissionregistrationv1.Update),
				rule([]string{"pods/status"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Update),
				rule([]string{"pods/binding", "bindings"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Create),
			),
			// For most new pods the first is all that is evaluated: it takes a quarter of the time that judging them does.
			MatchConditions: Together("on-a-network-and-changes-annotations", append([]admissionregistrationv1.MatchCondition{
				{Expression: "!(" + Ordinary() + ")"},
				{Expression: annotations + " != " + before},
			}, conditions...)...),
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
