//go:build integration

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/deploy"
)

// documentedRights are the rights of the program's account except those to read anything but Secrets, as in
// docs/stolen-token.md: in every namespace, and additional ones in its own and in that of the self-test.
var documentedRights = map[string][]string{
	"": {
		"create clusterreports.openreports.io",
		"create events",
		"create events.events.k8s.io",
		"create mutatingadmissionpolicies.admissionregistration.k8s.io",
		"create mutatingadmissionpolicybindings.admissionregistration.k8s.io",
		"create mutatingwebhookconfigurations.admissionregistration.k8s.io",
		"create reports.openreports.io",
		"create subjectaccessreviews.authorization.k8s.io",
		"create tokenreviews.authentication.k8s.io",
		"create validatingadmissionpolicies.admissionregistration.k8s.io",
		"create validatingadmissionpolicybindings.admissionregistration.k8s.io",
		"create validatingwebhookconfigurations.admissionregistration.k8s.io",
		"delete clusterreports.openreports.io ovnguard",
		"delete mutatingadmissionpolicies.admissionregistration.k8s.io of ovnguard",
		"delete mutatingadmissionpolicybindings.admissionregistration.k8s.io of ovnguard",
		"delete mutatingwebhookconfigurations.admissionregistration.k8s.io ovnguard",
		"delete reports.openreports.io ovnguard",
		"delete validatingadmissionpolicies.admissionregistration.k8s.io of ovnguard",
		"delete validatingadmissionpolicybindings.admissionregistration.k8s.io of ovnguard",
		"delete validatingwebhookconfigurations.admissionregistration.k8s.io ovnguard",
		"patch clusterroles.rbac.authorization.k8s.io ovnguard-registration",
		"patch events",
		"patch events.events.k8s.io",
		"patch pods/status",
		"patch portsecurityexceptions/status.ovnguard.io",
		"patch portsecuritypolicies/status.ovnguard.io",
		"update clusterreports.openreports.io ovnguard",
		"update mutatingadmissionpolicies.admissionregistration.k8s.io of ovnguard",
		"update mutatingadmissionpolicybindings.admissionregistration.k8s.io of ovnguard",
		"update mutatingwebhookconfigurations.admissionregistration.k8s.io ovnguard",
		"update reports.openreports.io ovnguard",
		"update validatingadmissionpolicies.admissionregistration.k8s.io of ovnguard",
		"update validatingadmissionpolicybindings.admissionregistration.k8s.io of ovnguard",
		"update validatingwebhookconfigurations.admissionregistration.k8s.io ovnguard",
	},
	"ovnguard-system": {
		"create configmaps",
		"create leases.coordination.k8s.io",
		"create secrets",
		"delete configmaps",
		"get secrets ovnguard-webhook-certificate",
		"list secrets",
		"patch secrets ovnguard-webhook-certificate",
		"update configmaps",
		"update leases.coordination.k8s.io ovnguard",
		"update secrets ovnguard-webhook-certificate",
		"watch secrets",
	},
	"ovnguard-selftest": {"create pods"},
}

// rightsIn returns a user's rights in a namespace, except those to read anything but Secrets, each as a line.
func rightsIn(t *testing.T, p person, namespace string) (lines []string) {
	t.Helper()
	review, err := p.AuthorizationV1().
		SelfSubjectRulesReviews().
		Create(t.Context(), &authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
		}, metav1.CreateOptions{})
	if err != nil || review.Status.Incomplete {
		t.Fatalf("incomplete %v, %v", review.Status.Incomplete, err)
	}
	for _, r := range review.Status.ResourceRules {
		names := strings.Join(r.ResourceNames, ",")
		if len(r.ResourceNames) > 1 &&
			!slices.ContainsFunc(r.ResourceNames, func(n string) bool { return !strings.HasPrefix(n, "ovnguard-") }) {
			names = "of ovnguard"
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					if resource != "secrets" && slices.Contains([]string{"get", "list", "watch"}, verb) {
						continue
					}
					line := verb + " " + resource
					if group != "" {
						line += "." + group
					}
					lines = append(lines, strings.TrimSpace(line+" "+names))
				}
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// A thief of the program's token can do what is listed, and nothing else.
func TestThreat49StolenToken(t *testing.T) {
	thief := as(
		t,
		deploy.Account,
		"system:serviceaccounts",
		"system:serviceaccounts:ovnguard-system",
		"system:authenticated",
	)
	nobody := as(
		t,
		"system:serviceaccount:tenant:nobody",
		"system:serviceaccounts",
		"system:serviceaccounts:tenant",
		"system:authenticated",
	)
	for _, namespace := range []string{tenantNamespace, "kube-system", "ovnguard-system", "ovnguard-selftest"} {
		want := append(slices.Clone(documentedRights[""]), documentedRights[namespace]...)
		slices.Sort(want)
		got := slices.DeleteFunc(
			rightsIn(t, thief, namespace),
			func(line string) bool { return slices.Contains(rightsIn(t, nobody, namespace), line) },
		)
		for _, line := range got {
			if !slices.Contains(want, line) {
				t.Errorf("namespace %s: may %s, which is not listed", namespace, line)
			}
		}
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("namespace %s: may not %s, which is listed", namespace, line)
			}
		}
	}
}

// Through pods/status the account writes annotations of a pod if it knows the UID, and nothing of its spec. It may not
// change pods otherwise.
func TestThreat49StatusWritesNoSpec(t *testing.T) {
	pod := allocatedPod(t, tenant(t), nil)
	p := as(
		t,
		deploy.Account,
		"system:serviceaccounts",
		"system:serviceaccounts:ovnguard-system",
		"system:authenticated",
	)
	patch := func(uid types.UID, subresources ...string) (*corev1.Pod, error) {
		body, err := json.Marshal(map[string]any{
			"metadata": map[string]any{
				"uid":         uid,
				"annotations": map[string]any{"ovnguard.io/tried": "yes", portSecurity: "true"},
			},
			"spec": map[string]any{
				"activeDeadlineSeconds": 7,
				"containers":            []any{map[string]any{"name": pod.Spec.Containers[0].Name, "image": "other"}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return p.CoreV1().
			Pods(pod.Namespace).
			Patch(t.Context(), pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, subresources...)
	}
	if _, err := patch(pod.UID); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("a patch of the pod itself: %v, want it forbidden", err)
	}
	if _, err := patch("another", "status"); err == nil {
		t.Error("another pod of the name was patched")
	}
	got, err := patch(pod.UID, "status")
	if err != nil {
		t.Fatal(err)
	}
	if got.Annotations["ovnguard.io/tried"] != "yes" {
		t.Errorf("annotations %v", got.Annotations)
	}
	now, err := p.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil || !equality.Semantic.DeepEqual(now.Spec, pod.Spec) {
		t.Errorf("the spec has become\n%+v\nand was\n%+v, %v", now.Spec, pod.Spec, err)
	}
}

// Both namespaces admit only pods of the strictest standard, and the self-test's meet it.
func TestNamespacesAreRestricted(t *testing.T) {
	for _, name := range []string{"ovnguard-system", "ovnguard-selftest"} {
		privileged := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: unique("privileged")}, Spec: podSpec()}
		privileged.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
		_, err := admin(
			t,
		).CoreV1().
			Pods(name).
			Create(t.Context(), privileged, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), "restricted") {
			t.Errorf("a privileged pod in %s: %v, want it refused by Pod Security", name, err)
		}
	}
}
