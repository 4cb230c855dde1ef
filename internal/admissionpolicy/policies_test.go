package admissionpolicy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// Requests that a policy loosens, or lets exceptions loosen, are left to the webhooks.
func TestDeferred(t *testing.T) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "it's"}}
	for name, c := range map[string]struct {
		spec v1alpha1.PortSecurityPolicySpec
		part string // of the expression; "" for none
	}{
		"strict": {
			v1alpha1.PortSecurityPolicySpec{NamespaceSelector: selector, Level: v1alpha1.LevelStrict}, "",
		},
		"open": {
			v1alpha1.PortSecurityPolicySpec{NamespaceSelector: selector, Level: v1alpha1.LevelOpen}, `== 'it\'s'`,
		},
		"mac everywhere": {v1alpha1.PortSecurityPolicySpec{Level: v1alpha1.LevelMAC}, "(true)"},
		"forwarding": {
			v1alpha1.PortSecurityPolicySpec{NamespaceSelector: selector, Layer2Forward: v1alpha1.Allow}, "'team'",
		},
		"audited only": {
			v1alpha1.PortSecurityPolicySpec{NamespaceSelector: selector, Mode: v1alpha1.ModeAudit}, "'team'",
		},
		"external addresses": {
			v1alpha1.PortSecurityPolicySpec{NamespaceSelector: selector, ExternalAddresses: v1alpha1.Allow}, "'team'",
		},
		"exceptions": {
			v1alpha1.PortSecurityPolicySpec{Exceptions: &v1alpha1.ExceptionRules{Namespaces: []string{"gw", "b"}}},
			"namespaceObject.metadata.name in ['b', 'gw']",
		},
		"forwarding elsewhere": {
			v1alpha1.PortSecurityPolicySpec{
				NamespaceSelector: selector, Providers: []string{"blue.lab.ovn"}, Level: v1alpha1.LevelStrict,
				Layer2Forward: v1alpha1.Allow,
			},
			"'team'",
		},
		"warned elsewhere": {
			v1alpha1.PortSecurityPolicySpec{
				NamespaceSelector: selector, Providers: []string{"blue.lab.ovn"}, Level: v1alpha1.LevelStrict,
				Mode: v1alpha1.ModeWarn,
			},
			"'team'",
		},
		"of pods with a label": {
			v1alpha1.PortSecurityPolicySpec{
				NamespaceSelector: &metav1.LabelSelector{
					MatchExpressions: []metav1.LabelSelectorRequirement{
						{Key: "a", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"x"}},
						{Key: "b", Operator: metav1.LabelSelectorOpExists},
					},
				},
				Mode: v1alpha1.ModeWarn,
			},
			"(!('a' in namespaceObject.metadata.labels && namespaceObject.metadata.labels['a'] in ['x'])) && ('b' in " +
				"namespaceObject.metadata.labels)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			none, err := Input{}.deferred()
			if err != nil {
				t.Fatal(err)
			}
			got, err := Input{Policies: []v1alpha1.PortSecurityPolicy{{Spec: c.spec}}}.deferred()
			if err != nil {
				t.Fatal(err)
			}
			if (got == none) != (c.part == "") || !strings.Contains(got, c.part) {
				t.Errorf("namespaces that are left out: %s, want with %s", got, c.part)
			}
		})
	}
}

func TestUnreadableSelector(t *testing.T) {
	bad := v1alpha1.PortSecurityPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: v1alpha1.PortSecurityPolicySpec{
		Level: v1alpha1.LevelOpen,
		NamespaceSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}},
		},
	}}
	if _, err := Make(
		Input{Policies: []v1alpha1.PortSecurityPolicy{bad}},
	); err == nil ||
		!strings.Contains(err.Error(), "PortSecurityPolicy p: spec.namespaceSelector") {
		t.Errorf("got %v, want an error that names the policy and the field", err)
	}
}

// The record must be what the webhook would have written, or it would be asked again for nothing.
func TestRecord(t *testing.T) {
	if Record != `{"ovn":{"level":"strict","from":"default","layer2Forward":"forbid","layer2ForwardFrom":"default"}}` {
		t.Error(Record)
	}
}

