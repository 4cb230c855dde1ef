package component

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// APIServer runs etcd and, with the flags, kube-apiserver until SIGTERM or an
// error. etcd lives in etcdDir and serves on etcdDir/client.sock.
func APIServer(ctx context.Context, etcdDir string, flags []string) error {
	etcd, err := startEtcd(ctx, etcdDir, filepath.Join(etcdDir, "client.sock"))
	if err != nil {
		return err
	}
	go func() {
		// etcd closes the channel when it is closed in order.
		if err, open := <-etcd.Err(); open {
			fmt.Fprintln(os.Stderr, "etcd failed:", err)
			os.Exit(1)
		}
	}()
	err = run(apiserver.NewAPIServerCommand(), flags)
	etcd.Close()
	return err
}

// ControllerManager runs kube-controller-manager with the flags until SIGTERM
// or an error.
func ControllerManager(flags []string) error {
	return run(controllermanager.NewControllerManagerCommand(), flags)
}

// Scheduler runs kube-scheduler with the flags until SIGTERM or an error.
func Scheduler(flags []string) error {
	return run(scheduler.NewSchedulerCommand(), flags)
}

// errLogged replaces an error that the component has written to its log.
var errLogged = errors.New("it ended with the error above")

func run(command *cobra.Command, flags []string) error {
	command.SetArgs(flags)
	if cli.Run(command) != 0 {
		return fmt.Errorf("%s: %w", command.Name(), errLogged)
	}
	return nil
}
