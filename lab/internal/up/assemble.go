package up

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// KubeOVN sets Kube-OVN's stand-in.
type KubeOVN struct {
	// Version is the release line whose behaviour it has: "master", "1.15" or
	// "1.14"; empty means master.
	Version string
	// InspectInterval is how often it looks for ports that are missing; zero
	// means its default.
	InspectInterval time.Duration
}

// assemble starts every part and fills in what the lab says about itself.
func (l *Lab) assemble(ctx context.Context) error {
	// Kubernetes and OVN know nothing of each other until the stand-in joins
	// them. The first that fails ends the other's start.
	parts, partsCtx := errgroup.WithContext(ctx)
	parts.Go(func() error { return l.startControlPlane(partsCtx) })
	parts.Go(func() error { return l.startOVN(partsCtx) })
	if err := parts.Wait(); err != nil {
		return err
	}
	err := l.progress.timed("Kube-OVN's stand-in is ready", func() error { return l.startKubeOVN(ctx) })
	if err != nil {
		return err
	}
	return l.progress.timed("the nodes are ready", func() error { return l.startAgents(ctx) })
}

// startControlPlane starts etcd and the three servers and makes the lab's
// identities.
func (l *Lab) startControlPlane(ctx context.Context) error {
	var err error
	l.control, err = controlplane.New(controlplane.Config{Dir: l.dir, Binary: l.options.Binary, Audit: l.options.Audit})
	if err != nil {
		return err
	}
	if l.info.Kubeconfigs, err = l.control.WriteIdentities(); err != nil {
		return err
	}
	err = l.progress.timed("etcd and kube-apiserver are ready", func() error {
		_, err := l.control.StartAPIServer(ctx, l.group)
		return err
	})
	if err != nil {
		return err
	}
	return l.progress.timed("kube-controller-manager and kube-scheduler are ready", func() error {
		return l.startControllers(ctx)
	})
}

func (l *Lab) startControllers(ctx context.Context) error {
	admin, err := l.control.Admin()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return fmt.Errorf("make admin client: %w", err)
	}
	if err := l.control.StartControllers(ctx, l.group); err != nil {
		return err
	}
	return l.control.Bootstrap(ctx, client)
}
