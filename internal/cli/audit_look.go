package cli

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/preview"
	"github.com/ovnguard/ovnguard/internal/reach"
	"github.com/ovnguard/ovnguard/internal/report"
	"github.com/ovnguard/ovnguard/portsec"
)

// unsettled is how long Kube-OVN has for the port of a pod that was just made, before an audit calls it unknown.
const unsettled = 3 * time.Second

// settling is how long to wait before looking again; nothing where the first look is final.
func settling(results map[string]audit.Result) time.Duration {
	pause := audit.Settling(results)
	for _, r := range results {
		if r.State == audit.Unknown {
			return max(pause, unsettled)
		}
	}
	return pause
}

// picture is what one look at both sides gives.
type picture struct {
	inv     *inventory.Inventory
	results map[string]audit.Result
	// judged has the pod and the provider for each result; the result itself is in results.
	judged []report.Judged
	// namespaces are those that a result is about.
	namespaces map[string]bool
	// notes say what could not be taken into account, and damage what of files could not be read.
	notes  []string
	damage []string
	// northbound is the rest of what the database tells.
	northbound database
}

// judge reads both sides and judges every port. They cannot be read at the same moment, so that a pod which comes or
// goes meanwhile seems to be without its port, or the port without its pod. Where that is found on a running cluster,
// or a port could not be judged, both sides are read once more after a while, and what did not last is left out.
func (o *reading) judge(ctx context.Context, now time.Time) (picture, error) {
	var c client.Reader
	if o.kubernetes == "" {
		var err error
		if c, err = o.client(); err != nil {
			return picture{}, err
		}
	}
	seen, err := o.look(ctx, now, c)
	if err != nil {
		return picture{}, err
	}
	_, file := databaseFile(o.northbound)
	if pause := settling(seen.results); pause > 0 && c != nil && !file {
		stage(ctx, "waiting to see whether the findings last")
		select {
		case <-ctx.Done():
			return picture{}, unreachable(
				fmt.Errorf(
					"--timeout: %s: ended before the findings could be checked again after %s: %w",
					o.timeout,
					pause,
					ctx.Err(),
				),
			)
		case <-time.After(pause):
		}
		earlier := seen.results
		if seen, err = o.look(ctx, now, c); err != nil {
			return picture{}, err
		}
		seen.results = audit.Lasting(earlier, seen.results)
	}
	return seen, nil
}

// bothSides is what was read of both sides, before anything is judged.
type bothSides struct {
	inv       *inventory.Inventory
	templates []preview.Template
	// northbound is what the database tells besides its ports, and build which OVN enforces.
	northbound database
	build      portsec.OVN
	// notes say what could not be taken into account, and damage what of files could not be read.
	notes, damage []string
}

// gather reads both sides once.
func (o *reading) gather(ctx context.Context, now time.Time, c client.Reader) (g bothSides, err error) {
	g.inv = inventory.New()
	g.inv.SetSetup(o.setup)
	var objects clusterObjects
	var objectsErr error
	var reader sync.WaitGroup
	if c == nil { // files are read meanwhile
		reader.Go(func() { objects, objectsErr = readClusterObjects(o.kubernetes) })
	}
	g.northbound, err = o.readNorthbound(ctx, now, g.inv)
	reader.Wait()
	if err = cmp.Or(err, objectsErr); err != nil {
		return bothSides{}, err
	}
	var cluster clusterFile
	if c != nil {
		cluster.notes, g.templates, err = readClusterWithTemplates(ctx, c, g.inv, o.within)
	} else {
		cluster, err = objects.enter(now, g.inv)
		g.templates = cluster.templates
	}
	if err != nil {
		return bothSides{}, err
	}
	g.build = o.ovn(g.northbound.version)
	g.inv.SetOVN(g.build)
	southbound, err := o.readSouthbound(ctx, now, g.inv)
	if err != nil {
		return bothSides{}, unreachable(databaseError{fmt.Errorf("--sb: %w", err), ovn.Southbound})
	}
	g.notes = slices.Concat(
		o.unplaced,
		g.northbound.notes,
		noneMarked(&g.inv.State),
		southbound,
		cluster.notes,
		versionNote(g.build.Version, g.build.Eras()),
	)
	if g.northbound.damage != "" {
		g.damage = append(g.damage, "the database file is damaged and lacks "+g.northbound.damage)
	}
	if cluster.damage != "" {
		g.damage = append(g.damage, "objects of the cluster could not be read: "+cluster.damage)
	}
	return g, nil
}

