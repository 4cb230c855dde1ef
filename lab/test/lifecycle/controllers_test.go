//go:build integration

package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/status"
)

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}}
}

func testReplicaSet(t *testing.T, l *lab) {
	client, ctx := l.client(controlplane.TenantIdentity), t.Context()
	labels, replicas := map[string]string{"app": "web"}, int32(3)
	_, err := client.AppsV1().Deployments(controlplane.TenantNamespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods := func() []corev1.Pod {
		list, err := client.CoreV1().
			Pods(controlplane.TenantNamespace).
			List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	eventually(t, "3 pods of the deployment", func() bool { return len(pods()) == 3 })
	foreground := metav1.DeletePropagationForeground
	if err := client.AppsV1().
		Deployments(controlplane.TenantNamespace).
		Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the garbage collector deletes the pods", func() bool { return len(pods()) == 0 })
}

func testNamespaceDeletion(t *testing.T, l *lab) {
	client, ctx := l.client(controlplane.AdminIdentity), t.Context()
	namespaces := client.CoreV1().Namespaces()
	if _, err := namespaces.Create(
		ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "passing"}},
		metav1.CreateOptions{},
	); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a service account in the new namespace", func() bool {
		_, err := client.CoreV1().ServiceAccounts("passing").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
	_, err := client.CoreV1().
		ConfigMaps("passing").
		Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := namespaces.Delete(ctx, "passing", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is gone", func() bool {
		_, err := namespaces.Get(ctx, "passing", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func testTenant(t *testing.T, l *lab) {
	client := l.client(controlplane.TenantIdentity)
	for name, test := range map[string]struct {
		namespace, group, resource, verb string
		want                             bool
	}{
		"make pods at home":        {controlplane.TenantNamespace, "", "pods", "create", true},
		"annotate pods at home":    {controlplane.TenantNamespace, "", "pods", "patch", true},
		"make deployments at home": {controlplane.TenantNamespace, "apps", "deployments", "create", true},
		"make pods elsewhere":      {"default", "", "pods", "create", false},
		"see secrets elsewhere":    {"kube-system", "", "secrets", "get", false},
		"annotate the namespace":   {controlplane.TenantNamespace, "", "namespaces", "patch", false},
		"make namespaces":          {"", "", "namespaces", "create", false},
		"write role bindings": {
			controlplane.TenantNamespace, "rbac.authorization.k8s.io", "rolebindings", "create", false,
		},
		"change webhooks": {
			"", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "patch", false,
		},
		"write addresses":            {"", "kubeovn.io", "ips", "patch", false},
		"change nodes":               {"", "", "nodes", "patch", false},
		"impersonate":                {"", "", "users", "impersonate", false},
		"write pods' status":         {controlplane.TenantNamespace, "", "pods/status", "patch", false},
		"approve certificates":       {"", "certificates.k8s.io", "certificatesigningrequests", "create", false},
		"read a pod's log at home":   {controlplane.TenantNamespace, "", "pods/log", "get", true},
		"see everybody's pods":       {"", "", "pods", "list", false},
		"bind pods to nodes":         {controlplane.TenantNamespace, "", "pods/binding", "create", false},
		"make custom resource types": {"", "apiextensions.k8s.io", "customresourcedefinitions", "create", false},
	} {
		t.Run(name, func(t *testing.T) {
			resource, subresource, _ := strings.Cut(test.resource, "/")
			review, err := client.AuthorizationV1().
				SelfSubjectAccessReviews().
				Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
					Spec: authorizationv1.SelfSubjectAccessReviewSpec{
						ResourceAttributes: &authorizationv1.ResourceAttributes{
							Namespace:   test.namespace,
							Group:       test.group,
							Resource:    resource,
							Subresource: subresource,
							Verb:        test.verb,
						},
					},
				}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed != test.want {
				t.Errorf("allowed %v, want %v: %s", review.Status.Allowed, test.want, review.Status.Reason)
			}
		})
	}
	// The review only predicts; one refusal is really tried.
	_, err := client.CoreV1().
		ConfigMaps("default").
		Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("the tenant writes into namespace default: %v", err)
	}
}

func testKubeconfig(t *testing.T, l *lab) {
	data, code := l.command("kubeconfig", "--user", "jo", "--group", "auditors", "--group", "readers")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, data)
	}
	path := filepath.Join(t.TempDir(), "jo.yaml")
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := clientFrom(t, path).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `"jo"`) {
		t.Errorf("got %v, want that user jo is known and forbidden", err)
	}
	if output, code := l.command("kubeconfig"); code != 1 || !strings.Contains(output, `"user"`) {
		t.Errorf("without a user: exit code %d, %s", code, output)
	}
}

func testDeadComponent(t *testing.T, l *lab) {
	report, _ := l.status()
	for _, component := range report.Components {
		if component.Name != controlplane.Scheduler {
			continue
		}
		if err := syscall.Kill(component.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "status says that the scheduler is dead", func() bool {
		report, code := l.status()
		for _, component := range report.Components {
			if component.Name == controlplane.Scheduler && component.Health == status.Dead {
				return code == 1
			}
		}
		return false
	})
	text, _ := l.command("status")
	if !strings.Contains(text, "dead") {
		t.Errorf("status does not show the dead component:\n%s", text)
	}
}
