package repair

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/portsec"
)

// Foreseen is what repair would do about one port now.
type Foreseen struct {
	Port   inventory.Port
	Action Action
	// Held means that a human has to confirm the change first: it follows from a changed decision, and there are more of
	// these than the brake lets pass.
	Held bool
}

// Changes reports whether repair would write something.
func (f Foreseen) Changes() bool {
	return (f.Action.Kind == Annotate || f.Action.Kind == Write) && !f.Action.Log && !f.Held
}

// Foresee says what a repair that starts now would do about the ports, by name: those that are as they must be are left
// out. Like one that has just started, it remembers nothing of what was done before, so that another writer of a row is
// not known. eras are those that may enforce, total is the number of all ports, and the brake counts the changes.
func Foresee(
	ports iter.Seq[inventory.Port], total int, eras []portsec.Era, brake *Brake, now time.Time,
) (out []Foreseen) {
	for p := range ports {
		if p.Pod == nil || p.Row == nil {
			continue
		}
		past := History{}.Saw(p.Pod.UID, p.Row.UUID, now).Proved(&p)
		a := Plan(p, eras, past, now)
		if a.Kind == Nothing {
			continue
		}
		out = append(out, Foreseen{Port: p, Action: a})
	}
	slices.SortFunc(out, func(a, b Foreseen) int {
		return cmp.Or(
			cmp.Compare(a.Port.Pod.Namespace, b.Port.Pod.Namespace),
			strings.Compare(a.Port.Name, b.Port.Name),
		)
	})
	for i := range out {
		f := &out[i]
		past := History{}.Saw(f.Port.Pod.UID, f.Port.Row.UUID, now)
		if f.Changes() && past.Counts(&f.Port, now) {
			f.Held = !brake.Allow(f.Port.Name, f.Port.Pod.Namespace, total, now)
		}
	}
	return out
}
