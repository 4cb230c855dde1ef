package monitor

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// lookAgain bounds how long a change that is to come is trusted to a timer: timers do not follow when the clock is set.
const lookAgain = time.Minute

// State returns what the inventory knew after the latest change. It waits for nobody, and what it returns may be kept.
func (m *Monitor) State() *inventory.State { return m.state.Load() }

// Read calls read with the State. read may take its time, and may call the monitor.
func (m *Monitor) Read(read func(*inventory.State)) { read(m.State()) }

// Namespace returns what policy reads of a namespace.
func (m *Monitor) Namespace(name string) policy.Namespace { return m.State().Namespace(name) }

// Namespaces returns what policy reads of all namespaces.
func (m *Monitor) Namespaces() []policy.Namespace { return m.state.Load().Namespaces() }

// Standing returns an exception with what it would grant of others without their consent.
func (m *Monitor) Standing(e policy.Exception) policy.Exception { return m.state.Load().Standing(e) }

// expect notes when what is said of something changes by itself, because an exception begins or ends.
func (m *Monitor) expect(a about, at time.Time) {
	if at.IsZero() {
		delete(m.coming, a)
		return
	}
	m.coming[a] = at
	m.schedule(at)
}

// schedule makes come run at this time, unless it runs earlier anyway.
func (m *Monitor) schedule(at time.Time) {
	now := m.clock.Now()
	if limit := now.Add(lookAgain); at.After(limit) {
		at = limit
	}
	if !m.wake.IsZero() && !at.Before(m.wake) && m.wake.After(now) {
		return // somebody looks earlier
	}
	m.wake = at
	m.clock.AfterFunc(max(at.Sub(now), 0), m.come)
}

// come judges the ports and subjects that are due, and schedules the others for their time.
func (m *Monitor) come() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	m.wake = time.Time{}
	var next time.Time
	for a, at := range m.coming {
		switch {
		case !now.Before(at):
			m.judge(a) // notes the next change, if there is one
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	if !next.IsZero() {
		m.schedule(next)
	}
}
