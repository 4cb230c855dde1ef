package registration

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
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
)

// Mounted is a certificate that somebody else makes and renews, as tls.Config.GetCertificate returns it.
type Mounted func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// follower follows the configurations of the webhooks where somebody else registers them, such as the chart: it says
// whether they are as this version wants them, and writes nothing of them.
type follower struct {
	client  client.Client
	options Options
	owner   owner
	mounted Mounted
	// serving says whether the webhooks answer where the API server asks. They are called only after they did.
	serving func(context.Context) error
	// registered says of each configuration whether it is right.
	registered *prometheus.GaugeVec
	// right is called when everything has become right; nil where nobody wants to know.
	right func()
	// said is what was said last of what is wrong; was means that something has been looked at.
	said string
	was  bool
}

// followAgain is how often a follower looks anyway: a certificate that was renewed is seen by no event.
const followAgain = 30 * time.Second

// watching begins a controller that looks at all configurations of webhooks at once, one look at a time in every
// replica: when they change, when the program's namespace does, and at each event of wake.
func watching(
	mgr ctrl.Manager, name string, always handler.EventHandler, wake <-chan event.GenericEvent,
) *builder.Builder {
	isOurs := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		return o.GetName() == configurationName
	}))
	return ctrl.NewControllerManagedBy(mgr).Named(name).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1, NeedLeaderElection: new(bool)}).
		// That it is being deleted is seen at once: the program's pods are about to end.
		Watches(&corev1.Namespace{}, always).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, always, isOurs).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, always, isOurs).
		WatchesRawSource(source.Channel(wake, always))
}

// addFollower has the manager run the follower, which looks at each event of wake as well.
func addFollower(mgr ctrl.Manager, f *follower, wake <-chan event.GenericEvent) error {
	always := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	if err := watching(mgr, "follower", always, wake).Complete(f); err != nil {
		return fmt.Errorf("set up the follower of the webhook configurations: %w", err)
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (f *follower) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	belongs, err := f.owner.find(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if belongs.leaving != "" {
		return reconcile.Result{RequeueAfter: reachAgain}, f.leave(ctx, belongs.leaving)
	}
	mutate := &admissionregistrationv1.MutatingWebhookConfiguration{}
	validate := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	for _, o := range []client.Object{mutate, validate} {
		err := f.client.Get(ctx, client.ObjectKey{Name: configurationName}, o)
		if client.IgnoreNotFound(err) != nil {
			return reconcile.Result{}, fmt.Errorf("read %s %s: %w", typeName(o), configurationName, err)
		}
	}
	cert, err := f.mounted(nil)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read the webhooks' certificate: %w", err)
	}
	wrong := errors.Join(
		f.note(mutate, wrongMutating(f.options, mutate.Webhooks, cert)),
		f.note(validate, wrongValidating(f.options, validate.Webhooks, cert)),
	)
	if wrong == nil {
		if err := f.serving(ctx); err != nil {
			ctrl.LoggerFrom(ctx).Info("no webhook is called before the API server can reach it", "reason", err.Error(),
				"again", reachAgain.String())
			return reconcile.Result{RequeueAfter: reachAgain}, nil
		}
		if err := f.grant(ctx, belongs.owners); err != nil {
			return reconcile.Result{}, err
		}
	}
	f.tell(ctx, wrong)
	return reconcile.Result{RequeueAfter: followAgain}, nil
}

// grant has the webhooks called, by giving the program's account the right that their conditions ask for. Somebody who
// registers them together with the program would otherwise have every pod refused until it answers. The binding goes
// with the ClusterRole, so that a next installation begins without it.
func (f *follower) grant(ctx context.Context, owners []metav1.OwnerReference) error {
	if f.owner.role == "" {
		return nil
	}
	var binding rbacv1.ClusterRoleBinding
	err := f.client.Get(ctx, client.ObjectKey{Name: f.owner.role}, &binding)
	if err != nil {
		return fmt.Errorf("read ClusterRoleBinding %s, by which the webhooks are called: %w", f.owner.role, err)
	}
	before := binding.DeepCopy()
	binding.OwnerReferences = owners
	binding.Subjects = []rbacv1.Subject{{
		Kind: rbacv1.ServiceAccountKind, Namespace: f.options.Namespace, Name: account,
	}}
	if equality.Semantic.DeepEqual(before, &binding) {
		return nil
	}
	if err := f.client.Patch(ctx, &binding, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("write ClusterRoleBinding %s, by which the webhooks are called: %w", f.owner.role, err)
	}
	return nil
}

// note sets the metric of one configuration by what is wrong with it, and returns that with its name.
func (f *follower) note(o client.Object, wrong error) error {
	stands := 1.0
	if wrong != nil {
		stands = 0
		wrong = fmt.Errorf("%s %s: %w", typeName(o), configurationName, wrong)
	}
	f.registered.WithLabelValues(typeName(o), configurationName).Set(stands)
	return wrong
}

// tell says what is wrong where that is something else than before.
func (f *follower) tell(ctx context.Context, wrong error) {
	says := ""
	if wrong != nil {
		says = wrong.Error()
	}
	if f.was && says == f.said {
		return
	}
	f.was, f.said = true, says
	if says != "" {
		ctrl.LoggerFrom(ctx).Info("the webhooks are not registered as this version wants it: whoever registers them, "+
			"such as the chart, must write them again (helm upgrade)", "reason", says)
		return
	}
	ctrl.LoggerFrom(ctx).Info("the webhooks are registered as this version wants it", "name", configurationName)
	if f.right != nil {
		f.right()
	}
}

// leave ends the registration, which somebody else wrote, by its owner: without that no webhook is called.
func (f *follower) leave(ctx context.Context, why string) error {
	var errs []error
	if f.owner.role != "" {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: f.owner.role}}
		if err := client.IgnoreNotFound(f.client.Delete(ctx, role)); err != nil {
			errs = append(
				errs,
				fmt.Errorf("delete ClusterRole %s, to which the registration belongs: %w", role.Name, err),
			)
		}
	}
	_, err := remove(ctx, f.client, policyObjects(), managed)
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	for _, o := range configurationObjects() {
		f.registered.WithLabelValues(typeName(o), configurationName).Set(0)
	}
	if says := "leaving: " + why; says != f.said {
		f.was, f.said = true, says
		ctrl.LoggerFrom(ctx).Info("the program is being removed: no webhook is called any more, and new pods get the "+
			"ports that they ask for", "reason", why)
	}
	return nil
}

