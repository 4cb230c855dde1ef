package controller

import (
	"context"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// again says how often something is looked at in the whole cluster.
type again struct {
	// pause returns how long to wait after a look that took so long.
	pause func(took time.Duration) time.Duration
	// always is how soon it is looked again where nothing has changed; zero for never.
	always time.Duration
}

// run has look look again and again until ctx ends. It is given a snapshot, and holds up nobody.
func (a again) run(ctx context.Context, m *monitor.Monitor, look func(*inventory.State, time.Time)) {
	var seen *inventory.State
	var looked time.Time
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		begin := time.Now()
		if state := m.State(); state != seen || a.always > 0 && begin.Sub(looked) >= a.always {
			look(state, begin)
			seen, looked = state, begin
		}
		wait = a.pause(time.Since(begin))
	}
}
