package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/rows"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/bench/table"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// drifts is the number of changes by another client that are timed.
const drifts = 500

// replica has the data of one replica of the controller: mirrors of both databases, the objects that it keeps of the
// API server, and the monitor.
type replica struct {
	northbound, southbound *ovn.Mirror
	monitor                *monitor.Monitor
	kept                   []entries
	changes                *ovn.Subscription
	// told receives the time of each finding; asked is closed by the waiting measurement.
	told chan time.Time
}

// Judged implements monitor.Observer.
func (r *replica) Judged(before, after monitor.Verdict) {
	for _, f := range after.Beyond(before) {
		if f.Rule.ID != "OVG001" {
			continue
		}
		select {
		case r.told <- time.Now():
		default: // nobody waits
		}
	}
}

// live measures the memory and the speed of a replica with real database servers. Objects of the API server come from
// memory, each decoded from a server's bytes.
func live(ctx context.Context, t *table.Table, pods int) (err error) {
	dir, err := os.MkdirTemp("", "bi") // sockets need short names
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db := kubeovndb.Database{Ports: pods, Secured: true}
	northbound, err := serve(ctx, dir, "nb", ovsdbserver.NorthboundSchema, db.Write)
	if err != nil {
		return err
	}
	defer northbound.Kill()
	southbound, err := serve(ctx, dir, "sb", ovsdbserver.SouthboundSchema, db.WriteSouthbound)
	if err != nil {
		return err
	}
	defer southbound.Kill()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := heap()
	r := &replica{told: make(chan time.Time, 1)}
	begin := time.Now()
	reading, err := r.start(ctx, northbound.Endpoint(), southbound.Endpoint(), db)
	if err != nil {
		return err
	}
	first := time.Since(begin)
	if err := r.allCompliant(pods); err != nil {
		return err
	}
	held := (heap() - before) / float64(pods)
	at := func(what string) string { return fmt.Sprintf("%s, %d ports", what, pods) }
	memory := table.Row{
		What:     at("live heap per port with its pod, IP, what is kept of them and both mirrors"),
		Measured: fmt.Sprintf("%.0f B", held),
	}
	if pods == barSize {
		memory.Bar, memory.Missed = fmt.Sprintf("< %.0f B", heapLimit), held >= heapLimit
	}
	t.Add(memory, table.Row{
		What: at("start to first complete audit, both databases"), Measured: text(first), Ratio: perPort(first, pods),
		Peer: "of it, objects of the API server decoded and entered: " + text(reading),
	})
	evaluations := repeat(func() { r.monitor.Read(evaluateAll) })
	t.Add(
		table.Row{
			What:     at("full evaluation of what was read from servers"),
			Measured: text(evaluations),
			Ratio:    perPort(evaluations, pods),
		},
	)
	compared, err := r.compare()
	if err != nil {
		return err
	}
	t.Add(
		table.Row{
			What:     at("everything held compared with both databases"),
			Measured: text(compared),
			Ratio:    perPort(compared, pods),
		},
	)
	drift, err := r.drift(ctx, northbound.Endpoint(), db)
	if err != nil {
		return err
	}
	t.Add(drift(at)...)
	runtime.KeepAlive(r)
	return nil
}

// serve starts a server with a database that write writes.
func serve(
	ctx context.Context,
	dir, name, schema string,
	write func(path, schema string) error,
) (*ovsdbserver.Server, error) {
	file := filepath.Join(dir, name+".db")
	if err := write(file, schema); err != nil {
		return nil, err
	}
	server := ovsdbserver.New(dir, name, file)
	return server, server.Start(ctx)
}

// start starts the replica as the controller does: the mirrors connect while the API server is read; after that every
// port is judged. It returns how long reading the API server's objects took.
func (r *replica) start(
	ctx context.Context,
	northbound, southbound string,
	db kubeovndb.Database,
) (reading time.Duration, err error) {
	r.monitor = monitor.New(monitor.SystemClock{}, r)
	if r.northbound, err = ovn.Open(
		ovn.Config{Endpoints: northbound, Tables: rows.Northbound(), Log: logr.Discard()},
	); err != nil {
		return 0, err
	}
	if r.southbound, err = ovn.Open(
		ovn.Config{Endpoints: southbound, Database: ovn.Southbound, Tables: rows.Southbound(), Log: logr.Discard()},
	); err != nil {
		return 0, err
	}
	go r.northbound.Run(ctx)
	go r.southbound.Run(ctx)
	begin := time.Now()
	if r.kept, err = fillFromAPI(r.monitor, db); err != nil {
		return 0, err
	}
	reading = time.Since(begin)
	r.changes = r.northbound.Subscribe()
	bound := r.southbound.Subscribe(ovn.TableChassis, ovn.TablePortBinding)
	for _, m := range []*ovn.Mirror{r.southbound, r.northbound} {
		if err := m.WaitSynced(ctx); err != nil {
			return 0, err
		}
	}
	events, _ := bound.Take()
	r.take(events, nil)
	events, state := r.changes.Take()
	r.take(events, state)
	r.monitor.Start()
	go r.follow(ctx, bound, false)
	go r.follow(ctx, r.changes, true)
	return reading, nil
}

