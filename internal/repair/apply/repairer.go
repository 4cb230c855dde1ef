// Package apply carries out what package repair decides: it annotates pods and writes rows, and writes down before what
// it is about to do.
package apply

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/internal/rows"
	"github.com/ovnguard/ovnguard/portsec"
)

// Repairer puts ports right while Run runs.
type Repairer struct {
	// Queue has the ports to look at; the monitor tells it.
	Queue   *Queue
	Monitor *monitor.Monitor
	Mirror  *ovn.Mirror
	// Pods writes pods' annotations.
	Pods    client.StatusClient
	Journal *journal.Journal
	// Eras returns those that may enforce.
	Eras func() []portsec.Era
	// Current says why the facts may be old, so that nothing may be written by them; nil where they are not.
	Current func() error
	// Confirmed returns until when a human lets more ports change than the brake does; zero where nobody does.
	Confirmed func(context.Context) time.Time
	Brake     repair.Brake
	Rate      *rate.Limiter
	Log       logr.Logger
	Metrics   *Metrics
	// Held receives the text of Holding when ports begin to wait for a human, and "" when none waits any more; nil
	// where nobody wants it.
	Held func(text string)
	// Wrote receives each change that was made, with the port as it was before; nil where nobody wants it.
	Wrote func(before *inventory.Port, change *journal.Entry)
	// Now returns the time; time.Now outside tests.
	Now func() time.Time

	mu      sync.Mutex
	waiting map[string]time.Time // ports that the brake holds, with when it did last

	past map[string]repair.History
	// ahead are changes of rows that are written down already, by port.
	ahead  map[string]ahead
	before map[string]bool // the ports that were there when Run began, and have not been looked at
	logged map[string]string
	held   map[string]bool // namespaces, "" for all, of which it was said that their ports wait for a human
	asked  time.Time       // when a human's word was looked for last
	// toldHeld means that Held was told of ports that wait.
	toldHeld bool
}

// Batch is how many ports are looked at, and changed, at a time.
const Batch = 100

// take returns some of the ports that are to be looked at.
func (r *Repairer) take() map[string]time.Time {
	// What is prepared is kept waiting by nothing else.
	names, waiting := r.Queue.take(maps.Keys(r.ahead), r.expected() > 0)
	if waiting {
		r.Queue.later(r.Now().Add(turn))
	}
	return names
}

// Run looks at all ports, and then at each that is judged, until ctx ends. What it began it completes.
func (r *Repairer) Run(ctx context.Context) {
	r.ahead = make(map[string]ahead)
	r.past, r.logged, r.held, r.before = make(
		map[string]repair.History,
	), make(
		map[string]string,
	), make(
		map[string]bool,
	), make(
		map[string]bool,
	)
	defer r.Queue.end()
	r.Queue.begin()
	var all []string
	r.Monitor.Read(func(inv *inventory.State) { all = inv.Names() })
	for _, name := range all {
		r.before[name] = true
	}
	r.Queue.add(all...)
	flush := time.NewTicker(time.Second)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			r.expire(0)
			r.flush(context.WithoutCancel(ctx))
			return
		case <-flush.C:
			r.expire(2 * repair.Grace)
			if r.expected() == 0 { // what is prepared is not kept waiting; the next change writes outcomes as well
				r.flush(ctx)
			}
			r.tellHeld()
		case <-r.Queue.wake:
			r.work(ctx)
		}
	}
}

// flushTimeout bounds the writing of outcomes at the end.
const flushTimeout = 2 * time.Second

func (r *Repairer) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := r.Journal.Flush(ctx); err != nil {
		r.Log.V(1).Info("outcomes are not written down yet", "reason", err.Error())
	}
}

// work looks at the ports in the queue until it is empty.
func (r *Repairer) work(ctx context.Context) {
	for ctx.Err() == nil {
		names := r.take()
		if len(names) == 0 {
			return
		}
		if err := r.Current(); err != nil {
			r.Queue.later(r.Now().Add(time.Second), keys(names)...)
			r.Metrics.state(stateStale)
			return
		}
		r.batch(ctx, names)
	}
}

// look is a port with what is to be done about it.
type look struct {
	port   inventory.Port
	row    *ovn.Port
	since  time.Time
	action repair.Action
	// next is the change of the row that comes after an annotation's; nil where none is known of.
	next *journal.Entry
}

