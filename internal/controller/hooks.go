package controller

import (
	"context"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	webhook "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/governance"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// hook is one webhook: what is registered for it, and who answers.
type hook struct {
	// name is its name in the registration, path where it is served.
	name, path string
	mutating   bool
	rules      []admissionregistrationv1.RuleWithOperations
	// conditions narrow what is sent here; none may skip anything that loosens a port.
	conditions []admissionregistrationv1.MatchCondition
	// everywhere reports whether not even the namespace that is the program's alone is left out.
	everywhere bool
	// advisory means that it only warns, so that nothing is lost without an answer.
	advisory bool
	handler  func(w *world, observe func(string, time.Duration)) webhook.Handler
}

// Operations, as rules take them.
const (
	create = admissionregistrationv1.Create
	change = admissionregistrationv1.Update
)

// rule returns a rule of the registration for resources of one group.
func rule(
	group, version string,
	scope admissionregistrationv1.ScopeType,
	resources []string,
	operations ...admissionregistrationv1.OperationType,
) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: operations,
		Rule: admissionregistrationv1.Rule{
			APIGroups:   []string{group},
			APIVersions: []string{version},
			Resources:   resources,
			Scope:       &scope,
		},
	}
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

// hooks are all webhooks, in the order of their registration.
//
// Pods that have no OVN port never leave the API server, so that a broken pod network cannot keep the pods that would
// mend it from starting: those on the host's network, and mirrors of static pods. Nor do the program's own, which could
// otherwise not start again when the last of them is gone; the audit covers them like any other.
func hooks(o Options) []hook {
	const namespaced, cluster = admissionregistrationv1.NamespacedScope, admissionregistrationv1.ClusterScope
	// An ordinary pod that has been made strict, by a webhook or by the API server itself, needs no second look; and
	// none at all where the API server has done it.
	notOrdinary := admissionregistrationv1.MatchCondition{
		Name:       "not-ordinary",
		Expression: "!(" + admissionpolicy.Ordinary() + ")",
	}
	onNetwork := admissionpolicy.OnNetwork()
	itself := admissionpolicy.IsItself(o.Namespace, o.Accounts.Self)
	if o.Namespace != admissionpolicy.OwnNamespace && itself != "false" {
		onNetwork = append(onNetwork, admissionregistrationv1.MatchCondition{
			Name: "not-ovnguard-itself", Expression: "!(" + itself + ")",
		})
	}
	with := func(more ...admissionregistrationv1.MatchCondition) []admissionregistrationv1.MatchCondition {
		return append(slices.Clip(onNetwork), more...)
	}
	// New pods, of which there are most, have webhooks of their own with a single condition: all of a webhook's are
	// evaluated for each request, a second time where one has changed the object.
	undecided := onNetwork
	if o.AdmissionPolicies {
		// A name that was chosen is always looked at, also while the API server does not have the policies (yet).
		unnamed := admissionregistrationv1.MatchCondition{Expression: "!(" + admissionpolicy.OrdinaryUnnamed() + ")"}
		undecided = append([]admissionregistrationv1.MatchCondition{unnamed}, onNetwork...)
	}
	ofPods := []hook{
		{
			name:     "pods.ovnguard.io",
			path:     "/mutate-pods",
			mutating: true,
			handler:  pods(admission.MutatePods),
			rules: []admissionregistrationv1.RuleWithOperations{
				rule("", "v1", namespaced, []string{"pods"}, create),
			},
			conditions: admissionpolicy.Together("on-a-network-and-undecided", undecided...),
		},
		{
			name:     "running-pods.ovnguard.io",
			path:     "/mutate-running-pods",
			mutating: true,
			handler:  pods(admission.MutatePods),
			rules: []admissionregistrationv1.RuleWithOperations{
				rule("", "v1", namespaced, []string{"pods"}, change),
			},
			conditions: with(
				admissionregistrationv1.MatchCondition{Name: "changes-networks", Expression: changesNetworks},
			),
		},
		{
			name:    "guard-pods.ovnguard.io",
			path:    "/guard-pods",
			handler: pods(admission.GuardPods),
			rules: []admissionregistrationv1.RuleWithOperations{
				rule("", "v1", namespaced, []string{"pods"}, create),
			},
			conditions: admissionpolicy.Together(
				"on-a-network-and-not-ordinary",
				append([]admissionregistrationv1.MatchCondition{notOrdinary}, onNetwork...)...),
		},
	}
	running := hook{
		name:    "guard-running-pods.ovnguard.io",
		path:    "/guard-running-pods",
		handler: pods(admission.GuardPods),
		rules: []admissionregistrationv1.RuleWithOperations{
			rule("", "v1", namespaced, []string{"pods", "pods/status"}, change),
		},
		// Kubelets report the status of pods all the time, and the CNI what it made; nothing of that is sent.
		conditions: with(
			notBy(slices.Concat(o.Accounts.KubeOVN, o.Accounts.Self)),
			admissionregistrationv1.MatchCondition{Name: "touches-ports", Expression: admissionpolicy.Touches()},
		),
	}
	ofPods = append(ofPods, running.byRight(admission.VerbUndo, admissionpolicy.Undoes(), admissionpolicy.MayUndo)...)
	ofPods = append(ofPods, hook{
		name:    "guard-bindings.ovnguard.io",
		path:    "/guard-bindings",
		handler: pods(admission.GuardPods),
		rules: []admissionregistrationv1.RuleWithOperations{
			rule("", "v1", namespaced, []string{"pods/binding", "bindings"}, create),
		},
		conditions: []admissionregistrationv1.MatchCondition{
			{Name: "binds-with-metadata", Expression: bindsWithMetadata},
		},
	})
	namespaces := governed(
		"namespaces",
		"",
		"v1",
		cluster,
		[]string{"namespaces", "namespaces/status", "namespaces/finalize"},
		touchesMetadata,
		(*governance.Guard).Namespace,
		create,
		change,
	).notBy(o.Accounts.KubeOVN)
	exceptionsOf := governed(
		"portsecurityexceptions",
		own,
		v1alpha1.GroupVersion.Version,
		namespaced,
		[]string{"portsecurityexceptions"},
		changesSpec,
		(*governance.Guard).Exception,
		create,
		change,
	).allOver()
	return slices.Concat(ofPods, namespaces.byRight("exempt", "true", mayExempt), []hook{
		stamped("portsecurityexceptions", changesSpec, (*governance.Guard).StampException),
	}, exceptionsOf.byRight("approve", approves, mayApprove), []hook{
		governed(
			"portsecuritypolicies",
			own,
			v1alpha1.GroupVersion.Version,
			cluster,
			[]string{"portsecuritypolicies"},
			changesSpec,
			(*governance.Guard).Policy,
			create,
			change,
			admissionregistrationv1.Delete,
		).allOver(),
		governed(
			"attachments",
			"k8s.cni.cncf.io",
			"v1",
			namespaced,
			[]string{"network-attachment-definitions"},
			changesSpec,
			(*governance.Guard).Attachment,
			create,
			change,
		),
		governed("vips", "kubeovn.io", "v1", cluster, []string{"vips", "vips/status"}, changesVip,
			(*governance.Guard).Vip, create, change, admissionregistrationv1.Delete).notBy(o.Accounts.KubeOVN),
		governed(
			"eips",
			"kubeovn.io",
			"v1",
			cluster,
			[]string{"ovn-eips"},
			namesAPort,
			(*governance.Guard).EIP,
			create,
			change,
		).notBy(o.Accounts.KubeOVN),
		governed(
			"gateways",
			"apps",
			"v1",
			namespaced,
			[]string{"deployments", "statefulsets"},
			claimsGateway,
			(*governance.Guard).GatewayWorkload,
			create,
			change,
		).notBy(o.Accounts.KubeOVN),
		governed(
			"machines",
			"kubevirt.io",
			"*",
			namespaced,
			[]string{"virtualmachines", "virtualmachineinstances"},
			changesMachine,
			(*governance.Guard).Machine,
			create,
			change,
		),
		governed(
			"workloads",
			"apps",
			"v1",
			namespaced,
			[]string{"deployments", "replicasets", "statefulsets", "daemonsets"},
			asksInTemplate("object.spec.template"),
			(*governance.Guard).Workload,
			create,
			change,
		).also(rule("batch", "v1", namespaced, []string{"jobs"}, create, change)).
			advises(),
		governed(
			"cronjobs",
			"batch",
			"v1",
			namespaced,
			[]string{"cronjobs"},
			asksInTemplate("object.spec.jobTemplate.spec.template"),
			(*governance.Guard).Workload,
			create,
			change,
		).advises(),
	})
}

