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

// Every object of this program that could keep a pod from starting is deleted, and nobody else's.
func TestUnregister(t *testing.T) {
	name := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	ours := []client.Object{
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: name(configurationName)},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: name(configurationName)},
		&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: name(admissionpolicy.FloorName)},
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: name(admissionpolicy.FloorName)},
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: name(admissionpolicy.DefaultName)},
	}
	theirs := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: name("theirs")}
	var writes int
	c := api(t, &writes, nil, append(ours, theirs)...)
	for range 2 { // an object that is gone already is no error
		if err := unregister(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range ours {
		if err := c.Get(
			t.Context(),
			client.ObjectKeyFromObject(o),
			o,
		); client.IgnoreNotFound(err) != nil ||
			err == nil {
			t.Errorf("%T %s is still there: %v", o, o.GetName(), err)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs); err != nil {
		t.Errorf("somebody else's is gone: %v", err)
	}
}

// An object that cannot be deleted does not keep the rest from going, and is named.
func TestUnregisterGoesOn(t *testing.T) {
	name := metav1.ObjectMeta{Name: admissionpolicy.DefaultName}
	kept := &admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: name}
	floor := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: admissionpolicy.FloorName},
	}
	inner := api(t, new(int), nil, kept, &admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: name}, floor)
	c := interceptor.NewClient(inner, interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if _, is := o.(*admissionregistrationv1.MutatingAdmissionPolicyBinding); is {
				return errors.New("not this one")
			}
			return c.Delete(ctx, o, opts...)
		},
	})
	if err := unregister(
		t.Context(),
		c,
	); err == nil ||
		!strings.Contains(err.Error(), "MutatingAdmissionPolicyBinding "+kept.Name) {
		t.Errorf("got %v, want an error that names what is left", err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(floor), floor); !apierrors.IsNotFound(err) {
		t.Errorf("the floor is still there: %v", err)
	}
}
