package controller

import (
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// What an earlier run was asked for and this one is not goes away, and what was changed is put back.
func TestInstallPolicies(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	installed := func(stamp bool) []string {
		t.Helper()
		in := &installer{client: c, options: valid(func(o *Options) { o.StampTemplates = stamp }), followed: true}
		if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		var policies admissionregistrationv1.MutatingAdmissionPolicyList
		var bindings admissionregistrationv1.MutatingAdmissionPolicyBindingList
		if err := c.List(t.Context(), &policies); err != nil {
			t.Fatal(err)
		}
		if err := c.List(t.Context(), &bindings); err != nil {
			t.Fatal(err)
		}
		var names []string
		for i, p := range policies.Items {
			names = append(names, p.Name)
			if len(bindings.Items) != len(policies.Items) || bindings.Items[i].Name != p.Name {
				t.Errorf("policy %s and %d bindings", p.Name, len(bindings.Items))
			}
		}
		return names
	}
	all := slices.Sorted(slices.Values(admissionpolicy.MutatingNames))
	if got := installed(true); !slices.Equal(got, all) {
		t.Errorf("%v, want %v", got, all)
	}
	if before := writes; !slices.Equal(installed(true), all) || writes != before {
		t.Errorf("%d writes although nothing changed", writes-before)
	}
	if got := installed(false); !slices.Equal(got, []string{admissionpolicy.DefaultName}) {
		t.Errorf("%v, want %s alone", got, admissionpolicy.DefaultName)
	}
	if err := removePolicies(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	var left admissionregistrationv1.ValidatingAdmissionPolicyList
	if err := c.List(t.Context(), &left); err != nil || len(left.Items) != 0 {
		t.Errorf("%v, %d policies are left", err, len(left.Items))
	}
}