// Questions about rights that the API server answers itself, when it evaluates the conditions of a webhook: whoever
// else reaches the port has this program ask nothing.
const (
	mayExempt = "authorizer.group('" + ownGroup +
		"').resource('namespaces').name(object.metadata.name).check('exempt').allowed()"
	mayApprove = "authorizer.group('" + ownGroup +
		"').resource('portsecurityexceptions').namespace(request.namespace).name(request.name).check('approve').allowed()"
	ownGroup = "ovnguard.io"
)

// approves holds for requests that approve an exception, or say that it is.
const approves = "has(object.spec) && has(object.spec.approvedBy) && object.spec.approvedBy != '' && " +
	"(request.operation != 'UPDATE' || !has(oldObject.spec) || !has(oldObject.spec.approvedBy) || " +
	"oldObject.spec.approvedBy != object.spec.approvedBy)"

// byRight returns the webhook twice: for authors of whom the API server says that they have the verb, and for all
// others, under the path and the name that the webhook had. Which of the two is called says which it is. Who calls one
// without being the API server gets an answer, which changes nothing. Of requests for which needed does not hold nobody
// has the verb, as it makes no difference.
func (h hook) byRight(verb, needed, check string) []hook {
	all := h.conditions
	lacks, has := h.withRight(right{verb, false}), h.withRight(right{verb, true})
	has.path += "-" + verb
	has.name = strings.Replace(h.name, ".", "-"+verb+".", 1)
	may := "(" + needed + ") && " + check
	lacks.conditions = admissionpolicy.Together(
		"without-the-verb-"+verb,
		append(slices.Clip(all), admissionregistrationv1.MatchCondition{Expression: "!(" + may + ")"})...)
	has.conditions = admissionpolicy.Together(
		"with-the-verb-"+verb,
		append(slices.Clip(all), admissionregistrationv1.MatchCondition{Expression: may})...)
	return []hook{lacks, has}
}

