package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/feed"
	"github.com/ovnguard/ovnguard/internal/leader"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/openreports"
	"github.com/ovnguard/ovnguard/internal/repair/apply"
	"github.com/ovnguard/ovnguard/internal/status"
)

// books keep what is to be written to the API server. The replica that leads writes it, except that each replica tells
// of its own refusals.
type books struct {
	told     *events.Book
	refused  *events.Refusals
	reports  *openreports.Book
	statuses *status.Book
	// wrote counts the writes, and identity names this replica.
	wrote    *writes
	identity string
}

func newBooks() (books, error) {
	identity, err := leader.Identity()
	if err != nil {
		return books{}, err
	}
	wrote, err := newWrites(metrics.Registry)
	if err != nil {
		return books{}, fmt.Errorf("register metrics: %w", err)
	}
	return books{
		told: events.NewBook(time.Now), refused: events.NewRefusals(time.Now), reports: openreports.NewBook(),
		statuses: status.NewBook(), wrote: wrote, identity: identity,
	}, nil
}

// newMonitor returns the monitor, which tells metrics, books and repair what it finds.
func newMonitor(o Options, kept books, toRepair monitor.Observer, log logr.Logger) (*monitor.Monitor, error) {
	counts, err := monitor.NewMetrics(metrics.Registry, time.Now)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	off := switchedOff{namespace: o.Namespace, told: kept.told, log: log.WithName("audit")}
	observers := monitor.Observers{counts, kept.reports, kept.statuses, kept.told, off, toRepair}
	return monitor.New(monitor.SystemClock{}, observers), nil
}

// newLeader returns what has one replica alone write what the books keep, and repair.
func newLeader(
	config *rest.Config,
	o Options,
	live client.Client,
	facts client.Reader,
	judge *monitor.Monitor,
	fed *feed.Feed,
	repairer *apply.Repairer,
	kept books,
	log logr.Logger,
) (*leader.Candidate, error) {
	report := &openreports.Writer{
		Client: live,
		Book:   kept.reports,
		Log:    log.WithName("reports"),
		Wrote:  kept.wrote.of(writesReport),
	}
	stature := &status.Writer{
		Cache:      facts,
		Client:     live,
		Book:       kept.statuses,
		Namespace:  judge.Namespace,
		Namespaces: judge.Namespaces,
		Standing:   judge.Standing,
		Log:        log.WithName("status"),
		Wrote:      kept.wrote.of(writesStatus),
		Now:        time.Now,
	}
	teller := &events.Writer{
		Client:   live,
		Book:     kept.told,
		Instance: kept.identity,
		Log:      log.WithName("events"),
		Wrote:    kept.wrote.of(writesEvent),
	}
	tasks := []func(context.Context){fed.OnceJudged(report.Run), fed.OnceJudged(stature.Run), teller.Run}
	if o.Repair.Enabled {
		tasks = append(tasks, fed.OnceRead(repairer.Run))
	}
	return leader.New(config, o.Namespace, kept.identity, o.Build, log.WithName("leader"), tasks...)
}
