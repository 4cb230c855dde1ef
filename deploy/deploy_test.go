package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// objects reads YAML documents as strictly as an API server that refuses unknown and repeated fields.
func objects(t *testing.T, text []byte) []runtime.Object {
	t.Helper()
	strict := serializer.NewCodecFactory(clientgoscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var out []runtime.Object
	documents := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		o, _, err := strict.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		out = append(out, o)
	}
}

// one returns the only object of a type.
func one[T runtime.Object](t *testing.T, all []runtime.Object) T {
	t.Helper()
	var found []T
	for _, o := range all {
		if o, ok := o.(T); ok {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, want one", len(found), found)
	}
	return found[0]
}

// An API server accepts every document, read strictly.
func TestDocumentsAreStrict(t *testing.T) {
	for name, text := range map[string][]byte{"rbac.yaml": RBAC, "roles.yaml": Roles} {
		if len(objects(t, text)) == 0 {
			t.Errorf("%s holds nothing", name)
		}
	}
}

// The parts of the controller fit together: the Service and the budget select its pods, and every port name that is
// used exists.
func TestControllerFits(t *testing.T) {
	text, err := os.ReadFile("controller.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := objects(t, text)
	deployment, service := one[*appsv1.Deployment](t, all), one[*corev1.Service](t, all)
	budget, account := one[*policyv1.PodDisruptionBudget](t, all), one[*corev1.ServiceAccount](t, objects(t, RBAC))
	pod := deployment.Spec.Template
	selectors := []map[string]string{
		service.Spec.Selector,
		budget.Spec.Selector.MatchLabels,
		deployment.Spec.Selector.MatchLabels,
	}
	for _, selector := range selectors {
		for key, value := range selector {
			if pod.Labels[key] != value {
				t.Errorf("a selector wants %s=%s, the pods have %v", key, value, pod.Labels)
			}
		}
	}
	for _, name := range []string{deployment.Namespace, service.Namespace, budget.Namespace} {
		if name != account.Namespace {
			t.Errorf("namespace %s, want that of the account, %s", name, account.Namespace)
		}
	}
	if "system:serviceaccount:"+account.Namespace+":"+pod.Spec.ServiceAccountName != Account {
		t.Errorf("the pods run as %s, the program takes %s for itself", pod.Spec.ServiceAccountName, Account)
	}
	c := pod.Spec.Containers[0]
	var ports []string
	for _, p := range c.Ports {
		ports = append(ports, p.Name)
	}
	asked := []string{service.Spec.Ports[0].TargetPort.StrVal}
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		asked = append(asked, p.HTTPGet.Port.StrVal)
	}
	for _, name := range asked {
		if !slices.Contains(ports, name) {
			t.Errorf("port %q is asked for, the container has %v", name, ports)
		}
	}
	// An audit that sees nothing must not take the webhook's endpoints away.
	if got := c.ReadinessProbe.HTTPGet.Path; got != "/readyz/webhook" {
		t.Errorf("readiness is asked at %s, want the webhook's alone", got)
	}
	// The Service sends requests to a replica for a while after it begins to end, so it must still answer them.
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil ||
		c.Lifecycle.PreStop.Sleep.Seconds < 5 {
		t.Error("a replica that ends stops to answer before it gets no calls any more")
	} else if grace, need := pod.Spec.TerminationGracePeriodSeconds, c.Lifecycle.PreStop.Sleep.Seconds+30; grace == nil ||
		*grace < need {
		t.Errorf("a replica is killed after %v s, want no less than %d", grace, need)
	}
	if policy := budget.Spec.UnhealthyPodEvictionPolicy; policy == nil || *policy != policyv1.AlwaysAllow {
		t.Error("a replica that does not answer keeps its node from being drained")
	}
	if !slices.Contains(c.Args, "--webhook-service="+service.Namespace+"/"+service.Name) {
		t.Errorf("the program registers another Service than %s/%s: %v", service.Namespace, service.Name, c.Args)
	}
}

// The registration belongs to a ClusterRole that is installed with the program and grants nothing.
func TestRegistrationHasAnOwner(t *testing.T) {
	text, err := os.ReadFile("controller.yaml")
	if err != nil {
		t.Fatal(err)
	}
	owner := ""
	for _, arg := range one[*appsv1.Deployment](t, objects(t, text)).Spec.Template.Spec.Containers[0].Args {
		if name, ok := strings.CutPrefix(arg, "--owner-role="); ok {
			owner = name
		}
	}
	i := slices.IndexFunc(objects(t, RBAC), func(o runtime.Object) bool {
		role, ok := o.(*rbacv1.ClusterRole)
		return ok && role.Name == owner && len(role.Rules) == 0
	})
	if owner == "" || i < 0 {
		t.Errorf("the registration is to belong to ClusterRole %q, which is not installed without rules", owner)
	}
}

// Secrets of other namespaces are out of reach, and no rule grants everything.
func TestRightsAreBounded(t *testing.T) {
	var rules []rbacv1.PolicyRule
	all := objects(t, RBAC)
	for _, o := range all {
		if role, ok := o.(*rbacv1.ClusterRole); ok {
			rules = append(rules, role.Rules...)
		}
	}
	for _, r := range rules {
		if slices.Contains(r.Resources, "secrets") {
			t.Errorf("secrets of all namespaces: %v", r)
		}
	}
	for _, o := range all {
		if role, ok := o.(*rbacv1.Role); ok {
			rules = append(rules, role.Rules...)
		}
	}
	for _, r := range rules {
		for _, list := range [][]string{r.APIGroups, r.Resources, r.Verbs} {
			if slices.Contains(list, "*") {
				t.Errorf("a rule grants everything: %v", r)
			}
		}
	}
}

// Both namespaces admit only pods of the strictest standard of Pod Security, and the controller's pods meet it.
func TestNamespacesAreRestricted(t *testing.T) {
	n := 0
	for _, o := range objects(t, RBAC) {
		if namespace, ok := o.(*corev1.Namespace); ok {
			n++
			for _, mode := range []string{"enforce", "audit", "warn"} {
				if got := namespace.Labels["pod-security.kubernetes.io/"+mode]; got != "restricted" {
					t.Errorf("namespace %s: %s %q", namespace.Name, mode, got)
				}
			}
		}
	}
	if n != 2 {
		t.Errorf("%d namespaces, want that of the program and that of its self-test", n)
	}
}
