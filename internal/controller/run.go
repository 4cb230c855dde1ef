package controller

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	guard "github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/openreports"
	"github.com/ovnguard/ovnguard/internal/status"
	serving "github.com/ovnguard/ovnguard/internal/webhook"
)

// Run runs the service until ctx ends. o must be valid.
func Run(ctx context.Context, o Options, log logr.Logger) error {
	mark, err := os.MkdirTemp("", "ovnguard-")
	if err != nil {
		return fmt.Errorf("make a directory for the public certificate: %w", err)
	}
	defer func() {
		if err := os.RemoveAll(mark); err != nil {
			log.Error(err, "remove the directory of the public certificate")
		}
	}()
	cert := &certificate{mark: mark}
	callers, err := newCallers(o, log.WithName("callers"))
	if err != nil {
		return err
	}
	if err := awaitServer(ctx, o.REST, log); err != nil {
		return endOf(ctx, err)
	}
	seen := newWatches(log.WithName("kubernetes"), time.Now)
	mgr, err := newManager(o, cert, seen, log)
	if err != nil {
		return err
	}
	live, err := client.New(o.REST, client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	rotation := newRotator(o, cert)
	err = patiently(ctx, log, "the certificate Secret", func() error { return ensureSecret(ctx, live, rotation, nil) })
	if err != nil {
		return endOf(ctx, err)
	}
	if err := rotator.AddRotator(mgr, rotation); err != nil {
		return fmt.Errorf("set up certificate rotation: %w", err)
	}
	repairer, err := newRepairer(o, live, log.WithName("repair"))
	if err != nil {
		return err
	}
	reports, statuses, told := openreports.NewBook(), status.NewBook(), events.NewBook(time.Now)
	judge, err := newMonitor(reports, statuses, told, repairer)
	if err != nil {
		return err
	}
	facts, err := addFacts(mgr)
	if err != nil {
		return err
	}
	w := &world{
		lookup: kube.Lookup{Cache: facts.facts, Live: mgr.GetAPIReader()}, monitor: judge, accounts: o.Accounts, reviews: live,
	}
	if err := addWebhooks(mgr, o, w, callers); err != nil {
		return err
	}
	expect(judge, kube.Sources()...)
	answers := knowing{mgr.GetWebhookServer().StartedChecker(), judge, func() bool { return seen.failing() != nil }, time.Now().Add(knowsWithin), time.Now}
	wake := make(chan event.GenericEvent, 1)
	selftest, err := addSelfTest(mgr, o, w, callers, func() error { return answers.ready(nil) }, func() {
		select {
		case wake <- event.GenericEvent{Object: &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: configurationName}}}:
		default: // it is about to look already
		}
	})
	if err != nil {
		return err
	}
	selftest.announce = func(got outcome) { told.Tell(noticeOf(o.Namespace, got)) }
	contested := newContestCount()
	if err := metrics.Registry.Register(contested); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	err = addKeeper(mgr, &keeper{
		wake: wake, wrote: selftest.soon,
		rotator: rotation, client: mgr.GetClient(), certificate: cert,
		registrar: registrar{client: live, options: o, contests: contests{count: contested}},
		serving: func(ctx context.Context) error {
			if err := answers.ready(nil); err != nil {
				return err
			}
			return reachable(ctx, live, o)
		},
	})
	if err != nil {
		return err
	}
	if o.AdmissionPolicies {
		err = addInstaller(mgr, o, contested)
	} else {
		err = mgr.Add(&remover{live, log.WithName("admission-policies"), removeEvery})
	}
	if err != nil {
		return err
	}
	auditor, err := addAudit(facts, o, judge, seen, log)
	if err != nil {
		return err
	}
	lead, err := addLeader(mgr, o, log)
	if err != nil {
		return err
	}
	counts, err := newWrites(metrics.Registry)
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	report := &openreports.Writer{Client: live, Book: reports, Log: log.WithName("reports"), Wrote: counts.of(writesReport)}
	lead.do(auditor.once(report.Run))
	stature := &status.Writer{
		Cache: facts.facts, Client: live, Book: statuses, Namespace: judge.Namespace, Log: log.WithName("status"), Wrote: counts.of(writesStatus), Now: time.Now,
	}
	lead.do(auditor.once(stature.Run))
	teller := &events.Writer{Client: live, Book: told, Instance: lead.lock.Identity(), Log: log.WithName("events"), Wrote: counts.of(writesEvent)}
	lead.do(teller.Run)
	if err := metrics.Registry.Register(exceptionMetrics{judge, statuses}); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	if o.Repair.Enabled {
		attachRepairer(repairer, auditor, judge, lead)
	}
	if err := mgr.AddReadyzCheck("webhook", answers.ready); err != nil {
		return fmt.Errorf("add readiness check: %w", err)
	}
	if err := mgr.AddHealthzCheck("alive", healthz.Ping); err != nil {
		return fmt.Errorf("add health check: %w", err)
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// endOf gives the error of a start that did not come to its end; being told to end is none.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what was waited for did not come before the end
	}
	return err
}

