package registration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// installer keeps the admission policies in the API server as the PortSecurityPolicies make them.
type installer struct {
	client  client.Client
	options Options
	owner   owner
	// followed means that a change of a PortSecurityPolicy is seen; else they are read again after a while.
	followed bool
	contests contests
}

// addInstaller has the manager run the installer, which makes the policies again on each of the events, too.
func addInstaller(mgr ctrl.Manager, in *installer, again <-chan event.GenericEvent) error {
	always := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	ours := builder.WithPredicates(ofOurs())
	b := ctrl.NewControllerManagedBy(mgr).Named("admission-policies").
		WithOptions(controller.Options{MaxConcurrentReconciles: 1, NeedLeaderElection: new(bool)}).
		Watches(&admissionregistrationv1.MutatingAdmissionPolicy{}, always, ours).
		Watches(&admissionregistrationv1.MutatingAdmissionPolicyBinding{}, always, ours).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicy{}, always, ours).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, always, ours)
	if _, err := mgr.GetRESTMapper().RESTMapping(kube.PolicyKind.GroupKind(), kube.PolicyKind.Version); err == nil {
		in.followed = true
		b = b.Watches(&v1alpha1.PortSecurityPolicy{}, always)
	}
	// Nothing of ours may be there yet, so that nothing would begin it: the keeper registers the webhooks in any case.
	b = b.Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, always,
		builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
			return o.GetName() == configurationName
		}))).
		WatchesRawSource(source.Channel(again, always))
	if err := b.Complete(in); err != nil {
		return fmt.Errorf("set up the installer of admission policies: %w", err)
	}
	return nil
}

// ofOurs picks admission policies and bindings by their names, which nobody can change: labels may go with the very
// edit that weakens one.
func ofOurs() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(o client.Object) bool {
		return slices.Contains(admissionpolicy.MutatingNames, o.GetName()) ||
			slices.Contains(admissionpolicy.ValidatingNames, o.GetName())
	})
}

// remover takes away the admission policies of a controller that was asked for them: nobody would keep them up to date.
// Those that somebody else applied, from what `ovnguard render` writes, are left to them.
type remover struct {
	client client.Client
	log    logr.Logger
	// every is the time between looks: a replica that is still to be replaced puts back what another one removes.
	every time.Duration
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (r *remover) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (r *remover) Start(ctx context.Context) error {
	told := false
	for {
		foreign, err := remove(ctx, r.client, policyObjects(), managed)
		switch {
		case err != nil && ctx.Err() == nil:
			r.log.Error(
				err,
				"the admission policies of an earlier run could not be removed; trying again",
				"in",
				r.every.String(),
			)
		case len(foreign) > 0 && !told:
			r.log.Info(
				"admission policies that somebody applied are left as they are; render them again when "+
					"PortSecurityPolicies change, "+
					"or run with --admission-policies",
				"names",
				foreign,
			)
		}
		told = len(foreign) > 0
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.every):
		}
	}
}

// removeEvery is the remover's time between looks.
const removeEvery = 30 * time.Second

// managedBy marks what a controller installed and keeps; what `ovnguard render` writes does not have it.
const managedBy = "app.kubernetes.io/managed-by"

func managed(o client.Object) bool { return o.GetLabels()[managedBy] == admissionpolicy.LabelValue }

// PoliciesServed reports whether the API server serves every kind of admission policies that is installed.
func PoliciesServed(mapper meta.RESTMapper) (bool, error) {
	for _, kind := range []string{
		"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	} {
		gvk := admissionregistrationv1.SchemeGroupVersion.WithKind(kind)
		if _, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version); meta.IsNoMatchError(err) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("look whether the API server serves %s: %w", kind, err)
		}
	}
	return true, nil
}

// policyObjects returns the admission policies, each after its binding: without that, a policy has no effect.
func policyObjects() []client.Object {
	var all []client.Object
	for _, name := range admissionpolicy.ValidatingNames {
		all = append(all,
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}},
			&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for _, name := range admissionpolicy.MutatingNames {
		all = append(all, mutatingObjects(name)...)
	}
	return all
}

// mutatingObjects are a mutating policy and its binding, which goes first.
func mutatingObjects(name string) []client.Object {
	return []client.Object{
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}},
	}
}

