package monitor

// Observers tells several observers, in order.
type Observers []Observer

// Judged implements Observer.
func (o Observers) Judged(before, after Verdict) {
	for _, observer := range o {
		observer.Judged(before, after)
	}
}
