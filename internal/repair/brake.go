package repair

import "time"

// Brake stops repair when more ports would change than faults explain: a policy that was mistaken, or a database that was restored
// from another time. A human looks then, and confirms. It is not safe for use by several goroutines at once.
type Brake struct {
	// Percent of all ports, and at least Floor ports, may change within Window.
	Percent, Floor int
	Window         time.Duration

	changed   map[string]time.Time
	confirmed time.Time
}

// Confirm lets every port change until a time.
func (b *Brake) Confirm(until time.Time) { b.confirmed = until }

// Limit gives how many ports may change within the window, of total.
func (b *Brake) Limit(total int) int { return max(b.Floor, total*b.Percent/100) }

// Allow tells that the port may be changed now, of total ports, and counts it.
func (b *Brake) Allow(port string, total int, now time.Time) bool {
	for name, at := range b.changed {
		if now.Sub(at) > b.Window || at.After(now) {
			delete(b.changed, name)
		}
	}
	_, again := b.changed[port]
	if !again && len(b.changed) >= b.Limit(total) && !now.Before(b.confirmed) {
		return false
	}
	if b.changed == nil {
		b.changed = make(map[string]time.Time)
	}
	b.changed[port] = now
	return true
}