// right says whether the author of a request has a verb.
type right struct {
	verb string
	has  bool
}

// withRight returns the webhook with what the API server has said of a right before it called.
func (h hook) withRight(r right) hook {
	handler := h.handler
	h.handler = func(w *world, observe func(string, time.Duration)) webhook.Handler {
		return handler(w.withRight(r), observe)
	}
	return h
}

// own is this program's API group.
var own = v1alpha1.GroupVersion.Group

// changesSpec holds where an update changes what is asked for.
const changesSpec = "request.operation != 'UPDATE' || " +
	"(has(object.spec) ? object.spec : {}) != (has(oldObject.spec) ? oldObject.spec : {})"

// changesVip holds where an update by others than those who keep the status changes what a Vip is given or for, or with
// what it goes.
var changesVip = changesSpec +
	" || (has(object.status) ? object.status : {}) != (has(oldObject.status) ? oldObject.status : {}) || " +
	admissionpolicy.Changed("labels", "ownerReferences")

// namesAPort holds for OvnEips that come to have a port, whose name is theirs.
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
func asksInTemplate(path string) string {
	return "has(" + path + ".metadata) && has(" + path + ".metadata.annotations) && " + path +
		".metadata.annotations.exists(key, " +
		"(key.contains('.kubernetes.io/') || key.contains('cni') || key == '" + kubeovn.MigrationJob + "') && " +
		"!(key == '" + kubeovn.DefaultProvider.Key(
		kubeovn.PortSecurity,
	) + "' && " + path + ".metadata.annotations[key] == 'true'))"
}

// pods returns the handler of a webhook for pods.
func pods(
	make func(admission.World, func(string, time.Duration), func() time.Time) *admission.Handler,
) func(*world, func(string, time.Duration)) webhook.Handler {
	return func(w *world, observe func(string, time.Duration)) webhook.Handler { return make(w, observe, time.Now) }
}

