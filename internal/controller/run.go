package controller

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	guard "github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/feed"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/leader"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/openreports"
	"github.com/ovnguard/ovnguard/internal/retry"
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
	if err := feed.AwaitServer(ctx, o.REST, log); err != nil {
		return endOf(ctx, err)
	}
	told := events.NewBook(time.Now)
	cluster, o, err := awaitLayout(ctx, o, told, log.WithName("kube-ovn"))
	if err != nil {
		return endOf(ctx, err)
	}
	seen := feed.NewWatches(log.WithName("kubernetes"), time.Now)
	mgr, err := newManager(ctx, o, cert, seen, log)
	if err != nil {
		return err
	}
	live, err := client.New(o.REST, client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	if err := tellLeftOut(ctx, live, o, log.WithName("webhook")); err != nil {
		return endOf(ctx, err)
	}
	rotation := newRotator(o, cert)
	err = retry.Until(
		ctx,
		log,
		"the certificate Secret",
		func() error { return ensureSecret(ctx, live, rotation, nil) },
	)
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
	reports, statuses := openreports.NewBook(), status.NewBook()
	off := switchedOff{namespace: o.Namespace, told: told, log: log.WithName("audit")}
	judge, err := newMonitor(reports, statuses, told, off, repairer)
	if err != nil {
		return err
	}
	judge.Change(func(inv *inventory.Inventory) []string {
		inv.SetSetup(cluster.clear.Load().Setup())
		return nil
	})
	cluster.monitor = judge
	facts, err := feed.NewCache(mgr)
	if err != nil {
		return err
	}
	again := make(chan event.GenericEvent, 1)
	machines, err := newKubeVirt(ctx, o.REST, func() {
		select {
		case again <- event.GenericEvent{Object: &corev1.Namespace{}}:
		default: // the policies are about to be made anew already
		}
	}, log.WithName("kubevirt"))
	if err != nil {
		return endOf(ctx, err)
	}
	if err := mgr.Add(machines); err != nil {
		return fmt.Errorf("add the look-out for KubeVirt: %w", err)
	}
	counted := func(a guard.Accounts) guard.Accounts { return machines.counted(cluster.counted(a)) }
	w := &world{
		lookup: kube.Lookup{Cache: facts, Live: mgr.GetAPIReader()}, monitor: judge, reviews: live,
		accounts: o.Accounts, counted: counted, asked: newPace(rate.Every(askEach), askMany),
		journal: &journal.Reader{Client: live, Namespace: o.Namespace, Now: time.Now},
	}
	if err := addWebhooks(mgr, o, w, callers, cluster); err != nil {
		return err
	}
	follows := feed.Options{Northbound: o.Northbound, Southbound: o.Southbound, TLS: o.TLS, OVN: o.ovn()}
	fed, err := feed.New(mgr, facts, seen, judge, follows, metrics.Registry, log)
	if err != nil {
		return err
	}
	if err := mgr.Add(fed); err != nil {
		return fmt.Errorf("add the audit: %w", err)
	}
	if err := mgr.AddReadyzCheck("audit", fed.Ready); err != nil {
		return fmt.Errorf("add readiness check: %w", err)
	}
	answers := readiness{
		serves: mgr.GetWebhookServer().
			StartedChecker(),
		monitor: judge,
		failing: func() bool { return seen.Failing() != nil },
		until:   time.Now().Add(syncTimeout),
		now:     time.Now,
	}
	wake := make(chan event.GenericEvent, 1)
	registration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: configurationName},
	}
	register := func() {
		select {
		case wake <- event.GenericEvent{Object: registration}:
		default: // it is about to look already
		}
	}
	cluster.changed = func() {
		register()
		select {
		case again <- event.GenericEvent{Object: &corev1.Namespace{}}:
		default: // the policies are about to be made anew already
		}
	}
	if err := addLayout(mgr, cluster); err != nil {
		return err
	}
	selftest, err := addSelfTest(mgr, o, w, callers, func() error { return answers.ready(nil) }, register)
	if err != nil {
		return err
	}
	selftest.announce = func(got outcome) { told.Tell(noticeOf(o.Namespace, got)) }
	mgr.ready.addNote(selftest.note)
	contested, registered := newContestCount(), newRegistered()
	for _, c := range []prometheus.Collector{contested, registered, modeMetrics{judge}} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	err = addKeeper(mgr, &keeper{
		wake:        wake,
		wrote:       selftest.soon,
		rotator:     rotation,
		client:      mgr.GetClient(),
		certificate: cert,
		registrar: registrar{
			client:   live,
			options:  o,
			accounts: counted,
			contests: contests{count: contested, registered: registered},
		},
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
		err = addInstaller(mgr, o, contests{count: contested, registered: registered}, counted, again)
	} else {
		err = mgr.Add(&remover{live, log.WithName("admission-policies"), removeEvery})
	}
	if err != nil {
		return err
	}
	identity, err := leader.Identity()
	if err != nil {
		return err
	}
	counts, err := newWrites(metrics.Registry)
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	report := &openreports.Writer{
		Client: live,
		Book:   reports,
		Log:    log.WithName("reports"),
		Wrote:  counts.of(writesReport),
	}
	stature := &status.Writer{
		Cache:      facts,
		Client:     live,
		Book:       statuses,
		Namespace:  judge.Namespace,
		Namespaces: judge.Namespaces,
		Standing:   judge.Standing,
		Log:        log.WithName("status"),
		Wrote:      counts.of(writesStatus),
		Now:        time.Now,
	}
	teller := &events.Writer{
		Client:   live,
		Book:     told,
		Instance: identity,
		Log:      log.WithName("events"),
		Wrote:    counts.of(writesEvent),
	}
	tasks := []func(context.Context){fed.OnceJudged(report.Run), fed.OnceJudged(stature.Run), teller.Run}
	if err := metrics.Registry.Register(exceptionMetrics{judge, statuses}); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	if o.Repair.Enabled {
		attachRepairer(repairer, fed, judge)
		tasks = append(tasks, fed.OnceRead(repairer.Run))
		mgr.ready.addNote(repairer.Holding)
		repairer.Held = func(text string) { told.Tell(heldNotice(o.Namespace, text)) }
	}
	lead, err := leader.New(mgr.GetConfig(), o.Namespace, identity, log.WithName("leader"), tasks...)
	if err != nil {
		return err
	}
	if err := metrics.Registry.Register(lead.Metric()); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	if err := mgr.Add(lead); err != nil {
		return fmt.Errorf("add the election of a leader: %w", err)
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

// awaitLayout waits until it is known how Kube-OVN is laid out, and returns the options with what flags do not say of
// that.
func awaitLayout(ctx context.Context, o Options, told *events.Book, log logr.Logger) (*kubeOVN, Options, error) {
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, o, err
	}
	live, err := client.New(o.REST, client.Options{Scheme: scheme})
	if err != nil {
		return nil, o, fmt.Errorf("connect to the API server: %w", err)
	}
	k := newKubeOVN(o, live, told, log)
	l, err := k.await(ctx)
	return k, o.placed(l), err
}

// addLayout has the manager follow how Kube-OVN is laid out.
func addLayout(mgr ctrl.Manager, k *kubeOVN) error {
	unclear := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ovnguard_kube_ovn_unclear", Help: "1 while it is not known how Kube-OVN is laid out, else 0.",
	}, func() float64 {
		if k.problems.Load() != nil {
			return 1
		}
		return 0
	})
	for _, c := range []prometheus.Collector{unclear, k.refusals} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	if err := mgr.AddReadyzCheck("kube-ovn", k.ready); err != nil {
		return fmt.Errorf("add readiness check: %w", err)
	}
	if err := mgr.Add(k); err != nil {
		return fmt.Errorf("add the look-out for Kube-OVN: %w", err)
	}
	return nil
}

