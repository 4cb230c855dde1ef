package controller

import (
	"context"
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
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// installer keeps the admission policies in the API server as the PortSecurityPolicies make them.
type installer struct {
	client  client.Client
	options Options
	// followed tells that a change of a PortSecurityPolicy is seen; else they are read again after a while.
	followed bool
}

// addInstaller has the manager run the installer.
func addInstaller(mgr ctrl.Manager, o Options) error {
	in := &installer{client: mgr.GetClient(), options: o}
	always := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	ours := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		return o.GetLabels()[admissionpolicy.Label] == admissionpolicy.LabelValue
	}))
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
	// Nothing of ours may be there yet, so that nothing would begin it: the certificate's Secret always is.
	b = b.Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, always, builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		return o.GetName() == configurationName
	})))
	if err := b.Complete(in); err != nil {
		return fmt.Errorf("set up the installer of admission policies: %w", err)
	}
	return nil
}

// remover takes away the admission policies of a controller that was asked for them: nobody would keep them up to date. Those that
// somebody else applied, from what `ovnguard render` writes, are left to them.
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
		foreign, err := removePolicies(ctx, r.client, managed)
		switch {
		case err != nil && ctx.Err() == nil:
			r.log.Error(err, "the admission policies of an earlier run could not be removed; trying again", "in", r.every.String())
		case len(foreign) > 0 && !told:
			r.log.Info("admission policies that somebody applied are left as they are; render them again when PortSecurityPolicies change, "+
				"or run with --admission-policies", "names", foreign)
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

// removePolicies deletes the admission policies that the function picks, or all without one, the bindings first: without one, a policy
// has no effect. It gives the names of those that were not picked.
func removePolicies(ctx context.Context, c client.Client, pick func(client.Object) bool) (left []string, err error) {
	var all []client.Object
	for _, name := range admissionpolicy.MutatingNames {
		all = append(all, mutatingObjects(name)...)
	}
	for _, name := range admissionpolicy.ValidatingNames {
		all = append(all,
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}},
			&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	if pick != nil {
		picked := all[:0]
		for _, o := range all {
			switch err := c.Get(ctx, client.ObjectKeyFromObject(o), o); {
			case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
			case err != nil:
				return nil, fmt.Errorf("read %T %s: %w", o, o.GetName(), err)
			case pick(o):
				picked = append(picked, o)
			default:
				left = append(left, o.GetName())
			}
		}
		all = picked
	}
	slices.Sort(left)
	return slices.Compact(left), remove(ctx, c, all)
}

// mutatingObjects are a mutating policy and its binding, which goes first.
func mutatingObjects(name string) []client.Object {
	return []client.Object{
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}},
	}
}

// remove deletes what is there of some objects.
func remove(ctx context.Context, c client.Client, objects []client.Object) error {
	for _, o := range objects {
		// An API server older than 1.36 does not know some of these kinds.
		if err := client.IgnoreNotFound(c.Delete(ctx, o)); err != nil && !meta.IsNoMatchError(err) {
			return fmt.Errorf("delete %T %s: %w", o, o.GetName(), err)
		}
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (in *installer) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var policies v1alpha1.PortSecurityPolicyList
	if err := in.client.List(ctx, &policies); err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("list PortSecurityPolicies: %w", err)
	}
	set, err := admissionpolicy.Make(admissionpolicy.Input{
		Policies: policies.Items, Accounts: in.options.Accounts, Namespace: in.options.Namespace,
		Templates: in.options.StampTemplates,
	})
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := in.install(ctx, set); err != nil {
		return reconcile.Result{}, err
	}
	if !in.followed {
		return reconcile.Result{RequeueAfter: 15 * time.Second}, nil
	}
	return reconcile.Result{}, nil
}

// install writes what is not as it must be. Bindings come last: without one, a policy has no effect.
func (in *installer) install(ctx context.Context, set admissionpolicy.Set) error {
	var all []func() error
	for i := range set.Mutating {
		all = append(all, put(ctx, in.client, &set.Mutating[i], func(o *admissionregistrationv1.MutatingAdmissionPolicy) { o.Spec = set.Mutating[i].Spec }))
	}
	for i := range set.Validating {
		all = append(all, put(ctx, in.client, &set.Validating[i], func(o *admissionregistrationv1.ValidatingAdmissionPolicy) { o.Spec = set.Validating[i].Spec }))
	}
	for i := range set.MutatingBindings {
		all = append(all, put(ctx, in.client, &set.MutatingBindings[i], func(o *admissionregistrationv1.MutatingAdmissionPolicyBinding) { o.Spec = set.MutatingBindings[i].Spec }))
	}
	for i := range set.ValidatingBindings {
		all = append(all, put(ctx, in.client, &set.ValidatingBindings[i], func(o *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			o.Spec = set.ValidatingBindings[i].Spec
		}))
	}
	for _, write := range all {
		if err := write(); err != nil {
			return err
		}
	}
	for _, name := range admissionpolicy.MutatingNames { // an earlier run may have been asked for more
		if !slices.ContainsFunc(set.Mutating, func(p admissionregistrationv1.MutatingAdmissionPolicy) bool { return p.Name == name }) {
			if err := remove(ctx, in.client, mutatingObjects(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// put gives a function that writes an object so that it is what fill makes of it.
func put[T any, PT interface {
	*T
	client.Object
}](ctx context.Context, c client.Client, want PT, fill func(PT)) func() error {
	return func() error {
		have := PT(new(T))
		have.SetName(want.GetName())
		result, err := controllerutil.CreateOrUpdate(ctx, c, have, func() error {
			labels := have.GetLabels()
			if labels == nil {
				labels = make(map[string]string)
			}
			labels[admissionpolicy.Label] = admissionpolicy.LabelValue
			labels[managedBy] = admissionpolicy.LabelValue
			have.SetLabels(labels)
			fill(have)
			return nil
		})
		if err != nil {
			return fmt.Errorf("write %T %s: %w", have, have.GetName(), err)
		}
		if result != controllerutil.OperationResultNone {
			ctrl.LoggerFrom(ctx).Info("admission policy written", "kind", fmt.Sprintf("%T", have), "name", have.GetName(), "result", result)
		}
		return nil
	}
}
