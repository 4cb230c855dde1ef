package discovery

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/retry"
)

// KubeVirt knows whether the API server serves KubeVirt's API. Where it does not, nobody's pods are launchers of
// machines, and the accounts of KubeVirt are those of whoever makes a namespace of that name.
type KubeVirt struct {
	api rest.Interface
	log logr.Logger
	// served says what the last answer was. An API server that does not answer changes nothing.
	served atomic.Bool
	// changed is called after each change but the first answer.
	changed func()
}

// kubeVirtEvery is the time between questions. A machine's pod that comes sooner after the installation of KubeVirt is
// refused, and KubeVirt makes it again.
const kubeVirtEvery = 5 * time.Second

// kubeVirtTimeout bounds one question.
const kubeVirtTimeout = 3 * time.Second

// NewKubeVirt returns one that has an answer already: it waits for the first. changed is called after each that differs
// from the one before.
func NewKubeVirt(ctx context.Context, config *rest.Config, changed func(), log logr.Logger) (*KubeVirt, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	k := &KubeVirt{api: client.RESTClient(), log: log, changed: changed}
	return k, retry.Until(ctx, log, "whether KubeVirt is served", func() error {
		_, err := k.look(ctx)
		return err
	})
}

// look asks the API server, and reports whether the answer is another than before.
func (k *KubeVirt) look(ctx context.Context) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, kubeVirtTimeout)
	defer cancel()
	err = k.api.Get().AbsPath("/apis/" + kubeovn.MachineGroup).Do(ctx).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("whether API group %s is served: %w", kubeovn.MachineGroup, err)
	}
	served := err == nil
	return k.served.Swap(served) != served, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (k *KubeVirt) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (k *KubeVirt) Start(ctx context.Context) error {
	ticker := time.NewTicker(kubeVirtEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		changed, err := k.look(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			k.log.Info("it is asked for again", "reason", err.Error(), "every", kubeVirtEvery.String())
		case changed:
			k.log.Info("KubeVirt's accounts count while its API is served", "served", k.served.Load())
			k.changed()
		}
	}
}

// Counted returns the accounts as they count now.
func (k *KubeVirt) Counted(a admission.Accounts) admission.Accounts {
	a.WithoutKubeVirt = !k.served.Load()
	return a
}
