package up

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// KubeOVN configures Kube-OVN's stand-in.
type KubeOVN struct {
	// Version is the release line to behave as: "master", "1.15" or "1.14"; empty means master.
	Version string
	// InspectInterval is the time between searches for missing ports; zero means its default.
	InspectInterval time.Duration
	// Layout is the form of its workloads in the cluster, and its configuration. If Northbound is empty, the workloads
	// name the lab's database.
	Layout controlplane.KubeOVN
}

// assemble starts every part and fills in the lab's description.
func (l *Lab) assemble(ctx context.Context) error {
	// Kubernetes and OVN are independent until the stand-in connects them. If one fails, the start of the other ends.
	parts, partsCtx := errgroup.WithContext(ctx)
	parts.Go(func() error { return l.startControlPlane(partsCtx) })
	parts.Go(func() error { return l.startOVN(partsCtx) })
	if err := parts.Wait(); err != nil {
		return err
	}
	if err := l.installKubeOVN(ctx); err != nil {
		return err
	}
	err := l.progress.timed("Kube-OVN's stand-in is ready", func() error { return l.startKubeOVN(ctx) })
	if err != nil {
		return err
	}
	if l.options.Kubelets > 0 {
		if err := l.prepareKubelets(ctx); err != nil {
			return err
		}
	}
	return l.progress.timed("the nodes are ready", func() error { return l.startAgents(ctx) })
}

// startControlPlane starts etcd and the three servers and makes the lab's
// identities.
func (l *Lab) startControlPlane(ctx context.Context) error {
	var err error
	l.control, err = controlplane.New(
		controlplane.Config{
			Dir:     l.dir,
			Binary:  l.options.Binary,
			Audit:   l.options.Audit,
			KubeOVN: l.options.KubeOVN.Layout,

			Kubelets: l.options.Kubelets > 0,
		},
	)
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

// adminClient returns a client of the API server that may do everything.
func (l *Lab) adminClient() (kubernetes.Interface, error) {
	admin, err := l.control.Admin()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return nil, fmt.Errorf("make admin client: %w", err)
	}
	return client, nil
}

// installKubeOVN makes Kube-OVN's workloads, as far as the cluster sees them.
func (l *Lab) installKubeOVN(ctx context.Context) error {
	client, err := l.adminClient()
	if err != nil {
		return err
	}
	layout := l.options.KubeOVN.Layout
	switch {
	case layout.Northbound != "":
	case l.options.Kubelets > 0:
		// Pods cannot see the lab's files.
		layout.Northbound = "tcp:" + net.JoinHostPort(
			controlplane.NodeAddress,
			strconv.Itoa(controlplane.NodeNorthboundPort),
		)
	default:
		layout.Northbound = l.info.NB
	}
	return layout.Install(ctx, client)
}

func (l *Lab) startControllers(ctx context.Context) error {
	client, err := l.adminClient()
	if err != nil {
		return err
	}
	if err := l.control.StartControllers(ctx, l.group); err != nil {
		return err
	}
	return l.control.Bootstrap(ctx, client)
}
