//go:build integration

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// selfTestNamespace is the namespace in which the program makes the API server try pods.
const selfTestNamespace = "ovnguard-selftest"

// Somebody removes the registration and keeps the program from making it again: the program says within one round that
// pods are not guarded, and registers again as soon as it may. It says so as well if the webhook is asked and another
// one spoils its result.
func TestThreat35SelfTest(t *testing.T) {
	if err := guard.Restart(t.Context(), "--selftest-interval=1s"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
	})
	awaitSelfTest(t, true)
	since := metrics(t)["ovnguard_selftest_timestamp_seconds"]
	eventually(t, "another self-test to pass", func() (bool, error) {
		values, err := readMetrics(t.Context())
		return values["ovnguard_selftest_timestamp_seconds"] > since, err
	})

	t.Run("registration gone", func(t *testing.T) {
		before, err := guard.Registration(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		giveBack := forbidRegistering(t)
		for _, remove := range []func() error{
			func() error {
				return world.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(t.Context(),
					before.Name, metav1.DeleteOptions{})
			},
			func() error {
				return world.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(t.Context(),
					before.Name, metav1.DeleteOptions{})
			},
		} {
			if err := remove(); err != nil {
				t.Fatal(err)
			}
		}
		took := awaitSelfTest(t, false)
		if _, err := scene.Get(t.Context(), guard.Ready+"/selftest"); err == nil {
			t.Error("ready while pods are not guarded")
		}
		if _, err := scene.Get(t.Context(), guard.Ready+"/webhook"); err != nil {
			t.Errorf("the Service would take the webhook away: %v", err)
		}
		awaitSelfTestFailure(t, "unchanged")
		awaitNotice(t, "SelfTestFailed", "unchanged")
		giveBack()
		back := awaitSelfTest(t, true)
		awaitNotice(t, "SelfTestPassed", "again")
		t.Logf(
			"said after %s; guarded again %s after it could be",
			took.Round(time.Millisecond),
			back.Round(time.Millisecond),
		)
		after, err := guard.Registration(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before.Webhooks, after.Webhooks); diff != "" {
			t.Errorf("registered: -before +after\n%s", diff)
		}
	})
	t.Run("another webhook spoils pods", func(t *testing.T) {
		t.Cleanup(func() { awaitSelfTest(t, true) }) // after the webhook is gone
		laterWebhook(
			t,
			selfTestNamespace,
			`[{"op":"add","path":"/metadata/annotations/ovn.kubernetes.io~1port_vips","value":"192.0.2.7"}]`,
		)
		awaitSelfTest(t, false)
		awaitSelfTestFailure(t, "refused")
	})
	t.Run("a tenant's pod of the same name", func(t *testing.T) {
		same := func(annotations map[string]string) (*corev1.Pod, error) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "selftest", Annotations: annotations},
				Spec:       podSpec(),
			}
			return tenant(
				t,
			).CoreV1().
				Pods(tenantNamespace).
				Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		}
		pod, err := same(map[string]string{portSecurity: "false"})
		if err != nil || pod.Annotations[portSecurity] != "true" {
			t.Errorf("a tenant's pod that asks as the self-test's does: %v, %v", pod, err)
		}
		_, err = same(map[string]string{"ovn.kubernetes.io/port_vips": "192.0.2.1"})
		if err == nil || !strings.Contains(err.Error(), "guard-pods.ovnguard.io") {
			t.Errorf("a tenant's pod that takes an address as the self-test's does: %v", err)
		}
	})
}

// Under a policy that only warns, the warnings show that the API server asks, and their absence that it does not; under
// a policy that only audits, the program says that it cannot know. A metric shows the state of the registration under
// any policy.
func TestThreat35NothingEnforced(t *testing.T) {
	if err := guard.Restart(t.Context(), "--selftest-interval=1s"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
	})
	awaitSelfTest(t, true)
	policyOver(t, selfTestNamespace, v1alpha1.PortSecurityPolicySpec{Mode: v1alpha1.ModeWarn})
	says := func(text string) {
		t.Helper()
		eventually(t, "/readyz to say "+text, func() (bool, error) {
			page, err := scene.Get(t.Context(), guard.Ready)
			return err == nil && strings.Contains(page, text), nil
		})
	}
	says("[!]selftest: policy only warns in that namespace, and the API server passes the warning on")
	for metric, want := range map[string]float64{
		"ovnguard_selftest_ok": 1, `ovnguard_namespaces{mode="warn"}`: 1, `ovnguard_namespaces{mode="audit"}`: 0,
		`ovnguard_registered{kind="MutatingWebhookConfiguration",name="ovnguard"}`:   1,
		`ovnguard_registered{kind="ValidatingWebhookConfiguration",name="ovnguard"}`: 1,
	} {
		eventually(t, fmt.Sprintf("%s to be %v", metric, want), func() (bool, error) {
			values, err := readMetrics(t.Context())
			got, there := values[metric]
			return there && got == want, err
		})
	}
	t.Run("registration gone", func(t *testing.T) {
		giveBack := forbidRegistering(t)
		if err := world.Kube.AdmissionregistrationV1().
			MutatingWebhookConfigurations().
			Delete(t.Context(), "ovnguard", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		awaitSelfTest(t, false)
		awaitSelfTestFailure(t, "unwarned")
		eventually(t, "the metric to say that the registration is gone", func() (bool, error) {
			values, err := readMetrics(t.Context())
			return values[`ovnguard_registered{kind="MutatingWebhookConfiguration",name="ovnguard"}`] == 0, err
		})
		giveBack()
		awaitSelfTest(t, true)
	})
	policyOver(t, selfTestNamespace, v1alpha1.PortSecurityPolicySpec{Mode: v1alpha1.ModeAudit, Priority: 1})
	says("[!]selftest: policy neither enforces nor warns in that namespace")
	if _, there := metrics(t)["ovnguard_selftest_ok"]; there {
		t.Error("the self-test claims something where nothing can be seen")
	}
}

