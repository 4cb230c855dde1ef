package feed

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/retry"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// persist follows something until ctx ends, and begins again where that ends before. Readiness says so meanwhile.
func (f *Feed) persist(ctx context.Context, follow func(context.Context) error) {
	_ = retry.Until(ctx, f.log, "the audit", func() error { // ends with the service
		err := follow(ctx)
		if err != nil && ctx.Err() == nil {
			f.lost.Store(&err)
		}
		return err
	})
}

// followNorthbound reads the Northbound database once, and then each change, until ctx ends.
func (f *Feed) followNorthbound(ctx context.Context) error {
	northbound := f.databases[0].mirror
	changes := northbound.Subscribe()
	f.monitor.Change(func(inv *inventory.Inventory) []string {
		inv.KnowGroups()
		inv.KnowACLs()
		return nil
	})
	defer changes.Close()
	if err := northbound.WaitSynced(ctx); err != nil {
		return err
	}
	events, state := changes.Take() // also where the database is empty and there is nothing to wait for
	f.take(events, state)
	if f.lost.Swap(nil) != nil {
		f.sweep(state) // rows that went meanwhile are in no event
	}
	return f.track(ctx, changes, state, f.take)
}

// track enters each change of one database until ctx ends. From time to time, and when the database was read as a whole
// because the changes could not be had one by one, everything is judged again.
func (f *Feed) track(
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
			f.sweep(state)
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
func (f *Feed) take(events []ovn.Event, state *ovn.Snapshot) {
	build := f.ovn
	build.Version = cmp.Or(build.Version, state.Version())
	f.monitor.SetEras(build.Eras())
	f.monitor.Change(func(inv *inventory.Inventory) []string {
		touched := inv.SetOVN(build)
		return append(touched, rows.ApplyAll(inv, events)...)
	})
	if !f.started.Load() {
		f.monitor.Start()
		f.started.Store(true)
		settled := time.Now().Add(lasting() + time.Second)
		f.settled.Store(&settled)
		f.log.Info("both sides have been read; every port is judged", "ports", len(f.monitor.Results()))
	}
}

// followSouthbound enters what is bound where, and what ovn-northd made of each port. Judging does not wait for it:
// what it adds is judged when it comes.
func (f *Feed) followSouthbound(ctx context.Context, southbound *ovn.Mirror) {
	changes := southbound.Subscribe(ovn.TableChassis, ovn.TablePortBinding)
	defer changes.Close()
	take := func(events []ovn.Event, _ *ovn.Snapshot) { f.enter(events) }
	events, state, err := changes.Next(ctx)
	if err != nil {
		return // the service is ending
	}
	take(events, state)
	_ = f.track(ctx, changes, state, take) // ends with the service
}

// enter has changes of rows judged.
func (f *Feed) enter(events []ovn.Event) {
	f.monitor.Change(func(inv *inventory.Inventory) (touched []string) {
		return append(touched, rows.ApplyAll(inv, events)...)
	})
}

// sweepEvery is how often everything is judged again, as a safety net.
const sweepEvery = 5 * time.Minute

// sweep compares what is held of a database with the state that its events have led to, has everything judged again,
// and counts what that finds: nothing, unless an event was missed. Only the comparison holds up the changes of this
// database.
func (f *Feed) sweep(state *ovn.Snapshot) {
	found := func(begin time.Time, what string, missed int) {
		f.swept.Add(float64(missed))
		if missed > 0 {
			f.log.Info(
				"looking at everything again found what no event had told",
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
	missed := rows.Missed(f.monitor.State(), state)
	f.enter(missed)
	found(begin, "rows", len(missed))
	if !f.sweeping.TryLock() {
		return // because of the other database
	}
	go func() {
		defer f.sweeping.Unlock()
		begin := time.Now()
		found(begin, "verdicts", f.monitor.Sweep())
	}()
}

// lasting is how long a finding must hold at most before it means anything.
func lasting() time.Duration {
	var longest time.Duration
	for _, rule := range audit.Rules() {
		longest = max(longest, rule.Settle)
	}
	return longest
}