// endOf returns the error of a start that did not come to its end; being told to end is none.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what was waited for did not come before the end
	}
	return err
}

func newManager(
	ctx context.Context,
	o Options,
	cert *certificate,
	seen *feed.Watches,
	log logr.Logger,
) (checked, error) {
	scheme, err := kube.Scheme()
	if err != nil {
		return checked{}, err
	}
	mgr, err := ctrl.NewManager(seen.Config(o.REST), ctrl.Options{
		Scheme: scheme,
		Logger: log,
		Cache: cache.Options{
			DefaultTransform: kube.Strip,
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}: {Namespaces: map[string]cache.Config{o.Namespace: {}}},
				// By its name alone: a right to list them all is not needed then.
				&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: ownRegistration},
				&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: ownRegistration},
			},
		},
		Controller:             controllerconfig.Controller{CacheSyncTimeout: forever},
		Metrics:                server.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress: "0", // see withChecks
		WebhookServer: &serving.Server{
			Address: o.WebhookAddress,
			TLS:     serverTLS(o, cert),
			Log:     log.WithName("webhook"),
		},
	})
	if err != nil {
		return checked{}, fmt.Errorf("set up: %w", err)
	}
	return withChecks(ctx, mgr, o.HealthAddress)
}

// ownRegistration selects this program's registration of webhooks.
var ownRegistration = fields.OneTermEqualSelector(metav1.ObjectNameField, configurationName)