// remove deletes the objects that are there and that the function picks, or all without one. It returns the names of
// those that were not picked. What fails does not keep the rest from being tried.
func remove(
	ctx context.Context,
	c client.Client,
	objects []client.Object,
	pick func(client.Object) bool,
) (left []string, err error) {
	var errs []error
	// An API server older than 1.36 does not know some of these kinds.
	gone := func(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }
	for _, o := range objects {
		if pick != nil {
			if err := c.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
				if !gone(err) {
					errs = append(errs, fmt.Errorf("read %s %s: %w", typeName(o), o.GetName(), err))
				}
				continue
			}
			if !pick(o) {
				left = append(left, o.GetName())
				continue
			}
		}
		if err := c.Delete(ctx, o); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("delete %s %s: %w", typeName(o), o.GetName(), err))
		}
	}
	slices.Sort(left)
	return slices.Compact(left), errors.Join(errs...)
}

// Reconcile implements reconcile.Reconciler.
func (in *installer) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var policies v1alpha1.PortSecurityPolicyList
	if err := in.client.List(ctx, &policies); err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("list PortSecurityPolicies: %w", err)
	}
	set, err := admissionpolicy.Make(admissionpolicy.Input{
		Policies: policies.Items, Accounts: in.options.Accounts(), Namespace: in.options.Namespace,
	})
	if err != nil {
		return reconcile.Result{}, err
	}
	belongs, err := in.owner.find(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if belongs.leaving != "" {
		in.contests.withdrawn()
		return reconcile.Result{RequeueAfter: reachAgain}, nil // the keeper takes away what is there
	}
	again, err := in.install(ctx, set, belongs.owners)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !in.followed {
		again = sooner(again, 15*time.Second)
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

// install writes what is not as it must be. Bindings come last: without one, a policy has no effect. It tells when to
// look again at what somebody else changes all the time; 0 where nobody does.
func (in *installer) install(
	ctx context.Context,
	set admissionpolicy.Set,
	owners []metav1.OwnerReference,
) (again time.Duration, err error) {
	var all []func() (time.Duration, error)
	for i := range set.Mutating {
		all = append(all, put(ctx, in, owners, &set.Mutating[i],
			func(have, want *admissionregistrationv1.MutatingAdmissionPolicy) { have.Spec = want.Spec }))
	}
	for i := range set.Validating {
		all = append(all, put(ctx, in, owners, &set.Validating[i],
			func(have, want *admissionregistrationv1.ValidatingAdmissionPolicy) { have.Spec = want.Spec }))
	}
	for i := range set.MutatingBindings {
		all = append(all, put(ctx, in, owners, &set.MutatingBindings[i],
			func(have, want *admissionregistrationv1.MutatingAdmissionPolicyBinding) { have.Spec = want.Spec }))
	}
	for i := range set.ValidatingBindings {
		all = append(all, put(ctx, in, owners, &set.ValidatingBindings[i],
			func(have, want *admissionregistrationv1.ValidatingAdmissionPolicyBinding) { have.Spec = want.Spec }))
	}
	var errs []error
	for _, write := range all { // what may not be written keeps nothing else from being
		after, err := write()
		errs = append(errs, err)
		again = sooner(again, after)
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	return again, nil
}

// put returns a function that writes an object so that it is as wanted, by what fill takes over, and tells when to look
// again at what somebody else changes all the time. Whoever made the object keeps it: only those that are made here
// count as managed, and belong to the owners.
func put[T any, PT interface {
	*T
	client.Object
}](
	ctx context.Context,
	in *installer,
	owners []metav1.OwnerReference,
	want PT,
	fill func(have, want PT),
) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		have := PT(new(T))
		have.SetName(want.GetName())
		written, after, err := in.contests.put(ctx, in.client, have, []any{want, owners}, func() {
			labels := have.GetLabels()
			if labels == nil {
				labels = make(map[string]string)
			}
			labels[admissionpolicy.Label] = admissionpolicy.LabelValue
			if have.GetResourceVersion() == "" {
				labels[managedBy] = admissionpolicy.LabelValue
			}
			have.SetLabels(labels)
			if managed(have) {
				have.SetOwnerReferences(owners)
			}
			fill(have, want)
		})
		if err != nil {
			return 0, fmt.Errorf("write %s %s: %w", typeName(have), have.GetName(), err)
		}
		if written {
			ctrl.LoggerFrom(ctx).Info("admission policy written", "kind", typeName(have), "name", have.GetName())
		}
		return after, nil
	}
}
