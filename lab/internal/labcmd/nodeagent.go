package labcmd

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/lab/internal/node"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

func newNodeAgentCommand() *cobra.Command {
	var (
		config                node.Config
		kubeconfig, readyFile string
	)
	command := &cobra.Command{
		Use:  up.NodeAgentComponent,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("--kubeconfig: %w", err)
			}
			config.RESTConfig = rest
			config.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
			config.Ready = sayReady(readyFile, config.Log)
			return untilTerminated(cmd.Context(), func(ctx context.Context) error { return node.Run(ctx, config) })
		},
	}
	flags := command.Flags()
	flags.StringVar(&kubeconfig, "kubeconfig", "", "how to reach kube-apiserver as the node")
	flags.StringVar(&config.LabID, "lab", "", "the lab's id")
	flags.StringVar(&config.Name, "node", "", "name of the node")
	flags.StringVar(&config.Netns, "netns", "", "the node's network namespace")
	flags.StringVar(&config.IP, "ip", "", "the node's address")
	flags.StringVar(&config.OVSDB, "ovsdb", "", "endpoint of the node's Open vSwitch database")
	flags.StringVar(&config.Bridge, "bridge", "", "the integration bridge")
	flags.StringVar(&config.PluginSocket, "plugin-socket", "", "where to serve a container runtime's CNI plugin")
	flags.StringVar(&config.Router, "cluster-router", "", "name of the default VPC, on a node with a kubelet")
	flags.StringVar(&config.NodeSwitch, "node-switch", "", "name of the nodes' subnet, on a node with a kubelet")
	flags.StringVar(&config.ServiceCIDR, "service-cidr", "", "range of Services, on a node with a kubelet")
	flags.BoolVar(&config.Tainted, "tainted", false, "keep pods away that do not ask for this node")
	flags.BoolVar(&config.NonPrimary, "non-primary-cni-mode", false, "plug attachments alone")
	flags.StringVar(&readyFile, "ready-file", "", "file to make when ready")
	return command
}
