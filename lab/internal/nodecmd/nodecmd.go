// Package nodecmd has the commands of ovnguard-lab-node.
package nodecmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"github.com/ovnguard/ovnguard/lab/internal/nodeinit"
)

// New returns the command ovnguard-lab-node.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "ovnguard-lab-node",
		Short:         "What runs on a lab's nodes with a real kubelet (used by ovnguard-lab up --kubelet)",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		&cobra.Command{
			Use:   "init PLAN",
			Short: "Be the first process of a node",
			Args:  cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				plan, err := nodeinit.Read(args[0])
				if err != nil {
					return err
				}
				return nodeinit.Run(plan, slog.New(slog.NewTextHandler(os.Stderr, nil)))
			},
		},
		&cobra.Command{
			Use:   "kubelet -- FLAGS",
			Short: "Run kubelet",
			RunE: func(_ *cobra.Command, flags []string) error {
				return run(kubelet.NewKubeletCommand(context.Background()), flags)
			},
		},
		&cobra.Command{
			Use:   "kube-proxy -- FLAGS",
			Short: "Run kube-proxy",
			RunE:  func(_ *cobra.Command, flags []string) error { return run(kubeproxy.NewProxyCommand(), flags) },
		},
	)
	return root
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
