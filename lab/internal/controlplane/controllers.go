package controlplane

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// StartControllers starts kube-controller-manager and kube-scheduler and waits
// until both say that they are healthy. kube-apiserver must run.
func (c *ControlPlane) StartControllers(ctx context.Context, group *process.Group) error {
	var starts errgroup.Group
	starts.Go(func() error { return c.startControllerManager(ctx, group) })
	starts.Go(func() error { return c.startScheduler(ctx, group) })
	return starts.Wait()
}

func (c *ControlPlane) startControllerManager(ctx context.Context, group *process.Group) error {
	file := func(name string) string { return filepath.Join(c.config.Dir.PKI(), name) }
	return c.startController(ctx, group, ControllerManager, "system:kube-controller-manager", c.ports.ControllerManager,
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+file(serviceAccounts+".key"),
		"--root-ca-file="+file(Authority+".crt"),
		"--cluster-signing-cert-file="+file(Authority+".crt"),
		"--cluster-signing-key-file="+file(Authority+".key"),
	)
}

func (c *ControlPlane) startScheduler(ctx context.Context, group *process.Group) error {
	return c.startController(ctx, group, Scheduler, "system:kube-scheduler", c.ports.Scheduler)
}

// startController starts one of the two; they have most flags in common.
func (c *ControlPlane) startController(
	ctx context.Context,
	group *process.Group,
	name, user string,
	port int,
	flags ...string,
) error {
	kubeconfig, err := c.WriteKubeconfig(name, user)
	if err != nil {
		return err
	}
	healthz := localURL(port) + "/healthz"
	args := append([]string{
		"component", name, "--",
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + filepath.Join(c.config.Dir.PKI(), serverPair+".crt"),
		"--tls-private-key-file=" + filepath.Join(c.config.Dir.PKI(), serverPair+".key"),
		// There is one of each, and an election takes seconds.
		"--leader-elect=false",
		// Defaults are for big clusters with slow controllers.
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
	}, flags...)
	_, err = group.Start(ctx, process.Spec{
		Name:    name,
		Path:    c.config.Binary,
		Args:    args,
		LogPath: c.config.Dir.Log(name),
		Ready:   c.answers(healthz),
		Health:  healthz,
	})
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	return nil
}