// The API server cannot reach the webhook: requests for pods are refused, and the program says within a round that it
// is not asked, and later that it is again.
func TestThreat35CutOff(t *testing.T) {
	front := behindFront(t)
	awaitSelfTest(t, true)
	awaitWebhook(t)
	for name, way := range map[string]handling{"nobody listens": shut, "no answer comes": silent} {
		t.Run(name, func(t *testing.T) {
			front.set(way)
			defer front.set(open)
			took := awaitSelfTest(t, false)
			awaitSelfTestFailure(t, "unanswered")
			awaitNotice(t, "SelfTestFailed", "failed calling webhook")
			if _, err := scene.Get(t.Context(), guard.Ready+"/selftest"); err == nil {
				t.Error("ready while no webhook is asked")
			}
			if _, err := scene.Get(t.Context(), guard.Ready+"/webhook"); err != nil {
				t.Errorf("the Service would take the webhook away: %v", err)
			}
			if pod, err := tenant(
				t,
			).dryRun(t.Context(), tenantNamespace, nil); err == nil ||
				!strings.Contains(err.Error(), "pods.ovnguard.io") {
				t.Errorf("a pod meanwhile: %v, %v; want it refused, with the name of the webhook", pod, err)
			}
			front.set(open)
			back := awaitSelfTest(t, true)
			awaitNotice(t, "SelfTestPassed", "again")
			if _, err := scene.Get(t.Context(), guard.Ready+"/selftest"); err != nil {
				t.Errorf("not ready again: %v", err)
			}
			awaitWebhook(t)
			t.Logf(
				"said after %s; guarded again %s after it could be",
				took.Round(time.Millisecond),
				back.Round(time.Millisecond),
			)
		})
	}
}

// awaitSelfTest waits until the program says that pods are guarded, or are not.
func awaitSelfTest(t *testing.T, passes bool) time.Duration {
	t.Helper()
	want := 0.0
	if passes {
		want = 1
	}
	return eventually(t, "the self-test to tell", func() (bool, error) {
		values, err := readMetrics(cleanup(t))
		got, there := values["ovnguard_selftest_ok"]
		return err == nil && there && got == want, nil
	})
}

// awaitSelfTestFailure waits until one more self-test has failed for a reason.
func awaitSelfTestFailure(t *testing.T, reason string) {
	t.Helper()
	name := fmt.Sprintf("ovnguard_selftest_failures_total{reason=%q}", reason)
	before := metrics(t)[name]
	eventually(t, "a self-test to fail for "+reason, func() (bool, error) {
		values, err := readMetrics(t.Context())
		return values[name] > before, err
	})
}

// awaitNotice waits until an Event about the program's namespace has the reason and contains the word.
func awaitNotice(t *testing.T, reason, word string) {
	t.Helper()
	eventually(t, "an Event "+reason, func() (bool, error) {
		list, err := world.Kube.EventsV1().Events("ovnguard-system").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool {
			return e.Reason == reason && e.Regarding.Name == "ovnguard-system" && strings.Contains(e.Note, word)
		}), nil
	})
}

// forbidRegistering removes the program's right to write its registration; giveBack restores it, and so does the end of
// the test.
func forbidRegistering(t *testing.T) (giveBack func()) {
	t.Helper()
	roles := world.Kube.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "ovnguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(role.Rules)
	role.Rules = slices.DeleteFunc(slices.Clone(role.Rules), func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Resources, "mutatingwebhookconfigurations")
	})
	// Objects that are watched must still be watched.
	role.Rules = append(role.Rules, rbacv1.PolicyRule{
		APIGroups: []string{
			"admissionregistration.k8s.io",
		},
		Resources: []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations"},
		Verbs:     []string{"get", "list", "watch"},
	})
	if role, err = roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	given := false
	giveBack = func() {
		if given {
			return
		}
		given = true
		role.Rules = all
		if _, err := roles.Update(cleanup(t), role, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(giveBack)
	return giveBack
}
