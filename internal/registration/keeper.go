package registration

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// keeper follows the certificate Secret and the webhook configuration: it serves with what the Secret holds, and puts
// the configuration back when somebody changes or deletes it.
type keeper struct {
	rotator     *rotator.CertRotator
	client      client.Client
	certificate *Certificate
	registrar   registrar
	// serving says whether the webhook answers where the API server asks. It is registered only then: with
	// failurePolicy Fail, a webhook that is registered too early would keep every pod from starting.
	serving func(context.Context) error
	// wrote is called when the registration was written; nil where nobody wants to know.
	wrote func()
	// trusted is what was registered last, for a Secret that is made again; known is since when it has been registered.
	trusted []byte
	known   time.Time
	// left means that the registration was taken away because the program is about to be gone.
	left bool
}

// addKeeper has the manager run the keeper, which looks at each event of wake as well.
func addKeeper(mgr ctrl.Manager, k *keeper, wake <-chan event.GenericEvent) error {
	always := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: k.rotator.SecretKey}}
	})
	err := watching(mgr, "keeper", always, wake).
		For(&corev1.Secret{}, builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
			return client.ObjectKeyFromObject(o) == k.rotator.SecretKey
		}))).
		Complete(k)
	if err != nil {
		return fmt.Errorf("set up the keeper of the webhook configuration: %w", err)
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (k *keeper) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	log := ctrl.LoggerFrom(ctx)
	belongs, err := k.registrar.owner.find(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if belongs.leaving != "" {
		return reconcile.Result{RequeueAfter: reachAgain}, k.leave(ctx, belongs.leaving)
	}
	k.left = false
	var secret corev1.Secret
	err = k.client.Get(ctx, k.rotator.SecretKey, &secret)
	if apierrors.IsNotFound(err) {
		log.Info("the certificate Secret is gone and is made again", "secret", k.rotator.SecretKey)
		return reconcile.Result{}, ensureSecret(ctx, k.client, k.rotator, k.trusted)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read secret %s: %w", k.rotator.SecretKey, err)
	}
	trusted := trust(&secret)
	if trusted == nil {
		return reconcile.Result{}, nil // the rotator has not filled it yet, and will
	}
	if !bytes.Equal(trusted, secret.Data[trustedFile]) {
		// Of replicas that do this at the same time, the first one's counts: the others see a conflict and read again.
		before := secret.DeepCopy()
		secret.Data[trustedFile] = trusted
		err := k.client.Patch(ctx, &secret, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		if apierrors.IsConflict(err) {
			return reconcile.Result{RequeueAfter: conflictAgain}, nil
		}
		if err != nil {
			return reconcile.Result{}, fmt.Errorf(
				"note the trusted authorities in secret %s: %w",
				k.rotator.SecretKey,
				err,
			)
		}
	}
	if !bytes.Equal(k.trusted, trusted) {
		k.trusted, k.known = trusted, time.Time{}
	}
	if !k.certificate.trusted(trusted) {
		if err := k.certificate.take(&secret); err != nil {
			return reconcile.Result{}, err
		}
	}
	if err := k.serving(ctx); err != nil {
		log.Info(
			"the webhook is not registered before the API server can reach it",
			"reason",
			err.Error(),
			"again",
			reachAgain.String(),
		)
		return reconcile.Result{RequeueAfter: reachAgain}, nil
	}
	written, again, err := k.registrar.register(ctx, trusted, belongs.owners)
	if err != nil {
		return reconcile.Result{}, err
	}
	if written {
		log.Info("webhook configurations written", "name", configurationName)
		if k.wrote != nil {
			k.wrote()
		}
	}
	// A new certificate is served only when every API server has heard of its authority, whoever has registered it:
	// that they hear by their watches, and until then the one before is trusted.
	if k.known.IsZero() {
		k.known = time.Now()
	}
	if wait := heardWithin - time.Since(k.known); wait > 0 {
		return reconcile.Result{RequeueAfter: sooner(again, wait)}, nil
	}
	return reconcile.Result{RequeueAfter: again}, k.certificate.take(&secret)
}

// leave takes the registration away, so that pods start when the last replica has ended.
func (k *keeper) leave(ctx context.Context, why string) error {
	if err := withdraw(ctx, k.registrar.client); err != nil {
		return err
	}
	k.registrar.contests.withdrawn()
	if !k.left {
		k.left = true
		ctrl.LoggerFrom(ctx).Info("the program is being removed: nothing is registered any more, and new pods get the "+
			"ports that they ask for", "reason", why)
	}
	return nil
}

const (
	// heardWithin is how long API servers may take until they trust a new authority that was registered.
	heardWithin = 5 * time.Second
	// conflictAgain is how soon the Secret is read again when another replica wrote it at the same time.
	conflictAgain = 100 * time.Millisecond
	// reachAgain is how soon it is tried again whether the API server can reach the webhook.
	reachAgain = 2 * time.Second
)
