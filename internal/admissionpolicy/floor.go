package admissionpolicy

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// floor refuses what no webhook would allow either. What an account may write is what the webhooks let it write: see
// package admission. Of a Binding it does not know the pod, so that all that it brings counts as another value than the
// pod has.
func (in Input) floor(strict string) admissionregistrationv1.ValidatingAdmissionPolicy {
	with := common.and(parts{
		"trusted":  List(in.trusted()),
		"machines": List(in.Accounts.Machines()),
		"ordinary": Ordinary(),
		"marks":    marks(),
		"mayUndo":  MayUndo,
		"changed":  changes(annotations, before, everyKey()),
		"strict":   strict,
		"forged":   in.forged(),
		"plain":    plain(),
		"home":     "request.namespace in " + List(in.homes()),
	})
	return admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: meta(FloorName),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				rule(
					[]string{"pods"},
					admissionregistrationv1.NamespacedScope,
					admissionregistrationv1.Create,
					admissionregistrationv1.Update,
				),
				rule([]string{"pods/status"}, admissionregistrationv1.NamespacedScope, admissionregistrationv1.Update),
				rule(
					[]string{"pods/binding", "bindings"},
					admissionregistrationv1.NamespacedScope,
					admissionregistrationv1.Create,
				),
			),
			// For most new pods the first is all that is evaluated: it takes a quarter of the time that judging them
			// does.
			MatchConditions: Together(
				"on-a-network-and-changes-what-is-judged",
				append([]admissionregistrationv1.MatchCondition{
					{Expression: with.fill("!($isNew && $ordinary)")},
					// What Kube-OVN changes of pods that are there is shown to no webhook either, and costs nothing
					// here.
					{Expression: with.fill("!(request.operation == 'UPDATE' && $user in $trusted)")},
					{Expression: with.fill(
						"$isNew || $owners != $ownersBefore || $annotations != $before && ($marks || $changed)",
					)},
					in.elsewhere(),
				}, OnNetwork()...)...),
			FailurePolicy: new(admissionregistrationv1.Fail),
			Variables:     variables(with, floorVariables),
			Validations:   floorValidations(with),
		},
	}
}

// variable is a variable of a policy, in the order in which they are defined: one may use those before it.
type variable struct{ name, expression string }

// variables returns the variables as the API server reads them.
func variables(with parts, list []variable) []admissionregistrationv1.Variable {
	out := make([]admissionregistrationv1.Variable, len(list))
	for i, v := range list {
		out[i] = admissionregistrationv1.Variable{Name: v.name, Expression: with.fill(v.expression)}
	}
	return out
}

var floorVariables = []variable{
	{"after", "$annotations"},
	{"before", "$before"},
	{"isNew", "$isNew"},
	{"kubeOVN", "$user in $trusted"},
	{"kubeVirt", "$user in $machines"},
	// The namespace's object is known to variables, not to match conditions.
	{"strict", "$strict"},

	// What is judged: keys that are written with another value, and keys that are taken away. A Binding takes none away.
	// One that is empty is as good as none, but where its being there counts. Keys of NICs that the pod does not have
	// are read by nobody. Which it has is read of a list with commas, the form that people write; what is written in
	// JSON is left to the webhooks.
	{"networks", `
		[($networks in $annotations ? $annotations[$networks] : ''),
		($defaultNetwork in $annotations ? $annotations[$defaultNetwork] : ''),
		($networks in $before ? $before[$networks] : ''),
		($defaultNetwork in $before ? $before[$defaultNetwork] : '')]
		.join(',').split(',').map(n, n.trim().split('@')[0])
		.map(n, n.contains('/') ? n : request.namespace + '/' + n)`},
	{"taken", `
		request.kind.kind == 'Binding' ? [] :
		variables.before.filter(k, !(k in variables.after) && $isMentioned &&
		(variables.before[k] != '' || (k == $defaultNetwork || $isMachine)))`},
	{"written", `
		variables.after.filter(k, $isMentioned && (request.kind.kind == 'Binding' ||
		(k in variables.before ? variables.before[k] != variables.after[k] :
		variables.after[k] != '' || (k == $defaultNetwork || $isMachine))))`},

	// What is refused, as lists of keys.
	{"frozen", `
		(variables.written + variables.taken).filter(k, !variables.kubeOVN && $isIdentity ||
		!variables.kubeVirt && ($isNetwork || !variables.kubeOVN && $isMachine))`},
	{"own", `
		variables.written.filter(k, !variables.kubeOVN && ($isOwn || !variables.kubeVirt && $isMachine))`},
	{"unnamed", "variables.after.filter(k, k == $defaultNetwork && variables.after[k] == '')"},
	// Who may take back what repair did is let through to the webhook, which knows what that was.
	{"marks", "!variables.isNew && $marks"},
	{"undoes", "variables.marks && request.operation == 'UPDATE' && $mayUndo"},
	{"unprotected", `
		variables.written.filter(k, $isSecurity && variables.after[k] != 'true') +
		variables.taken.filter(k, $isSecurity)`},
	// Where the default NIC is there, the webhook has written what is empty.
	{"loosened", `
		variables.written.filter(k, $isForwarding && variables.after[k] == 'true') +
		(variables.isNew && $portSecurity in variables.after && variables.after[$portSecurity] == '' &&
		!($defaultNetwork in variables.after) ? [$portSecurity] : [])`},
	{"egress", "variables.written.filter(k, variables.after[k] != '' && $isEgress)"},
	{"forged", `
		request.kind.kind == 'Binding' ? [] :
		$owners.filter(o, !($ownersBefore.exists(b,
		b.apiVersion == o.apiVersion && b.kind == o.kind && b.name == o.name && b.uid == o.uid &&
		(has(b.controller) && b.controller) == (has(o.controller) && o.controller))) && ($forged))`},
}

