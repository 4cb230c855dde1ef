//go:build integration

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/deploy"
)

// A real API server accepts the examples, with the rights of their roles: an author asks, an approver approves, and
// neither can do the other's part.
func TestExamples(t *testing.T) {
	if err := world.Apply(t.Context(), deploy.Roles); err != nil {
		t.Fatal(err)
	}
	ns := namespace(t, nil)
	bound := func(role string) (string, person) {
		user := unique("person")
		_, err := world.Kube.RbacV1().
			RoleBindings(ns).
			Create(t.Context(), roleBinding(role, user), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return user, as(t, user)
	}
	author, writer := bound("ovnguard-exception-author")
	approver, second := bound("ovnguard-exception-approver")
	_, reader := bound("ovnguard-exception-viewer")
	// The virtual routers' addresses are in the pods' subnet.
	sharing := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name: approver,
		},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "ovnguard-address-sharer"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: approver}},
	}
	if _, err := world.Kube.RbacV1().
		ClusterRoleBindings().
		Create(t.Context(), sharing, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.RbacV1().
			ClusterRoleBindings().
			Delete(cleanup(t), approver, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	dir := "../../../examples"
	text := func(file string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return []byte(strings.ReplaceAll(string(data), "edge", ns))
	}
	var p v1alpha1.PortSecurityPolicy
	if err := yaml.UnmarshalStrict(text("policy.yaml"), &p); err != nil {
		t.Fatal(err)
	}
	p.Name = unique("policy")
	if _, err := admin(t).do(t.Context(), http.MethodPost, policiesPath, &p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(
			t,
		).do(cleanup(t), http.MethodDelete, policiesPath+"/"+p.Name, nil); err != nil &&
			!apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "policy.yaml" {
			continue
		}
		var e v1alpha1.PortSecurityException
		if err := yaml.UnmarshalStrict(text(filepath.Base(file)), &e); err != nil {
			t.Fatal(err)
		}
		e.Spec.ExpiresAt = metav1.NewTime(time.Now().Add(time.Hour))
		if _, err := world.Kube.AppsV1().
			StatefulSets(ns).
			Create(t.Context(), statefulSet(e.Name), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.do(t.Context(), http.MethodPost, path, &e); !apierrors.IsForbidden(err) {
			t.Errorf("%s: written by who may read: %v", e.Name, err)
		}
		if _, err := second.do(t.Context(), http.MethodPost, path, &e); !apierrors.IsForbidden(err) {
			t.Errorf("%s: written by who may approve: %v", e.Name, err)
		}
		body, err := writer.do(t.Context(), http.MethodPost, path, &e)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if got := exceptionOf(t, body); got.Spec.RequestedBy != author || got.Spec.Target.Owner.UID == "" {
			t.Errorf("%s: asked for by %q, owner %+v", e.Name, got.Spec.RequestedBy, got.Spec.Target.Owner)
		}
		approve := map[string]any{
			"spec": map[string]any{"approvedBy": approver, "approvedRequest": exceptionOf(t, body).Spec.RequestID},
		}
		if _, err := second.do(t.Context(), http.MethodPatch, path+"/"+e.Name, approve); err != nil {
			t.Errorf("%s: approval: %v", e.Name, err)
		}
		if _, err := reader.do(t.Context(), http.MethodGet, path+"/"+e.Name, nil); err != nil {
			t.Errorf("%s: reading: %v", e.Name, err)
		}
	}
	mustRefuseContradiction(t, writer, path, ns)
}

// mustRefuseContradiction asks for fields that contradict a class.
func mustRefuseContradiction(t *testing.T, writer person, path, ns string) {
	t.Helper()
	e := exceptionIn(ns)
	e.Name, e.Spec.Ticket, e.Spec.Class, e.Spec.Grant.Level = "contradictory", "NET-1", v1alpha1.ClassRouter,
		v1alpha1.LevelMAC
	_, err := writer.do(t.Context(), http.MethodPost, path, e)
	mustRefuse(t, "a router that sends from anything", err, "spec.grant.level")
}

// roleBinding binds a role to a user in a namespace.
func roleBinding(role, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name: user,
		},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
}

func statefulSet(name string) *appsv1.StatefulSet {
	none := int32(0)
	label := map[string]string{"app": name}
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: label},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: label}, Spec: podSpec()},
		},
	}
}
