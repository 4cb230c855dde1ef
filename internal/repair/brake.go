package repair

import (
	"slices"
	"time"
)

// Brake stops repair when more ports would change than faults explain: a policy that was mistaken, or a database that was restored
// from another time. A human looks then, and confirms. It is not safe for use by several goroutines at once.
type Brake struct {
	// Percent of all ports, and at least Floor ports, may change within Window.
	Percent, Floor int
	Window         time.Duration

	changed map[string]time.Time
	// order are the changes as they came, the oldest first; what was changed again since stands there twice.
	order     []change
	confirmed time.Time
}

// change is one of a port, at a time.
type change struct {
	port string
	at   time.Time
}

// Confirm lets every port change until a time.
func (b *Brake) Confirm(until time.Time) { b.confirmed = until }

// Limit gives how many ports may change within the window, of total.
func (b *Brake) Limit(total int) int { return max(b.Floor, total*b.Percent/100) }

// Allow tells that the port may be changed now, of total ports, and counts it.
func (b *Brake) Allow(port string, total int, now time.Time) bool {
	b.forget(now)
	_, again := b.changed[port]
	if !again && len(b.changed) >= b.Limit(total) && !now.Before(b.confirmed) {
		return false
	}
	if b.changed == nil {
		b.changed = make(map[string]time.Time)
	}
	b.changed[port] = now
	b.order = append(b.order, change{port, now})
	return true
}

// forget drops the changes that are older than the window. Where the clock was put back, those that are still to come go, too.
func (b *Brake) forget(now time.Time) {
	if n := len(b.order); n > 0 && b.order[n-1].at.After(now) {
		b.order = slices.DeleteFunc(b.order, func(c change) bool { return c.at.After(now) })
		for port, at := range b.changed {
			if at.After(now) {
				delete(b.changed, port)
			}
		}
	}
	old := 0
	for old < len(b.order) && now.Sub(b.order[old].at) > b.Window {
		if c := b.order[old]; b.changed[c.port].Equal(c.at) {
			delete(b.changed, c.port)
		}
		old++
	}
	if old > 0 {
		b.order = slices.Delete(b.order, 0, old)
	}
}