// look reads both sides once and judges every port.
func (o *reading) look(ctx context.Context, now time.Time, c client.Reader) (picture, error) {
	g, err := o.gather(ctx, now, c)
	if err != nil {
		return picture{}, err
	}
	inv, eras := g.inv, g.build.Eras()
	inv.SetReached(reach.Look(reachInput(inv.Snapshot(), eras, now)))
	judged, foreseen := o.judgePorts(inv.Snapshot(), eras, g.templates, now)
	seen := picture{
		inv: inv, results: make(map[string]audit.Result, len(judged)), namespaces: make(map[string]bool),
		judged: judged, notes: g.notes, damage: g.damage, northbound: g.northbound,
	}
	for i := range judged {
		seen.enter(&judged[i])
	}
	inv.SetForeseen(foreseen)
	for _, t := range inv.Subjects() {
		view := inv.SubjectView(t)
		// No port of Kube-OVN's has a name with a blank.
		if v := monitor.VerdictOfSubject(&view, audit.EvaluateSubject(view, now)); len(v.Findings) > 0 {
			seen.add(report.Judged{Verdict: v})
		}
	}
	return seen, nil
}

// judgePorts judges all ports, in the order of their names, and foresees what admission would do about what runs. All
// processors take part.
func (o *reading) judgePorts(
	state *inventory.State, eras []portsec.Era, templates []preview.Template, now time.Time,
) (judged []report.Judged, foreseen map[inventory.Subject]inventory.Foreseen) {
	names := state.Names()
	judged = make([]report.Judged, len(names))
	var workers sync.WaitGroup
	parts := runtime.GOMAXPROCS(0)
	for part := range parts {
		from, to := len(names)*part/parts, len(names)*(part+1)/parts
		workers.Go(func() {
			for i := from; i < to; i++ {
				port := state.Port(names[i], now)
				judged[i].Verdict = monitor.VerdictOf(&port, audit.Evaluate(port, eras))
			}
		})
	}
	workers.Go(func() { foreseen = o.previewed(state, now).Foresee(templates) })
	workers.Wait()
	return judged, foreseen
}

// add adds a result.
func (p *picture) add(j report.Judged) {
	p.judged = append(p.judged, j)
	p.enter(&j)
}

// enter notes what a result is about.
func (p *picture) enter(j *report.Judged) {
	p.results[j.Port] = j.Result
	p.namespaces[j.Pod.Namespace] = true
}

// noneMarked says so where nothing in the database is Kube-OVN's.
func noneMarked(inv *inventory.State) []string {
	if !inv.NoneMarked() || inv.RowsDoubted().Lacks != "" {
		return nil
	}
	ports := 0
	inv.EachRow(func(*inventory.Row) { ports++ })
	if ports == 0 {
		return []string{
			"the Northbound database has no port at all: --nb names the wrong database, or Kube-OVN has not written " +
				"to it yet",
		}
	}
	return []string{
		fmt.Sprintf(
			"none of the %d ports in the Northbound database is Kube-OVN's (external_ids:vendor=kube-ovn): "+
				"--nb names the wrong database, or another network plugin writes this database, and its ports are "+
				"not judged",
			ports,
		),
	}
}

// foresee returns what admission would do about what runs, if it were made again.
func (o *reading) foresee(
	inv *inventory.Inventory,
	templates []preview.Template,
	now time.Time,
) map[inventory.Subject]inventory.Foreseen {
	c := o.previewed(inv.Snapshot(), now)
	return c.Foresee(templates)
}

// previewed returns a state as that in which pods would be made again.
func (o *reading) previewed(s *inventory.State, now time.Time) *preview.Cluster {
	return &preview.Cluster{Inventory: s, Accounts: o.accounts, LeftOut: admissionpolicy.OwnNamespace, Now: now}
}
