// Package monitor keeps the findings current: each change on either side judges again the ports that it touched, and
// only those. It is fed by watchers and tells an observer what came and what went.
package monitor

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Observer receives the changes, in order. It must not block and must not call the monitor.
type Observer interface {
	// Judged says what is known of a port now and what was before. A port that was not known, or is no more, has a
	// Verdict whose State is empty. Beyond returns which findings are new or gone.
	Judged(before, after Verdict)
}

// Clock tells the time and calls back later.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func())
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now returns the time.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc calls f in a goroutine of its own after d.
func (SystemClock) AfterFunc(d time.Duration, f func()) { time.AfterFunc(d, f) }

// Verdict is what judging one port gave. It is never changed once it is given.
type Verdict struct {
	// Port is the name of the Logical_Switch_Port; of what is no port, kind and name, such as "exception shop/router".
	Port string
	// Pod tells whose NIC it is, with PodUID; both are empty where no pod claims the port. Of what is no port it has
	// the namespace.
	Pod    inventory.PodKey
	PodUID string
	// Provider is that of the NIC; empty where no pod claims the port.
	Provider kubeovn.Provider
	// Result holds the findings that are out, not those that still have to settle.
	audit.Result
	// Policy is the name of the policy that the port falls under, empty for the built-in default; Exceptions are the
	// names of those in effect for it. Both mean something only where a pod claims the port.
	Policy     string
	Exceptions []string
}

// VerdictOf returns the verdict on a port: the result, with the pod and the policy of the port.
func VerdictOf(port *inventory.Port, result audit.Result) Verdict {
	v := Verdict{Port: port.Name, Result: result}
	if port.Pod != nil {
		v.Pod, v.PodUID, v.Provider = port.Pod.PodKey, port.Pod.UID, port.Provider
		v.Policy, v.Exceptions = port.Decision.Policy, port.Decision.Exceptions
	}
	return v
}

// Beyond returns the findings that the other verdict does not have about the same pod: new ones, where the other was
// before, and those that are gone, where the other is after.
func (v Verdict) Beyond(other Verdict) (out []audit.Finding) {
	for _, f := range v.Findings {
		if !other.Has(f.Rule) || v.PodUID != other.PodUID {
			out = append(out, f)
		}
	}
	return out
}

// Counts reports whether the port is one of those that are counted: it is known, and in scope.
func (v Verdict) Counts() bool { return v.State != "" && v.State != audit.OutOfScope }

// about names what is judged: a port, or another subject.
type about struct {
	port  string
	thing inventory.Subject
}

// judged is what is known of one port.
type judged struct {
	Verdict
	// since tells, by rule, when a finding that has to settle was first seen.
	since map[string]time.Time
}

// Monitor holds the inventory and what judging it gave. It is safe for use by several goroutines.
type Monitor struct {
	clock    Clock
	observer Observer

	// state is what readers are given: what inv knew after the latest change.
	state atomic.Pointer[inventory.State]

	mu    sync.Mutex
	inv   *inventory.Inventory
	eras  []portsec.Era
	live  bool
	ports map[string]judged
	// beside holds what is no port and has findings, or may get some by lasting.
	beside map[inventory.Subject]judged
	// coming tells when what is said of something changes by itself, and wake when that is looked at next.
	coming map[about]time.Time
	wake   time.Time
	// settling tells what is judged again how long after began, because findings may have lasted by then.
	settling map[time.Duration][]about
	began    time.Time
}

// New returns a monitor that judges nothing yet: facts are entered with Change, and Start judges them all.
func New(clock Clock, observer Observer) *Monitor {
	m := &Monitor{
		clock: clock, observer: observer,
		inv: inventory.New(), eras: portsec.Eras(), ports: make(map[string]judged),
		beside: make(map[inventory.Subject]judged), coming: make(map[about]time.Time),
		settling: make(map[time.Duration][]about), began: clock.Now(),
	}
	m.state.Store(m.inv.Snapshot())
	return m
}

// Change enters facts into the inventory. change returns the names of the ports that it touched; they are judged again
// at once, unless Start has not been called yet. Readers see all of the change or nothing of it.
func (m *Monitor) Change(change func(*inventory.Inventory) []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	touched, things := change(m.inv), m.inv.Affected()
	m.state.Store(m.inv.Snapshot())
	if !m.live {
		return
	}
	for _, name := range touched {
		m.judge(about{port: name})
	}
	for _, t := range things {
		m.judge(about{thing: t})
	}
}

