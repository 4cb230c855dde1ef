package api

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/portsec"
)

// Fresh is how long answers are made from one view. A view of 100,000 ports takes some milliseconds to make, for which
// the monitor waits.
const Fresh = time.Second

// kept is how long a view is kept that nobody asks for again: it takes some tens of megabytes.
const kept = 10 * time.Second

// view is what the monitor knew at one moment. It is not changed, and any number of answers are made from it.
type view struct {
	at       time.Time
	state    *inventory.State
	eras     []portsec.Era
	verdicts []monitor.Verdict
	// ordered returns which of the verdicts are on ports, in the order of their names.
	ordered func() []int
	// whole returns the sum of the ports of all namespaces, which takes a look at each.
	whole func() summed
}

// summed is what overview.Picture says.
type summed struct {
	total   overview.Counts
	by      []overview.Namespace
	actions []overview.Action
}

// views makes views, one at a time.
type views struct {
	monitor *monitor.Monitor
	now     func() time.Time

	mu   sync.Mutex
	last *view
	// forget takes the view away when nobody asks; nil until somebody has asked.
	forget *time.Timer
}

// get returns a view that is no older than Fresh.
func (v *views) get() *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.forget == nil {
		v.forget = time.AfterFunc(kept, v.drop)
	}
	v.forget.Reset(kept)
	now := v.now()
	if v.last != nil && now.Sub(v.last.at) < Fresh && !now.Before(v.last.at) {
		return v.last
	}
	state, verdicts := v.monitor.Verdicts()
	v.last = newView(now, state, v.monitor.Eras(), verdicts)
	return v.last
}

// drop forgets the view.
func (v *views) drop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = nil
}

func newView(now time.Time, state *inventory.State, eras []portsec.Era, verdicts []monitor.Verdict) *view {
	return &view{
		at: now, state: state, eras: eras, verdicts: verdicts,
		ordered: sync.OnceValue(func() []int {
			out := make([]int, 0, len(verdicts))
			for i := range verdicts {
				if isPort(&verdicts[i]) {
					out = append(out, i)
				}
			}
			slices.SortFunc(out, func(a, b int) int { return cmp.Compare(verdicts[a].Port, verdicts[b].Port) })
			return out
		}),
		whole: sync.OnceValue(func() summed {
			p := overview.Picture{Verdicts: verdicts}
			total, by, actions := p.Sum()
			return summed{total, by, actions}
		}),
	}
}

// isPort reports whether a verdict is about a port, and not about another subject.
func isPort(v *monitor.Verdict) bool { return v.Class != "" }

// sum returns what a picture of the view says.
func (v *view) sum(p *overview.Picture) (overview.Counts, []overview.Namespace, []overview.Action) {
	if p.Only != "" {
		return p.Sum()
	}
	s := v.whole()
	return s.total, s.by, s.actions
}