func (r *replica) follow(ctx context.Context, from *ovn.Subscription, northbound bool) {
	defer from.Close()
	for {
		events, state, err := from.Next(ctx)
		if err != nil {
			return // the measurement is over
		}
		if !northbound {
			state = nil
		}
		r.take(events, state)
	}
}

func (r *replica) take(events []ovn.Event, state *ovn.Snapshot) {
	if state != nil {
		r.monitor.SetEras(portsec.OVN{Version: state.Version()}.Eras())
	}
	r.monitor.Change(func(inv *inventory.Inventory) (touched []string) {
		if state != nil {
			touched = inv.SetOVN(portsec.OVN{Version: state.Version()})
		}
		return append(touched, rows.ApplyAll(inv, events)...)
	})
}

// allCompliant reports an error unless every pod's port was found compliant.
func (r *replica) allCompliant(pods int) error {
	compliant := 0
	for name, result := range r.monitor.Results() {
		switch result.State {
		case audit.Compliant:
			compliant++
		case audit.OutOfScope:
		case audit.Violation, audit.Unknown:
			return fmt.Errorf("port %s is %s: %s %v", name, result.State, result.Why, result.Findings)
		}
	}
	if compliant != pods {
		return fmt.Errorf("%d ports are compliant, want %d", compliant, pods)
	}
	return nil
}

// compare returns the time to compare the inventory with the mirrors, which is the first step of every full sweep.
func (r *replica) compare() (time.Duration, error) {
	differences := 0
	took := repeat(func() {
		for _, m := range []*ovn.Mirror{r.northbound, r.southbound} {
			differences += len(rows.Missed(r.monitor.State(), m.Snapshot()))
		}
	})
	if differences > 0 {
		return 0, fmt.Errorf("what is held differs from the databases in %d rows", differences)
	}
	return took, nil
}

// drift makes another client empty port_security of one port after the other, and restore it. It returns lines with the
// time until the finding was reported, and where that time went.
func (r *replica) drift(
	ctx context.Context,
	endpoint string,
	db kubeovndb.Database,
) (lines func(func(string) string) []table.Row, err error) {
	other, err := ovn.Open(ovn.Config{Endpoints: endpoint, Log: logr.Discard()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go other.Run(ctx)
	if err := other.WaitSynced(ctx); err != nil {
		return nil, err
	}
	changes := other.Subscribe(ovn.TablePort)
	defer changes.Close()
	changes.Take()
	write := func(row *ovn.Port, column []string) error {
		outcomes, err := other.Write(ctx, ovn.Write{Port: row, PortSecurity: &column})
		if err == nil && outcomes[0].Result != ovn.Written {
			err = fmt.Errorf("change port %s: %w", row.Name, outcomes[0].Err)
		}
		for err == nil && !slices.Equal(other.Snapshot().Port(row.Name).PortSecurity, column) {
			_, _, err = changes.Next(ctx)
		}
		return err
	}
	var replies, found []time.Duration
	for i := range drifts {
		row := other.Snapshot().Port(db.Port((i * 37) % db.Ports).Name)
		begin := time.Now()
		outcomes, err := other.Write(ctx, ovn.Write{Port: row, PortSecurity: &[]string{}})
		if err != nil || outcomes[0].Result != ovn.Written {
			return nil, cmp.Or(err, outcomes[0].Err)
		}
		replies = append(replies, time.Since(begin))
		select {
		case at := <-r.told:
			found = append(found, at.Sub(begin))
		case <-time.After(10 * time.Second):
			return nil, fmt.Errorf("port %s was opened, and nothing was found", row.Name)
		}
		for len(other.Snapshot().Port(row.Name).PortSecurity) > 0 {
			if _, _, err := changes.Next(ctx); err != nil {
				return nil, err
			}
		}
		if err := write(other.Snapshot().Port(row.Name), row.PortSecurity); err != nil {
			return nil, err
		}
	}
	judged, err := r.judging(db)
	if err != nil {
		return nil, err
	}
	return func(at func(string) string) []table.Row {
		return []table.Row{
			{
				What: at("another client opens a port, to the finding"), Measured: quantiles(found),
				Peer: "the server answers that client: " + quantiles(replies),
			},
			{What: at("of it, entering the row and judging"), Measured: quantiles(judged)},
		}
	}, nil
}

// judging returns the time to enter one open row and to judge its port.
func (r *replica) judging(db kubeovndb.Database) ([]time.Duration, error) {
	times := make([]time.Duration, 0, drifts)
	for i := range drifts {
		now := r.northbound.Snapshot().Port(db.Port((i * 41) % db.Ports).Name)
		if now == nil {
			return nil, errors.New("a port is gone")
		}
		open := *now
		open.PortSecurity = nil
		times = append(times, took(func() { r.take([]ovn.Event{{Table: ovn.TablePort, Old: now, New: &open}}, nil) }))
		r.take([]ovn.Event{{Table: ovn.TablePort, Old: &open, New: now}}, nil)
		select { // nobody waits for this finding
		case <-r.told:
		default:
		}
	}
	return times, nil
}

// quantiles writes the median and the 99th percentile.
func quantiles(times []time.Duration) string {
	slices.Sort(times)
	return strings.Join([]string{"p50 " + text(times[len(times)/2]), "p99 " + text(times[len(times)*99/100])}, ", ")
}
