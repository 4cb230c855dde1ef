package admissionpolicy

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A stamp is what the default policy writes on an ordinary pod, written on the template that such pods are made from: port_security
// and the record that it was inherited. Whatever changes a pod costs the API server as much again as making it, because it writes the
// pod as JSON, reads it, compares it and admits it once more; a template is changed once for all its pods, and these are ordinary and
// done as they come.

// TemplateLabel, with the value TemplateStrict, is on a template that was stamped, and so on its pods. Selectors know labels alone. A template
// without labels gets none: of the first one, Kubernetes makes the selector of a ReplicationController that has none.
const (
	TemplateLabel  = "ovnguard.io/template"
	TemplateStrict = "strict"
)

// ofTemplates selects the pods that say that their template was stamped, or all others.
func ofTemplates(operator metav1.LabelSelectorOperator) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: TemplateLabel, Operator: operator, Values: []string{TemplateStrict}}}}
}

// workload is a kind of object that makes pods from a template.
type workload struct {
	// name is that of the policy, path where the template is.
	name  string
	path  []string
	rules []admissionregistrationv1.NamedRuleWithOperations
}

// workloads are those that Kubernetes brings. A policy knows one path only.
func workloads() []workload {
	const create, update, namespaced = admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.NamespacedScope
	jobs := ruleOf("batch", []string{"jobs"}, namespaced, create) // and never changed afterwards
	return []workload{
		{TemplatesName, []string{"spec", "template"}, []admissionregistrationv1.NamedRuleWithOperations{
			ruleOf("apps", []string{"deployments", "replicasets", "statefulsets", "daemonsets"}, namespaced, create, update),
			rule([]string{"replicationcontrollers"}, namespaced, create, update), jobs,
		}},
		{CronTemplatesName, []string{"spec", "jobTemplate", "spec", "template"}, []admissionregistrationv1.NamedRuleWithOperations{
			ruleOf("batch", []string{"cronjobs"}, namespaced, create, update),
		}},
	}
}

// stamps has the API server stamp the templates of new workloads whose pods are ordinary, and of those that change anyway: a template
// that nobody else changes is left alone, because a change of it makes all its pods anew. It takes the stamp off again where the
// namespace has become the webhooks' business, or the template asks for something. What another object controls is left to that one's
// template: a controller that finds another template than its own writes it again and again.
func (in Input) stamps(w workload, strict string) admissionregistrationv1.MutatingAdmissionPolicy {
	template := func(object string) string { return object + "." + strings.Join(w.path, ".") }
	metadata := template("object") + ".metadata"
	annotations, labels := part(template("object"), "annotations"), part(template("object"), "labels")
	pointer := "/" + strings.Join(w.path, "/") + "/metadata/"
	// The record alone is what is left of a stamp whose other half somebody has taken, or asked otherwise for a while.
	bare := "!(" + quote(portSecurity) + " in " + annotations + ")"
	ordinary := "(" + asksNothing(annotations) + " && (" + bare + " || " + recorded(annotations, Record) + "))"
	labelled := "(" + quote(TemplateLabel) + " in " + labels + ")"
	unlabelled := "(has(" + metadata + ".labels) && !" + labelled + ")"
	// Who selects by the label keeps it: a template must have what its workload selects by.
	selected := "(object.spec.?selector.?matchLabels[?" + quote(TemplateLabel) + "].hasValue() || object.spec.?selector[?" + quote(TemplateLabel) + "].hasValue())"
	return admissionregistrationv1.MutatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "MutatingAdmissionPolicy"}, ObjectMeta: meta(w.name),
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: constraints(w.rules...),
			MatchConditions: []admissionregistrationv1.MatchCondition{
				in.elsewhere(),
				{Name: "changed", Expression: "oldObject == null || " + template("object") + " != " + template("oldObject")},
				{Name: "not-controlled", Expression: "!has(object.metadata.ownerReferences) || !object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller)"},
				{Name: "not-on-the-host-network", Expression: "!has(" + template("object") + ".spec.hostNetwork) || !" + template("object") + ".spec.hostNetwork"},
				{Name: "ordinary-or-stamped", Expression: ordinary + " || " + labelled},
			},
			Variables: []admissionregistrationv1.Variable{{Name: "strict", Expression: strict}},
			// Nothing is lost where this fails: each pod is made strict when it comes.
			FailurePolicy:      new(admissionregistrationv1.Ignore),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: "variables.strict && " + ordinary + " ? " +
					"(" + bare + " || " + unlabelled + " ? " + stamp(metadata, pointer+"annotations") + " : []) + " +
					"(" + unlabelled + " ? [" + add(pointer+"labels", TemplateLabel, TemplateStrict) + "] : []) : " +
					"(" + recorded(annotations, Record) + " ? " + unstamp(pointer+"annotations") + " : []) + " +
					"(" + labelled + " && !" + selected + " ? [" + remove(pointer+"labels", TemplateLabel) + "] : [])"},
			}},
		},
	}
}
