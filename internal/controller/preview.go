package controller

import (
	"context"
	"maps"
	"time"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/preview"
)

// How often it is looked what admission would refuse of the pods that run.
const (
	// previewEvery is how soon it is looked again after something has changed, at the earliest.
	previewEvery = 5 * time.Second
	// previewShare bounds what that takes: one part in so many of a processor, unless a look takes several seconds.
	previewShare = 100
	// previewAlways is how soon it is looked again whatever that takes, and where nothing has changed: exceptions begin
	// and end.
	previewAlways = 5 * time.Minute
)

// previewer keeps in the inventory what admission would refuse of the pods that run, if they were made again. It knows
// what the inventory holds of them, and not the templates of workloads.
type previewer struct {
	monitor *monitor.Monitor
	// accounts returns the users that own certain keys, as they count now.
	accounts func() admission.Accounts
}

// run looks again and again until ctx ends.
func (p previewer) run(ctx context.Context) {
	pause := func(took time.Duration) time.Duration {
		return min(max(previewEvery, previewShare*took), previewAlways)
	}
	again{pause, previewAlways}.run(ctx, p.monitor, p.look)
}

// look judges what runs, and enters what is different from before.
func (p previewer) look(state *inventory.State, now time.Time) {
	c := preview.Cluster{Inventory: state, Accounts: p.accounts(), LeftOut: admissionpolicy.OwnNamespace, Now: now}
	foreseen := c.Foresee(nil)
	if maps.EqualFunc(foreseen, state.Foreseen(), inventory.Foreseen.Equal) {
		return
	}
	p.monitor.Change(func(inv *inventory.Inventory) []string { return inv.SetForeseen(foreseen) })
}
