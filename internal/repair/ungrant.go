package repair

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Ungrant says what is to be done about a port so that it has nothing any more that exceptions and Vips granted,
// whatever policy says about repair. A port that is granted nothing is left alone: granted is false.
func Ungrant(p inventory.Port, eras []portsec.Era, now time.Time) (a Action, granted bool) {
	d := p.Decision
	if len(d.Pairs) == 0 && d.Level == d.BaseLevel && d.Forwarding == d.BaseForwarding {
		return Action{Kind: Nothing}, false
	}
	d.Level, d.Forwarding, d.Pairs = d.BaseLevel, d.BaseForwarding, nil
	d.LevelFrom, d.ForwardingFrom = policy.FromPolicy, policy.FromPolicy
	d.Mode, d.Repair = policy.Enforce, policy.RepairOn
	p.Decision = d
	return Tighten(p, eras, History{}, now), true
}
