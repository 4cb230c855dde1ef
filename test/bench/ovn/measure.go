package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/test/bench/table"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

const (
	// rounds is the number of times each client reads the database; from size largest on, which takes a minute for each,
	// once.
	rounds, largest = 3, 200_000
	// changes is the number of timed changes for each client in each round, at this pace.
	changes = 400
	pace    = 5 * time.Millisecond
)

// portColumns are the columns that all clients read.
var portColumns = []string{
	"name",
	"type",
	"addresses",
	"port_security",
	"external_ids",
	"options",
	"enabled",
	"up",
	"parent_name",
	"tag",
}

// result has one client's measurements: the best of its rounds, except for latencies.
type result struct {
	cost
	watched
	lookups []time.Duration
}

// measure measures everything at one size.
func measure(ctx context.Context, dir string, ports int, t *table.Table) (err error) {
	db := kubeovndb.Database{Ports: ports}
	name := strconv.Itoa(ports)
	file := filepath.Join(dir, name+".db")
	if _, err := once(ctx, kindMakeCompact, file, ports); err != nil {
		return err
	}
	server := ovsdbserver.New(dir, name, file)
	if err := server.Start(ctx); err != nil {
		return err
	}
	defer server.Kill()
	w, err := newWriter(ctx, server.Endpoint(), db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	times := rounds
	if ports > largest {
		times = 1
	}
	all := make(map[string]*result)
	for round := range times {
		// Every other round has another order, so that nobody is always first.
		kinds := []string{kindFloor, kindBare, kindMirror}
		if round%2 == 1 {
			slices.Reverse(kinds)
		}
		for _, kind := range kinds {
			r, err := one(ctx, kind, server.Endpoint(), w, changes, round == 0)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			all[kind] = better(all[kind], r)
		}
	}
	dump, err := costOfTool(
		ctx,
		"ovsdb-client",
		append(
			[]string{"--format=json", "dump", server.Endpoint(), "OVN_Northbound", "Logical_Switch_Port"},
			portColumns...)...)
	if err != nil {
		return err
	}
	list, err := costOfTool(
		ctx,
		"ovn-nbctl",
		"--db="+server.Endpoint(),
		"--format=json",
		"--columns="+strings.Join(portColumns, ","),
		"list",
		"Logical_Switch_Port",
	)
	if err != nil {
		return err
	}
	clientRows(t, ports, all, w.replies, dump, list)
	if ports == barSize {
		server.Kill()
		return files(ctx, dir, db, file, t)
	}
	return os.Remove(file)
}

// one runs one client once.
func one(ctx context.Context, kind, endpoint string, w *writer, timed int, withLookups bool) (r *result, err error) {
	p, err := start(ctx, kind, endpoint, w.db.Ports)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	a, err := p.ask(order{Do: orderSync})
	if err != nil {
		return nil, err
	}
	r = &result{cost: *a.Cost}
	if withLookups && kind != kindFloor {
		if a, err = p.ask(order{Do: orderLookups}); err != nil {
			return nil, err
		}
		r.lookups = a.Lookups
	}
	if _, err = p.ask(order{Do: orderWatch, Count: timed}); err != nil {
		return nil, err
	}
	for n := range timed {
		if err := w.change(n); err != nil {
			return nil, err
		}
		time.Sleep(pace)
	}
	if a, err = p.hear(); err != nil {
		return nil, err
	}
	r.watched = *a.Watch
	return r, nil
}

// better combines the result of another round with the results so far.
func better(have, more *result) *result {
	if have == nil {
		return more
	}
	have.Wall, have.cost.CPU = min(have.Wall, more.Wall), min(have.cost.CPU, more.cost.CPU)
	have.Peak, have.Heap = min(have.Peak, more.Peak), min(have.Heap, more.Heap)
	have.Latencies = append(have.Latencies, more.Latencies...)
	have.watched.CPU += more.watched.CPU
	return have
}

// percentile returns the latency within which that share of the changes was seen.
func (w watched) percentile(share float64) time.Duration {
	sorted := slices.Clone(w.Latencies)
	slices.Sort(sorted)
	return sorted[int(share*float64(len(sorted)-1))]
}

// files measures reading database files in three forms, compared with ovsdb-tool's time for one row.
func files(ctx context.Context, dir string, db kubeovndb.Database, compact string, t *table.Table) error {
	history, clustered := filepath.Join(dir, "history"), filepath.Join(dir, "clustered")
	if _, err := once(ctx, kindMakeHistory, history, db.Ports); err != nil {
		return err
	}
	fresh := filepath.Join(dir, "compact")
	if _, err := once(ctx, kindMakeCompact, fresh, db.Ports); err != nil {
		return err
	}
	if _, err := ovsdbserver.Tool(
		ctx,
		"ovsdb-tool",
		"create-cluster",
		clustered,
		fresh,
		"tcp:127.0.0.1:6643",
	); err != nil {
		return err
	}
	query := fmt.Sprintf(
		`["OVN_Northbound",{"op":"select","table":"Logical_Switch_Port","where":[["name","==","%s"]]}]`,
		db.Port(db.Ports/2).Name,
	)
	// The tool does not read clustered files, so all are compared with the fastest of the others.
	var best *cost
	for _, path := range []string{history, fresh} {
		c, err := costOfTool(ctx, "ovsdb-tool", "query", path, query)
		if err != nil {
			return err
		}
		if best == nil || c.Wall < best.Wall {
			best = c
		}
	}
	for _, path := range []string{history, fresh, clustered} {
		c, err := readFile(ctx, path, db.Ports)
		if err != nil {
			return err
		}
		t.Add(
			atMost(
				fmt.Sprintf(
					"%s: read all of a %s file (CPU %s, peak %s)",
					size(db.Ports),
					filepath.Base(path),
					short(c.CPU),
					megabytes(c.Peak),
				),
				c.Wall,
				"ovsdb-tool query, one row",
				best.Wall,
				1,
			),
		)
	}
	return os.Remove(compact)
}

// readFile returns the cost of reading a file, the best of three runs.
func readFile(ctx context.Context, path string, ports int) (best *cost, err error) {
	for range 3 {
		c, err := once(ctx, kindFile, path, ports)
		if err != nil {
			return nil, err
		}
		if best == nil || c.Wall < best.Wall {
			best = c
		}
	}
	return best, nil
}
