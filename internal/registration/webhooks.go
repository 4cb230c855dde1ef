package registration

import (
	"context"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/governance"
	"github.com/ovnguard/ovnguard/internal/review"
)

// Timeout is how long the API server waits for each webhook.
const Timeout = 3 * time.Second

// What becomes of a request that a webhook does not answer.
const (
	// closed has it refused.
	closed = admissionregistrationv1.Fail
	// open lets it through. Such a webhook only warns: nothing is lost without an answer, nor where it cannot judge.
	open = admissionregistrationv1.Ignore
)

// webhooks are all webhooks, in the order of their registration. What a row does not say is the strict case: all
// authors, all namespaces but one that is the program's alone, and the last word instead of a change.
//
// Pods that have no OVN port never leave the API server, so that a broken pod network cannot keep the pods that would
// mend it from starting: those on the host's network, and mirrors of static pods. Nor do the program's own, which could
// otherwise not start again when the last of them is gone; the audit covers them like any other.
//
// New pods are the most frequent requests, so they have webhooks of their own with a single condition: all of a
// webhook's are evaluated for each request, a second time where one has changed the object.
var webhooks = []Webhook{
	// Pods.
	{
		Path: "/mutate-pods", mutates: true, fails: closed, of: pods, on: creation,
		when: undecided, answer: mutatePods,
	},
	{
		Path: "/mutate-running-pods", mutates: true, fails: closed, of: pods, on: change,
		when: all(onNetwork, holds("changes-networks", changesNetworks)), answer: mutatePods,
	},
	{
		Path: "/guard-pods", fails: closed, of: pods, on: creation,
		when: notOrdinary, answer: guardPods,
	},
	{
		Path: "/guard-running-pods", fails: closed, of: podsAndStatus, on: change, by: lacking(undo),
		when: touchesPorts, answer: guardPods,
	},
	{
		Path: "/guard-running-pods-undo", fails: closed, of: podsAndStatus, on: change, by: having(undo),
		when: touchesPorts, answer: guardPods,
	},
	{
		Path: "/guard-bindings", fails: closed, of: bindings, on: creation,
		when: holds("binds-with-metadata", bindsWithMetadata), answer: guardPods,
	},

	// What governs ports.
	{
		Path: "/guard-namespaces", fails: closed, of: namespaces, on: creationAndChange, by: lacking(exempt),
		when: all(changes(touchesMetadata), notByKubeOVN), answer: judge((*governance.Guard).Namespace),
	},
	{
		Path: "/guard-namespaces-exempt", fails: closed, of: namespaces, on: creationAndChange, by: having(exempt),
		when: all(changes(touchesMetadata), notByKubeOVN), answer: judge((*governance.Guard).Namespace),
	},
	{
		// What their authors must not choose.
		Path: "/stamp-portsecurityexceptions", mutates: true, fails: closed, everywhere: true, of: exceptions,
		on: creationAndChange, when: changes(changesSpec), answer: judge((*governance.Guard).StampException),
	},
	{
		Path: "/guard-portsecurityexceptions", fails: closed, everywhere: true, of: exceptions,
		on: creationAndChange, by: lacking(approve),
		when: changes(changesSpec), answer: judge((*governance.Guard).Exception),
	},
	{
		Path: "/guard-portsecurityexceptions-approve", fails: closed, everywhere: true, of: exceptions,
		on: creationAndChange, by: having(approve),
		when: changes(changesSpec), answer: judge((*governance.Guard).Exception),
	},
	{
		Path: "/guard-portsecuritypolicies", fails: closed, everywhere: true, of: policies,
		on: creationAndChange, when: changes(changesSpec), answer: judge((*governance.Guard).Policy),
	},
	{
		// What is deleted is only warned of, so that it can be deleted while no replica answers.
		Path: "/guard-portsecuritypolicies-deletion", fails: open, everywhere: true, of: policies,
		on: deletion, when: all(), answer: judge((*governance.Guard).Policy),
	},
	{
		Path: "/guard-attachments", fails: closed, of: attachments, on: creationAndChange,
		when: changes(changesSpec), answer: judge((*governance.Guard).Attachment),
	},
	{
		Path: "/guard-vips", fails: closed, of: vips, on: creationChangeAndDeletion,
		when: all(changes(changesVip), notByKubeOVN), answer: judge((*governance.Guard).Vip),
	},
	{
		Path: "/guard-eips", fails: closed, of: eips, on: creationAndChange,
		when: all(changes(namesAPort), notByKubeOVN), answer: judge((*governance.Guard).EIP),
	},
	{
		Path: "/guard-gateways", fails: closed, of: gateways, on: creationAndChange,
		when: all(changes(claimsGateway), notByKubeOVN), answer: judge((*governance.Guard).GatewayWorkload),
	},
	{
		Path: "/guard-machines", fails: closed, of: machines, on: creationAndChange,
		when: changes(changesMachine), answer: judge((*governance.Guard).Machine),
	},

	// What pods are made from.
	{
		Path: "/guard-workloads", fails: open, of: workloads, on: creationAndChange,
		when: asksInTemplate("object.spec.template"), answer: judge((*governance.Guard).Workload),
	},
	{
		Path: "/guard-cronjobs", fails: open, of: cronJobs, on: creationAndChange,
		when:   asksInTemplate("object.spec.jobTemplate.spec.template"),
		answer: judge((*governance.Guard).Workload),
	},
}

