package controller

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/discovery"
	"github.com/ovnguard/ovnguard/internal/feed"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/registration"
	"github.com/ovnguard/ovnguard/internal/review"
	"github.com/ovnguard/ovnguard/internal/webhook"
)

// forever is for a limit that the library wants where there is none: a cache that must not be filled yet is waited for.
const forever = 100 * 365 * 24 * time.Hour

// newManager returns the manager, whose watches are seen and which serves the webhooks with the certificate.
func newManager(
	o Options,
	cert registration.Mounted,
	seen *feed.Watches,
	log logr.Logger,
) (ctrl.Manager, error) {
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(seen.Config(o.REST), ctrl.Options{
		Scheme:                 scheme,
		Logger:                 log,
		Cache:                  cache.Options{DefaultTransform: kube.Strip, ByObject: registration.Cached(o.Namespace)},
		Controller:             controllerconfig.Controller{CacheSyncTimeout: forever},
		Metrics:                server.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress: nowhere, // see addHealth
		WebhookServer: &webhook.Server{
			Address: o.WebhookAddress,
			TLS:     serverTLS(o, cert),
			Log:     log.WithName("webhook"),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	return mgr, nil
}

// serverTLS returns how the webhooks are served.
func serverTLS(o Options, cert registration.Mounted) *tls.Config {
	c := &tls.Config{
		GetCertificate: cert, MinVersion: tls.VersionTLS12,
		// One connection with many streams would bind the API server to one replica, costs more, and can be reset
		// rapidly.
		NextProtos: []string{"http/1.1"},
	}
	if o.ClientCA != "" {
		c.ClientAuth = tls.RequestClientCert // what it is worth is looked at with each review
	}
	return c
}

const (
	// maxReviews is how many reviews are answered at a time.
	maxReviews = 256
	// requestTimeout is how long a request may take to arrive. The API server waits no longer for the answer either.
	requestTimeout = registration.Timeout
)

// Values of the label "without" of ovnguard_admission_brought_total.
const (
	withoutSame  = "same"
	withoutOther = "other"
)

// serveWebhooks has the manager serve the webhooks, and returns what bounds them. traces is told of refusals.
func serveWebhooks(
	mgr ctrl.Manager,
	world *review.World,
	callers *webhook.Callers,
	cluster *discovery.KubeOVN,
	traces *refusals,
) (*webhook.Limit, error) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ovnguard_admission_duration_seconds",
		Help:    "How long reviews took, by webhook and result.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
	}, []string{"webhook", "result"})
	against := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ovnguard_admission_refusals_total",
		Help: "Refusals of requests about pods, by webhook, check (OVGA01 and so on) and mode of the policy: " +
			"only mode enforce refuses the request, warn and audit let it pass.",
	}, []string{"webhook", "check", "mode"})
	brought := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ovnguard_admission_brought_total",
		Help: "Keys of Kube-OVN that new pods carried when they reached the webhook, from their authors or from another " +
			"webhook, by whether ovnguard writes the same value without them, or another one.",
	}, []string{"key", "without"})
	for _, suffix := range slices.Concat(
		[]kubeovn.Suffix{kubeovn.PortSecurity, kubeovn.Layer2Forward}, kubeovn.InheritableSuffixes,
	) {
		for _, without := range []string{withoutSame, withoutOther} {
			brought.WithLabelValues(string(suffix), without)
		}
	}
	if err := register(duration, against, brought); err != nil {
		return nil, err
	}
	limit, budget := webhook.NewLimit(maxReviews), webhook.NewBudget(webhook.MaxMemory)
	for _, w := range registration.Webhooks() {
		label := w.Label()
		for _, result := range []string{
			admission.ResultPatched, admission.ResultUnchanged, admission.ResultDenied, admission.ResultInvalid,
		} {
			duration.WithLabelValues(label, result)
		}
		answer := w.Handler(world, func(reviewed admission.Reviewed) {
			duration.WithLabelValues(label, reviewed.Result).Observe(reviewed.Took.Seconds())
			for _, r := range reviewed.Against {
				if r.Check != nil && !traces.onPurpose(reviewed.Namespace) {
					against.WithLabelValues(label, r.Check.ID, r.Mode.String()).Inc()
				}
			}
			for _, b := range reviewed.Brought {
				without := withoutOther
				if b.Same {
					without = withoutSame
				}
				brought.WithLabelValues(string(kubeovn.BaseSuffix(b.Key)), without).Inc()
			}
		}, func(ctx context.Context, r admission.Refused) {
			if !webhook.Stranger(ctx) {
				traces.leave(label, &r)
			}
		})
		mgr.GetWebhookServer().Register(w.Path, &webhook.Handler{
			Answer:  cluster.NoteRefusals(label, answer),
			Limit:   limit,
			Budget:  budget,
			Timeout: requestTimeout,
			Callers: callers,
			Log:     mgr.GetLogger().WithName(label),
		})
	}
	return limit, nil
}

// register registers metrics.
func register(collectors ...prometheus.Collector) error {
	for _, c := range collectors {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
