package feed

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// databaseMetrics says of each database, whenever it is asked, how fresh what is known of it is.
type databaseMetrics []database

var (
	syncedMetric = prometheus.NewDesc("ovnguard_ovn_synced",
		"1 while OVN's database is followed, else 0.", []string{"database"}, nil)
	staleMetric = prometheus.NewDesc(
		"ovnguard_ovn_stale_seconds",
		"For how long OVN's database has not been followed; 0 while it is. Absent until it was read once.",
		[]string{"database"},
		nil,
	)
	plaintextMetric = prometheus.NewDesc(
		"ovnguard_ovn_plaintext",
		"1 where OVN's database is reached across a network without TLS, so that anybody on the path can change it, "+
			"else 0.",
		[]string{"database"},
		nil,
	)
)

// Describe implements prometheus.Collector.
func (m databaseMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- syncedMetric
	out <- staleMetric
	out <- plaintextMetric
}

// Collect implements prometheus.Collector.
func (m databaseMetrics) Collect(out chan<- prometheus.Metric) {
	number := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	for _, d := range m {
		s := d.mirror.State()
		out <- prometheus.MustNewConstMetric(syncedMetric, prometheus.GaugeValue, number(s.Synced()), d.name)
		out <- prometheus.MustNewConstMetric(plaintextMetric, prometheus.GaugeValue, number(d.plaintext), d.name)
		switch {
		case s.Synced():
			out <- prometheus.MustNewConstMetric(staleMetric, prometheus.GaugeValue, 0, d.name)
		case s.Revision > 0:
			out <- prometheus.MustNewConstMetric(staleMetric, prometheus.GaugeValue, time.Since(s.Since).Seconds(), d.name)
		}
	}
}
