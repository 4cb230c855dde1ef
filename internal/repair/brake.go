package repair

import (
	"slices"
	"time"
)

// Brake stops repair when more ports would change because of changed decisions than an ordinary edit explains: a
// policy that was mistaken. A human looks then, and confirms. It is not safe for use by several goroutines at once.
type Brake struct {
	// Percent of all ports, and at least Floor ports, may change within Window.
	Percent, Floor int
	Window         time.Duration

	changed map[string]change
	// inNamespace is how many of these ports are each namespace's.
	inNamespace map[string]int
	// order are the changes as they came, the oldest first; what was changed again since stands there twice.
	order     []change
	confirmed time.Time
}

// change is one of a port, at a time.
type change struct {
	port, namespace string
	at              time.Time
}

// Confirm lets every port change until a time.
func (b *Brake) Confirm(until time.Time) { b.confirmed = until }

// Limit returns how many ports may change within the window, of total.
func (b *Brake) Limit(total int) int { return max(b.Floor, total*b.Percent/100) }

// Share returns how many of them may be of one namespace, so that none uses up what is for all.
func (b *Brake) Share(total int) int { return max(1, b.Limit(total)/4) }

// Allow reports whether a port of a namespace may be changed now, of total ports, and counts it.
func (b *Brake) Allow(port, namespace string, total int, now time.Time) bool {
	b.forget(now)
	before, again := b.changed[port]
	over := len(b.changed) >= b.Limit(total) || b.inNamespace[namespace] >= b.Share(total)
	if !again && over && !now.Before(b.confirmed) {
		return false
	}
	if b.changed == nil {
		b.changed, b.inNamespace = make(map[string]change), make(map[string]int)
	}
	if again {
		b.drop(before)
	}
	c := change{port, namespace, now}
	b.changed[port] = c
	b.inNamespace[namespace]++
	b.order = append(b.order, c)
	return true
}

// drop takes a change out.
func (b *Brake) drop(c change) {
	delete(b.changed, c.port)
	if b.inNamespace[c.namespace]--; b.inNamespace[c.namespace] <= 0 {
		delete(b.inNamespace, c.namespace)
	}
}

// forget drops the changes that are older than the window. Where the clock was put back, those that are still to come
// go, too.
func (b *Brake) forget(now time.Time) {
	if n := len(b.order); n > 0 && b.order[n-1].at.After(now) {
		b.order = slices.DeleteFunc(b.order, func(c change) bool { return c.at.After(now) })
		for _, c := range b.changed {
			if c.at.After(now) {
				b.drop(c)
			}
		}
	}
	old := 0
	for old < len(b.order) && now.Sub(b.order[old].at) > b.Window {
		if c := b.order[old]; b.changed[c.port] == c {
			b.drop(c)
		}
		old++
	}
	if old > 0 {
		b.order = slices.Delete(b.order, 0, old)
	}
}
