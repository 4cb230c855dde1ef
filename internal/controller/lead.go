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

// books keep what is to be written to the API server, by whichever replica leads.
type books struct {
	told     *events.Book
	reports  *openreports.Book
	statuses *status.Book
}

func newBooks() books {
	return books{told: events.NewBook(time.Now), reports: openreports.NewBook(), statuses: status.NewBook()}
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
	identity, err := leader.Identity()
	if err != nil {
		return nil, err
	}
	wrote, err := newWrites(metrics.Registry)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	report := &openreports.Writer{
		Client: live,
		Book:   kept.reports,
		Log:    log.WithName("reports"),
		Wrote:  wrote.of(writesReport),
	}
	stature := &status.Writer{
		Cache:      facts,
		Client:     live,
		Book:       kept.statuses,
		Namespace:  judge.Namespace,
		Namespaces: judge.Namespaces,
		Standing:   judge.Standing,
		Log:        log.WithName("status"),
		Wrote:      wrote.of(writesStatus),
		Now:        time.Now,
	}
	teller := &events.Writer{
		Client:   live,
		Book:     kept.told,
		Instance: identity,
		Log:      log.WithName("events"),
		Wrote:    wrote.of(writesEvent),
	}
	tasks := []func(context.Context){fed.OnceJudged(report.Run), fed.OnceJudged(stature.Run), teller.Run}
	if o.Repair.Enabled {
		tasks = append(tasks, fed.OnceRead(repairer.Run))
	}
	return leader.New(config, o.Namespace, identity, log.WithName("leader"), tasks...)
}
