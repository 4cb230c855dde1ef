package controlplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Bootstrap makes the namespace and the bindings of the lab's identities and waits until pods can be created in the
// namespaces "default" and "tenant": admission needs their service account, which kube-controller-manager makes.
func (c *ControlPlane) Bootstrap(ctx context.Context, client kubernetes.Interface) error {
	if err := createIdentities(ctx, client); err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	for _, namespace := range []string{metav1.NamespaceDefault, TenantNamespace} {
		if err := awaitServiceAccount(ctx, client, namespace); err != nil {
			return fmt.Errorf("control plane: %w", err)
		}
	}
	return nil
}

func createIdentities(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.CoreV1().
		Namespaces().
		Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: TenantNamespace}}, metav1.CreateOptions{})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("create namespace %s: %w", TenantNamespace, err)
	}
	_, err = client.RbacV1().RoleBindings(TenantNamespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "tenant-edit"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: tenantUser}},
	}, metav1.CreateOptions{})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("bind the tenant: %w", err)
	}
	_, err = client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: labNodesGroup},
		Rules: []rbacv1.PolicyRule{
			{
				APIGroups: []string{""},
				Resources: []string{"pods", "nodes", "namespaces"},
				Verbs:     []string{"get", "list", "watch", "patch"},
			},
			{
				APIGroups: []string{""},
				Resources: []string{"pods/status", "nodes/status"},
				Verbs:     []string{"patch", "update"},
			},
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"delete"}},
			{
				APIGroups: []string{"", "events.k8s.io"},
				Resources: []string{"events"},
				Verbs:     []string{"create", "patch", "update"},
			},
			{APIGroups: []string{"kubeovn.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}},
			{
				APIGroups: []string{"k8s.cni.cncf.io"},
				Resources: []string{"network-attachment-definitions"},
				Verbs:     []string{"get", "list", "watch"},
			},
		},
	}, metav1.CreateOptions{})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("create the nodes' role: %w", err)
	}
	return bind(ctx, client, labNodesGroup, labNodesGroup, rbacv1.GroupKind, labNodesGroup)
}

func bind(ctx context.Context, client kubernetes.Interface, name, role, kind, subject string) error {
	_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: kind, Name: subject}},
	}, metav1.CreateOptions{})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("bind %s: %w", subject, err)
	}
	return nil
}

func awaitServiceAccount(ctx context.Context, client kubernetes.Interface, namespace string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second,
		errors.New("kube-controller-manager did not make it within 30 s, see its log"))
	defer cancel()
	for {
		_, err := client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("service account default in namespace %s: %w (%w)", namespace, context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// unlessExists returns nil for the error that an object exists already, because an earlier run may have created it and
// its data is kept.
func unlessExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