// Start judges every port and, from then on, each port that changes. Call it when both sides have been read once:
// before, a port would only seem to be without its pod, or a pod without its port.
func (m *Monitor) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live = true
	m.inv.Affected() // all are judged
	m.sweep()
}

// SetEras says which parsers of OVN may be the ones that enforce, and judges every port again if that changed.
func (m *Monitor) SetEras(eras []portsec.Era) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Equal(m.eras, eras) {
		return
	}
	m.eras = eras
	if m.live {
		m.sweep()
	}
}

// Eras returns the parsers of OVN that may be the ones that enforce. The slice must not be changed.
func (m *Monitor) Eras() []portsec.Era {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.eras
}

// Results returns what judging each port gave, findings that still have to settle left out.
func (m *Monitor) Results() map[string]audit.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make(map[string]audit.Result, len(m.ports))
	for name, j := range m.ports {
		results[name] = j.Result
	}
	return results
}

// Verdicts returns the verdicts on all ports, and on the subjects that have findings, in no order, with the state that
// they are about.
func (m *Monitor) Verdicts() (*inventory.State, []Verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Verdict, 0, len(m.ports)+len(m.beside))
	for _, j := range m.ports {
		out = append(out, j.Verdict)
	}
	for _, j := range m.beside {
		if len(j.Findings) > 0 {
			out = append(out, j.Verdict)
		}
	}
	return m.State(), out
}

// judge judges one port or subject and tells the observer what is different from before.
func (m *Monitor) judge(a about) {
	if a.port == "" {
		m.judgeSubject(a.thing, m.clock.Now())
		return
	}
	m.enter(m.look(a.port, m.clock.Now()))
}

// look judges one port as it is at that time. It changes nothing.
func (m *Monitor) look(name string, now time.Time) (inventory.Port, audit.Result) {
	port := m.State().Port(name, now)
	return port, audit.Evaluate(port, m.eras)
}

// enter notes what judging a port gave, and tells the observer what is different from before.
func (m *Monitor) enter(port inventory.Port, result audit.Result) {
	name := port.Name
	m.inv.Granted(name, port.Decision)
	m.expect(about{port: name}, port.NextChange())
	before := m.ports[name]
	after := judged{Verdict: VerdictOf(&port, result)}
	m.settle(about{port: name}, before, &after)
	if port.Pod == nil && port.Row == nil && port.Record == nil {
		delete(m.ports, name)
		m.observer.Judged(before.Verdict, Verdict{Port: name})
		return
	}
	m.ports[name] = after
	m.observer.Judged(before.Verdict, after.Verdict)
}

// settle takes out of after the findings with a rule that has not held for long enough, and sees to it that they are
// looked at again when it will have.
func (m *Monitor) settle(a about, before judged, after *judged) {
	if after.PodUID != before.PodUID {
		before.since = nil // another pod of the same name starts again
	}
	after.Result = after.Keep(func(f audit.Finding) bool {
		if f.Rule.Settle == 0 {
			return true
		}
		now := m.clock.Now()
		first, seen := before.since[f.Rule.ID]
		if !seen {
			first = now
		}
		if after.since == nil {
			after.since = make(map[string]time.Time)
		}
		after.since[f.Rule.ID] = first
		if rest := f.Rule.Settle - now.Sub(first); rest > 0 {
			if !seen {
				m.settleAt(a, now.Add(rest))
			}
			return false
		}
		return true
	})
}

// settleStep is how far apart the moments are at which something is judged again. Of a flood of new pods, each of which
// waits for its port, many share one, and do not wake the program for each.
const settleStep = 100 * time.Millisecond

// settleAt has something judged again at a time, or a moment later. It does not go by what the clock is set to
// meanwhile.
func (m *Monitor) settleAt(a about, at time.Time) {
	moment := (at.Sub(m.began) + settleStep - 1).Truncate(settleStep)
	others := m.settling[moment]
	m.settling[moment] = append(others, a)
	if others == nil {
		m.clock.AfterFunc(moment-m.clock.Now().Sub(m.began), func() { m.settled(moment) })
	}
}

// settled judges again what was to be at a moment. Others get their turn in between.
func (m *Monitor) settled(moment time.Duration) {
	m.mu.Lock()
	due := m.settling[moment]
	delete(m.settling, moment)
	m.mu.Unlock()
	for some := range slices.Chunk(due, batch) {
		m.mu.Lock()
		for _, a := range some {
			m.judge(a)
		}
		m.mu.Unlock()
	}
}
