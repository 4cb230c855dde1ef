// Package discovery finds out what this program's judgement stands on and a cluster does not say in one place: how
// Kube-OVN is laid out, and whether KubeVirt is there. What goes in is the API server, and what flags say; what comes
// out is a layout, which accounts count at the moment, and what is not known: in the log, as Events, and as readiness.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Times of looking at how Kube-OVN is laid out.
const (
	// unclearEvery is how often it is looked at while it is not known who writes Kube-OVN's keys.
	unclearEvery = 2 * time.Second
	// layoutEvery is how often it is looked at anyway: rights change without a workload's changing.
	layoutEvery = 30 * time.Second
	// lookTimeout bounds one look.
	lookTimeout = 4 * time.Second
)

// Config is what KubeOVN needs.
type Config struct {
	// REST reaches the API server.
	REST *rest.Config
	// Namespace is the program's own.
	Namespace string
	// Wanted is what flags say of the layout.
	Wanted layout.Wanted
	// TLS are the files for the Northbound database that flags name.
	TLS ovn.TLSFiles
	// Told receives what operators should see, and Monitor the refusals.
	Told    *events.Book
	Monitor *monitor.Monitor
	// Changed is called when other accounts count than before.
	Changed func()
	// Metrics takes the metrics.
	Metrics prometheus.Registerer
	Log     logr.Logger
}

// KubeOVN knows how Kube-OVN is laid out: above all which accounts write its keys and must never be refused. It looks
// before anything else begins, and then whenever something that runs Kube-OVN's programs changes.
type KubeOVN struct {
	rest      *rest.Config
	namespace string
	wanted    layout.Wanted
	tls       ovn.TLSFiles
	live      client.Client
	told      *events.Book
	monitor   *monitor.Monitor
	changed   func()
	log       logr.Logger

	// clear is the layout when it was clear last; its accounts count.
	clear atomic.Pointer[layout.Layout]
	// problems is what is not known at the moment, in words; nil for nothing.
	problems atomic.Pointer[string]
	// said is what was told last.
	said string
	// written is what the ConfigMap says.
	written string

	refusals *prometheus.CounterVec
	mu       sync.Mutex
	// refused is what each account was refused last, and when.
	refused map[string]refusal
}

// NewKubeOVN returns one that has not looked yet.
func NewKubeOVN(c Config) (*KubeOVN, error) {
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	live, err := client.New(c.REST, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	k := &KubeOVN{
		rest: c.REST, namespace: c.Namespace, wanted: c.Wanted, tls: c.TLS,
		live: live, told: c.Told, monitor: c.Monitor, changed: c.Changed, log: c.Log,
		refused: make(map[string]refusal),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ovnguard_kube_ovn_refused_total",
			Help: "Requests of accounts of Kube-OVN's own workloads that a webhook refused: pods may get no " +
				"network.",
		}, []string{"account", "webhook"}),
	}
	unclear := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ovnguard_kube_ovn_unclear", Help: "1 while Kube-OVN's layout is not known, else 0.",
	}, func() float64 {
		if k.problems.Load() != nil {
			return 1
		}
		return 0
	})
	for _, m := range []prometheus.Collector{unclear, k.refusals} {
		if err := c.Metrics.Register(m); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return k, nil
}

// Await looks until it is known who writes Kube-OVN's keys and where the database is. Meanwhile nothing is registered
// that could refuse, and log, Events, readiness and the ConfigMap say which flag to set: waiting runs then, with a
// context of its own, and has ended when Await returns. The error is that ctx ends first.
func (k *KubeOVN) Await(ctx context.Context, waiting func(context.Context)) (layout.Layout, error) {
	meanwhile, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer func() {
		stop()
		wait.Wait()
	}()
	for begun := false; ; begun = true {
		l := k.look(ctx, nil)
		k.tell(ctx, l)
		if l.Clear() && l.Northbound.Is != "" {
			k.clear.Store(&l)
			if begun {
				k.log.Info("the wait is over", "after", "how Kube-OVN is laid out")
			}
			return l, nil
		}
		if !begun {
			wait.Go(func() { waiting(meanwhile) })
		}
		select {
		case <-ctx.Done():
			return layout.Layout{}, ctx.Err()
		case <-time.After(unclearEvery):
		}
	}
}

// Layout returns how Kube-OVN is laid out, as was clear last; nil before that.
func (k *KubeOVN) Layout() *layout.Layout { return k.clear.Load() }

// Ready implements healthz.Checker.
func (k *KubeOVN) Ready(*http.Request) error {
	if p := k.problems.Load(); p != nil {
		return errors.New(*p)
	}
	if k.clear.Load() == nil {
		return errors.New("Kube-OVN's layout is not known yet")
	}
	return nil
}

// Counted returns the accounts as they count now.
func (k *KubeOVN) Counted(a admission.Accounts) admission.Accounts {
	if l := k.clear.Load(); l != nil {
		a.KubeOVN = l.Accounts.Is
	}
	return a
}

// runs reports whether Kube-OVN's workloads run under the account.
func (k *KubeOVN) runs(user string) bool {
	l := k.clear.Load()
	return l != nil && (slices.Contains(l.Runs, user) || slices.Contains(l.Accounts.Is, user))
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (k *KubeOVN) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable: it looks again after each change of a workload of Kube-OVN's, and from time to
// time.
func (k *KubeOVN) Start(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	synced, err := k.watch(ctx, wake)
	if err != nil {
		return err
	}
	var workloads client.Reader
	every := layoutEvery
	for {
		select {
		case <-ctx.Done():
			return nil
		case cached := <-synced:
			workloads, synced = cached, nil
		case <-wake:
		case <-time.After(every):
		}
		k.forget()
		if every = layoutEvery; !k.again(ctx, workloads) {
			every = unclearEvery
		}
	}
}

// again looks once more, has other accounts count where they changed, and reports whether all is clear. Accounts that
// counted go on to count while it is unclear who writes.
func (k *KubeOVN) again(ctx context.Context, workloads client.Reader) (ok bool) {
	was, l := k.clear.Load(), k.look(ctx, workloads)
	if ctx.Err() != nil {
		return true
	}
	before, now := was.Setup(), l.Setup()
	before.Account = now.Account // whichever writes is followed
	if l.Clear() && (now != before || l.Northbound.Is != was.Northbound.Is) {
		l.Missing = append(
			l.Missing,
			layout.Problem{Text: fmt.Sprintf("Kube-OVN's layout has changed since this program started: it was "+
				"%+v with its database at %s, and is %+v at %s; restart this program, one replica after the other",
				before, was.Northbound.Is, now, l.Northbound.Is)},
		)
		// What the rest of the program goes by stays what it was.
		l.Namespace, l.Router, l.NodeSwitch, l.KeepVMIP = was.Namespace, was.Router, was.NodeSwitch, was.KeepVMIP
		l.NonPrimary, l.Northbound = was.NonPrimary, was.Northbound
	}
	k.tell(ctx, l)
	if !l.Clear() {
		// A workload that moved counts for refusals at once, also where a flag leaves it out.
		kept := *was
		kept.Runs = l.Runs
		k.clear.Store(&kept)
		return false
	}
	k.clear.Store(&l)
	if !slices.Equal(was.Accounts.Is, l.Accounts.Is) {
		k.changed()
	}
	return true
}
