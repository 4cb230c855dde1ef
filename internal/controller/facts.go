package controller

import (
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/ovnguard/ovnguard/internal/kube"
)

// apart is a manager whose facts have a cache of their own. A controller begins when all of its manager's cache has
// been read; with one cache for everything, a kind that may not be read would keep the certificate and the registration
// from being looked after.
type apart struct {
	ctrl.Manager

	facts cache.Cache
}

// GetCache returns the cache of facts.
func (a apart) GetCache() cache.Cache { return a.facts }

// addFacts adds a cache of facts to the manager.
func addFacts(mgr ctrl.Manager) (apart, error) {
	scheme, err := kube.FactsScheme()
	if err != nil {
		return apart{}, err
	}
	facts, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: scheme, Mapper: mgr.GetRESTMapper(), DefaultTransform: kube.Strip,
	})
	if err != nil {
		return apart{}, fmt.Errorf("set up the cache of facts: %w", err)
	}
	if err := mgr.Add(facts); err != nil {
		return apart{}, fmt.Errorf("add the cache of facts: %w", err)
	}
	return apart{mgr, facts}, nil
}
