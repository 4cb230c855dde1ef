package controller

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/reach"
)

// How often it is looked what pods may send to each other.
const (
	// reachEvery is how soon it is looked again after something has changed, at the earliest. A look that takes longer is
	// followed by a pause of the same length.
	reachEvery = 3 * time.Second
)

// reacher keeps in the inventory what is wrong of policies of the network, and what ports open that forge.
type reacher struct {
	monitor *monitor.Monitor
	log     logr.Logger
}

// run looks again and again until ctx ends.
func (r reacher) run(ctx context.Context) {
	pause := func(took time.Duration) time.Duration { return max(reachEvery, took) }
	again{pause: pause}.run(ctx, r.monitor, r.look)
}

// look looks at the cluster, and enters what is different from before.
func (r reacher) look(state *inventory.State, now time.Time) {
	facts, radii := reach.Look(reach.Input{
		State: state, Eras: r.monitor.Eras(), Policies: kube.NetworkPoliciesOf(state), Now: now,
	})
	r.log.V(1).Info("looked at what pods may send to each other", "took", time.Since(now))
	if state.HasReached(facts, radii) {
		return
	}
	r.monitor.Change(func(inv *inventory.Inventory) []string { return inv.SetReached(facts, radii) })
}
