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

// refusal refuses a pod that has keys in the list of that name, unless it is passed. after is an expression whose text
// ends the message; empty for none.
func refusal(passed, list, why string) admissionregistrationv1.Validation {
	message := "'ovnguard: metadata.annotations[\"' + variables." + list + "[0] + '\"]: ' + " + quote(why)
	return admissionregistrationv1.Validation{
		Expression:        passed + " || size(variables." + list + ") == 0",
		MessageExpression: message,
		Message:           "ovnguard: " + why,
	}
}

// floor refuses what no webhook would allow either. What an account may write is what the webhooks let it write: see
// package admission. Of a Binding it does not know the pod, so that all that it brings counts as another value than the
// pod has.
func (in Input) floor(strict string) admissionregistrationv1.ValidatingAdmissionPolicy {
	// Of NICs on OVN alone: what is said of others has no effect, and refusing a key that lacks ".ovn" would give
	// advice that has none either.
	securityKey := "k.endsWith('.kubernetes.io/" + string(
		kubeovn.PortSecurity,
	) + "') && k.matches('(^|\\\\.)ovn(\\\\..*)?\\\\.kubernetes\\\\.io/')"
	forwardKey := "k.endsWith('.kubernetes.io/" + string(kubeovn.Layer2Forward) + "')"
	present := "(k == " + quote(kubeovn.DefaultNetwork) + " || " + anyKey(kubeovn.MachineKey) + ")"
	// Where the default NIC is there, the webhook has written what is empty.
	atHome := "request.namespace in " + List(in.homes())
	emptied := "variables.isNew && " + quote(
		portSecurity,
	) + " in variables.after && variables.after[" + quote(
		portSecurity,
	) + "] == '' && !(" + quote(
		kubeovn.DefaultNetwork,
	) + " in variables.after)"
	return admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{
			APIVersion: apiVersion,
			Kind:       "ValidatingAdmissionPolicy",
		},
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
					{Expression: "!(" + isNew + " && " + Ordinary() + ")"},
					// What Kube-OVN changes of pods that are there is shown to no webhook either, and costs nothing
					// here.
					{Expression: "!(request.operation == 'UPDATE' && " + user + " in " + List(in.trusted()) + ")"},
					{Expression: isNew + " || " + part("object", "ownerReferences") + " != " + ownersBefore + " || " +
						annotations + " != " + before + " && (" + marks() + " || " +
						changes(annotations, before, everyKey()) + ")"},
					in.elsewhere(),
				}, OnNetwork()...)...),
			FailurePolicy: new(admissionregistrationv1.Fail),
			Variables: []admissionregistrationv1.Variable{
				{Name: "after", Expression: annotations},
				{Name: "before", Expression: before},
				{Name: "isNew", Expression: isNew},
				{Name: "kubeOVN", Expression: user + " in " + List(in.trusted())},
				{Name: "kubeVirt", Expression: user + " in " + List(in.Accounts.Machines())},
				// The namespace's object is known to variables, not to match conditions.
				{Name: "strict", Expression: strict},
				// What is judged: keys that are written with another value, and keys that are taken away. A Binding
				// takes none away. One that is empty is as good as none, but where its being there counts. Keys of NICs
				// that the pod does not have are read by nobody. Which it has is read of a list with commas, the form
				// that people write; what is written in JSON is left to the webhooks.
				{Name: "networks", Expression: "[" + strings.Join([]string{
					text(
						annotations,
						kubeovn.Networks,
					),
					text(annotations, kubeovn.DefaultNetwork),
					text(before, kubeovn.Networks),
					text(before, kubeovn.DefaultNetwork),
				}, ", ") + "].join(',').split(',').map(n, n.trim().split('@')[0]).map(n, n.contains('/') ? n : " +
					"request.namespace + '/' + n)"},
				{
					Name: "taken",
					Expression: "request.kind.kind == 'Binding' ? [] : variables.before.filter(k, !(k in " +
						"variables.after) && " + mentioned + " && (variables.before[k] != '' || " + present + "))",
				},
				{
					Name: "written",
					Expression: "variables.after.filter(k, " + mentioned + " && (request.kind.kind == 'Binding' || " +
						"(k in variables.before ? variables.before[k] != variables.after[k] : variables.after[k] != " +
						"'' || " + present + ")))",
				},
				{
					Name: "frozen",
					Expression: "(variables.written + variables.taken).filter(k, !variables.kubeOVN && " + anyKey(
						kubeovn.IdentityKey,
						kubeovn.OwnKey,
						kubeovn.WishKey,
					) + " || " +
						"!variables.kubeVirt && (" + anyKey(
						kubeovn.NetworkKey,
					) + " || !variables.kubeOVN && " + anyKey(
						kubeovn.MachineKey,
					) + "))",
				},
				{
					Name: "own",
					Expression: "variables.written.filter(k, !variables.kubeOVN && (" + anyKey(
						kubeovn.OwnKey,
					) + " || !variables.kubeVirt && " + anyKey(
						kubeovn.MachineKey,
					) + "))",
				},
				{
					Name: "unnamed",
					Expression: "variables.after.filter(k, k == " + quote(
						kubeovn.DefaultNetwork,
					) + " && variables.after[k] == '')",
				},
				// Who may take back what repair did is let through to the webhook, which knows what that was.
				{Name: "marks", Expression: "!variables.isNew && " + marks()},
				{Name: "undoes", Expression: "variables.marks && request.operation == 'UPDATE' && " + MayUndo},
				{
					Name: "unprotected",
					Expression: "variables.written.filter(k, " + securityKey + " && variables.after[k] != 'true') + " +
						"variables.taken.filter(k, " + securityKey + ")",
				},
				{
					Name: "loosened",
					Expression: "variables.written.filter(k, " + forwardKey + " && variables.after[k] == 'true') + (" +
						emptied + " ? [" + quote(
						portSecurity,
					) + "] : [])",
				},
				{
					Name: "egress",
					Expression: "variables.written.filter(k, variables.after[k] != '' && " + anyKey(
						kubeovn.EgressKey,
					) + ")",
				},
				{
					Name: "forged",
					Expression: "request.kind.kind == 'Binding' ? [] : " + part(
						"object",
						"ownerReferences",
					) + ".filter(o, !(" + ownersBefore + ".exists(b, " +
						"b.apiVersion == o.apiVersion && b.kind == o.kind && b.name == o.name && b.uid == o.uid && " +
						"(has(b.controller) && b.controller) == (has(o.controller) && o.controller))) && (" + in.forged() + "))",
				},
			},
			Validations: []admissionregistrationv1.Validation{
				{
					// The default policy has made it strict; what undid that, or came in its way, does not count. Of a
					// pod whose author chose the name, the webhooks decide.
					Expression: "!variables.isNew || !variables.strict || !has(object.metadata.generateName) || !(" +
						plain() + ") || " +
						quote(
							portSecurity,
						) + " in variables.after && variables.after[" + quote(
						portSecurity,
					) + "] == 'true'",
					MessageExpression: quote("ovnguard: " + undone),
					Message:           "ovnguard: " + undone,
				},
				refusal(
					"variables.isNew || !variables.strict",
					"frozen",
					"Kube-OVN reads the pod's addresses, switch, networks and its own notes again and believes them, "+
						"so only its own accounts may change them; make the pod again with what it shall have",
				),
				refusal("!variables.isNew || !variables.strict", "own",
					"only Kube-OVN and KubeVirt may write this; leave it out"),
				refusal(
					"!variables.isNew || !variables.strict",
					"unnamed",
					"it names no network, and by being there it takes the default network's NIC from the pod; leave "+
						"it out, or name a network",
				),
				// Gateways of Kube-OVN's are made in its own namespace, and webhooks alone know them.
				refusal(
					"!variables.strict || "+atHome+" || size(variables.unprotected) > 0 && variables.undoes",
					"unprotected",
					onlyTightens,
				),
				refusal("!variables.strict || "+atHome, "loosened", onlyTightens),
				refusal(
					"!variables.strict",
					"egress",
					"policy does not let pods of the namespace take external addresses and routes; leave it out, or "+
						"ask an administrator, who decides that by spec.externalAddresses of a PortSecurityPolicy",
				),
				{
					Expression: "!variables.marks || variables.undoes",
					Message: "ovnguard: metadata.annotations[\"" + policy.UndoAnnotation + "\"]: only who has the verb undo " +
						"on pods.ovnguard.io notes what was taken back of repair, so that nothing is taken back twice; " +
						"leave it as it is",
				},
				{
					Expression: "size(variables.forged) == 0",
					MessageExpression: "'ovnguard: metadata.ownerReferences: a pod of ' + variables.forged[0].kind + " +
						"' ' + variables.forged[0].name + ' has what is granted to that ' + variables.forged[0].kind " +
						"+ " +
						"', or its port, and only the account of its controller may make one; leave the owner out'",
					Message: "ovnguard: metadata.ownerReferences: only the account of the owner's controller may " +
						"make its pods; leave the owner out",
				},
			},
		},
	}
}

