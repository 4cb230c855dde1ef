package controller

import (
	"fmt"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/webhook"
)

// newCallers returns what knows the API server by its client certificate; nil where that is not asked for.
func newCallers(o Options, log logr.Logger) (*webhook.Callers, error) {
	if o.ClientCA == "" {
		return nil, nil //nolint:nilnil // nobody is asked
	}
	callers, err := webhook.NewCallers(o.ClientCA, o.ClientNames, o.ClientQuiet, log)
	if err != nil {
		return nil, fmt.Errorf("--client-ca: %w", err)
	}
	enforced := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ovnguard_client_certificates_enforced",
		Help: "1 where reviews are answered only to callers with a client certificate, else 0.",
	}, func() float64 {
		if callers.Enforced() {
			return 1
		}
		return 0
	})
	missing := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "ovnguard_client_certificates_missing_total",
		Help: "Reviews that came without a client certificate that counts and were answered, since nothing is " +
			"enforced yet.",
	}, func() float64 { return float64(callers.Missing()) })
	if err := register(enforced, missing); err != nil {
		return nil, err
	}
	log.Info(
		"client certificates are asked for, and not enforced before a self-test saw the API server present one, and "+
			"none was missing for a while",
		"file",
		o.ClientCA,
		"while",
		o.ClientQuiet.String(),
	)
	return callers, nil
}
