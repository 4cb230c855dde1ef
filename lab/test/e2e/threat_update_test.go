//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// later are edits of a running pod's annotations that must be refused, by the threat that each stands for. A nil value takes
// the annotation away.
var later = map[string]map[string]any{
	"T02 off":                 {portSecurity: "false"},
	"T02 look-alike":          {portSecurity: "True"},
	"T02 taken away":          {portSecurity: nil},
	"T03 address":             {ipAddress: "0.0.0.0/0"},
	"T03 another's address":   {ipAddress: "10.16.0.1"},
	"T03 MAC":                 {macAddress: "0a:00:00:00:00:01"},
	"T04 allocated":           {kubeovn.DefaultProvider.Key(kubeovn.Allocated): nil},
	"T04 routed":              {kubeovn.DefaultProvider.Key(kubeovn.Routed): "false"},
	"T05 forwarding":          {layer2Forward: "true"},
	"T06 VIPs":                {portVIPs: "10.16.0.1"},
	"T07 Vips":                {kubeovn.AAPs: "someones-vip"},
	"T09 switch":              {kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "other"},
	"T09 networks":            {kubeovn.Networks: "blue"},
	"T09 default network":     {kubeovn.DefaultNetwork: "tenant/blue"},
	"T10 virtual machine":     {kubeovn.DefaultProvider.Key("virtualmachine"): "db"},
	"T11 migration":           {kubeovn.MigrationJob: "job-1"},
	"T16 external address":    {kubeovn.DefaultProvider.Key("eip"): "203.0.113.7"},
	"another provider's off":  {"blue.tenant.ovn.kubernetes.io/port_security": "false"},
	"another's interface key": {"blue.tenant.kubernetes.io/mac_address.net1": "0a:00:00:00:00:01"},
}

// tryLater tries every edit by a path and checks in OVN that nothing came of it.
func tryLater(t *testing.T, p person, subresources ...string) {
	t.Helper()
	pod := allocated(t, tenant(t), nil)
	for name, annotations := range later {
		t.Run(name, func(t *testing.T) {
			for key := range annotations {
				mustRefuse(t, name, p.patch(t.Context(), pod, annotations, subresources...), key)
			}
		})
	}
	time.Sleep(settleTime)
	strictInOVN(t, pod.Namespace, pod.Name)
}

func TestThreat03UpdateAfterCreate(t *testing.T) { tryLater(t, tenant(t)) }

// mayWrite gives a user who has a right in the tenant's namespace that people think harmless.
func mayWrite(t *testing.T, verb string, resources ...string) person {
	t.Helper()
	return mayDo(t, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: resources, Verbs: []string{verb, "get"}})
}

// mayDo gives a user who has these rights in the tenant's namespace and no others.
func mayDo(t *testing.T, rules ...rbacv1.PolicyRule) person {
	t.Helper()
	user := unique("helper")
	meta := metav1.ObjectMeta{Name: user}
	_, err := world.Kube.RbacV1().Roles(tenantNamespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.RbacV1().Roles(tenantNamespace).Delete(cleanup(t), user, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	_, err = world.Kube.RbacV1().RoleBindings(tenantNamespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.RbacV1().RoleBindings(tenantNamespace).Delete(cleanup(t), user, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return as(t, user)
}

func TestThreat04Status(t *testing.T) { tryLater(t, mayWrite(t, "patch", "pods/status"), "status") }

func TestThreat05Binding(t *testing.T) {
	p, author := mayWrite(t, "create", "pods/binding"), tenant(t)
	for name, annotations := range later {
		t.Run(name, func(t *testing.T) {
			for key, value := range annotations {
				if value == nil {
					continue // a Binding adds annotations and cannot take any away
				}
				pod := allocated(t, author, nil)
				err := p.CoreV1().Pods(tenantNamespace).Bind(t.Context(), &corev1.Binding{
					ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Annotations: map[string]string{key: fmt.Sprint(value)}},
					Target:     corev1.ObjectReference{Kind: "Node", Name: "node1"},
				}, metav1.CreateOptions{})
				mustRefuse(t, name, err, key)
			}
		})
	}
}

// What Kube-OVN reads when it rebuilds a port cannot be changed, so a rebuild gives the identity.
func TestThreat08AnnotationFedRebuild(t *testing.T) {
	p := tenant(t)
	pod := allocated(t, p, nil)
	both := map[string]any{ipAddress: "0.0.0.0/0", portSecurity: "true", kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups): "sg1"}
	mustRefuse(t, "an address and a security update at once", p.patch(t.Context(), pod, both), ipAddress)
	time.Sleep(settleTime)
	strictInOVN(t, pod.Namespace, pod.Name)
}

func TestThreat11SecondaryNIC(t *testing.T) {
	body, err := json.Marshal([]map[string]string{{"name": "missing"}})
	if err != nil {
		t.Fatal(err)
	}
	key := kubeovn.AttachmentProvider(tenantNamespace, "missing").Key(kubeovn.PortSecurity)
	pod, err := tenant(t).dryRun(t.Context(), tenantNamespace, map[string]string{kubeovn.Networks: string(body), key: "false"})
	if err != nil {
		t.Fatal(err)
	}
	if got := pod.Annotations[key]; got != "true" {
		t.Errorf("%s=%q, want true", key, got)
	}
}
