package admissionpolicy

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Record is what the default policy notes on a pod that it made strict. The webhooks leave such a pod alone: see
// Ordinary.
var Record = policy.OrdinaryRecord

// OnNetwork are conditions that hold for every pod that has an OVN port: that is not on the host's network, and no
// mirror of a static pod. Anybody can write a mirror's annotation, so the author counts as well.
func OnNetwork() []admissionregistrationv1.MatchCondition {
	return []admissionregistrationv1.MatchCondition{
		{
			Name:       "not-on-the-host-network",
			Expression: "!has(object.spec) || !has(object.spec.hostNetwork) || !object.spec.hostNetwork",
		},
		{
			Name: "not-a-mirror-pod",
			Expression: "!has(object.metadata.annotations) || !('" + corev1.MirrorPodAnnotationKey +
				"' in object.metadata.annotations) || !request.userInfo.username.startsWith('system:node:')",
		},
	}
}

// Together returns conditions as one, which holds where all of them do. The API server evaluates every condition of a
// policy or webhook for each request, but an expression no further than its first part that does not hold.
func Together(
	name string,
	conditions ...admissionregistrationv1.MatchCondition,
) []admissionregistrationv1.MatchCondition {
	parts := make([]string, len(conditions))
	for i, c := range conditions {
		parts[i] = "(" + c.Expression + ")"
	}
	return []admissionregistrationv1.MatchCondition{{Name: name, Expression: strings.Join(parts, " && ")}}
}

// Ordinary returns an expression, for the matchConditions of webhooks for new pods, that holds for one that the default
// policy has made strict and that asks for nothing: no webhook has anything to say about it. Whether the pod asked to
// be strict makes no difference.
func Ordinary() string {
	// What may be missing is got in one step: the API server takes longer for each that it goes than for what it does
	// there.
	value := func(key string) string { return "object.metadata.?annotations[?" + quote(key) + "].orValue('')" }
	return parts{
		"recorded": value(policy.RecordAnnotation),
		"records":  List([]string{Record, policy.AskedRecord}),
		"security": value(portSecurity),
		"unowned":  unowned(),
		"ours":     List([]string{portSecurity, policy.RecordAnnotation}),
		"isAny":    everyKey(),
	}.fill(`
		$recorded in $records && $security == 'true' && $unowned &&
		object.metadata.annotations.all(k, k in $ours || !$isAny)`)
}

// OrdinaryUnnamed is Ordinary for what comes before the API server has made the pod's name: one that is there was
// chosen, and may be that of another port, whatever record the pod brings.
func OrdinaryUnnamed() string { return "!(" + named + ") && " + Ordinary() }

// plain holds for a pod that asks nothing of the network.
func plain() string { return asksNothing(annotations) + " && " + unowned() }

// asksNothing holds for annotations of which none but the default NIC's port_security, which is "true" where it is
// there, means anything to Kube-OVN.
func asksNothing(annotations string) string {
	return parts{"in": annotations, "portSecurity": quote(portSecurity), "isAny": everyKey()}.fill(
		"!$in.exists(k, (k != $portSecurity || $in[k] != 'true') && $isAny)",
	)
}

// unowned holds for a pod that nobody's machine owns, nor a workload that did not make it. Kubernetes' own controllers
// name the workload that they make a pod for, and no other owner.
func unowned() string {
	return parts{
		"user":        user,
		"controllers": List(admission.Controllers()),
		"machines":    quote(kubeovn.MachineGroup),
		"kinds":       List(admission.ControllerKinds()),
	}.fill(`
		($user in $controllers || !has(object.metadata.ownerReferences) ||
		!object.metadata.ownerReferences.exists(o, o.apiVersion.startsWith($machines) || o.kind in $kinds))`)
}

// named holds, until the API server makes names, for a pod whose author chose its name.
const named = "has(object.metadata.name) && object.metadata.name != ''"

// recorded holds for annotations that say strict and bring the record of the default policy.
func recorded(annotations string) string {
	has := func(key, value string) string {
		return quote(key) + " in " + annotations + " && " + annotations + "[" + quote(key) + "] == " + quote(value)
	}
	return has(policy.RecordAnnotation, Record) + " && " + has(portSecurity, "true")
}

// makeStrict returns a list of operations of a JSON patch that write port_security and the record into annotations,
// which may be missing.
func makeStrict(metadata, pointer string) string {
	return parts{
		"there":        metadata + ".annotations",
		"strict":       add(pointer, portSecurity, "true"),
		"record":       add(pointer, policy.RecordAnnotation, Record),
		"pointer":      quote(pointer),
		"portSecurity": quote(portSecurity),
		"recordKey":    quote(policy.RecordAnnotation),
		"recordValue":  quote(Record),
	}.fill(`
		(has($there) ? [$strict, $record] :
		[JSONPatch{op: 'add', path: $pointer, value: {$portSecurity: 'true', $recordKey: $recordValue}}])`)
}

// undoStrict returns a list of operations that take them off.
func undoStrict(pointer string) string {
	return "[" + remove(pointer, portSecurity) + ", " + remove(pointer, policy.RecordAnnotation) + "]"
}

// add returns the operation of a JSON patch that sets an annotation of an object that has some.
func add(pointer, key, value string) string {
	return parts{"pointer": pointer, "key": quote(key), "value": quote(value)}.fill(
		"JSONPatch{op: 'add', path: '$pointer/' + jsonpatch.escapeKey($key), value: $value}",
	)
}

// remove returns the operation of a JSON patch that takes out an annotation that is there.
func remove(pointer, key string) string {
	return parts{"pointer": pointer, "key": quote(key)}.fill(
		"JSONPatch{op: 'remove', path: '$pointer/' + jsonpatch.escapeKey($key)}",
	)
}
