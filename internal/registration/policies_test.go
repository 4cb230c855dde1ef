package registration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// The floor believes KubeVirt's accounts only while KubeVirt is served.
func TestThreatT39FloorFollowsKubeVirt(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	accounts := admission.DefaultAccounts()
	options := valid(func(o *Options) { o.Accounts = func() admission.Accounts { return accounts } })
	in := &installer{client: c, options: options, owner: ownerOf(c, options), followed: true}
	for _, served := range []bool{false, true, false} {
		accounts.WithoutKubeVirt = !served
		if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		var floor admissionregistrationv1.ValidatingAdmissionPolicy
		if err := c.Get(t.Context(), client.ObjectKey{Name: admissionpolicy.FloorName}, &floor); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(
			floor.Spec.Variables,
			func(v admissionregistrationv1.Variable) bool { return v.Name == "kubeVirt" },
		)
		if text := floor.Spec.Variables[i].Expression; strings.Contains(text, "kubevirt-controller") != served {
			t.Errorf("served %v: KubeVirt's accounts are %s", served, text)
		}
	}
}

// All policies are installed, each with its binding, and nothing is written where nothing changed.
func TestInstallPolicies(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	install := func() {
		t.Helper()
		in := &installer{client: c, options: valid(), owner: ownerOf(c, valid()), followed: true}
		if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	install()
	for _, name := range admissionpolicy.MutatingNames {
		for _, o := range mutatingObjects(name) {
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || !managed(o) {
				t.Errorf("%T %s: %v, labels %v", o, name, err, o.GetLabels())
			}
		}
	}
	before := writes
	if install(); writes != before {
		t.Errorf("%d writes although nothing changed", writes-before)
	}
}

// An applied policy is kept right, and stays its owner's.
func TestAppliedPoliciesAreTheirs(t *testing.T) {
	rendered := map[string]string{admissionpolicy.Label: admissionpolicy.LabelValue}
	c := api(t, new(int), nil, &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: admissionpolicy.DefaultName, Labels: rendered},
	})
	in := &installer{client: c, options: valid(), owner: ownerOf(c, valid()), followed: true}
	if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
		t.Fatal(err)
	}
	var got admissionregistrationv1.MutatingAdmissionPolicy
	if err := c.Get(
		t.Context(),
		client.ObjectKey{Name: admissionpolicy.DefaultName},
		&got,
	); err != nil || managed(&got) ||
		len(got.Spec.Mutations) == 0 {
		t.Errorf(
			"%v, labels %v, %d mutations; want it written, and not marked as installed",
			err,
			got.Labels,
			len(got.Spec.Mutations),
		)
	}
}

// A weakened policy is restored, even if its labels are removed too, and the change makes the program look at it.
func TestPoliciesArePutBack(t *testing.T) {
	c := api(t, new(int), nil)
	in := &installer{client: c, options: valid(), owner: ownerOf(c, valid()), followed: true}
	look := func() (*admissionregistrationv1.ValidatingAdmissionPolicy,
		*admissionregistrationv1.ValidatingAdmissionPolicyBinding,
	) {
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
	weak.Labels, weak.Spec.FailurePolicy, weak.Spec.Validations = nil, new(
		admissionregistrationv1.Ignore,
	), weak.Spec.Validations[:1]
	if !ofOurs().Update(event.UpdateEvent{ObjectOld: p, ObjectNew: weak}) ||
		!ofOurs().Delete(event.DeleteEvent{Object: weak}) {
		t.Error("what has lost its label is not looked at")
	}
	if ofOurs().Update(event.UpdateEvent{
		ObjectOld: p,
		ObjectNew: &admissionregistrationv1.ValidatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "theirs", Labels: p.Labels},
		},
	}) {
		t.Error("somebody else's is looked at")
	}
	b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
	if err := errors.Join(c.Update(t.Context(), weak), c.Update(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
	p, b = look()
	if diff := cmp.Diff(
		*good,
		p.Spec,
	) + cmp.Diff(
		*bound,
		b.Spec,
	); diff != "" || label == "" ||
		p.Labels[admissionpolicy.Label] != label {
		t.Errorf("not put back; labels %v, -want +got\n%s", p.Labels, diff)
	}
}

// A controller without the option for policies removes those that another one installed, even if a replica of the old
// version restores them, and leaves policies alone that somebody applied.
func TestRemovePolicies(t *testing.T) {
	c := api(t, new(int), nil)
	applied := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: admissionpolicy.NamespaceFloorName},
	}
	install := func() {
		t.Helper()
		in := &installer{client: c, options: valid(), owner: ownerOf(c, valid()), followed: true}
		if _, err := in.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(applied), applied); err != nil {
			t.Fatal(err)
		}
		applied.Labels = map[string]string{admissionpolicy.Label: admissionpolicy.LabelValue} // as render writes it
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
	if _, err := remove(t.Context(), c, policyObjects(), nil); err != nil {
		t.Fatal(err)
	}
	if got := names(); len(got) != 0 {
		t.Errorf("%v are left", got)
	}
}

// Admission policies are installed only where the API server serves all their kinds.
func TestPoliciesServed(t *testing.T) {
	old := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		old.Add(admissionregistrationv1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeRoot)
	}
	served := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
		"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
	} {
		served.Add(admissionregistrationv1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeRoot)
	}
	for want, mapper := range map[bool]meta.RESTMapper{true: served, false: old} {
		if got, err := PoliciesServed(mapper); err != nil || got != want {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
}
