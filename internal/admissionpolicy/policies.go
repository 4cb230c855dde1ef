// Package admissionpolicy writes the admission policies that the API server evaluates itself. They keep the default and
// the floor while no webhook answers, and spare ordinary pods the webhooks. They are made from the same facts as the
// webhooks' own judgement and never refuse what a webhook could grant: whatever an exception or a loose policy may
// concern is left to the webhooks, which refuse it by not answering.
package admissionpolicy

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Names of the policies; each binding has the name of its policy.
const (
	DefaultName        = "ovnguard-default"
	FloorName          = "ovnguard-floor"
	NamespaceFloorName = "ovnguard-namespace-floor"
)

// MutatingNames and ValidatingNames are those of all policies that there may be.
var (
	MutatingNames   = []string{DefaultName}
	ValidatingNames = []string{FloorName, NamespaceFloorName}
)

// Label marks everything that belongs to this program.
const Label = "app.kubernetes.io/name"

// LabelValue is the value of Label.
const LabelValue = "ovnguard"

// Input is what the policies are made from.
type Input struct {
	// Policies are the PortSecurityPolicies of the cluster.
	Policies []v1alpha1.PortSecurityPolicy
	// Accounts are the users of Kube-OVN, KubeVirt and this program.
	Accounts admission.Accounts
	// Namespace is the program's own, whose pods must start without it.
	Namespace string
}

// Set is everything that is to be installed.
type Set struct {
	Mutating           []admissionregistrationv1.MutatingAdmissionPolicy
	MutatingBindings   []admissionregistrationv1.MutatingAdmissionPolicyBinding
	Validating         []admissionregistrationv1.ValidatingAdmissionPolicy
	ValidatingBindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// Make returns the policies and their bindings. They are the same in whatever order the input comes.
func Make(in Input) (Set, error) {
	in.Policies = slices.SortedFunc(
		slices.Values(in.Policies),
		func(a, b v1alpha1.PortSecurityPolicy) int { return strings.Compare(a.Name, b.Name) },
	)
	deferred, err := in.deferred()
	if err != nil {
		return Set{}, err
	}
	namespaceFloor, err := in.namespaceFloor()
	if err != nil {
		return Set{}, err
	}
	inherited, err := in.inherited()
	if err != nil {
		return Set{}, err
	}
	strict := "!(" + deferred + ")"
	set := Set{
		Mutating:   []admissionregistrationv1.MutatingAdmissionPolicy{in.defaults(strict, inherited)},
		Validating: []admissionregistrationv1.ValidatingAdmissionPolicy{in.floor(strict), namespaceFloor},
	}
	for _, p := range set.Mutating {
		set.MutatingBindings = append(set.MutatingBindings, admissionregistrationv1.MutatingAdmissionPolicyBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "MutatingAdmissionPolicyBinding"},
			ObjectMeta: meta(
				p.Name,
			),
			Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: p.Name},
		})
	}
	for _, p := range set.Validating {
		set.ValidatingBindings = append(
			set.ValidatingBindings,
			admissionregistrationv1.ValidatingAdmissionPolicyBinding{
				TypeMeta:   metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicyBinding"},
				ObjectMeta: meta(p.Name),
				Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
					PolicyName: p.Name,
					ValidationActions: []admissionregistrationv1.ValidationAction{
						admissionregistrationv1.Deny,
						admissionregistrationv1.Audit,
					},
				},
			},
		)
	}
	return set, nil
}

const apiVersion = "admissionregistration.k8s.io/v1"

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{Label: LabelValue}}
}

// deferred returns an expression that holds in namespaces that are the webhooks' business: where a policy is not strict
// and enforced, or honours exceptions.
func (in Input) deferred() (string, error) {
	alternatives, err := in.loose()
	if err != nil {
		return "", err
	}
	if excepted := in.excepted(); len(excepted) > 0 {
		alternatives = append(alternatives, "namespaceObject.metadata.name in "+List(excepted))
	}
	// A namespace that loosens something for its pods is read by the webhooks, too. What says nothing, or what is so
	// anyway, loosens nothing.
	const said, labels = "namespaceObject.metadata.annotations", "namespaceObject.metadata.labels"
	on, off := kubeovn.ToggleWords()
	alternatives = append(alternatives,
		"has("+said+") && "+said+".exists(k, "+about(kubeovn.PortSecurity)+" && "+means(said+"[k]", off)+" || "+
			about(kubeovn.Layer2Forward)+" && "+means(said+"[k]", on)+")",
		"has("+labels+") && "+quote(policy.LevelLabel)+" in "+labels+" && "+labels+"["+quote(policy.LevelLabel)+"] in "+
			List([]string{policy.MAC.String(), policy.Open.String()}),
	)
	return anyOf(alternatives), nil
}

