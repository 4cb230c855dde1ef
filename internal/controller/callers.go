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
		Help: "Reviews answered although the caller had no accepted client certificate, because certificates " +
			"are not enforced yet.",
	}, func() float64 { return float64(callers.Missing()) })
	if err := register(enforced, missing); err != nil {
		return nil, err
	}
	log.Info(
		"client certificates are requested but not enforced yet: a self-test must first see the API server "+
			"present one, and for a while no caller may come without one",
		"file",
		o.ClientCA,
		"while",
		o.ClientQuiet.String(),
	)
	return callers, nil
}
