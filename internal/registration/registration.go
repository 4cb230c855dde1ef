// Package registration keeps what this program has in the API server, by which it has a say in what others create: the
// configurations of its webhooks, with the certificate that they are served with, and the admission policies that the
// API server evaluates itself. What goes in is how the webhooks are reached and which accounts count; what comes out is
// a registration that stands as it must, whoever changes it, and one list of all webhooks, by which they are served.
package registration

import (
	"context"
	"fmt"
	"net/url"

	"github.com/go-logr/logr"
	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/retry"
)

// Options say how the API server reaches the webhooks, and whom they leave out.
type Options struct {
	// Namespace is the program's own, in which its certificate Secret is.
	Namespace string
	// URL is how the API server reaches the webhooks from outside a cluster; empty means through Service.
	URL     string
	Service types.NamespacedName
	// OwnerRole is a ClusterRole to which the registration belongs: it is deleted with that. Empty means that it belongs
	// to Namespace alone.
	OwnerRole string
	// AdmissionPolicies has the API server keep default and floor itself, besides the webhooks.
	AdmissionPolicies bool
	// Accounts returns the users of Kube-OVN, KubeVirt and this program as they count now.
	Accounts func() admission.Accounts
}

// serverName is the name that the API server uses to reach the webhooks, and the name in their certificate.
func (o Options) serverName() string {
	if o.URL != "" {
		u, err := url.Parse(o.URL)
		if err == nil {
			return u.Hostname()
		}
	}
	return o.Service.Name + "." + o.Service.Namespace + ".svc"
}

// Config is what the registration is kept with.
type Config struct {
	Options
	// Live asks the API server itself.
	Live client.Client
	// Certificate is what the webhooks are served with.
	Certificate *Certificate
	// Ready returns why the webhooks do not answer as they must yet; they are registered only when they do.
	Ready func() error
	// Wake says when to look again.
	Wake *Wake
	// Wrote is called when the configurations of the webhooks were written.
	Wrote func()
	// Metrics takes the metrics.
	Metrics prometheus.Registerer
	// Log reports admission policies that are left or cannot be removed.
	Log logr.Logger
}

// AwaitCertificate waits until there is a Secret with a certificate, and makes it where there is none. The error is
// that ctx ends first.
func AwaitCertificate(ctx context.Context, live client.Client, o Options, log logr.Logger) error {
	rotation := newRotator(o, "")
	return retry.Until(ctx, log, "the certificate Secret", func() error {
		return ensureSecret(ctx, live, rotation, nil)
	})
}

// Keep has the manager keep the registration. AwaitCertificate comes before it, and the manager's cache must have what
// Cached says.
func Keep(mgr ctrl.Manager, c Config) error {
	rotation := newRotator(c.Options, c.Certificate.mark)
	if err := rotator.AddRotator(mgr, rotation); err != nil {
		return fmt.Errorf("set up certificate rotation: %w", err)
	}
	contested, registered := newContestCount(), newRegistered()
	for _, m := range []prometheus.Collector{contested, registered} {
		if err := c.Metrics.Register(m); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	err := addKeeper(mgr, &keeper{
		rotator:     rotation,
		client:      mgr.GetClient(),
		certificate: c.Certificate,
		registrar: registrar{
			client:   c.Live,
			options:  c.Options,
			owner:    ownerOf(c.Live, c.Options),
			contests: contests{count: contested, registered: registered},
		},
		serving: func(ctx context.Context) error {
			if err := c.Ready(); err != nil {
				return err
			}
			return reachable(ctx, c.Live, c.Options)
		},
		wrote: c.Wrote,
	}, c.Wake.webhooks)
	if err != nil {
		return err
	}
	if !c.AdmissionPolicies {
		return mgr.Add(&remover{c.Live, c.Log, removeEvery})
	}
	return addInstaller(mgr, &installer{
		client: mgr.GetClient(), options: c.Options, owner: ownerOf(c.Live, c.Options),
		contests: contests{count: contested, registered: registered},
	}, c.Wake.policies)
}

// Cached returns what a manager's cache must hold of the kinds in the registration. They are read by name, or in one
// namespace: a right to list them all is not needed then.
func Cached(namespace string) map[client.Object]cache.ByObject {
	own := fields.OneTermEqualSelector(metav1.ObjectNameField, configurationName)
	return map[client.Object]cache.ByObject{
		&corev1.Secret{}:    {Namespaces: map[string]cache.Config{namespace: {}}},
		&corev1.Namespace{}: {Field: fields.OneTermEqualSelector(metav1.ObjectNameField, namespace)},
		&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: own},
		&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: own},
	}
}

// Wake has the registration looked at again, whatever the watches of it have told.
type Wake struct{ webhooks, policies chan event.GenericEvent }

// NewWake returns one for Config.
func NewWake() *Wake {
	return &Wake{webhooks: make(chan event.GenericEvent, 1), policies: make(chan event.GenericEvent, 1)}
}

// Webhooks has the configurations of the webhooks looked at again.
func (w *Wake) Webhooks() { wake(w.webhooks, &admissionregistrationv1.MutatingWebhookConfiguration{}) }

// Policies has the admission policies made again.
func (w *Wake) Policies() { wake(w.policies, &admissionregistrationv1.ValidatingAdmissionPolicy{}) }

// All has everything looked at again.
func (w *Wake) All() {
	w.Webhooks()
	w.Policies()
}

func wake(who chan<- event.GenericEvent, object client.Object) {
	select {
	case who <- event.GenericEvent{Object: object}:
	default: // it is about to look already
	}
}
