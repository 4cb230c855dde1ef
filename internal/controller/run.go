package controller

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/discovery"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/feed"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/registration"
	"github.com/ovnguard/ovnguard/internal/repair/apply"
	"github.com/ovnguard/ovnguard/internal/review"
	"github.com/ovnguard/ovnguard/internal/selftest"
)

// Run runs the service until ctx ends. o must be valid.
func Run(ctx context.Context, o Options, log logr.Logger) error {
	cert, err := registration.NewCertificate()
	if err != nil {
		return err
	}
	defer func() {
		if err := cert.Close(); err != nil {
			log.Error(err, "remove the directory of the public certificate")
		}
	}()
	mgr, err := assemble(ctx, o, cert, log)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil // what was waited for did not come before the end, which is no error
	default:
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// assemble waits for what must be there and returns a manager that runs all parts of the service.
func assemble(ctx context.Context, o Options, cert *registration.Certificate, log logr.Logger) (ctrl.Manager, error) {
	callers, err := newCallers(o, log.WithName("callers"))
	if err != nil {
		return nil, err
	}
	served := registration.Mounted(cert.Get)
	var mounted *certwatcher.CertWatcher
	if dir := o.WebhookCertificate; dir != "" {
		mounted, err = certwatcher.New(
			filepath.Join(dir, corev1.TLSCertKey),
			filepath.Join(dir, corev1.TLSPrivateKeyKey),
		)
		if err != nil {
			return nil, fmt.Errorf("--webhook-certificate: %w", err)
		}
		served = mounted.GetCertificate
	}
	if err := feed.AwaitServer(ctx, o.REST, log); err != nil {
		return nil, err
	}
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	live, err := client.New(o.REST, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}

	// What is known of all ports, and who is told what is found.
	kept, err := newBooks()
	if err != nil {
		return nil, err
	}
	toRepair := apply.NewQueue(time.Now)
	judge, err := newMonitor(o, kept, toRepair, log)
	if err != nil {
		return nil, err
	}

	// Who writes Kube-OVN's keys and KubeVirt's, and where the databases are.
	wake := registration.NewWake()
	cluster, err := discovery.NewKubeOVN(discovery.Config{
		REST: o.REST, Namespace: o.Namespace, Wanted: o.wanted(), TLS: o.TLS,
		Told: kept.told, Monitor: judge, Changed: wake.All, Metrics: metrics.Registry, Log: log.WithName("kube-ovn"),
	})
	if err != nil {
		return nil, err
	}
	found, err := cluster.Await(ctx, func(ctx context.Context) {
		log := log.WithName("kube-ovn")
		defer serveWaiting(o.HealthAddress, cluster.Ready, log)()
		(&events.Writer{Client: live, Book: kept.told, Instance: "waiting", Log: log, Wrote: func(error) {}}).Run(ctx)
	})
	if err != nil {
		return nil, err
	}
	o = o.placed(found)
	judge.Change(func(inv *inventory.Inventory) []string {
		inv.SetSetup(found.Setup())
		return nil
	})
	machines, err := discovery.NewKubeVirt(ctx, o.REST, wake.Policies, log.WithName("kubevirt"))
	if err != nil {
		return nil, err
	}
	accounts := func() admission.Accounts { return machines.Counted(cluster.Counted(o.Accounts)) }

	// The webhooks' certificate, and what runs all the rest.
	if o.AdmissionPolicies {
		o.AdmissionPolicies, err = registration.PoliciesServed(live.RESTMapper())
		if err != nil {
			return nil, err
		}
		if !o.AdmissionPolicies {
			log.Info(
				"the API server does not serve MutatingAdmissionPolicies (admissionregistration.k8s.io/v1, Kubernetes " +
					"1.36): --admission-policies has no effect, and new pods need a webhook that answers",
			)
		}
	}
	hooks := registration.Options{
		Namespace: o.Namespace, URL: o.WebhookURL, Service: o.WebhookService,
		OwnerRole: o.OwnerRole, External: mounted != nil, AdmissionPolicies: o.AdmissionPolicies, Accounts: accounts,
	}
	registration.TellLeftOut(ctx, live, hooks, log.WithName("webhook"))
	if !hooks.External {
		if err := registration.AwaitCertificate(ctx, live, hooks, log); err != nil {
			return nil, err
		}
	}
	seen := feed.NewWatches(log.WithName("kubernetes"), time.Now)
	mgr, err := newManager(o, served, seen, log)
	if err != nil {
		return nil, err
	}

	// Both sides into what is known.
	facts, err := feed.NewCache(mgr)
	if err != nil {
		return nil, err
	}
	follows := feed.Options{Northbound: o.Northbound, Southbound: o.Southbound, TLS: o.TLS, OVN: o.ovn()}
	fed, err := feed.New(mgr, facts, seen, judge, follows, metrics.Registry, log)
	if err != nil {
		return nil, err
	}

	// Reviews, and the registration of those who answer them.
	world := review.New(
		kube.Lookup{Cache: facts, Live: mgr.GetAPIReader()}, judge, accounts, live,
		&journal.Reader{Client: live, Namespace: o.Namespace, Now: time.Now},
	)
	traces := newRefusals(o, live, kept, log.WithName("refusals"))
	limit, err := serveWebhooks(mgr, world, callers, cluster, traces)
	if err != nil {
		return nil, err
	}
	answers := readiness{
		serves:  mgr.GetWebhookServer().StartedChecker(),
		monitor: judge,
		failing: func() bool { return seen.Failing() != nil },
		until:   time.Now().Add(syncTimeout),
		now:     time.Now,
	}
	serving := func() error { return answers.ready(nil) }
	test, err := selftest.New(selftest.Config{
		REST: o.REST, Namespace: o.SelfTestNamespace, Every: o.SelfTestInterval, User: o.self(),
		World: world, Callers: callers, Serving: serving,
		Unguarded: wake.Webhooks, Announce: kept.told.Tell, Own: o.Namespace, Log: log.WithName("selftest"),
	})
	if err != nil {
		return nil, err
	}
	err = registration.Keep(mgr, registration.Config{
		Options: hooks, Live: live, Certificate: cert, Mounted: served, Ready: serving,
		Wake: wake, Wrote: test.Soon, Metrics: metrics.Registry, Log: log.WithName("admission-policies"),
	})
	if err != nil {
		return nil, err
	}

	if o.API {
		serveAPI(mgr, o, live, judge, fed, cluster, test, log.WithName("api"))
	}

	// What one replica alone does.
	repairer, err := newRepairer(o, live, toRepair, judge, fed, kept.told, log.WithName("repair"))
	if err != nil {
		return nil, err
	}
	lead, err := newLeader(mgr.GetConfig(), o, live, facts, judge, fed, repairer, kept, log)
	if err != nil {
		return nil, err
	}

	// What admission would refuse of what runs.
	foresight := previewer{judge, accounts}
	reached := reacher{judge, log}
	ahead := manager.RunnableFunc(func(ctx context.Context) error {
		fed.OnceRead(foresight.run)(ctx)
		return nil
	})
	// What forged sources open, and which policies are not realised.
	apart := manager.RunnableFunc(func(ctx context.Context) error {
		fed.OnceRead(reached.run)(ctx)
		return nil
	})

	// All of it together.
	if mounted != nil {
		mounted.RegisterCallback(func(tls.Certificate) { wake.Webhooks() })
		if err := mgr.Add(mounted); err != nil {
			return nil, fmt.Errorf("follow the webhooks' certificate: %w", err)
		}
	}
	for _, part := range []struct {
		what string
		run  manager.Runnable
	}{
		{"the look-out for Kube-OVN", cluster},
		{"the look-out for KubeVirt", machines},
		{"the audit", fed},
		{"the look ahead", ahead},
		{"the look at what pods may reach", apart},
		{"the self-test", test},
		{"the election of a leader", lead},
		{"the traces of refusals", traces},
	} {
		if err := mgr.Add(part.run); err != nil {
			return nil, fmt.Errorf("add %s: %w", part.what, err)
		}
	}
	if err := register(test, lead.Metric(), modeMetrics{judge}, exceptionMetrics{judge, kept.statuses}); err != nil {
		return nil, err
	}
	alive := checks{named: map[string]healthz.Checker{
		"alive":   healthz.Ping,
		"reviews": func(*http.Request) error { return limit.Stuck() },
	}}
	ready := checks{
		named: map[string]healthz.Checker{
			"webhook":  answers.ready,
			"kube-ovn": cluster.Ready,
			"selftest": test.Ready,
			"audit":    fed.Ready,
		},
		notes: []func() string{test.Note, repairer.Holding},
	}
	return mgr, addHealth(ctx, mgr, o.HealthAddress, alive, ready)
}
