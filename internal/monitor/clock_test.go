package monitor

import (
	"net/netip"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// setClock is a clock that a test sets. Its timers go by the time that passes, like the timers of the system.
type setClock struct {
	handClock
	ahead time.Duration
}

func (c *setClock) Now() time.Time { return c.now.Add(c.ahead) }

// gateway returns a monitor with a port that an exception grants something for the hour around now.
func gateway(t *testing.T) (*Monitor, *setClock, *ledger) {
	t.Helper()
	clock := &setClock{handClock: handClock{now: time.Unix(1e6, 0)}}
	m, books := startedOn(t, clock)
	change(m, func(inv *inventory.Inventory) []string {
		return inv.SetPolicy(policy.Policy{
			Name:         "gateways",
			ExceptionsIn: []string{"ns"},
			Limits:       policy.Limits{Pairs: 1, Prefix4: 24, Prefix6: 64, Lifetime: 24 * time.Hour},
		})
	})
	change(m, func(inv *inventory.Inventory) []string {
		return inv.SetException(policy.Exception{
			Namespace: "ns",
			Name:      "router",
			Pods:      func(map[string]string) bool { return true },
			Asked: clock.now.Add(
				-time.Hour,
			),
			NotBefore: clock.now.Add(-30 * time.Minute),
			Expires:   clock.now.Add(30 * time.Minute),
			Pairs:     []portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.20.0.0/24")}},
		})
	})
	change(m, func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own+" 10.20.0.0/24")) })
	clock.pass(time.Minute)
	if state := books.verdicts["p.ns"].State; state != audit.Compliant {
		t.Fatalf("a port that has what was granted is %s", state)
	}
	books.log = nil
	return m, clock, books
}

// Timers do not follow a clock that is set forward; a grant with an end in the skipped time ends within a minute
// nevertheless.
func TestClockSetForwardOverAnExpiry(t *testing.T) {
	m, clock, books := gateway(t)
	clock.ahead = 2 * time.Hour
	clock.pass(0)
	books.expect(t, nil, books.ports)
	clock.pass(time.Minute)
	if state := books.verdicts["p.ns"].State; state != audit.Violation {
		t.Errorf("the port is %s a minute after the clock jumped over the end of its grant", state)
	}
	mustMissNothing(t, m)
}

// A clock that is set back to before the start of a grant makes that start a future event. Judging everything again
// notices it, and the grant begins again at its time.
func TestClockPutBackBeforeAGrant(t *testing.T) {
	m, clock, books := gateway(t)
	clock.ahead = -2 * time.Hour
	clock.pass(time.Minute)
	m.Sweep()
	if state := books.verdicts["p.ns"].State; state != audit.Violation {
		t.Errorf("the port is %s before its grant begins", state)
	}
	mustMissNothing(t, m)
	clock.pass(90 * time.Minute)
	if state := books.verdicts["p.ns"].State; state != audit.Compliant {
		t.Errorf("the port is %s when its grant has begun again", state)
	}
	mustMissNothing(t, m)
}
