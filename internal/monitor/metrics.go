package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// Metrics counts ports and findings for Prometheus. Its labels are closed sets; no name of a pod is among them.
type Metrics struct {
	ports     *prometheus.GaugeVec
	classes   *prometheus.GaugeVec
	permitted *prometheus.GaugeVec
	findings  *prometheus.GaugeVec
	found     *prometheus.CounterVec
	lives     *lives
	// series are the values of classes; an observer is told by one at a time.
	series map[series]int
}

// series are the labels of one series of classes.
type series struct{ namespace, class, state string }

// NewMetrics registers the metrics with r; now tells the time. Every state and every rule is there from the start, at
// zero.
func NewMetrics(r prometheus.Registerer, now func() time.Time) (*Metrics, error) {
	m := &Metrics{
		series: make(map[series]int),
		lives:  newLives(now),
		ports: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ovnguard_ports", Help: "Ports of pods by what the audit says of them.",
		}, []string{"state"}),
		classes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ovnguard_namespace_ports",
			Help: "Ports of pods by namespace, by what kind of port they are, and by what the audit says of them.",
		}, []string{"namespace", "class", "state"}),
		permitted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ovnguard_ports_permitted",
			Help: "Ports of pods that may send from, or take in, more than their own addresses by decision of a policy, " +
				"a namespace, an exception or a Vip, by how much.",
		}, []string{"level"}),
		findings: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ovnguard_findings", Help: "Findings of the audit by rule.",
		}, []string{"rule"}),
		found: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ovnguard_findings_found_total",
			Help: "How often a finding came, by rule: at the start, and whenever a port drifts.",
		}, []string{"rule"}),
	}
	for _, c := range []prometheus.Collector{m.ports, m.classes, m.permitted, m.findings, m.found, m.lives} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	for _, s := range []audit.State{audit.Compliant, audit.Violation, audit.Unknown} {
		m.ports.WithLabelValues(string(s))
	}
	for _, level := range audit.PermittedLevels() {
		m.permitted.WithLabelValues(string(level))
	}
	for _, rule := range audit.Rules() {
		m.findings.WithLabelValues(rule.ID)
		m.found.WithLabelValues(rule.ID)
	}
	return m, nil
}

// Judged implements Observer.
func (m *Metrics) Judged(before, after Verdict) {
	for _, f := range before.Beyond(after) {
		m.cleared(&f, before.PodUID)
	}
	m.recount(before, after)
	m.permit(before, -1)
	m.permit(after, +1)
	for _, f := range after.Beyond(before) {
		m.began(&f, after.PodUID)
	}
}

// recount counts a port as what it is now.
func (m *Metrics) recount(before, after Verdict) {
	if before.Counts() == after.Counts() && before.State == after.State && before.Class == after.Class &&
		before.Pod.Namespace == after.Pod.Namespace {
		return
	}
	m.count(before, -1)
	m.count(after, +1)
}

// permit enters the permissions of a port, or takes them out.
func (m *Metrics) permit(v Verdict, delta float64) {
	if !v.Counts() {
		return
	}
	for i := range v.Permitted {
		m.permitted.WithLabelValues(string(v.Permitted[i].Level)).Add(delta)
	}
}

// count enters a port, or takes it out. Namespaces come and go, and their series with them.
func (m *Metrics) count(v Verdict, delta float64) {
	if !v.Counts() {
		return
	}
	m.ports.WithLabelValues(string(v.State)).Add(delta)
	labels := series{v.Pod.Namespace, string(v.Class), string(v.State)}
	m.series[labels] += int(delta)
	if m.series[labels] == 0 {
		delete(m.series, labels)
		m.classes.DeleteLabelValues(labels.namespace, labels.class, labels.state)
		return
	}
	m.classes.WithLabelValues(labels.namespace, labels.class, labels.state).Set(float64(m.series[labels]))
}

func (m *Metrics) began(f *audit.Finding, podUID string) {
	m.lives.began(f, podUID)
	m.findings.WithLabelValues(f.Rule.ID).Inc()
	m.found.WithLabelValues(f.Rule.ID).Inc()
}

func (m *Metrics) cleared(f *audit.Finding, podUID string) {
	m.lives.ended(f, podUID)
	m.findings.WithLabelValues(f.Rule.ID).Dec()
}
