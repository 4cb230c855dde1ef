//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// copier is a webhook as other platforms have it. It copies annotations of the namespace into each new pod, and sets
// port_security to true where the namespace has none. A pod that has the key already keeps its value.
type copier struct {
	// calls is how often it was asked, and patches how often it changed the pod.
	calls, patches atomic.Int64
	remove         func()
}

// copierLabel marks the namespaces that the copier is for.
const copierLabel = "example.org/copier"

// startCopier registers a copier until the test ends. Webhook configurations are asked in the order of their names.
func startCopier(t *testing.T, name string, again admissionregistrationv1.ReinvocationPolicyType) *copier {
	t.Helper()
	c := &copier{}
	reached := patching(t, func(req *admissionv1.AdmissionRequest) []byte {
		c.calls.Add(1)
		operations := c.patch(t, req)
		if len(operations) > 0 {
			c.patches.Add(1)
		}
		return operations
	})
	configurations := world.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
	if _, err := configurations.Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "copier.example.org",
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			FailurePolicy:           new(admissionregistrationv1.Fail),
			ReinvocationPolicy:      &again,
			AdmissionReviewVersions: []string{"v1"},
			ClientConfig:            reached,
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{copierLabel: "yes"}},
			Rules:                   ofNewPods(),
		}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	gone := false
	c.remove = func() {
		if gone {
			return
		}
		gone = true
		if err := configurations.Delete(cleanup(t), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(c.remove)
	return c
}

// patch writes all annotations of the pod, as such webhooks do.
func (c *copier) patch(t *testing.T, req *admissionv1.AdmissionRequest) []byte {
	var pod corev1.Pod
	if err := json.Unmarshal(req.Object.Raw, &pod); err != nil {
		t.Error(err)
		return nil
	}
	ns, err := world.Kube.CoreV1().Namespaces().Get(cleanup(t), req.Namespace, metav1.GetOptions{})
	if err != nil {
		return nil // it fails open
	}
	merged := maps.Clone(pod.Annotations)
	if merged == nil {
		merged = make(map[string]string)
	}
	for key, otherwise := range map[string]string{routes: "", portSecurity: "true"} {
		value, said := ns.Annotations[key]
		if _, there := merged[key]; !there && (said || otherwise != "") {
			if !said {
				value = otherwise
			}
			merged[key] = value
		}
	}
	if maps.Equal(merged, pod.Annotations) {
		return nil
	}
	operations, err := json.Marshal([]map[string]any{{"op": "add", "path": "/metadata/annotations", "value": merged}})
	if err != nil {
		t.Error(err)
		return nil
	}
	return operations
}

// joins labels the namespace so that the copier is asked about its pods.
func joins(t *testing.T, ns string) {
	t.Helper()
	body := fmt.Sprintf(`{"metadata":{"labels":{%q:"yes"}}}`, copierLabel)
	if _, err := world.Kube.CoreV1().Namespaces().Patch(
		t.Context(), ns, types.MergePatchType, []byte(body), metav1.PatchOptions{},
	); err != nil {
		t.Fatal(err)
	}
}

// Beside another webhook that sets Kube-OVN's keys, pods come out as ovnguard decides, in each order and with each
// reinvocation policy, and the same when the other one is gone. The metric counts the pods that differ then.
func TestMovingOver(t *testing.T) {
	strict := handingDown(t, v1alpha1.PortSecurityPolicySpec{InheritedKeys: []string{routes}},
		map[string]string{routes: someRoutes})
	unlisted := handingDown(t, v1alpha1.PortSecurityPolicySpec{}, map[string]string{routes: someRoutes})
	byNamespace := handingDown(t, v1alpha1.PortSecurityPolicySpec{}, map[string]string{portSecurity: "false"})
	byPolicy := handingDown(t, v1alpha1.PortSecurityPolicySpec{Level: v1alpha1.LevelOpen}, nil)
	warned := handingDown(t, v1alpha1.PortSecurityPolicySpec{
		Mode: v1alpha1.ModeWarn, InheritedKeys: []string{routes},
	}, map[string]string{routes: someRoutes})
	excepted := namespace(t, nil)
	policyOver(t, excepted, v1alpha1.PortSecurityPolicySpec{
		Exceptions: &v1alpha1.ExceptionRules{Namespaces: []string{excepted}},
		Limits:     v1alpha1.Limits{MaxLevel: v1alpha1.LevelOpen}, Priority: 100,
	})
	grantIn(t, excepted, func(s *v1alpha1.PortSecurityExceptionSpec) { s.Grant.Level = v1alpha1.LevelOpen })
	for _, ns := range []string{strict, unlisted, byNamespace, byPolicy, warned, excepted} {
		joins(t, ns)
	}

	type result struct{ security, routes string }
	type question struct {
		ns, asks string // "" asks for nothing
	}
	// ask makes the pod for real, since dry runs are not counted. same means that the metric counts no key of it that
	// ovnguard would write otherwise.
	p := admin(t)
	ask := func(q question) (got result, same bool) {
		t.Helper()
		pod := unscheduled(unique("pod"))
		if pod.Annotations = nil; q.asks != "" {
			pod.Annotations = map[string]string{portSecurity: q.asks}
		}
		before := brought(t)
		made, err := p.CoreV1().Pods(q.ns).Create(t.Context(), pod, metav1.CreateOptions{})
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		deletePod(t, made)
		return result{made.Annotations[portSecurity], made.Annotations[routes]}, brought(t) == before
	}
	questions := map[string]question{
		"strict":                     {strict, ""},
		"strict, asked to be open":   {strict, "false"},
		"strict, asked to be strict": {strict, "true"},
		"routes that nobody lists":   {unlisted, ""},
		"open by the namespace":      {byNamespace, ""},
		"open by policy":             {byPolicy, ""},
		"open by an exception":       {excepted, ""},
		"warned":                     {warned, ""},
	}
	alone := map[string]result{
		"strict":                     {"true", someRoutes},
		"strict, asked to be open":   {"true", someRoutes},
		"strict, asked to be strict": {"true", someRoutes},
		"routes that nobody lists":   {"true", ""},
		"open by the namespace":      {"false", ""},
		"open by policy":             {"false", ""},
		"open by an exception":       {"false", ""},
		"warned":                     {"", someRoutes},
	}
	check := func(t *testing.T, want map[string]result, differing ...string) {
		t.Helper()
		got, others := make(map[string]result), make(map[string]bool)
		for what, q := range questions {
			var same bool
			if got[what], same = ask(q); !same {
				others[what] = true
			}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("-want, +got:\n%s", diff)
		}
		told := make(map[string]bool)
		for _, what := range append(differing, "strict, asked to be open") { // the author's own value, in each case
			told[what] = true
		}
		if diff := cmp.Diff(told, others); diff != "" {
			t.Errorf("counted as set otherwise by others: -want, +got:\n%s", diff)
		}
	}
	eventually(t, "the policies to be followed", func() (bool, error) {
		for what, q := range questions {
			if got, _ := ask(q); got != alone[what] {
				return false, nil
			}
		}
		return true, nil
	})
	check(t, alone)

	for name, c := range map[string]struct {
		name string
		// changed are pods that come out otherwise beside the copier, and differing those that the metric counts.
		changed   map[string]result
		differing []string
	}{
		"before ours": {
			"aa-copier",
			map[string]result{
				"routes that nobody lists": {"true", someRoutes},
				"open by policy":           {"true", ""}, // it passes for the pod's own wish to be strict
				"warned":                   {"true", someRoutes},
			},
			[]string{"routes that nobody lists", "open by policy", "open by an exception"},
		},
		"after ours": {
			"zz-copier",
			map[string]result{
				"routes that nobody lists": {"true", someRoutes},
				"warned":                   {"true", someRoutes},
			},
			[]string{"routes that nobody lists"},
		},
	} {
		for _, again := range []admissionregistrationv1.ReinvocationPolicyType{
			admissionregistrationv1.IfNeededReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy,
		} {
			t.Run(name+", "+string(again), func(t *testing.T) {
				other := startCopier(t, c.name, again)
				eventually(t, "the API server to ask the other webhook", func() (bool, error) {
					_, err := p.dryRun(t.Context(), strict, nil)
					return other.calls.Load() > 0, err
				})
				want := maps.Clone(alone)
				maps.Copy(want, c.changed)
				check(t, want, c.differing...)

				// Each is asked twice at most, and the second time finds all as it is.
				calls, changes, before := other.calls.Load(), other.patches.Load(), reviews(t)
				if _, err := p.dryRun(t.Context(), strict, nil); err != nil {
					t.Fatal(err)
				}
				calls, changes = other.calls.Load()-calls, other.patches.Load()-changes
				after := reviews(t)
				patched := after[admission.ResultPatched] - before[admission.ResultPatched]
				unchanged := after[admission.ResultUnchanged] - before[admission.ResultUnchanged]
				t.Logf(
					"the other was asked %d times and changed the pod %d times; ovnguard %v times, and left it %v times",
					calls,
					changes,
					patched,
					unchanged,
				)
				if calls > 2 || changes > 1 || patched != 1 || unchanged > 1 {
					t.Error("they change the pod after one another")
				}
				other.remove()
				eventually(t, "the API server to forget the other webhook", func() (bool, error) {
					calls := other.calls.Load()
					_, err := p.dryRun(t.Context(), strict, nil)
					return other.calls.Load() == calls, err
				})
				check(t, alone)
			})
		}
	}
}

// brought returns how many keys pods carried that ovnguard would have written otherwise.
func brought(t *testing.T) (count float64) {
	t.Helper()
	for name, value := range metrics(t) {
		if strings.HasPrefix(name, "ovnguard_admission_brought_total{") && strings.Contains(name, `without="other"`) {
			count += value
		}
	}
	return count
}

// A rule that overwrites what ovnguard wrote does not loosen a pod: ovnguard writes its value again, and if the rule is
// asked again after that, the pod is refused. A value that tightens the pod stands then.
func TestMovingOverRuleThatOverwrites(t *testing.T) {
	strict := namespace(t, nil)
	open := namespace(t, map[string]string{portSecurity: "false"})
	again := func(p admissionregistrationv1.ReinvocationPolicyType) func(*admissionregistrationv1.MutatingWebhook) {
		return func(w *admissionregistrationv1.MutatingWebhook) { w.ReinvocationPolicy = &p }
	}
	for name, c := range map[string]struct {
		ns, writes string
		again      admissionregistrationv1.ReinvocationPolicyType
		want       string // "" where the pod is refused
	}{
		"loosens, once":   {strict, "false", admissionregistrationv1.NeverReinvocationPolicy, "true"},
		"loosens, again":  {strict, "false", admissionregistrationv1.IfNeededReinvocationPolicy, ""},
		"tightens, once":  {open, "true", admissionregistrationv1.NeverReinvocationPolicy, "false"},
		"tightens, again": {open, "true", admissionregistrationv1.IfNeededReinvocationPolicy, "true"},
	} {
		t.Run(name, func(t *testing.T) {
			laterWebhook(t, c.ns, fmt.Sprintf(
				`[{"op":"add","path":"/metadata/annotations/ovn.kubernetes.io~1port_security","value":%q}]`, c.writes,
			), again(c.again))
			pod, err := admin(t).dryRun(t.Context(), c.ns, nil)
			if c.want == "" {
				mustRefuse(t, "a pod that is loosened at last", err, "OVGA08")
			} else if err != nil || pod.Annotations[portSecurity] != c.want {
				t.Errorf("%v, %v, want port_security %s", pod.Annotations, err, c.want)
			}
		})
	}
}

// A port that an exception opens stays open in OVN beside a webhook that has all pods strict, and one that is granted
// addresses keeps them. A pod that was made beside the other webhook is judged as any other when that is gone.
func TestMovingOverExceptions(t *testing.T) {
	ns, _ := repairNamespace(t)
	joins(t, ns)
	other := startCopier(t, "aa-copier", admissionregistrationv1.IfNeededReinvocationPolicy)
	p := admin(t)
	eventually(t, "the API server to ask the other webhook", func() (bool, error) {
		_, err := p.dryRun(t.Context(), ns, nil)
		return other.calls.Load() > 0, err
	})
	remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Class, s.Grant.Pairs = v1alpha1.ClassRouter, []v1alpha1.AddressPair{{Prefix: "10.20.0.0/24"}}
	})
	pod := run(t, ns, nil)
	holds := func() (bool, error) { return strings.Contains(portSecurityOf(t, portOf(pod)), " 10.20.0.0/24"), nil }
	eventually(t, "the grant to reach the port", holds)
	if r := policy.ReadRecord(pod.Annotations)["ovn"]; !r.Asked {
		t.Errorf("the value of the other webhook is recorded as %+v", r)
	}
	other.remove()
	remove()
	eventually(t, "the grant to end", func() (bool, error) {
		held, err := holds()
		return !held, err
	})
	strictInOVN(t, ns, pod.Name)
}