// wrongMutating says what is wrong with the webhooks that change objects; nil where nothing is.
func wrongMutating(o Options, have []admissionregistrationv1.MutatingWebhook, cert *tls.Certificate) error {
	return wrong(o, have, cert, func(o Options) []admissionregistrationv1.MutatingWebhook {
		want, _ := configurations(o, nil)
		return want
	}, func(w *admissionregistrationv1.MutatingWebhook) (string, *[]byte) {
		return w.Name, &w.ClientConfig.CABundle
	})
}

// wrongValidating says what is wrong with those that have the last word; nil where nothing is.
func wrongValidating(o Options, have []admissionregistrationv1.ValidatingWebhook, cert *tls.Certificate) error {
	return wrong(o, have, cert, func(o Options) []admissionregistrationv1.ValidatingWebhook {
		_, want := configurations(o, nil)
		return want
	}, func(w *admissionregistrationv1.ValidatingWebhook) (string, *[]byte) {
		return w.Name, &w.ClientConfig.CABundle
	})
}

// wrong compares webhooks with those that this version wants. Their authorities must have signed the certificate, and
// are not compared. named returns the name of a webhook and where its authorities are.
func wrong[W any](
	o Options,
	have []W,
	cert *tls.Certificate,
	wanted func(Options) []W,
	named func(*W) (string, *[]byte),
) error {
	byName := make(map[string]*W, len(have))
	for i := range have {
		name, _ := named(&have[i])
		byName[name] = &have[i]
	}
	// A webhook that is asked more than it needs to be is none the worse: whoever rendered it could not know whether
	// the API server serves admission policies.
	asked := o
	asked.AdmissionPolicies = false
	more := wanted(asked)
	for i, want := range wanted(o) {
		name, _ := named(&want)
		is, there := byName[name]
		if !there {
			return fmt.Errorf("webhook %s is not there", name)
		}
		delete(byName, name)
		_, bundle := named(is)
		authorities := bytes.Clone(*bundle)
		like := *is
		_, bundle = named(&like)
		*bundle = nil
		if !equality.Semantic.DeepEqual(like, want) && !equality.Semantic.DeepEqual(like, more[i]) {
			return fmt.Errorf("webhook %s is another one than this version's", name)
		}
		if !signed(cert, authorities) {
			return fmt.Errorf("caBundle of webhook %s does not have the authority of the certificate in "+
				"--webhook-certificate: the API server does not trust it", name)
		}
	}
	for name := range byName {
		return fmt.Errorf("webhook %s is none of this version", name)
	}
	return nil
}
