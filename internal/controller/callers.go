package controller

import (
	"fmt"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	serving "github.com/ovnguard/ovnguard/internal/webhook"
)

// newCallers gives what knows the API server by its client certificate; nil where that is not asked for.
func newCallers(o Options, log logr.Logger) (*serving.Callers, error) {
	if o.ClientCA == "" {
		return nil, nil //nolint:nilnil // nobody is asked
	}
	callers, err := serving.NewCallers(o.ClientCA, o.ClientNames, log)
	if err != nil {
		return nil, fmt.Errorf("--client-ca: %w", err)
	}
	err = metrics.Registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ovnguard_client_certificates_enforced", Help: "1 where reviews are answered only to callers with a client certificate, else 0.",
	}, func() float64 {
		if callers.Enforced() {
			return 1
		}
		return 0
	}))
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	log.Info("client certificates are asked for, and not enforced before a self-test saw the API server present one", "file", o.ClientCA)
	return callers, nil
}
