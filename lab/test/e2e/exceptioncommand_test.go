//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// approveRights allows reading, changing and approving exceptions.
var approveRights = rbacv1.PolicyRule{
	APIGroups: []string{"ovnguard.io"}, Resources: []string{"portsecurityexceptions"},
	Verbs: []string{"get", "list", "update", "patch", "approve"},
}

// approvalNamespace returns a namespace with a policy that repairs, and grants exceptions that somebody approved.
func approvalNamespace(t *testing.T) string {
	t.Helper()
	ns, name := namespace(t, nil), unique("policy")
	p := &v1alpha1.PortSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.PortSecurityPolicySpec{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			Repair:            v1alpha1.RepairOn,
			Exceptions:        &v1alpha1.ExceptionRules{Namespaces: []string{ns}, RequireApproval: true},
		},
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, policiesPath, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := admin(t).do(cleanup(t), http.MethodDelete, policiesPath+"/"+name, nil)
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return ns
}

// One user asks for an exception, another one approves it, and the running port has the grant; it is renewed, and what
// has ended is pruned. What admission refuses is refused in the same words by the command, for who may read the whole
// cluster and for who may not.
func TestExceptionCommands(t *testing.T) {
	ns := approvalNamespace(t)
	pod := run(t, ns, nil)
	patch := []byte(`{"metadata":{"labels":{"app":"till"}}}`)
	if _, err := admin(t).CoreV1().Pods(ns).Patch(
		t.Context(), pod.Name, types.MergePatchType, patch, metav1.PatchOptions{},
	); err != nil {
		t.Fatal(err)
	}
	author, writer := granted(t, exceptionRights)
	approver, _ := granted(t, approveRights)
	configs := map[string]string{
		"author": kubeconfigOf(t, author), "approver": kubeconfigOf(t, approver),
		"admin": world.Lab.Info().Kubeconfigs[controlplane.AdminIdentity], "tenant": kubeconfigOf(t, "tenant"),
	}
	command := func(who string, want int, args ...string) (stdout, stderr string) {
		t.Helper()
		args = append([]string{"exception"}, append(args, "--kubeconfig", configs[who])...)
		stdout, stderr, code := ovnguard(t, args...)
		if code != want {
			t.Fatalf("%s, %v: code %d, want %d\n%s%s", who, args, code, want, stdout, stderr)
		}
		return stdout, stderr
	}
	create := func(name, prefix string) []string {
		return []string{
			"create", name, "-n", ns, "--selector", "app=till", "--class", "router", "--pair", prefix,
			"--reason", "forwards for the tills", "--owner", "net@example.org", "--expires", "1h",
		}
	}
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	tooWide := exceptionIn(ns)
	tooWide.Name, tooWide.Spec.Class = "wide", v1alpha1.ClassRouter
	tooWide.Spec.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.0.0.0/8"}}
	var refusal string
	eventually(t, "the policy to be followed", func() (bool, error) {
		_, err := writer.do(t.Context(), http.MethodPost, path, tooWide)
		if err == nil {
			return false, nil
		}
		_, refusal, _ = strings.Cut(err.Error(), "denied the request: ovnguard: ")
		return strings.Contains(refusal, "is wider than"), nil
	})
	for _, who := range []string{"author", "admin"} {
		_, stderr := command(who, 1, create("wide", "10.0.0.0/8")...)
		if !strings.Contains(stderr, "ovnguard: refused: "+refusal+"\n") {
			t.Errorf("%s: %q, and admission says %q", who, stderr, refusal)
		}
	}
	if _, stderr := command("tenant", 3, create("till", "10.120.0.0/28")...); !strings.Contains(
		stderr, "ClusterRole ovnguard-exception-author") {
		t.Errorf("without the right: %s", stderr)
	}
	if stdout, _ := command("author", 0, append(create("till", "10.120.0.0/28"), "--dry-run")...); !strings.Contains(
		stdout, "prefix: 10.120.0.0/28") {
		t.Errorf("dry run: %s", stdout)
	}
	command("author", 0, create("till", "10.120.0.0/28")...)
	name := ns + "/till"
	if stdout, _ := command("admin", 1, "list", "-n", ns); !strings.Contains(stdout, "pending") {
		t.Errorf("list: %s", stdout)
	}
	if _, stderr := command("author", 1, "approve", name, "--yes"); !strings.Contains(stderr, "cannot approve it too") {
		t.Errorf("own request: %s", stderr)
	}
	if _, stderr := command("approver", 2, "approve", name); !strings.Contains(stderr, "--yes") {
		t.Errorf("without a confirmation: %s", stderr)
	}
	stdout, _ := command("approver", 0, "approve", name, "--yes")
	if !strings.Contains(stdout, "10.120.0.0/28") || !strings.Contains(stdout, author) {
		t.Errorf("approve: %s", stdout)
	}
	eventually(t, "the port to have the grant", func() (bool, error) {
		return strings.Contains(portSecurityOf(t, portOf(pod)), "10.120.0.0/28"), nil
	})
	var list struct {
		Exceptions []struct {
			State, ApprovedBy string
			Ports             int
			ExpiresAt         time.Time
		}
	}
	read := func(who string, want int, args ...string) {
		t.Helper()
		stdout, _ := command(who, want, append([]string{"list", "-n", ns, "-o", "json"}, args...)...)
		if err := json.Unmarshal([]byte(stdout), &list); err != nil || len(list.Exceptions) != 1 {
			t.Fatalf("%v: %s", err, stdout)
		}
	}
	for _, who := range []string{"admin", "approver"} {
		eventually(t, "the status to say so", func() (bool, error) {
			stdout, _, code := ovnguard(t, "exception", "list", "-n", ns, "-o", "json", "--kubeconfig", configs[who])
			err := json.Unmarshal([]byte(stdout), &list)
			return code == 0 && list.Exceptions[0].State == "approved" && list.Exceptions[0].Ports == 1, err
		})
	}
	if list.Exceptions[0].ApprovedBy != approver {
		t.Errorf("approved by %s, want %s", list.Exceptions[0].ApprovedBy, approver)
	}
	read("admin", 1, "--expiring", "7d")
	command("author", 2, "renew", name, "--for", "10m")
	command("author", 0, "renew", name, "--for", "20d", "--yes")
	read("admin", 1)
	if e := list.Exceptions[0]; e.State != "pending" || time.Until(e.ExpiresAt) < 19*24*time.Hour {
		t.Errorf("renewed: %+v", e)
	}
	command("approver", 0, "approve", "till", "-n", ns, "--yes")
	prune(t, ns, path, command)
}

// prune has an exception end, and deletes it by the command.
func prune(t *testing.T, ns, path string, command func(string, int, ...string) (string, string)) {
	t.Helper()
	short := exceptionIn(ns)
	short.Name, short.Spec.ExpiresAt = "short", metav1.NewTime(time.Now().Add(2*time.Second))
	if _, err := admin(t).do(t.Context(), http.MethodPost, path, short); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to end", func() (bool, error) {
		stdout, _, code := ovnguard(t, "exception", "prune", "-n", ns)
		return code == 1 && strings.Contains(stdout, "would be deleted"), nil
	})
	if stdout, _ := command("admin", 0, "prune", "-n", ns, "--yes"); !strings.Contains(stdout, "1 deleted") {
		t.Errorf("prune: %s", stdout)
	}
	if stdout, _ := command("admin", 0, "list", "-n", ns); strings.Contains(stdout, "short") {
		t.Errorf("after prune: %s", stdout)
	}
	if stdout, _ := command("admin", 0, "prune", "-n", ns); !strings.Contains(stdout, "0 exceptions of no use") {
		t.Errorf("prune again: %s", stdout)
	}
}
