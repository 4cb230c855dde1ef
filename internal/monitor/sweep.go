package monitor

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// batch is how many ports are judged before others get their turn: it takes some milliseconds.
const batch = 4096

// Sweep judges every port and what there is beside, whatever the events said, and returns how many turned out to be
// something else than the events had led to: none, unless an event was missed. Others get their turn in between.
func (m *Monitor) Sweep() (missed int) {
	m.mu.Lock()
	live, names := m.live, m.names()
	m.mu.Unlock()
	if !live {
		return 0
	}
	for some := range slices.Chunk(names, batch) {
		m.mu.Lock()
		missed += m.judgeAll(some)
		m.mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return missed + m.judgeSubjects()
}

// sweep judges every port, and what there is beside.
func (m *Monitor) sweep() {
	for some := range slices.Chunk(m.names(), batch) {
		m.judgeAll(some)
	}
	m.judgeSubjects()
}

// names returns the name of every port that there is, or was.
func (m *Monitor) names() []string {
	names := make([]string, 0, len(m.ports))
	known := 0
	m.inv.EachName(func(name string) {
		if names = append(names, name); m.ports[name].State != "" {
			known++
		}
	})
	if known == len(m.ports) {
		return names
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	for name := range m.ports {
		if !there[name] {
			names = append(names, name)
		}
	}
	return names
}

// judgeAll judges these ports, on all processors, and returns how many are something else than before. Looking changes
// nothing, so that several may look at once; what comes of it is entered one by one.
func (m *Monitor) judgeAll(names []string) (changed int) {
	type seen struct {
		port   inventory.Port
		result audit.Result
	}
	now := m.clock.Now()
	all := make([]seen, len(names))
	workers := min(runtime.GOMAXPROCS(0), len(names)/64+1)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(names); i += workers {
				all[i].port, all[i].result = m.look(names[i], now)
			}
		})
	}
	group.Wait()
	for _, s := range all {
		before, due := m.ports[s.port.Name], m.coming[about{port: s.port.Name}]
		m.enter(s.port, s.result)
		after := m.ports[s.port.Name]
		if timed := !due.IsZero() && !now.Before(due); !timed && !same(before, after, now) {
			changed++
		}
	}
	return changed
}

// same reports whether two verdicts say the same of the same pod's port. What only had to last for its time counts as
// the same.
func same(a, b judged, now time.Time) bool {
	if a.PodUID != b.PodUID || len(a.since) != len(b.since) {
		return false
	}
	for rule, since := range b.since {
		if _, had := a.since[rule]; !had || now.Before(since) {
			return false
		}
	}
	if len(b.since) > 0 {
		return true
	}
	return a.State == b.State && slices.EqualFunc(a.Findings, b.Findings, func(x, y audit.Finding) bool {
		return x.Rule.ID == y.Rule.ID && x.Message == y.Message
	})
}
