package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/status"
)

// exceptionMetrics counts exceptions, whenever it is asked.
type exceptionMetrics struct {
	monitor *monitor.Monitor
	book    *status.Book
}

var (
	exceptionsMetric = prometheus.NewDesc("ovnguard_exceptions",
		"Exceptions by whether they are in effect, and why not.", []string{"reason"}, nil)
	unusedMetric = prometheus.NewDesc("ovnguard_exceptions_unused",
		"Exceptions in effect that change no port.", nil, nil)
	endingMetric = prometheus.NewDesc("ovnguard_exceptions_ending",
		"Exceptions in effect that end within this time.", []string{"within"}, nil)
	nextEndMetric = prometheus.NewDesc("ovnguard_exceptions_next_end_seconds",
		"How long it is until the first exception in effect ends. Absent where none is in effect.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m exceptionMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{exceptionsMetric, unusedMetric, endingMetric, nextEndMetric} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m exceptionMetrics) Collect(out chan<- prometheus.Metric) {
	var t status.Tally
	m.monitor.Read(func(inv *inventory.State) { t = status.TallyOf(inv, m.book.Used, time.Now()) })
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for reason, n := range t.ByReason {
		gauge(exceptionsMetric, float64(n), string(reason))
	}
	for within, n := range t.Ending {
		gauge(endingMetric, float64(n), within)
	}
	gauge(unusedMetric, float64(t.Unused))
	if t.ByReason[policy.InEffect] > 0 {
		gauge(nextEndMetric, t.Next.Seconds())
	}
}