func floorValidations(with parts) []admissionregistrationv1.Validation {
	const (
		ofNew     = "variables.isNew || !variables.strict"
		ofRunning = "!variables.isNew || !variables.strict"
	)
	return []admissionregistrationv1.Validation{
		{
			// The default policy has made it strict; what undid that, or came in its way, does not count. Of a pod
			// whose author chose the name, the webhooks decide.
			Expression: with.fill(`
				!variables.isNew || !variables.strict || !has(object.metadata.generateName) || !($plain) ||
				$portSecurity in variables.after && variables.after[$portSecurity] == 'true'`),
			MessageExpression: quote("ovnguard: " + undone),
			Message:           "ovnguard: " + undone,
		},
		refusal(
			ofNew,
			"frozen",
			"Kube-OVN reads the pod's addresses, switch, networks and its own annotations again and trusts "+
				"them, so only accounts of Kube-OVN may change them; create the pod again with the values it needs",
		),
		refusal(ofRunning, "own", "only Kube-OVN and KubeVirt may write this; leave it out"),
		refusal(
			ofRunning,
			"unnamed",
			"it is empty, and an empty value takes the NIC on the default network away from the pod; leave it "+
				"out, or name a network",
		),
		// Gateways of Kube-OVN's are made in its own namespace, and webhooks alone know them.
		refusal(
			with.fill("!variables.strict || $home || size(variables.unprotected) > 0 && variables.undoes"),
			"unprotected",
			onlyTightens,
		),
		refusal(with.fill("!variables.strict || $home"), "loosened", onlyTightens),
		refusal(
			"!variables.strict",
			"egress",
			"policy does not allow pods of the namespace to take external addresses and routes; leave it out, "+
				"or ask an administrator to allow it by spec.externalAddresses of a PortSecurityPolicy",
		),
		{
			Expression: "!variables.marks || variables.undoes",
			Message: "ovnguard: metadata.annotations[\"" + policy.UndoAnnotation + "\"]: this lists the changes " +
				"of repair that were taken back, and only a user with the verb undo on " +
				"pods.ovnguard.io may change it; leave it as it is",
		},
		{
			Expression: "size(variables.forged) == 0",
			MessageExpression: with.fill(`
				'ovnguard: metadata.ownerReferences: a pod of ' + variables.forged[0].kind + ' ' +
				variables.forged[0].name + ' gets the grants of that ' + variables.forged[0].kind +
				', or its port, so only the account of its controller may create one; leave the owner out'`),
			Message: "ovnguard: metadata.ownerReferences: only the account of the owner's controller may create its " +
				"pods; leave the owner out",
		},
	}
}

// refusal refuses a pod that has keys in the list of that name, unless it is passed.
func refusal(passed, list, why string) admissionregistrationv1.Validation {
	with := parts{"passed": passed, "list": "variables." + list, "why": quote(why)}
	return admissionregistrationv1.Validation{
		Expression:        with.fill("$passed || size($list) == 0"),
		MessageExpression: with.fill(`'ovnguard: metadata.annotations["' + $list[0] + '"]: ' + $why`),
		Message:           "ovnguard: " + why,
	}
}

// onlyTightens is why a pod that loosens itself is refused.
const onlyTightens = "the namespace asks for strict ports without layer-2 forwarding, and a pod may only tighten; to " +
	"grant the pod more, create a PortSecurityException; if all pods of the namespace need more, a " +
	"user with the verb exempt on namespaces.ovnguard.io can loosen the namespace"

// undone is why a pod that asks for nothing and is not strict is refused.
const undone = "the namespace asks for strict ports, but an annotation that the API server adds for this is " +
	"missing; make sure that no other policy or webhook removes annotations"

// homes returns the namespaces of Kube-OVN's accounts, in order. Whoever makes pods there can become Kube-OVN.
func (in Input) homes() (namespaces []string) {
	for _, user := range in.Accounts.KubeOVN {
		if rest, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
			namespace, _, _ := strings.Cut(rest, ":")
			namespaces = append(namespaces, namespace)
		}
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}

// trusted returns the accounts whose changes of pods are let through as they come.
func (in Input) trusted() []string { return slices.Concat(in.Accounts.KubeOVN, in.Accounts.Self) }

// forged returns an expression that holds for an owner o whose pods another account makes, whatever policy says: a
// machine, or a workload that is the pod's controller or a StatefulSet, which keeps ports.
func (in Input) forged() string {
	machine := parts{"group": quote(kubeovn.MachineGroup), "version": quote(kubeovn.MachineGroup + "/")}
	alternatives := []string{machine.fill(`
		o.kind == 'VirtualMachineInstance' && o.apiVersion.startsWith($group) &&
		!(variables.kubeVirt && o.apiVersion.startsWith($version))`)}
	for _, m := range admission.Makers() {
		group := "!o.apiVersion.contains('/')"
		if m.Group != "" {
			group = "o.apiVersion.startsWith(" + quote(m.Group+"/") + ")"
		}
		controller := ""
		if m.Kind != "StatefulSet" {
			controller = " && has(o.controller) && o.controller"
		}
		alternatives = append(
			alternatives,
			fmt.Sprintf("o.kind == %s && %s%s && !(%s in %s)", quote(m.Kind), group, controller, user, List(m.Users)),
		)
	}
	return "(" + strings.Join(alternatives, ") || (") + ")"
}