// A pod that names an owner with a controller that makes pods is not believed to be one of them: the webhooks judge it.
func TestThreat37OwnersAreNotOrdinary(t *testing.T) {
	for _, part := range []string{
		"o.apiVersion.startsWith('kubevirt.io')", "'ReplicaSet'", "'StatefulSet'", "'Job'",
		"'system:serviceaccount:kube-system:replicaset-controller'", "'system:kube-controller-manager'",
	} {
		if !strings.Contains(Ordinary(), part) {
			t.Errorf("%s is not in %s", part, Ordinary())
		}
	}
}

// Every variable is defined before the one that uses it, and is used; what the expressions say of them is held to that.
func TestVariablesAreDefinedBeforeUse(t *testing.T) {
	set, err := Make(Input{})
	if err != nil {
		t.Fatal(err)
	}
	use := regexp.MustCompile(`\bvariables\.(\w+)`)
	check := func(policy string, variables []admissionregistrationv1.Variable, expressions ...string) {
		used, defined := make(map[string]bool), make(map[string]bool)
		uses := func(where, expression string) {
			for _, m := range use.FindAllStringSubmatch(expression, -1) {
				if used[m[1]] = true; !defined[m[1]] {
					t.Errorf("%s: %s uses variables.%s, which is not defined before", policy, where, m[1])
				}
			}
		}
		for _, v := range variables {
			uses("variable "+v.Name, v.Expression)
			if defined[v.Name] {
				t.Errorf("%s: variable %s is defined twice", policy, v.Name)
			}
			defined[v.Name] = true
		}
		for _, e := range expressions {
			uses(e, e)
		}
		for name := range defined {
			if !used[name] {
				t.Errorf("%s: variable %s is used by nothing", policy, name)
			}
		}
	}
	for _, p := range set.Mutating {
		for _, m := range p.Spec.Mutations {
			check(p.Name, p.Spec.Variables, m.JSONPatch.Expression)
		}
	}
	for _, p := range set.Validating {
		var expressions []string
		for _, v := range p.Spec.Validations {
			expressions = append(expressions, v.Expression, v.MessageExpression)
		}
		check(p.Name, p.Spec.Variables, expressions...)
	}
}

// A missing part, and two parts with one name, are found when the policies are made.
func TestFill(t *testing.T) {
	with := parts{"a": "1", "list": "[2]"}
	if got := with.fill("$a in\n\t\t$list || {}[$a] > 0"); got != "1 in [2] || {}[1] > 0" {
		t.Error(got)
	}
	for name, wrong := range map[string]func(){
		"no such part":    func() { with.fill("$b") },
		"two of one name": func() { with.and(parts{"a": "2"}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing is said", name)
				}
			}()
			wrong()
		}()
	}
}

// Every policy has its binding and a name that is known.
func TestNames(t *testing.T) {
	set, err := Make(Input{})
	if err != nil {
		t.Fatal(err)
	}
	var mutating, validating []string
	for i, p := range set.Mutating {
		mutating = append(mutating, p.Name)
		if set.MutatingBindings[i].Spec.PolicyName != p.Name {
			t.Errorf("%s has the binding of %s", p.Name, set.MutatingBindings[i].Spec.PolicyName)
		}
	}
	for i, p := range set.Validating {
		validating = append(validating, p.Name)
		if set.ValidatingBindings[i].Spec.PolicyName != p.Name {
			t.Errorf("%s has the binding of %s", p.Name, set.ValidatingBindings[i].Spec.PolicyName)
		}
	}
	if !slices.Equal(mutating, MutatingNames) || !slices.Equal(validating, ValidatingNames) {
		t.Errorf("there are %v and %v, want %v and %v", mutating, validating, MutatingNames, ValidatingNames)
	}
}

