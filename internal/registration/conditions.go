package registration

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// ownGroup is this program's API group.
var ownGroup = v1alpha1.GroupVersion.Group

// facts are what conditions are written from.
type facts struct {
	// namespace is the program's own.
	namespace string
	accounts  admission.Accounts
	// policies means that the API server keeps default and floor itself.
	policies bool
	// external means that somebody else registers the webhooks.
	external bool
}

// condition returns what holds for the requests that a webhook is asked about.
type condition func(facts) []admissionregistrationv1.MatchCondition

// holds is the condition that an expression holds.
func holds(name, expression string) condition {
	return func(facts) []admissionregistrationv1.MatchCondition {
		return []admissionregistrationv1.MatchCondition{{Name: name, Expression: expression}}
	}
}

// changes is the condition that what a webhook judges is changed, as an expression says it.
func changes(expression string) condition { return holds("changes-what-is-judged", expression) }

// all is the condition that each of some holds.
func all(conditions ...condition) condition {
	return func(f facts) (all []admissionregistrationv1.MatchCondition) {
		for _, c := range conditions {
			all = append(all, c(f)...)
		}
		return all
	}
}

// whileInstalled has conditions hold only while the program's account has a right that ClusterRole
// ovnguard-registration grants. What somebody else registers belongs to nothing: without this, webhooks that are left
// behind would refuse every pod.
func whileInstalled(
	namespace string,
	conditions []admissionregistrationv1.MatchCondition,
) []admissionregistrationv1.MatchCondition {
	return admissionpolicy.Together("while-ovnguard-is-installed", append(slices.Clip(conditions),
		admissionregistrationv1.MatchCondition{
			Expression: "authorizer.serviceAccount('" + namespace + "', '" + account + "').group('" + ownGroup +
				"').resource('webhooks').check('answer').allowed()",
		})...)
}

// account is the ServiceAccount of the program where the chart registers the webhooks.
const account = "ovnguard"

// onNetwork holds for pods that may have a port on OVN and are not the program's own. In a namespace that is the
// program's alone, the registration leaves those out.
func onNetwork(f facts) []admissionregistrationv1.MatchCondition {
	conditions := admissionpolicy.OnNetwork()
	itself := admissionpolicy.IsItself(f.namespace, f.accounts.Self)
	if f.namespace != admissionpolicy.OwnNamespace && itself != "false" {
		conditions = append(conditions, admissionregistrationv1.MatchCondition{
			Name: "not-ovnguard-itself", Expression: "!(" + itself + ")",
		})
	}
	return conditions
}

// undecided holds for new pods on a network about which the API server itself has not decided. A name that was chosen
// is always looked at, also while the API server does not have the policies (yet).
func undecided(f facts) []admissionregistrationv1.MatchCondition {
	conditions := onNetwork(f)
	if f.policies {
		unnamed := admissionregistrationv1.MatchCondition{Expression: "!(" + admissionpolicy.OrdinaryUnnamed() + ")"}
		conditions = slices.Insert(conditions, 0, unnamed)
	}
	return admissionpolicy.Together("on-a-network-and-undecided", conditions...)
}

// notOrdinary holds for new pods on a network but ordinary ones that have been made strict, by a webhook or by the API
// server itself: they need no second look.
func notOrdinary(f facts) []admissionregistrationv1.MatchCondition {
	strict := admissionregistrationv1.MatchCondition{Expression: "!(" + admissionpolicy.Ordinary() + ")"}
	return admissionpolicy.Together("on-a-network-and-not-ordinary", slices.Insert(onNetwork(f), 0, strict)...)
}

// touchesPorts holds where a running pod's ports may change. Kubelets report the status of pods all the time, and the
// CNI what it made; nothing of that is sent.
func touchesPorts(f facts) []admissionregistrationv1.MatchCondition {
	return append(onNetwork(f),
		notBy(slices.Concat(f.accounts.KubeOVN, f.accounts.Self)),
		admissionregistrationv1.MatchCondition{Name: "touches-ports", Expression: admissionpolicy.Touches()},
	)
}

// notByKubeOVN holds for everybody but Kube-OVN.
func notByKubeOVN(f facts) []admissionregistrationv1.MatchCondition {
	return []admissionregistrationv1.MatchCondition{notBy(f.accounts.KubeOVN)}
}

// notBy holds for everybody but some users. What Kube-OVN notes on pods, namespaces and Vips is its own to say, and is
// not kept from it when no webhook answers: a pod that was made would have no network otherwise.
func notBy(users []string) admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{
		Name:       "not-by-kube-ovn",
		Expression: "!(request.userInfo.username in " + admissionpolicy.List(users) + ")",
	}
}

// right is one about which the API server answers itself, when it evaluates the conditions of a webhook: whoever else
// reaches the port has this program ask nothing.
type right struct {
	verb string
	// needed holds for requests for which the right makes a difference; for others nobody has it.
	needed string
	// check is the question.
	check string
}

