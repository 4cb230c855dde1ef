package labcmd

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/lab/internal/standin"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

func newKubeOVNCommand() *cobra.Command {
	var (
		config                         standin.Config
		kubeconfig, version, readyFile string
		policies                       bool
	)
	command := &cobra.Command{
		Use:  up.KubeOVNComponent,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("--kubeconfig: %w", err)
			}
			config.RESTConfig = rest
			config.IgnorePolicies = !policies
			config.Version = upstream.Version(version)
			config.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
			config.Ready = sayReady(readyFile, config.Log)
			return untilTerminated(cmd.Context(), func(ctx context.Context) error { return standin.Run(ctx, config) })
		},
	}
	flags := command.Flags()
	flags.StringVar(&kubeconfig, "kubeconfig", "", "how to reach kube-apiserver")
	flags.StringVar(&config.NB, "nb", "", "endpoint of the Northbound database")
	flags.StringVar(&version, "version", "", "release line of Kube-OVN to behave as")
	flags.DurationVar(&config.InspectInterval, "inspect-interval", 0, "how often to look for missing ports")
	flags.BoolVar(&policies, "enable-np", true, "make ACLs of NetworkPolicies")
	flags.DurationVar(&config.ProbeInterval, "probe-interval", 0, "how often to correct the nodes' port groups")
	flags.StringVar(&config.Router, "cluster-router", "", "name of the default VPC")
	flags.StringVar(&config.NodeSwitch, "node-switch", "", "name of the nodes' subnet")
	flags.BoolVar(&config.NonPrimary, "non-primary-cni-mode", false, "leave the default network to another CNI")
	flags.StringVar(&readyFile, "ready-file", "", "file to make when ready")
	return command
}
