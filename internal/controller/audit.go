package controller

import (
	"cmp"
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
	"k8s.io/client-go/kubernetes"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/rows"
	"github.com/ovnguard/ovnguard/portsec"
)

// staleAfter is how long the Northbound database may be out of sight before the service is not ready any more.
const staleAfter = 15 * time.Second

// auditor follows both sides and keeps the monitor current.
type auditor struct {
	manager ctrl.Manager
	// databases are the Northbound one and, where it is followed, the Southbound one.
	databases []database
	// ovn is what is known of the OVN that enforces beside what the database says; its version is empty for that of the
	// database.
	ovn     portsec.OVN
	monitor *monitor.Monitor
	// swept counts what events had missed.
	swept prometheus.Counter
	// watches knows how fresh the caches of the API server are.
	watches *watches
	log     logr.Logger
	// started is set when both sides have been read once; until then, reading says what is being read.
	started atomic.Bool
	reading atomic.Pointer[string]
	// lost says why following the Northbound database ended while the service goes on; nil where it did not.
	lost atomic.Pointer[error]
	// sweeping is held while everything is judged anew.
	sweeping sync.Mutex
	// settled is when what was found on starting has lasted for as long as any finding must.
	settled atomic.Pointer[time.Time]
}

// judged waits until every port has been judged, and what had to last had the time to. It is false where ctx ends
// first. Before, what is not found would be taken for what is not there.
func (a *auditor) judged(ctx context.Context) bool {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if at := a.settled.Load(); at != nil && !time.Now().Before(*at) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// run implements manager.RunnableFunc. It ends with the service alone: whatever becomes of the audit, the webhook goes
// on answering.
func (a *auditor) run(ctx context.Context) error {
	for _, d := range a.databases {
		go d.mirror.Run(ctx)
	}
	clients, err := kubernetes.NewForConfig(a.manager.GetConfig())
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	go a.watches.ask(ctx, clients.Discovery().RESTClient())
	reading := func(what string) { a.reading.Store(&what) }
	list := func(s kube.Source, resource string) (toolscache.ListerWatcher, error) {
		return kube.ListWatch(a.manager.GetConfig(), a.manager.GetHTTPClient(), s, resource)
	}
	server := feed{manager: a.manager, monitor: a.monitor, watches: a.watches, log: a.log, list: list}
	if err := server.follow(ctx, reading); err != nil {
		return nil //nolint:nilerr // the service is ending
	}
	reading("the Northbound database")
	if len(a.databases) > 1 {
		go a.followSouthbound(ctx, a.databases[1].mirror)
	}
	a.persist(ctx, a.followNorthbound)
	return nil
}

// persist follows something until ctx ends, and begins anew where that ends before. Readiness says so meanwhile.
func (a *auditor) persist(ctx context.Context, follow func(context.Context) error) {
	_ = retry(ctx, a.log, "the audit", func() error { // ends with the service
		err := follow(ctx)
		if err != nil && ctx.Err() == nil {
			a.lost.Store(&err)
		}
		return err
	})
}

// followNorthbound reads the Northbound database once, and then each change, until ctx ends.
func (a *auditor) followNorthbound(ctx context.Context) error {
	northbound := a.databases[0].mirror
	changes := northbound.Subscribe(
		ovn.TablePort,
		ovn.TableRouterPort,
		ovn.TableNBGlobal,
		ovn.TablePortGroup,
		ovn.TableAddressSet,
	)
	a.monitor.Change(func(inv *inventory.Inventory) []string {
		inv.KnowGroups()
		return nil
	})
	defer changes.Close()
	if err := northbound.WaitSynced(ctx); err != nil {
		return err
	}
	events, state := changes.Take() // also where the database is empty and there is nothing to wait for
	a.take(events, state)
	if a.lost.Swap(nil) != nil {
		a.sweep(state) // rows that went meanwhile are in no event
	}
	return a.track(ctx, changes, state, a.take)
}

// track enters each change of one database until ctx ends. From time to time, and when the database was read as a whole
// because the changes could not be had one by one, everything is judged anew.
func (a *auditor) track(
	ctx context.Context,
	changes *ovn.Subscription,
	state *ovn.Snapshot,
	take func([]ovn.Event, *ovn.Snapshot),
) error {
	for next := time.Now().Add(sweepEvery); ; {
		events, now, err := within(ctx, changes, next)
		switch {
		case err == nil:
			take(events, now)
			state = now
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		if !time.Now().Before(next) || resynchronised(events) {
			a.sweep(state)
			next = time.Now().Add(sweepEvery)
		}
	}
}

// within returns the next changes, if there are any before a time; the error is context.DeadlineExceeded where there
// are none.
func within(ctx context.Context, changes *ovn.Subscription, until time.Time) ([]ovn.Event, *ovn.Snapshot, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return changes.Next(ctx)
}

// resynchronised reports whether the database was read as a whole, because the changes could not be had one by one.
func resynchronised(events []ovn.Event) bool {
	return slices.ContainsFunc(events, func(e ovn.Event) bool { return e.Kind == ovn.Resynchronised })
}

// take enters changes of rows. The first batch is everything that the database holds, after which judging starts.
func (a *auditor) take(events []ovn.Event, state *ovn.Snapshot) {
	build := a.ovn
	build.Version = cmp.Or(build.Version, state.Version())
	a.monitor.SetEras(build.Eras())
	a.monitor.Change(func(inv *inventory.Inventory) []string {
		touched := inv.SetOVN(build)
		return append(touched, rows.ApplyAll(inv, events)...)
	})
	if !a.started.Load() {
		a.monitor.Start()
		a.started.Store(true)
		settled := time.Now().Add(lasting() + time.Second)
		a.settled.Store(&settled)
		a.log.Info("both sides have been read; every port is judged", "ports", len(a.monitor.Results()))
	}
}

// followSouthbound enters what is bound where, and what ovn-northd made of each port. Judging does not wait for it:
// what it adds is judged when it comes.
func (a *auditor) followSouthbound(ctx context.Context, southbound *ovn.Mirror) {
	changes := southbound.Subscribe(ovn.TableChassis, ovn.TablePortBinding)
	defer changes.Close()
	take := func(events []ovn.Event, _ *ovn.Snapshot) { a.enter(events) }
	events, state, err := changes.Next(ctx)
	if err != nil {
		return // the service is ending
	}
	take(events, state)
	_ = a.track(ctx, changes, state, take) // ends with the service
}

// enter has changes of rows judged.
func (a *auditor) enter(events []ovn.Event) {
	a.monitor.Change(func(inv *inventory.Inventory) (touched []string) {
		return append(touched, rows.ApplyAll(inv, events)...)
	})
}

// sweepEvery is how often everything is judged anew, as a safety net.
const sweepEvery = 5 * time.Minute

// sweep compares what is held of a database with the state that its events have led to, has everything judged anew, and
// counts what that finds: nothing, unless an event was missed. Only the comparison holds up the changes of this
// database.
func (a *auditor) sweep(state *ovn.Snapshot) {
	found := func(begin time.Time, what string, missed int) {
		a.swept.Add(float64(missed))
		if missed > 0 {
			a.log.Info(
				"looking at everything anew found what no event had told",
				"what",
				what,
				"missed",
				missed,
				"took",
				time.Since(begin).String(),
			)
		}
	}
	begin := time.Now()
	missed := rows.Missed(a.monitor.State(), state)
	a.enter(missed)
	found(begin, "rows", len(missed))
	if !a.sweeping.TryLock() {
		return // because of the other database
	}
	go func() {
		defer a.sweeping.Unlock()
		begin := time.Now()
		found(begin, "verdicts", a.monitor.Sweep())
	}()
}

// once returns a task that begins when every port has been judged.
func (a *auditor) once(task func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		if a.judged(ctx) {
			task(ctx)
		}
	}
}

// lasting is how long a finding must hold at most before it means anything.
func lasting() time.Duration {
	var longest time.Duration
	for _, rule := range audit.Rules() {
		longest = max(longest, rule.Settle)
	}
	return longest
}

// ready implements healthz.Checker.
func (a *auditor) ready(*http.Request) error {
	var errs []error
	if !a.started.Load() {
		what := "nothing has been read"
		if reading := a.reading.Load(); reading != nil {
			what = "reading " + *reading
		}
		errs = append(errs, errors.New("not judging yet: "+what), a.watches.failing())
	}
	if lost := a.lost.Load(); lost != nil {
		errs = append(errs, fmt.Errorf("the Northbound database is followed no longer, and is read anew: %w", *lost))
	}
	errs = append(errs, a.watches.current(staleAfter))
	for _, d := range a.databases {
		errs = append(errs, d.current(time.Now()))
	}
	return errors.Join(errs...)
}
