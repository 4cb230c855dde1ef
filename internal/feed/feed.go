// Package feed brings what is in the API server and in the databases of OVN into the monitor, and keeps it current:
// each side is read once as a whole, and then each change. What goes in is where they are; what comes out is a monitor
// that knows the cluster, and how fresh that is.
package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Options say what is followed besides the API server.
type Options struct {
	// Northbound and Southbound list the endpoints of the databases, comma separated; Southbound is empty where that
	// one is not followed.
	Northbound, Southbound string
	// TLS holds the files for ssl: endpoints of both.
	TLS ovn.TLSFiles
	// OVN is what is known of the OVN that enforces besides what the database says; its version is empty for that of the
	// database.
	OVN portsec.OVN
}

// staleAfter is how long the Northbound database may be out of sight before the service is not ready any more.
const staleAfter = 15 * time.Second

// rewatch is how long a watch of the API server may take to be made again; it ends every few minutes.
const rewatch = 2 * time.Second

// Feed follows both sides and keeps the monitor current.
type Feed struct {
	// config is how the API server is asked whether it is there.
	config *rest.Config
	// server leads from the API server to the monitor.
	server kubernetesFeed
	// databases are the Northbound one and, where it is followed, the Southbound one.
	databases []database
	// ovn is what is known of the OVN that enforces besides what the database says.
	ovn     portsec.OVN
	monitor *monitor.Monitor
	// swept counts what events had missed.
	swept prometheus.Counter
	// watches knows how fresh the caches of the API server are.
	watches *Watches
	log     logr.Logger
	// started is set when both sides have been read once; until then, reading says what is being read.
	started atomic.Bool
	reading atomic.Pointer[string]
	// lost says why following the Northbound database ended while the service goes on; nil where it did not.
	lost atomic.Pointer[error]
	// sweeping is held while everything is judged again.
	sweeping sync.Mutex
	// settled is when what was found on starting has lasted for as long as any finding must.
	settled atomic.Pointer[time.Time]
}

// New returns what feeds the monitor when it is started. facts is the cache that holds what is read of the API server,
// watches what sees the manager's requests; metrics are registered with r. The monitor is told at once what will be
// read: until it has been, what is not there is not taken for what is not.
func New(
	mgr ctrl.Manager,
	facts cache.Cache,
	watches *Watches,
	m *monitor.Monitor,
	o Options,
	r prometheus.Registerer,
	log logr.Logger,
) (*Feed, error) {
	databases, err := openDatabases(o, log)
	if err != nil {
		return nil, err
	}
	swept := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ovnguard_sweep_missed_total",
		Help: "Ports, rows and other things of which looking at all of them again, as a safety net, found what no " +
			"event had told.",
	})
	for _, c := range []prometheus.Collector{databaseMetrics(databases), watches, swept} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	expect(m, kube.Sources()...)
	log = log.WithName("audit")
	return &Feed{
		config: mgr.GetConfig(),
		server: kubernetesFeed{
			kinds:   mgr.GetRESTMapper(),
			facts:   facts,
			monitor: m,
			watches: watches,
			log:     log,
			list: func(s kube.Source, resource string) (toolscache.ListerWatcher, error) {
				return kube.ListWatch(mgr.GetConfig(), mgr.GetHTTPClient(), s, resource)
			},
		},
		databases: databases,
		ovn:       o.OVN,
		monitor:   m,
		swept:     swept,
		watches:   watches,
		log:       log,
	}, nil
}

// Northbound returns the Northbound database as it is followed.
func (f *Feed) Northbound() *ovn.Mirror { return f.databases[0].mirror }

// Database says how one of OVN's databases is followed.
type Database struct {
	ovn.State

	// Version is the release of OVN that the database names; empty where it names none.
	Version string
}

// Databases returns how the Northbound database is followed, and the Southbound one; nil where that is not followed.
func (f *Feed) Databases() (north Database, south *Database) {
	of := func(d database) Database { return Database{d.mirror.State(), d.mirror.Snapshot().Version()} }
	if len(f.databases) > 1 {
		south = new(of(f.databases[1]))
	}
	return of(f.databases[0]), south
}

// Current returns nil while both sides are followed at this moment, as they must be for whoever writes to them.
func (f *Feed) Current() error {
	return errors.Join(f.databases[0].synced(), f.watches.current(rewatch))
}

// Start implements manager.Runnable. It ends with the service alone: whatever becomes of the audit, the webhook goes on
// answering.
func (f *Feed) Start(ctx context.Context) error {
	for _, d := range f.databases {
		go d.mirror.Run(ctx)
	}
	clients, err := kubernetes.NewForConfig(f.config)
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	go f.watches.ask(ctx, clients.Discovery().RESTClient())
	reading := func(what string) { f.reading.Store(&what) }
	if err := f.server.follow(ctx, reading); err != nil {
		return nil //nolint:nilerr // the service is ending
	}
	reading("the Northbound database")
	if len(f.databases) > 1 {
		go f.followSouthbound(ctx, f.databases[1].mirror)
	}
	f.persist(ctx, f.followNorthbound)
	return nil
}

// OnceRead returns a task that begins when both sides have been read.
func (f *Feed) OnceRead(task func(context.Context)) func(context.Context) {
	return after(f.started.Load, task)
}

// OnceJudged returns a task that begins when every port has been judged, and what had to last had the time to. Before,
// what is not found would be taken for what is not there.
func (f *Feed) OnceJudged(task func(context.Context)) func(context.Context) {
	return after(func() bool {
		at := f.settled.Load()
		return at != nil && !time.Now().Before(*at)
	}, task)
}

// after returns a task that begins when something holds.
func after(holds func() bool, task func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for !holds() {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		task(ctx)
	}
}

// Judging returns nil when both sides have been read, and otherwise says what is being read.
func (f *Feed) Judging() error {
	if f.started.Load() {
		return nil
	}
	what := "nothing has been read"
	if reading := f.reading.Load(); reading != nil {
		what = "reading " + *reading
	}
	return errors.New("not judging yet: " + what)
}

// Ready implements healthz.Checker.
func (f *Feed) Ready(*http.Request) error {
	var errs []error
	if err := f.Judging(); err != nil {
		errs = append(errs, err, f.watches.Failing())
	}
	if lost := f.lost.Load(); lost != nil {
		errs = append(errs, fmt.Errorf("the Northbound database is followed no longer, and is read again: %w", *lost))
	}
	errs = append(errs, f.watches.current(staleAfter))
	for _, d := range f.databases {
		errs = append(errs, d.current(time.Now()))
	}
	return errors.Join(errs...)
}
