package monitor

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// Metrics counts ports and findings for Prometheus. Its labels are closed sets; no name of a pod is among them.
type Metrics struct {
	ports    *prometheus.GaugeVec
	findings *prometheus.GaugeVec
}

// NewMetrics registers the metrics with r. Every state and every rule is there from the start, at zero.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		ports: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ovnguard_ports", Help: "Ports of pods by what the audit says of them.",
		}, []string{"state"}),
		findings: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ovnguard_findings", Help: "Findings of the audit by rule.",
		}, []string{"rule"}),
	}
	for _, c := range []prometheus.Collector{m.ports, m.findings} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	for _, s := range []audit.State{audit.Compliant, audit.Violation, audit.Unknown} {
		m.ports.WithLabelValues(string(s))
	}
	for _, rule := range audit.Rules() {
		m.findings.WithLabelValues(rule.ID)
	}
	return m, nil
}

// Judged implements Observer.
func (m *Metrics) Judged(before, after Verdict) {
	if before.Counts() {
		m.ports.WithLabelValues(string(before.State)).Dec()
	}
	if after.Counts() {
		m.ports.WithLabelValues(string(after.State)).Inc()
	}
}

// Found implements Observer.
func (m *Metrics) Found(f audit.Finding, _ string) { m.findings.WithLabelValues(f.Rule.ID).Inc() }

// Cleared implements Observer.
func (m *Metrics) Cleared(f audit.Finding, _ string) { m.findings.WithLabelValues(f.Rule.ID).Dec() }
