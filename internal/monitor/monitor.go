// Package monitor keeps the findings current: each change on either side judges again the ports that it touched, and only
// those. It is fed by watchers and tells an observer what came and what went.
package monitor

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/portsec"
)

// Observer is told what changed, in order. It must not block and must not call the monitor.
type Observer interface {
	// Counted says that the number of ports in a state changed by delta.
	Counted(state audit.State, delta int)
	// Found says that a finding is new. podUID is empty where no pod claims the port.
	Found(f audit.Finding, podUID string)
	// Cleared says that a finding is gone.
	Cleared(f audit.Finding, podUID string)
}

// Clock tells the time and calls back later.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func())
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now gives the time.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc calls f in a goroutine of its own after d.
func (SystemClock) AfterFunc(d time.Duration, f func()) { time.AfterFunc(d, f) }

// judged is what is known of one port.
type judged struct {
	// result holds the findings that are out, not those that still have to settle.
	result audit.Result
	podUID string
	// since tells, by rule, when a finding that has to settle was first seen.
	since map[string]time.Time
}

// Monitor holds the inventory and what judging it gave. It is safe for use by several goroutines.
type Monitor struct {
	clock    Clock
	observer Observer

	mu    sync.Mutex
	inv   *inventory.Inventory
	eras  []portsec.Era
	live  bool
	ports map[string]judged
	// coming tells when the decision about a port changes by itself, and wake when that is looked at next.
	coming map[string]time.Time
	wake   time.Time
}

// New gives a monitor that judges nothing yet: facts are entered with Change, and Start judges them all.
func New(clock Clock, observer Observer) *Monitor {
	return &Monitor{
		clock: clock, observer: observer,
		inv: inventory.New(), eras: portsec.Eras(), ports: make(map[string]judged), coming: make(map[string]time.Time),
	}
}

// Change enters facts into the inventory. change gives the names of the ports that it touched; they are judged again at
// once, unless Start has not been called yet.
func (m *Monitor) Change(change func(*inventory.Inventory) []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	touched := change(m.inv)
	if !m.live {
		return
	}
	for _, name := range touched {
		m.judge(name)
	}
}

// Start judges every port and, from then on, each port that changes. Call it when both sides have been read once: before,
// a port would only seem to be without its pod, or a pod without its port.
func (m *Monitor) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live = true
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

// Results gives what judging each port gave, findings that still have to settle left out.
func (m *Monitor) Results() map[string]audit.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make(map[string]audit.Result, len(m.ports))
	for name, j := range m.ports {
		results[name] = j.result
	}
	return results
}

func (m *Monitor) sweep() {
	names := make(map[string]bool, len(m.ports))
	for _, name := range m.inv.Names() {
		names[name] = true
	}
	for name := range m.ports {
		names[name] = true
	}
	for name := range maps.Keys(names) {
		m.judge(name)
	}
}

// judge judges one port and tells the observer what is different from before.
func (m *Monitor) judge(name string) {
	port := m.inv.Port(name, m.clock.Now())
	m.expect(name, port.Decision.NextChange)
	before, known := m.ports[name]
	after := judged{result: audit.Evaluate(port, m.eras)}
	if port.Pod != nil {
		after.podUID = port.Pod.UID
	}
	m.settle(name, before, &after)

	for _, f := range before.result.Findings {
		if !after.result.Has(f.Rule) || after.podUID != before.podUID {
			m.observer.Cleared(f, before.podUID)
		}
	}
	if known && before.result.State != audit.OutOfScope {
		m.observer.Counted(before.result.State, -1)
	}
	if port.Pod == nil && port.Row == nil {
		delete(m.ports, name)
		return
	}
	m.ports[name] = after
	if after.result.State != audit.OutOfScope {
		m.observer.Counted(after.result.State, +1)
	}
	for _, f := range after.result.Findings {
		if !before.result.Has(f.Rule) || after.podUID != before.podUID {
			m.observer.Found(f, after.podUID)
		}
	}
}

// settle takes out of after the findings whose rule has not held for long enough, and sees to it that they are looked at
// again when it will have.
func (m *Monitor) settle(name string, before judged, after *judged) {
	if after.podUID != before.podUID {
		before.since = nil // another pod of the same name starts anew
	}
	after.result = after.result.Keep(func(f audit.Finding) bool {
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
				m.clock.AfterFunc(rest, func() { m.again(name) })
			}
			return false
		}
		return true
	})
}

func (m *Monitor) again(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.judge(name)
}
