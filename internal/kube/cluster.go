package kube

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Cluster asks the API server what governance rests on. Policies and owners are read from the server and not from a
// cache: who writes them rarely does so a moment before, but must not be judged by what was.
type Cluster struct {
	// Lookup returns namespaces.
	Lookup
	// Reviews makes SubjectAccessReviews.
	Reviews client.Writer
}

// May reports whether the user may do what the attributes say.
func (c Cluster) May(
	ctx context.Context,
	user authenticationv1.UserInfo,
	what authorizationv1.ResourceAttributes,
) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra, ResourceAttributes: &what,
	}}
	if err := c.Reviews.Create(ctx, review); err != nil {
		return false, fmt.Errorf("make a SubjectAccessReview: %w", err)
	}
	// An authorizer that gives no opinion may have failed; only a yes is a yes.
	return review.Status.Allowed && !review.Status.Denied, nil
}

// Policies lists the policies in their order of precedence; none where the cluster does not serve the kind.
func (c Cluster) Policies(ctx context.Context) ([]policy.Policy, error) {
	var list v1alpha1.PortSecurityPolicyList
	if err := c.Live.List(ctx, &list); err != nil {
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("list policies: %w", err)
	}
	out := make([]policy.Policy, len(list.Items))
	for i := range list.Items {
		out[i] = PolicyOf(&list.Items[i])
	}
	policy.SortPolicies(out)
	return out, nil
}

// OwnerUID returns the UID of the object that the owner names.
func (c Cluster) OwnerUID(ctx context.Context, namespace string, o v1alpha1.Owner) (uid string, found bool, err error) {
	if kubeovn.IsGateway(o.APIVersion, o.Kind) && o.Kind == kubeovn.KindNATGateway {
		namespace = "" // it is of none, wherever its pods are
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(o.APIVersion, o.Kind))
	err = c.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: o.Name}, object)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	return string(object.UID), true, nil
}
