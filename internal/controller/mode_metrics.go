package controller

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// modeMetrics counts the namespaces by the mode of their policy, whenever it is asked: a registration that stands
// guards nothing where no policy enforces. The policy is that of the NIC on the default network, which pods have.
type modeMetrics struct{ monitor *monitor.Monitor }

var namespacesMetric = prometheus.NewDesc("ovnguard_namespaces",
	"Namespaces by what policy does about the pods there: enforce, warn or audit.", []string{"mode"}, nil)

// Describe implements prometheus.Collector.
func (m modeMetrics) Describe(out chan<- *prometheus.Desc) { out <- namespacesMetric }

// Collect implements prometheus.Collector.
func (m modeMetrics) Collect(out chan<- prometheus.Metric) {
	counts := map[policy.Mode]int{policy.Enforce: 0, policy.Warn: 0, policy.Audit: 0}
	m.monitor.Read(func(inv *inventory.State) {
		for _, ns := range inv.Namespaces() {
			p, _ := policy.Match(inv.Policies(), ns, kubeovn.DefaultProvider)
			counts[p.Mode]++
		}
	})
	for mode, n := range counts {
		out <- prometheus.MustNewConstMetric(namespacesMetric, prometheus.GaugeValue, float64(n), mode.String())
	}
}