// batch plans for some ports and carries the plans out.
func (r *Repairer) batch(ctx context.Context, names map[string]time.Time) {
	now := r.Now()
	snapshot := r.Mirror.Snapshot()
	var looks []look
	total := 0
	r.Monitor.Read(func(inv *inventory.State) {
		total = snapshot.Ports().Len()
		for name, since := range names {
			l := look{port: inv.Port(name, now), row: snapshot.Port(name), since: since}
			if l.port.Pod == nil || l.row == nil {
				delete(r.past, name)
				delete(r.logged, name)
				delete(r.before, name)
				continue
			}
			l.port.Row = rows.Of(l.row) // the mirror may be ahead of what was judged
			looks = append(looks, l)
		}
	})
	eras := r.Eras()
	var todo []look
	for _, l := range looks {
		name := l.port.Name
		before := r.past[name]
		past := before.Saw(l.port.Pod.UID, l.row.UUID, now).Proved(&l.port)
		if before.PodUID != l.port.Pod.UID {
			if !r.before[name] {
				past.Began = now
			}
			delete(r.before, name)
		}
		if l.action = repair.Plan(l.port, eras, past, now); l.action.Right {
			past = past.Settle(&l.port.Decision)
		}
		r.past[name] = past
		if !r.settled(l) && r.mayChange(ctx, &l, eras, total) {
			todo = append(todo, l)
		}
	}
	r.write(ctx, todo)
	r.annotate(ctx, r.inTurn(of(todo, repair.Annotate)))
	r.tell(looks)
}

// mayChange reports whether the brake lets the port be changed. Where it does not, and nothing but grants changed, what
// has ended of them is taken away nevertheless.
func (r *Repairer) mayChange(ctx context.Context, l *look, eras []portsec.Era, total int) bool {
	name, past, now := l.port.Name, r.past[l.port.Name], r.Now()
	allow := func() bool { return r.Brake.Allow(name, l.port.Pod.Namespace, total, now) }
	if !past.Counts(&l.port, now) || allow() || r.confirmed(ctx, l.port.Pod.Namespace, total) && allow() {
		return true
	}
	r.Queue.later(now.Add(heldAgain), name)
	r.hold(name, now)
	if !past.GrantsOnly(&l.port) {
		return false
	}
	l.action = repair.Tighten(l.port, eras, past, now)
	return l.action.Kind == repair.Write && !l.action.Log
}

// tell has the audit know which rows somebody else keeps writing.
func (r *Repairer) tell(looks []look) {
	contested := make(map[string]int)
	for _, l := range looks {
		times := 0
		if h := r.past[l.port.Name]; r.Now().Before(h.ContestedUntil()) {
			times = h.Streak
			r.Queue.later(h.ContestedUntil(), l.port.Name)
		}
		if l.port.Contested != times {
			contested[l.port.Name] = times
		}
	}
	if len(contested) == 0 {
		return
	}
	r.Monitor.Change(func(inv *inventory.Inventory) []string {
		var touched []string
		for name, times := range contested {
			touched = append(touched, inv.SetContested(name, times)...)
		}
		return touched
	})
}

// settled deals with actions that change nothing, and reports that there is no more to do.
func (r *Repairer) settled(l look) bool {
	name, a := l.port.Name, l.action
	if !a.Again.IsZero() && !a.Log {
		r.Queue.later(a.Again, name)
	}
	r.Metrics.planned(a)
	switch changes := a.Kind == repair.Annotate || a.Kind == repair.Write; {
	case a.Kind == repair.Nothing:
		delete(r.logged, name)
		return true
	case changes && !a.Log:
		return false
	default:
		text := string(a.Kind) + a.Why
		if r.logged[name] == text || a.Kind == repair.Wait {
			return true
		}
		r.logged[name] = text
		if changes {
			r.Log.Info(
				"a port is not as it must be, and stays so, since policy says repair: log",
				"port", name, "policy", l.port.Decision.Policy, "would", a.Kind, "because", a.Why,
				"portSecurity", a.PortSecurity, "addresses", a.Addresses, "annotations", a.Annotations,
			)
			return true
		}
		r.Log.Info(
			"a port is not as it must be, and is left alone",
			"port", name, "action", a.Kind, "reason", a.Why, "onlyLogged", a.Log,
		)
		return true
	}
}

// heldAgain is how long a port waits for a human before it is looked at again.
const heldAgain = 5 * time.Second

// askAgain is how long the answer counts that no human has confirmed: many ports wait for the same word.
const askAgain = time.Second

// confirmed asks whether a human lets more ports change, and says so once for each namespace where nobody does.
func (r *Repairer) confirmed(ctx context.Context, namespace string, total int) bool {
	if !r.held[namespace] {
		r.held[namespace] = true
		r.Log.Info(
			"repair holds changes that follow from a changed decision: more ports would change than an ordinary edit "+
				"explains; look at them, "+
				"and confirm with: kubectl ovnguard repair confirm. What was decided before is still enforced",
			"namespace",
			namespace,
			"limit",
			r.Brake.Limit(total),
			"limitOfANamespace",
			r.Brake.Share(total),
			"ports",
			total,
		)
	}
	if r.Now().Sub(r.asked) < askAgain {
		return false
	}
	r.asked = r.Now()
	if until := r.Confirmed(ctx); r.Now().Before(until) {
		r.Brake.Confirm(until)
		clear(r.held)
		return true
	}
	r.Metrics.state(stateHeld)
	return false
}

func keys(m map[string]time.Time) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	return out
}