func newManager(o Options, cert *certificate, seen *watches, log logr.Logger) (manager.Manager, error) {
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	host, port, err := splitAddress(o.WebhookAddress)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(o.REST)
	config.Wrap(seen.wrap)
	config.DisableCompression = true // both sides have the network sooner than the time
	direct(config)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Logger: log,
		Cache: cache.Options{
			DefaultTransform: kube.Strip,
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}: {Namespaces: map[string]cache.Config{o.Namespace: {}}},
			},
		},
		Controller:             controllerconfig.Controller{CacheSyncTimeout: forever},
		Metrics:                server.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress: o.HealthAddress,
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: host, Port: port,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) {
				c.GetCertificate = cert.get
				c.MinVersion = tls.VersionTLS12
				// One connection with many streams would bind the API server to one replica, costs more, and can be reset rapidly.
				c.NextProtos = []string{"http/1.1"}
				if o.ClientCA != "" {
					c.ClientAuth = tls.RequestClientCert // what it is worth is looked at with each review
				}
			}},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	return mgr, nil
}

const (
	// maxReviews is how many reviews are answered at a time.
	maxReviews = 256
	// requestTimeout is how long a request may take to arrive. The API server waits no longer for the answer either.
	requestTimeout = time.Duration(webhookTimeout) * time.Second
)

// addWebhooks serves the webhooks.
func addWebhooks(mgr ctrl.Manager, o Options, w *world, callers *serving.Callers) error {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ovnguard_admission_duration_seconds",
		Help:    "How long reviews took, by webhook and result.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
	}, []string{"webhook", "result"})
	if err := metrics.Registry.Register(duration); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	limit := serving.NewLimit(maxReviews)
	for _, h := range hooks(o) {
		for _, result := range []string{guard.ResultPatched, guard.ResultUnchanged, guard.ResultDenied, guard.ResultInvalid} {
			duration.WithLabelValues(h.label(), result)
		}
		handler := h.handler(w, func(result string, d time.Duration) {
			duration.WithLabelValues(h.label(), result).Observe(d.Seconds())
		})
		mgr.GetWebhookServer().Register(h.path, &serving.Handler{Answer: handler, Limit: limit, Timeout: requestTimeout, Callers: callers, Log: mgr.GetLogger().WithName(h.label())})
	}
	return nil
}

// newMonitor gives the monitor, which tells metrics and further observers of what it finds.
func newMonitor(further ...monitor.Observer) (*monitor.Monitor, error) {
	counts, err := monitor.NewMetrics(metrics.Registry, time.Now)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return monitor.New(monitor.SystemClock{}, append(monitor.Observers{counts}, further...)), nil
}

// addAudit runs the audit beside the webhooks.
func addAudit(mgr ctrl.Manager, o Options, m *monitor.Monitor, seen *watches, log logr.Logger) (*auditor, error) {
	databases, err := openDatabases(o, log)
	if err != nil {
		return nil, err
	}
	swept := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ovnguard_sweep_missed_total", Help: "Ports, rows and other things of which looking at all of them anew, as a safety net, found what no event had told.",
	})
	for _, c := range []prometheus.Collector{databaseMetrics(databases), seen, swept} {
		if err := metrics.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	a := &auditor{manager: mgr, databases: databases, version: o.OVNVersion, monitor: m, swept: swept, watches: seen, log: log.WithName("audit")}
	if err := mgr.Add(manager.RunnableFunc(a.run)); err != nil {
		return nil, fmt.Errorf("add the audit: %w", err)
	}
	if err := mgr.AddReadyzCheck("audit", a.ready); err != nil {
		return nil, fmt.Errorf("add readiness check: %w", err)
	}
	return a, nil
}
