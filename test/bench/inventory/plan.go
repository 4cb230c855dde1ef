package main

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/plan"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/preview"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/bench/generated"
	"github.com/ovnguard/ovnguard/test/bench/table"
)

// Bounds of the time to say what a policy would change, for which somebody waits: where a few ports change, and where
// each of them does.
const (
	planLimit    = 5 * time.Second
	planAllLimit = 20 * time.Second
)

// plans measures how long it takes to say what an edit of the policy would do: where it changes the ports that drifted,
// and where it changes all of them.
func plans(t *table.Table, pods int) error {
	inv := inventory.New()
	generated.Fill(inv, pods)
	side := func() plan.Side {
		return plan.Side{Cluster: &preview.Cluster{
			Inventory: inv.Snapshot(), Accounts: admission.DefaultAccounts(), Now: time.Now(),
		}}
	}
	before := side()
	for _, c := range []struct {
		what    string
		level   policy.Level
		changes int
		limit   time.Duration
	}{
		{"plan: repair switched on", policy.Strict, pods / generated.DriftEvery, planLimit},
		{"plan: level mac for all", policy.MAC, pods, planAllLimit},
	} {
		inv.SetPolicy(policy.Policy{Name: "teams", Priority: 1, Level: c.level, Repair: policy.RepairOn})
		q := plan.Question{Before: before, After: side(), Eras: portsec.OVN{Version: "24.03.2"}.Eras()}
		var r plan.Result
		took := repeat(func() { r = plan.Compare(q) })
		if got := r.Summary.Changes; got != c.changes {
			return fmt.Errorf("%s: %d ports change, want %d", c.what, got, c.changes)
		}
		row := table.Row{
			What: fmt.Sprintf("%s, %d of %d ports change", c.what, c.changes, pods), Measured: text(took),
			Ratio: perPort(took, pods),
		}
		if pods == barSize {
			row.Bar, row.Missed = "< "+c.limit.String(), took >= c.limit
		}
		t.Add(row)
	}
	return nil
}
