package apply

import (
	"iter"
	"sync"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// Queue holds the ports that repair looks at next. It is an observer of the monitor: whatever is judged is looked at.
type Queue struct {
	now  func() time.Time
	wake chan struct{}

	mu sync.Mutex
	// open means that somebody takes from it: a Repairer begins with all ports, and nothing is kept for it before.
	open bool
	due  map[string]time.Time // with when they were put there
}

// NewQueue returns an empty queue. now returns the time.
func NewQueue(now func() time.Time) *Queue {
	return &Queue{now: now, wake: make(chan struct{}, 1), due: make(map[string]time.Time)}
}

// Judged implements monitor.Observer. A port whose pod is gone is looked at as well, to be forgotten.
func (q *Queue) Judged(before, after monitor.Verdict) {
	if after.State != audit.OutOfScope && after.PodUID != "" || before.PodUID != "" && after.PodUID == "" {
		q.add(after.Port)
	}
}

// begin opens the queue, and end closes it.
func (q *Queue) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = true
	clear(q.due)
}

func (q *Queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = false
}

// add has ports looked at, while the queue is open.
func (q *Queue) add(ports ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return
	}
	now := q.now()
	for _, name := range ports {
		if _, there := q.due[name]; !there {
			q.due[name] = now
		}
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// later adds ports at a time.
func (q *Queue) later(at time.Time, ports ...string) {
	time.AfterFunc(max(at.Sub(q.now()), 0), func() { q.add(ports...) })
}

// take returns ports that are due, with since when: the urgent ones, or up to a batch of the others where there are
// none and they need not wait. waiting reports whether the others do.
func (q *Queue) take(urgent iter.Seq[string], wait bool) (ports map[string]time.Time, waiting bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ports = make(map[string]time.Time, min(len(q.due), Batch))
	move := func(name string) {
		ports[name] = q.due[name]
		delete(q.due, name)
	}
	for name := range urgent {
		if _, there := q.due[name]; there {
			move(name)
		}
	}
	if len(ports) > 0 || wait {
		return ports, len(q.due) > 0
	}
	for name := range q.due {
		if len(ports) == Batch {
			break
		}
		move(name)
	}
	return ports, false
}