// about returns an expression that holds for the key k of an annotation of a namespace with that suffix.
func about(s kubeovn.Suffix) string { return "k.endsWith(" + quote(".kubernetes.io/"+string(s)) + ")" }

// means returns an expression that holds for a value of an on/off annotation that means one of the words.
func means(value string, words []string) string {
	return value + ".trim().lowerAscii() in " + List(words)
}

// excepted returns the namespaces that may hold exceptions, in order.
func (in Input) excepted() []string {
	var names []string
	for i := range in.Policies {
		if x := in.Policies[i].Spec.Exceptions; x != nil {
			names = append(names, x.Namespaces...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// loose returns expressions of which one holds in namespaces where a policy asks for less than strict and enforced.
func (in Input) loose() ([]string, error) {
	var alternatives []string
	for i := range in.Policies {
		p := &in.Policies[i].Spec
		loose := p.Level != "" && p.Level != v1alpha1.LevelStrict || p.Layer2Forward == v1alpha1.Allow ||
			p.Mode != "" && p.Mode != v1alpha1.ModeEnforce || p.ExternalAddresses == v1alpha1.Allow
		if !loose {
			continue
		}
		selector, err := selectorExpression(p.NamespaceSelector)
		if err != nil {
			return nil, fmt.Errorf("PortSecurityPolicy %s: spec.namespaceSelector: %w", in.Policies[i].Name, err)
		}
		alternatives = append(alternatives, selector)
	}
	return alternatives, nil
}

// anyOf returns an expression that holds where one of some does.
func anyOf(alternatives []string) string {
	if len(alternatives) == 0 {
		return "(false)"
	}
	return "(" + strings.Join(alternatives, ") || (") + ")"
}

// constraints match the rules everywhere. The program's own namespace is left out by a condition, see elsewhere: the
// API server reads a policy's selector again for each request of any kind (2 microseconds and more, by its length), and
// a condition only for those that a rule is about.
func constraints(rules ...admissionregistrationv1.NamedRuleWithOperations) *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{
		ResourceRules: rules, MatchPolicy: new(admissionregistrationv1.Equivalent),
		NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
	}
}

// OwnNamespace is the namespace that the program's manifests make for it alone, which is left out as a whole.
const OwnNamespace = "ovnguard-system"

// IsItself returns an expression that holds for pods of the program itself, which must start without it. In a namespace
// that is not made for it alone, these are the pods of its own service accounts: whoever makes such a pod can act as
// the program anyway, and nobody else's pods are left out for its sake.
func IsItself(namespace string, self []string) string {
	inNamespace := "request.namespace == " + quote(namespace)
	if namespace == OwnNamespace {
		return inNamespace
	}
	var names []string
	for _, user := range self {
		if name, ok := strings.CutPrefix(user, "system:serviceaccount:"+namespace+":"); ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "false"
	}
	return inNamespace + " && object.?spec.?serviceAccountName.orValue('') in " + List(names)
}

// elsewhere holds for pods that are not the program's own.
func (in Input) elsewhere() admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{
		Name:       "not-ovnguard-itself",
		Expression: "!(" + IsItself(in.Namespace, in.Accounts.Self) + ")",
	}
}

// rule returns a rule for resources of the core group.
func rule(
	resources []string,
	scope admissionregistrationv1.ScopeType,
	operations ...admissionregistrationv1.OperationType,
) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{
		RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: operations,
			Rule: admissionregistrationv1.Rule{
				APIGroups:   []string{""},
				APIVersions: []string{"v1"},
				Resources:   resources,
				Scope:       &scope,
			},
		},
	}
}

// List returns texts as a list in CEL.
func List(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	slices.Sort(quoted)
	quoted = slices.Compact(quoted)
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote returns a text as a string in CEL.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(text) + "'"
}
