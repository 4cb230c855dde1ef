package controller

import (
	"github.com/prometheus/client_golang/prometheus"
)

// writes counts what the leader writes outward.
type writes struct{ count *prometheus.CounterVec }

// Kinds of what is written.
const (
	writesReport = "report"
	writesStatus = "status"
	writesEvent  = "event"
)

// newWrites registers the counters with r, all of them at zero.
func newWrites(r prometheus.Registerer) (*writes, error) {
	w := &writes{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ovnguard_writes_total", Help: "Reports, statuses and Events written to the API server, by result.",
	}, []string{"kind", "result"})}
	for _, kind := range []string{writesReport, writesStatus, writesEvent} {
		for _, result := range []string{"ok", "error"} {
			w.count.WithLabelValues(kind, result)
		}
	}
	return w, r.Register(w.count)
}

// of returns what is told of each write of a kind.
func (w *writes) of(kind string) func(error) {
	return func(err error) {
		result := "ok"
		if err != nil {
			result = "error"
		}
		w.count.WithLabelValues(kind, result).Inc()
	}
}