// Caches list in any order; a different order must not cause a write each time.
func TestOrderOfPolicies(t *testing.T) {
	policy := func(name string, namespaces ...string) v1alpha1.PortSecurityPolicy {
		p := v1alpha1.PortSecurityPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		p.Spec.Level = v1alpha1.LevelOpen
		p.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}
		p.Spec.Exceptions = &v1alpha1.ExceptionRules{Namespaces: namespaces}
		return p
	}
	policies := []v1alpha1.PortSecurityPolicy{policy("a", "edge", "core"), policy("b", "core", "far"), policy("c")}
	want, err := Make(Input{Policies: policies})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(policies)
	policies[0], policies[1] = policies[1], policies[0]
	policies[2].Spec.Exceptions.Namespaces = []string{"core", "edge"}
	got, err := Make(Input{Policies: policies})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-one order, +another:\n%s", diff)
	}
	if policies[0].Name != "b" {
		t.Error("the caller's policies were sorted")
	}
}

// The API server hands down the keys that the first policy for the default NIC lists, without guarded keys and keys of
// other NICs. Where no policy lists any, the expressions are as if there were no such field.
func TestInherited(t *testing.T) {
	const routes, mirror = "ovn.kubernetes.io/routes", "ovn.kubernetes.io/mirror"
	policy := func(name string, change func(*v1alpha1.PortSecurityPolicySpec)) v1alpha1.PortSecurityPolicy {
		p := v1alpha1.PortSecurityPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		p.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}
		change(&p.Spec)
		return p
	}
	lists := func(name string, priority int32, keys ...string) v1alpha1.PortSecurityPolicy {
		return policy(name, func(s *v1alpha1.PortSecurityPolicySpec) { s.Priority, s.InheritedKeys = priority, keys })
	}
	is := func(name string) string {
		return "('team' in namespaceObject.metadata.labels && namespaceObject.metadata.labels['team'] == '" + name + "')"
	}
	for name, c := range map[string]struct {
		policies []v1alpha1.PortSecurityPolicy
		choice   string // "" for none
	}{
		"no policy": {nil, ""},
		"no list":   {[]v1alpha1.PortSecurityPolicy{lists("a", 0)}, ""},
		"guarded": {
			[]v1alpha1.PortSecurityPolicy{lists("a", 0, "ovn.kubernetes.io/port_security", "ovn.kubernetes.io/vpc_nat_gw")}, "",
		},
		"other NICs": {[]v1alpha1.PortSecurityPolicy{lists("a", 0, "blue.lab.ovn.kubernetes.io/routes")}, ""},
		"a policy for other NICs": {
			[]v1alpha1.PortSecurityPolicy{policy("a", func(s *v1alpha1.PortSecurityPolicySpec) {
				s.Providers, s.InheritedKeys = []string{"*.lab.ovn"}, []string{routes}
			})}, "",
		},
		"by labels of pods": {
			[]v1alpha1.PortSecurityPolicy{policy("a", func(s *v1alpha1.PortSecurityPolicySpec) {
				s.PodSelector, s.InheritedKeys = &metav1.LabelSelector{}, []string{routes}
			})}, "",
		},
		"in order": {
			[]v1alpha1.PortSecurityPolicy{
				lists("a", 0, routes), lists("b", 7), lists("c", 0, routes, mirror, "ovn.kubernetes.io/vip"),
			},
			"((" + is("b") + ") ? [] : (" + is("a") + ") ? ['" + routes + "'] : (" + is("c") + ") ? ['" + mirror + "', '" +
				routes + "'] : [])",
		},
	} {
		in := Input{Policies: c.policies}
		got, err := in.inherited()
		if err != nil || (got == "") != (c.choice == "") || !strings.Contains(got, c.choice) {
			t.Errorf("%s: %s, %v, want it with %s", name, got, err, c.choice)
		}
		set, err := Make(in)
		if err != nil {
			t.Fatal(err)
		}
		spec := &set.Mutating[0].Spec
		if handsDown := len(spec.Variables) == 2; handsDown != (c.choice != "") ||
			strings.Contains(spec.Mutations[0].JSONPatch.Expression, "variables.inherited") != handsDown {
			t.Errorf("%s: %s", name, spec.Mutations[0].JSONPatch.Expression)
		}
	}
}
