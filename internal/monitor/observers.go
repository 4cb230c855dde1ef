package monitor

import "github.com/ovnguard/ovnguard/internal/audit"

// Observers tells several observers, in order.
type Observers []Observer

// Judged implements Observer.
func (o Observers) Judged(before, after Verdict) {
	for _, observer := range o {
		observer.Judged(before, after)
	}
}

// Found implements Observer.
func (o Observers) Found(f audit.Finding, podUID string) {
	for _, observer := range o {
		observer.Found(f, podUID)
	}
}

// Cleared implements Observer.
func (o Observers) Cleared(f audit.Finding, podUID string) {
	for _, observer := range o {
		observer.Cleared(f, podUID)
	}
}