// onlyTightens is why a pod that loosens itself is refused.
const onlyTightens = "the namespace asks for strict ports without layer-2 forwarding, and a pod may only tighten; a " +
	"PortSecurityException can grant the pod what it " +
	"needs beyond that; where all pods of the namespace need it, whoever has the verb exempt on " +
	"namespaces.ovnguard.io can loosen it"

// text returns an expression for the value of an annotation, which may be missing.
func text(annotations, key string) string {
	return "(" + quote(key) + " in " + annotations + " ? " + annotations + "[" + quote(key) + "] : '')"
}

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

// undone is why a pod that asks for nothing and is not strict is refused.
const undone = "the namespace asks for strict ports, and the pod came without what the API server writes for that; " +
	"have no other policy or webhook take annotations away"

const (
	user = "request.userInfo.username"
	// mentioned holds for a key k that is about the pod, its default NIC, or one of its networks.
	mentioned = "(!k.contains('.kubernetes.io/') || k.startsWith('ovn.kubernetes.io/') || [k.split('.')].exists(p, " +
		"(p[1] + '/' + p[0]) in variables.networks))"
	// isNew holds for a pod that is to be made. The API server finds what is in the object sooner than what is in the
	// request.
	isNew = "oldObject == null && object.kind == 'Pod'"
	// ownersBefore is the owners that the pod had.
	ownersBefore = "(oldObject != null && has(oldObject.metadata.ownerReferences) ? " +
		"oldObject.metadata.ownerReferences : [])"
)

// forged returns an expression that holds for an owner o whose pods another account makes, whatever policy says: a
// machine, or a workload that is the pod's controller or a StatefulSet, which keeps ports.
func (in Input) forged() string {
	alternatives := []string{
		fmt.Sprintf(
			"o.kind == 'VirtualMachineInstance' && o.apiVersion.startsWith(%s) && !(variables.kubeVirt && "+
				"o.apiVersion.startsWith(%s))",
			quote(kubeovn.MachineGroup),
			quote(kubeovn.MachineGroup+"/"),
		),
	}
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
