package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/explain"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/reach"
	"github.com/ovnguard/ovnguard/portsec"
)

// gathered are the facts, and the ports that are asked about.
type gathered struct {
	inv   *inventory.Inventory
	ports []explain.Port
	eras  []portsec.Era
	notes []string
	now   time.Time
}

// gather reads both sides once. The Northbound database is read where --nb or the layout names it.
func (o *explainOptions) gather(ctx context.Context, api client.Reader, t target) (*gathered, error) {
	g := &gathered{inv: inventory.New(), now: time.Now(), notes: slices.Clone(o.unplaced)}
	g.inv.SetSetup(o.setup)
	version := ""
	if o.northbound != "" {
		d, err := o.readNorthbound(ctx, g.now, g.inv)
		if err != nil {
			return nil, err
		}
		version = d.version
		g.notes = slices.Concat(g.notes, d.notes, noneMarked(&g.inv.State))
	} else if o.kubernetes != "" {
		g.notes = append(
			g.notes,
			"no Northbound database was named; not known: what OVN has, and what the audit finds; "+
				"--nb names it",
		)
	}
	var cluster clusterFile
	var err error
	if o.kubernetes != "" {
		cluster, err = readClusterFile(o.kubernetes, g.now, g.inv)
	} else {
		cluster.notes, cluster.templates, err = readClusterWithTemplates(ctx, api, g.inv, o.within)
	}
	if err != nil {
		return nil, err
	}
	g.notes = append(g.notes, cluster.notes...)
	build := o.ovn(version)
	g.inv.SetOVN(build)
	notes, err := o.readSouthbound(ctx, g.now, g.inv)
	if err != nil {
		return nil, unreachable(databaseError{fmt.Errorf("--sb: %w", err), ovn.Southbound})
	}
	g.notes, g.eras = append(g.notes, notes...), build.Eras()
	if !t.asks() {
		g.inv.SetReached(reach.Look(reachInput(g.inv.Snapshot(), g.eras, g.now)))
		g.inv.SetForeseen(o.foresee(g.inv, cluster.templates, g.now))
		o.pick(g, t)
	}
	return g, nil
}

// pick enters the ports that are asked about.
func (o *explainOptions) pick(g *gathered, t target) {
	for _, name := range g.inv.Names() {
		p := g.inv.Port(name, g.now)
		if !t.is(&p, o.selector) || o.provider != "" && string(p.Provider) != o.provider {
			continue
		}
		x := explain.Port{
			Port: p, Eras: g.eras, Asked: explain.Asked{Northbound: o.northbound != "", Southbound: o.southbound != ""},
		}
		if len(p.Eras) > 0 {
			x.Eras = p.Eras
		}
		if o.northbound != "" {
			x.Result = new(audit.Evaluate(p, g.eras))
		}
		if x.Pod != nil {
			x.Decision.Steps = explain.Steps(g.inv.Snapshot(), &p, g.now)
			x.Beyond = explain.Beyond(&g.inv.State, &p, g.now)
		}
		x.Place(&g.inv.State)
		g.ports = append(g.ports, x)
	}
	slices.SortStableFunc(g.ports, func(a, b explain.Port) int { return explain.DefaultFirst(&a.Port, &b.Port) })
}

// results returns what the audit says of the ports, by name.
func (g *gathered) results() map[string]audit.Result {
	out := make(map[string]audit.Result, len(g.ports))
	for i := range g.ports {
		if r := g.ports[i].Result; r != nil {
			out[g.ports[i].Name] = *r
		}
	}
	return out
}

// answerTime is how long a database that no flag names has to accept a connection.
const answerTime = 3 * time.Second

// answers returns an error unless one of the endpoints of the Northbound database accepts a connection.
func (o *reading) answers(ctx context.Context) error {
	endpoints, err := ovn.ParseEndpoints(o.northbound)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var errs []error
	for _, e := range endpoints {
		kind, address, _ := strings.Cut(e, ":")
		if kind != "unix" {
			kind = "tcp"
		}
		c, err := new(net.Dialer).DialContext(ctx, kind, address)
		if err == nil {
			_ = c.Close() // nothing was sent
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// reporter is the name by which this program makes Events.
const reporter = "ovnguard"

// addEvents enters the Events of this program about the pods. notes say why they are not known.
func addEvents(ctx context.Context, api client.Reader, g *gathered) (notes []string) {
	if api == nil {
		return nil
	}
	for i := range g.ports {
		p := &g.ports[i]
		if p.Pod == nil {
			continue
		}
		var list corev1.EventList
		err := api.List(ctx, &list, client.InNamespace(p.Pod.Namespace),
			client.MatchingFields{"involvedObject.kind": "Pod", "involvedObject.name": p.Pod.Name})
		if err != nil {
			return []string{fmt.Sprintf("Events may not be listed (%v); not known: what was said about the pod", err)}
		}
		for j := range list.Items {
			e := &list.Items[j]
			if string(e.InvolvedObject.UID) != p.Pod.UID ||
				e.ReportingController != reporter && e.Source.Component != reporter {
				continue
			}
			p.Events = append(p.Events, explain.Event{
				Time: lastSeen(e), Type: e.Type, Reason: e.Reason, Message: e.Message,
			})
		}
		slices.SortFunc(p.Events, func(a, b explain.Event) int { return a.Time.Compare(b.Time) })
	}
	return nil
}

// lastSeen returns when an Event happened last.
func lastSeen(e *corev1.Event) time.Time {
	last := e.LastTimestamp.Time
	if e.Series != nil && e.Series.LastObservedTime.After(last) {
		last = e.Series.LastObservedTime.Time
	}
	if e.EventTime.After(last) {
		last = e.EventTime.Time
	}
	if last.IsZero() {
		last = e.CreationTimestamp.Time
	}
	return last
}