// governed is a webhook that has the last word on something that governs ports.
func governed(
	what, group, version string,
	scope admissionregistrationv1.ScopeType,
	resources []string,
	condition string,
	judge func(*governance.Guard, context.Context, *admissionv1.AdmissionRequest) (governance.Answer, error),
	operations ...admissionregistrationv1.OperationType,
) hook {
	return hook{
		name: "guard-" + what + ".ovnguard.io", path: "/guard-" + what,
		rules:      []admissionregistrationv1.RuleWithOperations{rule(group, version, scope, resources, operations...)},
		conditions: []admissionregistrationv1.MatchCondition{{Name: "changes-what-is-judged", Expression: condition}},
		handler: func(w *world, observe func(string, time.Duration)) webhook.Handler {
			return &governance.Handler{
				Judge: func(ctx context.Context, req *admissionv1.AdmissionRequest) (governance.Answer, error) {
					return judge(w.guard(), ctx, req)
				},
				Observe: observe, Now: time.Now,
			}
		},
	}
}

// stamped is a webhook that writes into resources of this program's own group what their authors must not choose.
func stamped(
	what, condition string,
	judge func(*governance.Guard, context.Context, *admissionv1.AdmissionRequest) (governance.Answer, error),
) hook {
	h := governed(
		what,
		own,
		v1alpha1.GroupVersion.Version,
		admissionregistrationv1.NamespacedScope,
		[]string{what},
		condition,
		judge,
		create,
		change,
	).allOver()
	h.name, h.path, h.mutating = "stamp-"+what+".ovnguard.io", "/stamp-"+what, true
	return h
}

// also returns the webhook with one rule more.
func (h hook) also(r admissionregistrationv1.RuleWithOperations) hook {
	h.rules = append(h.rules, r)
	return h
}

// notBy holds for everybody but some users. What Kube-OVN notes on pods, namespaces and Vips is its own to say, and is
// not kept from it when no webhook answers: a pod that was made would have no network otherwise.
func notBy(users []string) admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{
		Name:       "not-by-kube-ovn",
		Expression: "!(request.userInfo.username in " + admissionpolicy.List(users) + ")",
	}
}

// notBy returns the webhook for everybody but some users.
func (h hook) notBy(users []string) hook {
	h.conditions = append(slices.Clip(h.conditions), notBy(users))
	return h
}

// advises returns the webhook as one that refuses nothing, and that nothing waits for when it does not answer or cannot
// judge.
func (h hook) advises() hook {
	h.advisory = true
	judge := h.handler
	h.handler = func(w *world, observe func(string, time.Duration)) webhook.Handler {
		return governance.Advisory{Handler: judge(w, observe)}
	}
	return h
}

// failurePolicy says what becomes of a request when the webhook does not answer.
func (h hook) failurePolicy() *admissionregistrationv1.FailurePolicyType {
	if h.advisory {
		return new(admissionregistrationv1.Ignore)
	}
	return new(admissionregistrationv1.Fail)
}

// allOver returns the webhook for all namespaces.
func (h hook) allOver() hook {
	h.everywhere = true
	return h
}

// clientConfig says how the API server reaches a path of this program.
func clientConfig(o Options, path string, caBundle []byte) admissionregistrationv1.WebhookClientConfig {
	c := admissionregistrationv1.WebhookClientConfig{CABundle: caBundle}
	if o.WebhookURL != "" {
		url := o.WebhookURL + path
		c.URL = &url
		return c
	}
	port := int32(443)
	c.Service = &admissionregistrationv1.ServiceReference{
		Namespace: o.WebhookService.Namespace, Name: o.WebhookService.Name, Path: &path, Port: &port,
	}
	return c
}

// namespaces returns the selector of the namespaces that a hook is asked about.
func (h hook) namespaces(o Options) *metav1.LabelSelector {
	if h.everywhere ||
		o.Namespace != admissionpolicy.OwnNamespace { // elsewhere, single pods are left out by their accounts: see hooks
		return &metav1.LabelSelector{}
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		// The API server sets this label itself and lets nobody change it.
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{o.Namespace}},
	}}
}

// label is the hook's name in metrics.
func (h hook) label() string { return strings.TrimPrefix(h.path, "/") }
