package charts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// byChart are values with which the chart registers the webhooks.
var byChart = []string{"webhook.registration=chart", "kubeOVN.accounts={system:serviceaccount:kube-system:ovn,zed}"}

// rights returns what the roles of the controller's account allow, as group/resource verb, with the names that it is
// limited to.
func rights(t *testing.T, all []*unstructured.Unstructured) map[string][]any {
	t.Helper()
	out := make(map[string][]any)
	for _, o := range all {
		if o.GetName() != "ovnguard" || o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
			continue
		}
		rules, _, err := unstructured.NestedSlice(o.Object, "rules")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			rule, _ := r.(map[string]any)
			groups, _ := rule["apiGroups"].([]any)
			resources, _ := rule["resources"].([]any)
			verbs, _ := rule["verbs"].([]any)
			names, _ := rule["resourceNames"].([]any)
			for _, resource := range resources {
				for _, verb := range verbs {
					out[fmt.Sprintf("%v/%v %v", groups[0], resource, verb)] = names
				}
			}
		}
	}
	return out
}

// Where the chart registers, the program may neither write a configuration of a webhook nor see a Secret.
func TestChartRegistersInstead(t *testing.T) {
	has := func(set ...string) map[string][]any {
		return rights(t, objects(t, rendered(t, options{set: set})))
	}
	write := func(r map[string][]any) (all []string) {
		for right := range r {
			webhooks := strings.Contains(right, "webhookconfigurations ")
			reads := slices.Contains([]string{"get", "list", "watch"}, right[strings.LastIndex(right, " ")+1:])
			if webhooks && !reads || strings.Contains(right, "/secrets ") {
				all = append(all, right)
			}
		}
		return all
	}
	if got := write(has()); len(got) < 6 {
		t.Fatalf("by default the program may only %v: this test is stale", got)
	}
	if got := write(has(byChart...)); len(got) > 0 {
		t.Errorf("the program may %v", got)
	}
	const made = "admissionregistration.k8s.io/mutatingadmissionpolicies create"
	if _, may := has(byChart...)[made]; !may {
		t.Error("the program may not make the admission policies that it keeps")
	}
	if _, may := has(slices.Concat(byChart, []string{"admissionPolicies=false"})...)[made]; may {
		t.Error("the program may make admission policies, which it is not asked for")
	}
}

// What is registered has cert-manager's injector fill in the authority of the certificate with which the program
// serves, and stands for Kube-OVN's accounts as they are given.
func TestChartRegistration(t *testing.T) {
	text := rendered(t, options{set: byChart})
	all := objects(t, text)
	for _, kind := range []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"} {
		o := find(t, all, kind, "ovnguard")
		if from := o.GetAnnotations()["cert-manager.io/inject-ca-from"]; from != namespace+"/ovnguard-webhook" {
			t.Errorf("%s: the authority is from %q", kind, from)
		}
		hooks, _, err := unstructured.NestedSlice(o.Object, "webhooks")
		if err != nil || len(hooks) == 0 {
			t.Fatalf("%s: %d webhooks, %v", kind, len(hooks), err)
		}
		for _, h := range hooks {
			hook, _ := h.(map[string]any)
			service, _, _ := unstructured.NestedString(hook, "clientConfig", "service", "name")
			if _, has, _ := unstructured.NestedString(hook, "clientConfig", "caBundle"); has || service != "ovnguard" {
				t.Errorf("%v: service %q, has an authority: %v", hook["name"], service, has)
			}
		}
	}
	if strings.Contains(text, "@kube-ovn-accounts@") {
		t.Error("the mark for Kube-OVN's accounts is left in what is rendered")
	}
	for _, want := range []string{
		"in ['system:serviceaccount:kube-system:ovn', 'zed'])",
		"in ['system:serviceaccount:kube-system:ovn', 'system:serviceaccount:ovnguard-system:ovnguard', 'zed'])",
	} {
		// YAML breaks long lines, and doubles quotes in some texts.
		if flat := strings.ReplaceAll(
			strings.Join(strings.Fields(text), " "),
			"''",
			"'",
		); !strings.Contains(
			flat,
			want,
		) {
			t.Errorf("no condition has %s", want)
		}
	}
	certificate := find(t, all, "Certificate", "ovnguard-webhook")
	secret, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName")
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	if !slices.Equal(names, []string{"ovnguard." + namespace + ".svc"}) ||
		!strings.Contains(text, "secretName: "+secret+"\n            defaultMode: 0440") {
		t.Errorf("names %v, Secret %q, which the program must mount", names, secret)
	}
}

// With an issuer of the cluster's, no other one is made.
func TestChartTakesAnIssuer(t *testing.T) {
	set := slices.Concat(byChart, []string{"webhook.issuer.name=company", "webhook.issuer.kind=ClusterIssuer"})
	all := objects(t, rendered(t, options{set: set}))
	by, _, _ := unstructured.NestedStringMap(
		find(t, all, "Certificate", "ovnguard-webhook").Object,
		"spec",
		"issuerRef",
	)
	if by["kind"] != "ClusterIssuer" || by["name"] != "company" {
		t.Errorf("the certificate is issued by %v", by)
	}
	for _, o := range all {
		if o.GetKind() == "Issuer" || o.GetKind() == "Certificate" && o.GetName() != "ovnguard-webhook" {
			t.Errorf("%s %s is made all the same", o.GetKind(), o.GetName())
		}
	}
}

// Ordinary pods need no webhook where the API server is known to keep the default itself, and is asked to.
func TestChartKnowsAdmissionPolicies(t *testing.T) {
	condition := func(serves bool, set ...string) string {
		o := options{set: slices.Concat(byChart, set)}
		if serves {
			o.serves = []string{"admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"}
		}
		hooks, _, _ := unstructured.NestedSlice(
			find(t, objects(t, rendered(t, o)), "MutatingWebhookConfiguration", "ovnguard").Object, "webhooks")
		first, _ := hooks[0].(map[string]any)
		return fmt.Sprint(first["matchConditions"])
	}
	always, fewer := condition(false), condition(true)
	if always == fewer || !strings.Contains(fewer, "ovnguard.io/decision") {
		t.Errorf("where policies are served: %s", fewer)
	}
	if got := condition(true, "admissionPolicies=false"); got != always {
		t.Errorf("without policies: %s", got)
	}
}
