package apply

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/repair"
)

// Reasons why repair waits as a whole.
const (
	stateStale = "stale"
	stateHeld  = "held"
)

// Metrics counts what repair does. No name of a pod or port is among its labels.
type Metrics struct {
	plans    *prometheus.CounterVec
	changes  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	waits    *prometheus.CounterVec
	held     prometheus.Gauge
}

// NewMetrics registers the metrics with r, with every label there is, at zero.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		plans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ovnguard_repair_plans_total",
			Help: "Looks at ports that are not what they must be, by what was to be done.",
		}, []string{"action", "mode"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ovnguard_repair_changes_total", Help: "Changes of pods' annotations and of rows, by outcome.",
		}, []string{"action", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ovnguard_repair_duration_seconds",
			Help:    "Time from seeing that a port is not what it must be to its change.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"action"}),
		waits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ovnguard_repair_waits_total",
			Help: "How often repair as a whole waited: for current facts, or for a human to confirm.",
		}, []string{"reason"}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ovnguard_repair_held_ports", Help: "Ports whose change waits for a human to confirm.",
		}),
	}
	for _, c := range []prometheus.Collector{m.plans, m.changes, m.duration, m.waits, m.held} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	for _, kind := range []repair.Kind{repair.Annotate, repair.Write} {
		for _, result := range []ovn.Result{ovn.Written, ovn.Conflict, ovn.Failed, ovn.Unknown} {
			m.changes.WithLabelValues(string(kind), result.String())
		}
		m.duration.WithLabelValues(string(kind))
	}
	for _, reason := range []string{stateStale, stateHeld} {
		m.waits.WithLabelValues(reason)
	}
	for _, kind := range []repair.Kind{
		repair.Annotate, repair.Write, repair.Wait, repair.Frozen, repair.Contested, repair.Gateway, repair.NotProved,
	} {
		m.plans.WithLabelValues(string(kind), "repair")
		m.plans.WithLabelValues(string(kind), "log")
	}
	return m, nil
}

func (m *Metrics) planned(a repair.Action) {
	if a.Kind == repair.Nothing {
		return
	}
	mode := "repair"
	if a.Log {
		mode = "log"
	}
	m.plans.WithLabelValues(string(a.Kind), mode).Inc()
}

func (m *Metrics) done(kind repair.Kind, outcome string, took time.Duration) {
	m.changes.WithLabelValues(string(kind), outcome).Inc()
	m.duration.WithLabelValues(string(kind)).Observe(took.Seconds())
}

func (m *Metrics) holding(ports int) { m.held.Set(float64(ports)) }

func (m *Metrics) state(reason string) { m.waits.WithLabelValues(reason).Inc() }
