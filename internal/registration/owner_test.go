package registration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// request is what reconcilers are called with that look at one thing.
var request = reconcile.Request{}

// count returns how many objects there are of a kind.
func count(t *testing.T, c client.Client, list client.ObjectList) int {
	t.Helper()
	if err := c.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return meta.LenList(list)
}

// ownRole returns the ClusterRole to which the registration belongs.
func ownRole(owners ...metav1.OwnerReference) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "ovnguard-registration", UID: "role", OwnerReferences: owners},
	}
}

// The registration belongs to the ClusterRole, which belongs to the namespace; without one, to the namespace.
func TestOwner(t *testing.T) {
	reference := func(version, kind, name, uid string) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: version, Kind: kind, Name: name, UID: types.UID(uid)}
	}
	toNamespace := reference("v1", "Namespace", "ovnguard-system", "namespace")
	toRole := reference("rbac.authorization.k8s.io/v1", "ClusterRole", "ovnguard-registration", "role")
	stranger := reference("example.org/v1", "Operator", "olm", "stranger")
	for name, x := range map[string]struct {
		role    string
		there   *rbacv1.ClusterRole
		want    metav1.OwnerReference
		owners  []metav1.OwnerReference
		leaving string
	}{
		"none is named": {"", ownRole(), toNamespace, nil, ""},
		"named":         {"ovnguard-registration", ownRole(), toRole, []metav1.OwnerReference{toNamespace}, ""},
		"of an earlier namespace": {
			"ovnguard-registration", ownRole(reference("v1", "Namespace", "ovnguard-system", "earlier")), toRole,
			[]metav1.OwnerReference{toNamespace},
			"",
		},
		"somebody else's": {
			"ovnguard-registration", ownRole(stranger), toRole, []metav1.OwnerReference{stranger}, "",
		},
		"gone": {
			"ovnguard-registration", nil, metav1.OwnerReference{}, nil, "ClusterRole ovnguard-registration",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if x.there != nil {
				objects = append(objects, x.there)
			}
			c := api(t, new(int), nil, objects...)
			got, err := owner{client: c, namespace: "ovnguard-system", role: x.role}.find(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if x.leaving != "" {
				if !strings.Contains(got.leaving, x.leaving) || got.owners != nil {
					t.Errorf("%+v, want it to leave because of %q", got, x.leaving)
				}
				return
			}
			if diff := cmp.Diff([]metav1.OwnerReference{x.want}, got.owners); diff != "" || got.leaving != "" {
				t.Errorf("leaving %q, -want +got\n%s", got.leaving, diff)
			}
			var role rbacv1.ClusterRole
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(x.there), &role); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(x.owners, role.OwnerReferences); diff != "" {
				t.Errorf("the ClusterRole's owners, -want +got\n%s", diff)
			}
		})
	}
}

// A program that runs outside the cluster answers whatever becomes of the namespace of its certificate.
func TestOwnerOutside(t *testing.T) {
	c := api(t, new(int), nil)
	o := owner{client: c, namespace: "elsewhere", outside: true}
	if got, err := o.find(t.Context()); err != nil || got.leaving != "" || got.owners != nil {
		t.Errorf("%+v, %v without a namespace", got, err)
	}
	o.outside = false
	if _, err := o.find(t.Context()); err == nil || !strings.Contains(err.Error(), "namespace elsewhere") {
		t.Errorf("%v, want an error that names the namespace", err)
	}
}

// Where the ClusterRole may not be changed, the registration belongs to it all the same.
func TestOwnerWithoutRight(t *testing.T) {
	c := interceptor.NewClient(api(t, new(int), nil, ownRole()), interceptor.Funcs{
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return apierrors.NewForbidden(rbacv1.Resource("clusterroles"), "ovnguard-registration", errors.New("no"))
		},
	})
	got, err := owner{client: c, namespace: "ovnguard-system", role: "ovnguard-registration"}.find(t.Context())
	if err != nil || len(got.owners) != 1 || got.owners[0].UID != "role" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What the registration belongs to is deleted: the program takes the registration away itself and does not put it back,
// until there is an owner again.
func TestThreatT54LeavesWithItsOwner(t *testing.T) {
	c := api(t, new(int), nil, ownRole())
	o := valid(func(o *Options) { o.OwnerRole = "ovnguard-registration" })
	cert := &Certificate{mark: t.TempDir()}
	k := &keeper{
		rotator:     newRotator(o, cert.mark),
		client:      c,
		certificate: cert,
		registrar: registrar{
			client:   c,
			options:  o,
			owner:    ownerOf(c, o),
			contests: contests{registered: newRegistered()},
		},
		serving: func(context.Context) error { return nil },
	}
	in := &installer{client: c, options: o, owner: ownerOf(c, o), followed: true}
	turn := func() (again time.Duration) {
		t.Helper()
		result, err := k.Reconcile(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter
	}
	there := func() int {
		return count(t, c, &admissionregistrationv1.MutatingWebhookConfigurationList{}) +
			count(t, c, &admissionregistrationv1.ValidatingWebhookConfigurationList{}) +
			count(t, c, &admissionregistrationv1.ValidatingAdmissionPolicyList{})
	}
	turn() // makes the Secret
	turn()
	all := there()
	if all < 4 {
		t.Fatalf("%d objects are registered", all)
	}
	var config admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.Get(t.Context(), client.ObjectKey{Name: configurationName}, &config); err != nil {
		t.Fatal(err)
	}
	config.OwnerReferences = nil
	if err := c.Update(t.Context(), &config); err != nil {
		t.Fatal(err)
	}
	turn()
	if err := c.Get(t.Context(), client.ObjectKey{Name: configurationName}, &config); err != nil ||
		!slices.ContainsFunc(config.OwnerReferences, func(r metav1.OwnerReference) bool { return r.UID == "role" }) {
		t.Errorf("owners %v, %v; want them put back", config.OwnerReferences, err)
	}

	if err := c.Delete(t.Context(), ownRole()); err != nil {
		t.Fatal(err)
	}
	if again := turn(); there() > 0 || again == 0 {
		t.Errorf("%d objects are registered without an owner; looked at again after %s", there(), again)
	}
	if turn(); there() > 0 {
		t.Errorf("%d objects are put back", there())
	}
	if err := c.Create(t.Context(), ownRole()); err != nil {
		t.Fatal(err)
	}
	if turn(); there() != all {
		t.Errorf("%d objects are registered with an owner, want %d", there(), all)
	}
}

// A namespace that is being deleted takes the program's pods with it.
func TestThreatT54LeavesWithItsNamespace(t *testing.T) {
	c := api(t, new(int), nil, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "ending", Finalizers: []string{"kubernetes"}, DeletionTimestamp: new(metav1.Now()),
	}})
	got, err := owner{client: c, namespace: "ending"}.find(t.Context())
	if err != nil || !strings.Contains(got.leaving, "namespace ending is being deleted") {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = owner{client: c, namespace: "ending", outside: true}.find(t.Context())
	if err != nil || got.leaving != "" {
		t.Errorf("outside the cluster: %+v, %v", got, err)
	}
}
