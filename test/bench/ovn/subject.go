package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ovnguard/ovnguard/test/bench/child"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
)

// subjectCommand makes the program one of the measured clients:
//
//	ovn subject KIND ENDPOINT PORTS
//
// It takes orders and answers each.
const subjectCommand = "subject"

// Kinds of subjects.
const (
	kindMirror = "mirror"
	kindBare   = "libovsdb"
	kindFloor  = "floor"
	kindFile   = "file"
	// These write files instead.
	kindMakeCompact = "make-compact"
	kindMakeHistory = "make-history"
)

// Orders to a subject.
const (
	orderSync    = "sync"
	orderWatch   = "watch"
	orderLookups = "lookups"
)

// order is an order to a subject.
type order struct {
	Do string
	// Count is the number of changes to wait for.
	Count int
}

// answer has a subject's measurements.
type answer struct {
	Err   string
	Cost  *cost
	Watch *watched
	// Lookups are in the order of lookupNames; zero if the client has no such lookup.
	Lookups []time.Duration
}

// watched has the time from the commit of each change until it was seen, and the cost.
type watched struct {
	Latencies []time.Duration
	CPU       time.Duration
}

// subject is a measured client.
type subject interface {
	// sync connects and reads the database.
	sync(ctx context.Context) error
	// watch calls ready, and then returns count latencies.
	watch(ctx context.Context, count int, ready func()) ([]time.Duration, error)
	lookups() ([]time.Duration, error)
}

// process is a subject that runs as a process of its own.
type process struct{ *child.Process }

func start(ctx context.Context, kind, target string, ports int) (process, error) {
	p, err := child.Start(ctx, subjectCommand, kind, target, strconv.Itoa(ports))
	return process{p}, err
}

// ask sends an order and waits for the answer.
func (p process) ask(o order) (answer, error) {
	if err := p.Tell(o); err != nil {
		return answer{}, fmt.Errorf("%s: %w", o.Do, err)
	}
	return p.hear()
}

func (p process) hear() (a answer, err error) {
	if err := p.Hear(&a); err != nil {
		return a, err
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

// once starts a subject, lets it do its work and ends it.
func once(ctx context.Context, kind, target string, ports int) (c *cost, err error) {
	p, err := start(ctx, kind, target, ports)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	a, err := p.ask(order{Do: orderSync})
	return a.Cost, err
}

// serve runs a subject's main loop.
func serve(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want KIND TARGET PORTS, have %q", args)
	}
	ports, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("ports: %w", err)
	}
	db, target := kubeovndb.Database{Ports: ports}, args[1]
	var s subject
	switch args[0] {
	case kindMirror:
		s = &mirrorSubject{db: db, endpoint: target}
	case kindBare:
		s = &bareSubject{db: db, endpoint: target}
	case kindFloor:
		s = &floorSubject{endpoint: target}
	case kindFile:
		s = &fileSubject{db: db, path: target}
	case kindMakeCompact:
		s = &makerSubject{path: target, make: db.Write}
	case kindMakeHistory:
		s = &makerSubject{path: target, make: db.WriteHistory}
	default:
		return fmt.Errorf("no subject %q", args[0])
	}
	parent := child.NewParent()
	for {
		var o order
		if more, err := parent.Next(&o); err != nil || !more {
			return err
		}
		a, err := obey(ctx, s, o, func() error { return parent.Say(answer{}) })
		if err != nil {
			a.Err = err.Error()
		}
		if err := parent.Say(a); err != nil {
			return err
		}
	}
}

func obey(ctx context.Context, s subject, o order, ready func() error) (a answer, err error) {
	switch o.Do {
	case orderSync:
		a.Cost, err = costOf(func() error { return s.sync(ctx) })
	case orderLookups:
		a.Lookups, err = s.lookups()
	case orderWatch:
		var begin time.Duration
		var told error
		a.Watch = new(watched)
		a.Watch.Latencies, err = s.watch(ctx, o.Count, func() {
			begin = cpu()
			told = ready()
		})
		a.Watch.CPU = cpu() - begin
		err = errors.Join(err, told)
	default:
		err = fmt.Errorf("no order %q", o.Do)
	}
	return a, err
}
