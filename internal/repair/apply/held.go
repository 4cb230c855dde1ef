package apply

import (
	"fmt"
	"time"
)

// hold notes that a port waits for a human.
func (r *Repairer) hold(port string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = make(map[string]time.Time)
	}
	r.waiting[port] = now
}

// Holding says how many ports wait for a human and what helps; "" where none does.
func (r *Repairer) Holding() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	for port, at := range r.waiting {
		if now.Sub(at) > 2*heldAgain { // it was let through, or is as it must be
			delete(r.waiting, port)
		}
	}
	if len(r.waiting) == 0 {
		return ""
	}
	return fmt.Sprintf(
		"repair holds %d ports: more would change by changed decisions than an ordinary edit explains. See ovnguard "+
			"audit, and "+
			"confirm with: kubectl ovnguard repair confirm",
		len(r.waiting),
	)
}

// tellHeld tells when ports begin to wait for a human, and when none does any more.
func (r *Repairer) tellHeld() {
	text := r.Holding()
	r.Metrics.holding(r.countHeld())
	if r.Held == nil || (text != "") == r.toldHeld {
		return
	}
	r.toldHeld = text != ""
	r.Held(text)
}

func (r *Repairer) countHeld() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}
