package labcmd

import (
	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/component"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// newComponentCommand makes the hidden command by which the lab starts itself
// again as one of its parts.
func newComponentCommand() *cobra.Command {
	command := &cobra.Command{
		Use:    "component",
		Short:  "Run one part of a lab (used by up)",
		Hidden: true,
	}
	var etcdDir string
	apiServer := &cobra.Command{
		Use: controlplane.APIServer + " --etcd-dir DIR -- FLAGS",
		RunE: func(cmd *cobra.Command, flags []string) error {
			return component.APIServer(cmd.Context(), etcdDir, flags)
		},
	}
	apiServer.Flags().StringVar(&etcdDir, "etcd-dir", "", "directory of etcd's data and sockets")
	command.AddCommand(apiServer,
		&cobra.Command{
			Use:  controlplane.ControllerManager + " -- FLAGS",
			RunE: func(_ *cobra.Command, flags []string) error { return component.ControllerManager(flags) },
		},
		&cobra.Command{
			Use:  controlplane.Scheduler + " -- FLAGS",
			RunE: func(_ *cobra.Command, flags []string) error { return component.Scheduler(flags) },
		},
	)
	return command
}