// Rights that webhooks need to know of.
var (
	undo   = right{admission.VerbUndo, admissionpolicy.Undoes(), admissionpolicy.MayUndo}
	exempt = right{
		"exempt",
		"true",
		"authorizer.group('" + ownGroup + "').resource('namespaces').name(object.metadata.name).check('exempt').allowed()",
	}
	approve = right{
		"approve", approves,
		"authorizer.group('" + ownGroup + "').resource('portsecurityexceptions').namespace(request.namespace)." +
			"name(request.name).check('approve').allowed()",
	}
)

// approves holds for requests that approve an exception, or say that it is.
const approves = "has(object.spec) && has(object.spec.approvedBy) && object.spec.approvedBy != '' && " +
	"(request.operation != 'UPDATE' || !has(oldObject.spec) || !has(oldObject.spec.approvedBy) || " +
	"oldObject.spec.approvedBy != object.spec.approvedBy)"

// authors are those who have a right, or those who lack it; the zero value is all. A webhook that needs to know of a
// right stands in the table for either: which of the two is called says which it is. Who calls one without being the
// API server gets an answer, which changes nothing.
type authors struct {
	right
	have bool
}

func having(r right) authors { return authors{r, true} }

func lacking(r right) authors { return authors{r, false} }

// narrow returns the conditions for these authors alone.
func (a authors) narrow(conditions []admissionregistrationv1.MatchCondition) []admissionregistrationv1.MatchCondition {
	if a.verb == "" {
		return conditions
	}
	name, expression := "with-the-verb-"+a.verb, "("+a.needed+") && "+a.check
	if !a.have {
		name, expression = "without-the-verb-"+a.verb, "!("+expression+")"
	}
	conditions = append(slices.Clip(conditions), admissionregistrationv1.MatchCondition{Expression: expression})
	return admissionpolicy.Together(name, conditions...)
}

// touchesMetadata holds where an update changes metadata.
var touchesMetadata = "request.operation != 'UPDATE' || " + admissionpolicy.Changed(
	"annotations",
	"labels",
	"ownerReferences",
)

// changesNetworks holds where a running pod gets other networks, as KubeVirt does when an interface is plugged into a
// machine.
const changesNetworks = "(has(object.metadata.annotations) && '" + kubeovn.Networks + "' in " +
	"object.metadata.annotations ? object.metadata.annotations['" + kubeovn.Networks + "'] : '') != " +
	"(has(oldObject.metadata.annotations) && '" + kubeovn.Networks + "' in oldObject.metadata.annotations ? " +
	"oldObject.metadata.annotations['" + kubeovn.Networks + "'] : '')"

// bindsWithMetadata holds for Bindings that bring annotations that Kube-OVN reads, or labels. The API server itself
// (1.35 and later) puts the node's zone and region on the Bindings of the scheduler; were they sent, nothing could be
// scheduled without a webhook.
var bindsWithMetadata = "has(object.metadata.annotations) && object.metadata.annotations.exists(k, " +
	admissionpolicy.Counts() + ") || " +
	"has(object.metadata.labels) && (request.userInfo.username != 'system:kube-scheduler' || " +
	"object.metadata.labels.exists(k, !(k in " + admissionpolicy.List(
	[]string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion},
) + ")))"

// changesSpec holds where an update changes what is asked for.
const changesSpec = "request.operation != 'UPDATE' || " +
	"(has(object.spec) ? object.spec : {}) != (has(oldObject.spec) ? oldObject.spec : {})"

// changesVip holds where an update by others than those who keep the status changes what a Vip is given or for, or with
// what it goes.
var changesVip = changesSpec +
	" || (has(object.status) ? object.status : {}) != (has(oldObject.status) ? oldObject.status : {}) || " +
	admissionpolicy.Changed("labels", "ownerReferences")

// namesAPort holds for OvnEips that get a port; the port has their name.
const namesAPort = "has(object.spec) && has(object.spec.type) && object.spec.type == 'lsp' && " +
	"!(request.operation == 'UPDATE' && has(oldObject.spec) && has(oldObject.spec.type) && oldObject.spec.type == " +
	"'lsp')"

// claimsGateway holds for workloads that come to say that they are a gateway's.
const claimsGateway = "has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(r, " +
	"r.apiVersion.startsWith('" + kubeovn.Group + "/') && r.kind in ['" + kubeovn.KindNATGateway + "', '" +
	kubeovn.KindEgressGateway + "'] && !(request.operation == 'UPDATE' && has(oldObject.metadata.ownerReferences) && " +
	"oldObject.metadata.ownerReferences.exists(o, o.uid == r.uid && o.kind == r.kind && o.name == r.name && " +
	"o.apiVersion == r.apiVersion)))"

// changesMachine holds where an update changes what goes from a machine to its pods.
var changesMachine = changesSpec + " || " + admissionpolicy.Changed("annotations")

// asksInTemplate holds where a template has annotations that may be about NICs.
func asksInTemplate(path string) condition {
	return changes("has(" + path + ".metadata) && has(" + path + ".metadata.annotations) && " + path +
		".metadata.annotations.exists(key, " +
		"(key.contains('.kubernetes.io/') || key.contains('cni') || key == '" + kubeovn.MigrationJob + "') && " +
		"!(key == '" + kubeovn.DefaultProvider.Key(kubeovn.PortSecurity) + "' && " +
		path + ".metadata.annotations[key] == 'true'))")
}
