package controller

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// What an earlier run was asked for and this one is not goes away.
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
	if got := installed(false); !slices.Equal(got, []string{admissionpolicy.DefaultName, admissionpolicy.ExceptedName}) {
		t.Errorf("%v, want none for templates", got)
	}
}

// What somebody weakens is put back, also where the labels go with it, and is looked at again for it.
func TestPoliciesArePutBack(t *testing.T) {
	c := api(t, new(int), nil)
	in := &installer{client: c, options: valid(), followed: true}
	look := func() (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		t.Helper()
		if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		var p admissionregistrationv1.ValidatingAdmissionPolicy
		var b admissionregistrationv1.ValidatingAdmissionPolicyBinding
		key := client.ObjectKey{Name: admissionpolicy.FloorName}
		if err := errors.Join(c.Get(t.Context(), key, &p), c.Get(t.Context(), key, &b)); err != nil {
			t.Fatal(err)
		}
		return &p, &b
	}
	p, b := look()
	good, bound, label := p.Spec.DeepCopy(), b.Spec.DeepCopy(), p.Labels[admissionpolicy.Label]
	weak := p.DeepCopy()
	weak.Labels, weak.Spec.FailurePolicy, weak.Spec.Validations = nil, new(admissionregistrationv1.Ignore), weak.Spec.Validations[:1]
	if !ofOurs().Update(event.UpdateEvent{ObjectOld: p, ObjectNew: weak}) || !ofOurs().Delete(event.DeleteEvent{Object: weak}) {
		t.Error("what has lost its label is not looked at")
	}
	if ofOurs().Update(event.UpdateEvent{ObjectOld: p, ObjectNew: &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "theirs", Labels: p.Labels}}}) {
		t.Error("somebody else's is looked at")
	}
	b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
	if err := errors.Join(c.Update(t.Context(), weak), c.Update(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
	p, b = look()
	if diff := cmp.Diff(*good, p.Spec) + cmp.Diff(*bound, b.Spec); diff != "" || label == "" || p.Labels[admissionpolicy.Label] != label {
		t.Errorf("not put back; labels %v, -want +got\n%s", p.Labels, diff)
	}
}

// What somebody applied stays theirs: a controller that is asked for it keeps it right, and one that is not leaves it alone.
func TestAppliedPoliciesAreLeft(t *testing.T) {
	const theirs = admissionpolicy.TemplatesName
	rendered := map[string]string{admissionpolicy.Label: admissionpolicy.LabelValue}
	c := api(t, new(int), nil,
		&admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: theirs, Labels: rendered}},
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: theirs, Labels: rendered}})
	for _, stamp := range []bool{false, true, false} {
		in := &installer{client: c, options: valid(func(o *Options) { o.StampTemplates = stamp }), followed: true}
		if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		for _, o := range mutatingObjects(theirs) {
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || managed(o) {
				t.Errorf("--stamp-templates=%v: %T: %v, labels %v; want it left, and not marked as installed", stamp, o, err, o.GetLabels())
			}
		}
	}
}

// A controller that is not asked for policies takes away what another one installed, also where a replica that is still to be replaced
// puts it back, and leaves alone what somebody applied.
func TestRemovePolicies(t *testing.T) {
	c := api(t, new(int), nil)
	applied := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: admissionpolicy.NamespaceFloorName}}
	install := func() {
		t.Helper()
		in := &installer{client: c, options: valid(func(o *Options) { o.StampTemplates = true }), followed: true}
		if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(applied), applied); err != nil {
			t.Fatal(err)
		}
		applied.Labels = map[string]string{admissionpolicy.Label: admissionpolicy.LabelValue} // as it is rendered
		if err := c.Update(t.Context(), applied); err != nil {
			t.Fatal(err)
		}
	}
	names := func() []string {
		t.Helper()
		var validating admissionregistrationv1.ValidatingAdmissionPolicyList
		var mutating admissionregistrationv1.MutatingAdmissionPolicyList
		if err := errors.Join(c.List(t.Context(), &validating), c.List(t.Context(), &mutating)); err != nil {
			t.Fatal(err)
		}
		var names []string
		for i := range validating.Items {
			names = append(names, validating.Items[i].Name)
		}
		for i := range mutating.Items {
			names = append(names, mutating.Items[i].Name)
		}
		return names
	}
	synctest.Test(t, func(t *testing.T) {
		install()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			r := &remover{c, logr.Discard(), removeEvery}
			ended <- r.Start(ctx)
		}()
		for round := range 2 {
			synctest.Wait()
			if got := names(); !slices.Equal(got, []string{applied.Name}) {
				t.Errorf("round %d: %v are left, want %s alone", round, got, applied.Name)
			}
			install()
			time.Sleep(removeEvery)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if _, err := removePolicies(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	if got := names(); len(got) != 0 {
		t.Errorf("%v are left", got)
	}
}