// serverTLS returns how the webhook is served.
func serverTLS(o Options, cert *certificate) *tls.Config {
	c := &tls.Config{
		GetCertificate: cert.get, MinVersion: tls.VersionTLS12,
		// One connection with many streams would bind the API server to one replica, costs more, and can be reset
		// rapidly.
		NextProtos: []string{"http/1.1"},
	}
	if o.ClientCA != "" {
		c.ClientAuth = tls.RequestClientCert // what it is worth is looked at with each review
	}
	return c
}

// forever is for a limit that the library wants where there is none: a cache that must not be filled yet is waited for.
const forever = 100 * 365 * 24 * time.Hour

const (
	// maxReviews is how many reviews are answered at a time.
	maxReviews = 256
	// requestTimeout is how long a request may take to arrive. The API server waits no longer for the answer either.
	requestTimeout = time.Duration(webhookTimeout) * time.Second
)

// addWebhooks serves the webhooks.
func addWebhooks(mgr ctrl.Manager, o Options, w *world, callers *serving.Callers, cluster *kubeOVN) error {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ovnguard_admission_duration_seconds",
		Help:    "How long reviews took, by webhook and result.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
	}, []string{"webhook", "result"})
	if err := metrics.Registry.Register(duration); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	limit, budget := serving.NewLimit(maxReviews), serving.NewBudget(serving.MaxMemory)
	if err := mgr.AddHealthzCheck("reviews", func(*http.Request) error { return limit.Stuck() }); err != nil {
		return fmt.Errorf("add health check: %w", err)
	}
	for _, h := range hooks(o) {
		for _, result := range []string{
			guard.ResultPatched, guard.ResultUnchanged, guard.ResultDenied, guard.ResultInvalid,
		} {
			duration.WithLabelValues(h.label(), result)
		}
		handler := h.handler(w, func(result string, d time.Duration) {
			duration.WithLabelValues(h.label(), result).Observe(d.Seconds())
		})
		mgr.GetWebhookServer().Register(h.path, &serving.Handler{
			Answer: refusing{
				handler,
				cluster,
				h.label(),
			},
			Limit:   limit,
			Budget:  budget,
			Timeout: requestTimeout,
			Callers: callers,
			Log:     mgr.GetLogger().WithName(h.label()),
		})
	}
	return nil
}

// newMonitor returns the monitor, which tells metrics and further observers of what it finds.
func newMonitor(further ...monitor.Observer) (*monitor.Monitor, error) {
	counts, err := monitor.NewMetrics(metrics.Registry, time.Now)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return monitor.New(monitor.SystemClock{}, append(monitor.Observers{counts}, further...)), nil
}
