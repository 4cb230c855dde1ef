// Package labcmd has the commands of ovnguard-lab, one a file.
package labcmd

import (
	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// New returns the command ovnguard-lab.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:   "ovnguard-lab",
		Short: "A Kubernetes control plane and an OVN in a box",
		Long: `ovnguard-lab runs a real Kubernetes control plane and a real OVN on this machine,
with pods as network namespaces. Everything it keeps is in one state directory.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		newUpCommand(),
		newStatusCommand(),
		newDownCommand(),
		newKubeconfigCommand(),
		newDemoCommand(),
		newComponentCommand(),
	)
	return root
}

// stateDirFlag adds --state-dir.
func stateDirFlag(command *cobra.Command, path *string) {
	command.Flags().StringVar(path, "state-dir", state.DefaultDir, "directory of the lab's data, logs and sockets")
}
