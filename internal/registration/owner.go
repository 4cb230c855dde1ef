package registration

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// owner finds what the registration belongs to. With failurePolicy Fail, a registration that is still there when the
// program is not keeps every pod from starting, so that it belongs to something that goes with the program: the garbage
// collector of Kubernetes takes it away then. Owners are cluster-scoped, so that no right in a namespace removes one.
type owner struct {
	// client asks the API server itself.
	client client.Client
	// namespace is the program's own.
	namespace string
	// role is a ClusterRole that was installed with the program; empty for none. It belongs to the namespace in turn, so
	// that the registration ends with whichever of both is deleted.
	role string
	// outside means that the program runs outside the cluster, and answers whatever becomes of the namespace.
	outside bool
}

// ownerOf returns what the registration belongs to.
func ownerOf(c client.Client, o Options) owner {
	return owner{client: c, namespace: o.Namespace, role: o.OwnerRole, outside: o.URL != ""}
}

// belonging is what the registration belongs to at a time.
type belonging struct {
	// owners are the references that each object of the registration has.
	owners []metav1.OwnerReference
	// leaving says why the program is about to be gone, so that nothing may be registered; empty where it stays.
	leaving string
}

// find returns what the registration belongs to now. It sees to it that the ClusterRole belongs to the namespace.
func (o owner) find(ctx context.Context) (belonging, error) {
	var namespace corev1.Namespace
	if err := o.client.Get(ctx, client.ObjectKey{Name: o.namespace}, &namespace); err != nil {
		if apierrors.IsNotFound(err) && o.outside {
			return belonging{}, nil // it is made for the certificate
		}
		return belonging{}, fmt.Errorf("read namespace %s, to which the registration belongs: %w", o.namespace, err)
	}
	if namespace.DeletionTimestamp != nil && !o.outside {
		return belonging{leaving: "namespace " + o.namespace + " is being deleted"}, nil
	}
	mine := metav1.OwnerReference{
		APIVersion: "v1", Kind: "Namespace", Name: namespace.Name, UID: namespace.UID,
	}
	if o.role == "" {
		return belonging{owners: []metav1.OwnerReference{mine}}, nil
	}
	var role rbacv1.ClusterRole
	err := o.client.Get(ctx, client.ObjectKey{Name: o.role}, &role)
	switch {
	case apierrors.IsNotFound(err), err == nil && role.DeletionTimestamp != nil:
		return belonging{leaving: "ClusterRole " + o.role + ", to which the registration belongs, is gone"}, nil
	case err != nil:
		return belonging{}, fmt.Errorf("read ClusterRole %s, to which the registration belongs: %w", o.role, err)
	}
	o.bind(ctx, &role, mine)
	return belonging{owners: []metav1.OwnerReference{{
		APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: role.Name, UID: role.UID,
	}}}, nil
}

// bind has the ClusterRole belong to the namespace. One that somebody else owns is left to them. Where it fails, the
// registration does not end with the namespace alone, and the log says so.
func (o owner) bind(ctx context.Context, role *rbacv1.ClusterRole, namespace metav1.OwnerReference) {
	earlier := func(r metav1.OwnerReference) bool { return r.Kind == namespace.Kind && r.Name == namespace.Name }
	if slices.Contains(role.OwnerReferences, namespace) ||
		slices.ContainsFunc(role.OwnerReferences, func(r metav1.OwnerReference) bool { return !earlier(r) }) {
		return
	}
	before := role.DeepCopy()
	role.OwnerReferences = []metav1.OwnerReference{namespace}
	err := o.client.Patch(ctx, role, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil && !apierrors.IsConflict(err) {
		ctrl.LoggerFrom(ctx).Info(
			"if namespace "+o.namespace+" is deleted without `ovnguard uninstall`, the webhooks stay registered, and no pod "+
				"can be made: ClusterRole "+o.role+" could not be made to end with it",
			"reason", err.Error(),
		)
	}
}
