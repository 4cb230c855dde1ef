package feed

import (
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/ovnguard/ovnguard/internal/kube"
)

// NewCache returns a cache of facts beside the manager's own, and has the manager run it. A controller begins when all
// of its manager's cache has been read; with one cache for everything, a kind that may not be read would keep the
// certificate and the registration from being looked after.
func NewCache(mgr ctrl.Manager) (cache.Cache, error) {
	scheme, err := kube.FactsScheme()
	if err != nil {
		return nil, err
	}
	facts, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: scheme, Mapper: mgr.GetRESTMapper(), DefaultTransform: kube.Strip,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the cache of facts: %w", err)
	}
	if err := mgr.Add(facts); err != nil {
		return nil, fmt.Errorf("add the cache of facts: %w", err)
	}
	return facts, nil
}
