package status

import (
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Tally counts exceptions.
type Tally struct {
	// ByReason counts them by whether they count and why not.
	ByReason map[policy.Reason]int
	// Unused is how many count and change no port.
	Unused int
	// Ending counts those that count by when they end: within an hour, a day, a week, each including those before.
	Ending map[string]int
	// Next is how long it is until the first of them ends; it means something only where one counts.
	Next time.Duration
}

// ending are the spans of Tally.Ending.
var ending = []struct {
	name   string
	within time.Duration
}{{"1h", time.Hour}, {"24h", 24 * time.Hour}, {"168h", 168 * time.Hour}}

// TallyOf counts the exceptions of an inventory as they stand at a time; used means that one changes some port.
func TallyOf(inv *inventory.State, used func(Key) bool, now time.Time) Tally {
	t := Tally{ByReason: make(map[policy.Reason]int), Ending: make(map[string]int)}
	for _, r := range Reasons() {
		t.ByReason[r] = 0
	}
	for _, e := range ending {
		t.Ending[e.name] = 0
	}
	inv.EachException(func(e *policy.Exception) {
		standing := inv.Standing(*e)
		s := StandingOf(&standing, inv.Policies(), inv.Namespace(e.Namespace), now)
		t.ByReason[s.Reason]++
		if s.Reason != policy.InEffect {
			return
		}
		if !used(Key{e.Namespace, e.Name}) {
			t.Unused++
		}
		rest := e.Expires.Sub(now)
		if t.ByReason[policy.InEffect] == 1 || rest < t.Next {
			t.Next = rest
		}
		for _, span := range ending {
			if rest <= span.within {
				t.Ending[span.name]++
			}
		}
	})
	return t
}
