package discovery

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/kube"
)

// watch has wake told of each change of a workload of Kube-OVN's. What it returns gets the cache when it has all of
// them.
func (k *KubeOVN) watch(ctx context.Context, wake chan<- struct{}) (<-chan client.Reader, error) {
	config := rest.CopyConfig(k.rest)
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	cached, err := cache.New(config, cache.Options{Scheme: scheme, DefaultTransform: kube.StripWorkload})
	if err != nil {
		return nil, fmt.Errorf("set up the cache of workloads: %w", err)
	}
	tell := func(object any) {
		if kube.RunsKubeOVN(object) {
			select {
			case wake <- struct{}{}:
			default: // it is about to look already
			}
		}
	}
	for _, kind := range []client.Object{&appsv1.Deployment{}, &appsv1.DaemonSet{}} {
		informer, err := cached.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("follow workloads: %w", err)
		}
		handler := toolscache.ResourceEventHandlerFuncs{
			AddFunc: tell, DeleteFunc: tell,
			UpdateFunc: func(was, is any) {
				if !kube.SameWorkload(was, is) {
					tell(was)
					tell(is)
				}
			},
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, fmt.Errorf("follow workloads: %w", err)
		}
	}
	synced := make(chan client.Reader, 1)
	go func() {
		if err := cached.Start(ctx); err != nil {
			k.log.Error(err, "workloads are not followed")
		}
	}()
	go func() {
		if cached.WaitForCacheSync(ctx) {
			synced <- cached
		}
	}()
	return synced, nil
}
