package monitor

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// lives knows since when each finding stands, and how long those stood that are gone.
type lives struct {
	now      func() time.Time
	duration *prometheus.HistogramVec

	mu    sync.Mutex
	since map[life]time.Time
}

// life names one finding.
type life struct{ rule, about, podUID string }

// lifeBuckets reach from what repair takes to what nobody repairs, in seconds.
var lifeBuckets = []float64{0.01, 0.1, 1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600}

var oldestMetric = prometheus.NewDesc(
	"ovnguard_finding_oldest_seconds",
	"For how long the oldest finding of a rule has stood; 0 where none stands. It begins again when the program starts.",
	[]string{"rule"},
	nil,
)

func newLives(now func() time.Time) *lives {
	l := &lives{
		now: now, since: make(map[life]time.Time),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ovnguard_finding_duration_seconds",
			Help:    "How long findings stood that are gone, by rule.",
			Buckets: lifeBuckets,
		}, []string{"rule"}),
	}
	for _, rule := range audit.Rules() {
		l.duration.WithLabelValues(rule.ID)
	}
	return l
}

// lifeOf names a finding by its rule and port. Of what is no port, what it rests on names it.
func lifeOf(f *audit.Finding, podUID string) life {
	about := f.Port
	if about == "" {
		about = strings.Join(
			append([]string{f.Namespace, f.Pod}, append(f.Evidence.Others, f.Evidence.Chassis...)...),
			" ",
		)
	}
	return life{f.Rule.ID, about, podUID}
}

func (l *lives) began(f *audit.Finding, podUID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since[lifeOf(f, podUID)] = l.now()
}

func (l *lives) ended(f *audit.Finding, podUID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := lifeOf(f, podUID)
	if since, stood := l.since[name]; stood {
		delete(l.since, name)
		l.duration.WithLabelValues(f.Rule.ID).Observe(l.now().Sub(since).Seconds())
	}
}

// Describe implements prometheus.Collector.
func (l *lives) Describe(out chan<- *prometheus.Desc) {
	l.duration.Describe(out)
	out <- oldestMetric
}

// Collect implements prometheus.Collector.
func (l *lives) Collect(out chan<- prometheus.Metric) {
	l.duration.Collect(out)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	oldest := make(map[string]time.Duration)
	for name, since := range l.since {
		oldest[name.rule] = max(oldest[name.rule], now.Sub(since))
	}
	for _, rule := range audit.Rules() {
		out <- prometheus.MustNewConstMetric(oldestMetric, prometheus.GaugeValue, oldest[rule.ID].Seconds(), rule.ID)
	}
}
