package cli

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// Of two people who approve an exception at once, the second one is told, and the first one stays written.
func TestTwoApproveAtOnce(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stored := &v1alpha1.PortSecurityException{ObjectMeta: metav1.ObjectMeta{Namespace: "edge", Name: "router"}}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stored).Build()
	var is v1alpha1.PortSecurityException
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(stored), &is); err != nil {
		t.Fatal(err)
	}
	approve := func(who string) error {
		approved := is.DeepCopy()
		approved.Spec.ApprovedBy = who
		return writeChange(t.Context(), api, is.DeepCopy(), approved)
	}
	if err := approve("ann"); err != nil {
		t.Fatal(err)
	}
	err := approve("bob")
	if exit, ok := errors.AsType[*exitError](err); !ok || exit.code != exitUsage ||
		!strings.Contains(err.Error(), "somebody else has changed it meanwhile") {
		t.Errorf("the second approval gives %v", err)
	}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(stored), &is); err != nil || is.Spec.ApprovedBy != "ann" {
		t.Errorf("it is approved by %q, %v, want ann", is.Spec.ApprovedBy, err)
	}
}