// Webhook is one webhook: what is registered for it, and who answers.
type Webhook struct {
	// Path is where it is served.
	Path string
	// mutates means that it changes objects; others have the last word.
	mutates bool
	// fails says what becomes of a request that it does not answer.
	fails admissionregistrationv1.FailurePolicyType
	// everywhere means that not even the namespace that is the program's alone is left out.
	everywhere bool
	// of and on are the resources and what is done to them.
	of []admissionregistrationv1.Rule
	on []admissionregistrationv1.OperationType
	// by tells authors who have a verb from those who have not; the zero value is for all.
	by authors
	// when narrows what is sent; it may skip nothing that loosens a port.
	when   condition
	answer func(*review.World) admission.Judge
}

// Webhooks returns all webhooks, which are to be served.
func Webhooks() []Webhook { return slices.Clone(webhooks) }

// Label is the webhook's name in metrics and logs.
func (w Webhook) Label() string { return strings.TrimPrefix(w.Path, "/") }

// name is its name in the registration.
func (w Webhook) name() string { return strings.TrimPrefix(w.Label(), "mutate-") + "." + ownGroup }

// Handler returns the handler that answers. It tells observe of each answer, and refused of each refused request.
func (w Webhook) Handler(
	world *review.World,
	observe func(admission.Reviewed),
	refused func(context.Context, admission.Refused),
) ctrladmission.Handler {
	return &admission.Handler{
		Judge:    w.answer(world.Knowing(review.Right{Verb: w.by.verb, Has: w.by.have})),
		Advises:  w.fails == open,
		Observe:  observe,
		Refused:  refused,
		Accounts: world.Accounts,
		Now:      time.Now,
	}
}

// Operations.
var (
	creation          = []admissionregistrationv1.OperationType{admissionregistrationv1.Create}
	change            = []admissionregistrationv1.OperationType{admissionregistrationv1.Update}
	creationAndChange = slices.Concat(creation, change)

	deletion = []admissionregistrationv1.OperationType{admissionregistrationv1.Delete}

	creationChangeAndDeletion = slices.Concat(creationAndChange, deletion)
)

// Resources.
var (
	pods          = namespaced("", "v1", "pods")
	podsAndStatus = namespaced("", "v1", "pods", "pods/status")
	bindings      = namespaced("", "v1", "pods/binding", "bindings")
	namespaces    = clusterWide("", "v1", "namespaces", "namespaces/status", "namespaces/finalize")
	exceptions    = namespaced(ownGroup, v1alpha1.GroupVersion.Version, "portsecurityexceptions")
	policies      = clusterWide(ownGroup, v1alpha1.GroupVersion.Version, "portsecuritypolicies")
	attachments   = namespaced("k8s.cni.cncf.io", "v1", "network-attachment-definitions")
	vips          = clusterWide("kubeovn.io", "v1", "vips", "vips/status")
	eips          = clusterWide("kubeovn.io", "v1", "ovn-eips")
	gateways      = namespaced("apps", "v1", "deployments", "statefulsets")
	machines      = namespaced("kubevirt.io", "*", "virtualmachines", "virtualmachineinstances")
	cronJobs      = namespaced("batch", "v1", "cronjobs")
	workloads     = slices.Concat(
		namespaced("apps", "v1", "deployments", "replicasets", "statefulsets", "daemonsets"),
		namespaced("batch", "v1", "jobs"),
	)
)

func namespaced(group, version string, resources ...string) []admissionregistrationv1.Rule {
	return ruleOf(admissionregistrationv1.NamespacedScope, group, version, resources)
}

func clusterWide(group, version string, resources ...string) []admissionregistrationv1.Rule {
	return ruleOf(admissionregistrationv1.ClusterScope, group, version, resources)
}

func ruleOf(
	scope admissionregistrationv1.ScopeType,
	group, version string,
	resources []string,
) []admissionregistrationv1.Rule {
	return []admissionregistrationv1.Rule{{
		APIGroups:   []string{group},
		APIVersions: []string{version},
		Resources:   resources,
		Scope:       &scope,
	}}
}

func mutatePods(w *review.World) admission.Judge { return admission.MutatePods(w) }

func guardPods(w *review.World) admission.Judge { return admission.GuardPods(w) }

// judge has a judge of what governs ports answer.
func judge(
	by func(*governance.Guard, context.Context, *admissionv1.AdmissionRequest) (governance.Answer, error),
) func(*review.World) admission.Judge {
	return func(w *review.World) admission.Judge {
		return governance.Judge(
			func(ctx context.Context, req *admissionv1.AdmissionRequest) (governance.Answer, error) {
				return by(w.Guard(), ctx, req)
			},
		).Plain()
	}
}
