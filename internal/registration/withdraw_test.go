package registration

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// What is installed is all of what is taken away.
func TestObjectsAreAllThatIsInstalled(t *testing.T) {
	c := api(t, new(int), nil)
	in := &installer{client: c, options: valid(), owner: ownerOf(c, valid()), followed: true}
	register := registrar{client: c, options: valid()}
	if _, err := in.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if _, _, err := register.register(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, list := range []client.ObjectList{
		&admissionregistrationv1.ValidatingWebhookConfigurationList{},
		&admissionregistrationv1.MutatingWebhookConfigurationList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
		&admissionregistrationv1.MutatingAdmissionPolicyList{},
		&admissionregistrationv1.MutatingAdmissionPolicyBindingList{},
	} {
		if n := count(t, c, list); n == 0 {
			t.Errorf("%T: none is installed", list)
		}
	}
	for _, o := range Objects() {
		if err := c.Delete(t.Context(), o); err != nil {
			t.Errorf("%T %s: %v", o, o.GetName(), err)
		}
	}
	for _, list := range []client.ObjectList{
		&admissionregistrationv1.ValidatingWebhookConfigurationList{},
		&admissionregistrationv1.MutatingWebhookConfigurationList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
		&admissionregistrationv1.MutatingAdmissionPolicyList{},
		&admissionregistrationv1.MutatingAdmissionPolicyBindingList{},
	} {
		if n := count(t, c, list); n > 0 {
			t.Errorf("%T: %d are left", list, n)
		}
	}
}

// Who refuses goes before who changes, and a binding before its policy.
func TestObjectsAreInOrder(t *testing.T) {
	place := make(map[string]int)
	for i, o := range Objects() {
		place[typeName(o)+" "+o.GetName()] = i
	}
	for before, after := range map[string]string{
		"ValidatingWebhookConfiguration ovnguard":         "MutatingWebhookConfiguration ovnguard",
		"ValidatingAdmissionPolicyBinding ovnguard-floor": "ValidatingAdmissionPolicy ovnguard-floor",
		"ValidatingAdmissionPolicy ovnguard-floor":        "MutatingAdmissionPolicyBinding ovnguard-default",
		"MutatingAdmissionPolicyBinding ovnguard-default": "MutatingAdmissionPolicy ovnguard-default",
	} {
		first, ok := place[before]
		second, there := place[after]
		if !ok || !there || first >= second {
			t.Errorf("%s is at %d (%v), %s at %d (%v)", before, first, ok, after, second, there)
		}
	}
}

// Withdrawing deletes what a controller installed, twice without an error, and nobody else's.
func TestWithdraw(t *testing.T) {
	name := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	own := metav1.ObjectMeta{
		Name: admissionpolicy.FloorName, Labels: map[string]string{managedBy: admissionpolicy.LabelValue},
	}
	ours := []client.Object{
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: name(configurationName)},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: name(configurationName)},
		&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: own},
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: own},
	}
	theirs := []client.Object{
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: name("theirs")},
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: name(admissionpolicy.DefaultName)},
	}
	c := api(t, new(int), nil, append(ours, theirs...)...)
	for range 2 {
		if err := withdraw(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range ours {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			t.Errorf("%T %s is still there: %v", o, o.GetName(), err)
		}
	}
	for _, o := range theirs {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Errorf("somebody else's %T %s is gone: %v", o, o.GetName(), err)
		}
	}
}

// An object that cannot be deleted does not keep the rest from going, and is named.
func TestWithdrawGoesOn(t *testing.T) {
	name := metav1.ObjectMeta{Name: configurationName}
	kept := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: name}
	other := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: name}
	c := interceptor.NewClient(api(t, new(int), nil, kept, other), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if _, is := o.(*admissionregistrationv1.ValidatingWebhookConfiguration); is {
				return errors.New("not this one")
			}
			return c.Delete(ctx, o, opts...)
		},
	})
	if err := withdraw(t.Context(), c); err == nil ||
		!strings.Contains(err.Error(), "ValidatingWebhookConfiguration "+kept.Name) {
		t.Errorf("got %v, want an error that names what is left", err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(other), other); !apierrors.IsNotFound(err) {
		t.Errorf("the other is still there: %v", err)
	}
}
