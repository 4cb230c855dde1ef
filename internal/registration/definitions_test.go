package registration

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// Without the resource definitions there is no policy to read: that is no error, and nothing is left to the webhooks
// because of a policy. Any other failure to read policies is an error, and changes nothing.
func TestThreat32PoliciesWithoutTheirDefinition(t *testing.T) {
	open := &v1alpha1.PortSecurityPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "open"},
		Spec: v1alpha1.PortSecurityPolicySpec{
			Level:             v1alpha1.LevelOpen,
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "loosened"}},
		},
	}
	gone := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "portsecuritypolicies"}
	for name, c := range map[string]struct {
		err    error
		strict bool
	}{
		"there":           {nil, false},
		"gone":            {apierrors.NewNotFound(gone, ""), true},
		"no longer known": {&meta.NoKindMatchError{GroupKind: kube.PolicyKind.GroupKind()}, true},
		"no answer":       {errors.New("timeout"), false},
	} {
		t.Run(name, func(t *testing.T) {
			var writes int
			fine := api(t, &writes, nil, open)
			broken := interceptor.NewClient(fine, interceptor.Funcs{
				List: func(ctx context.Context, next client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					if _, policies := list.(*v1alpha1.PortSecurityPolicyList); policies && c.err != nil {
						return c.err
					}
					return next.List(ctx, list, opts...)
				},
			})
			wrong := c.err != nil && !c.strict
			if _, err := (&installer{
				client: fine, options: valid(), owner: ownerOf(fine, valid()),
				followed: true,
			}).Reconcile(
				t.Context(),
				reconcile.Request{},
			); err != nil {
				t.Fatal(err)
			}
			if _, err := (&installer{
				client: broken, options: valid(), owner: ownerOf(broken, valid()),
				followed: true,
			}).Reconcile(
				t.Context(),
				reconcile.Request{},
			); (err != nil) != wrong {
				t.Fatalf("error %v", err)
			}
			var floor admissionregistrationv1.ValidatingAdmissionPolicy
			if err := fine.Get(t.Context(), client.ObjectKey{Name: admissionpolicy.FloorName}, &floor); err != nil {
				t.Fatal(err)
			}
			strict := true
			for _, v := range floor.Spec.Variables {
				strict = strict && !strings.Contains(v.Expression, "loosened'")
			}
			if strict != c.strict {
				t.Errorf("the floor is strict everywhere: %v, want %v", strict, c.strict)
			}
			policies, err := kube.Cluster{Lookup: kube.Lookup{Live: broken}}.Policies(t.Context())
			if (err != nil) != wrong || (len(policies) == 0) != (c.strict || wrong) {
				t.Errorf("%d policies, error %v", len(policies), err)
			}
		})
	}
}
