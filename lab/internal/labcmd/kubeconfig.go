package labcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

func newKubeconfigCommand() *cobra.Command {
	var (
		stateDir, user string
		groups         []string
	)
	command := &cobra.Command{
		Use:   "kubeconfig --user USER [--group GROUP]...",
		Short: "Print a kubeconfig for any user of a running lab",
		Long: `Prints a kubeconfig with a fresh client certificate of the lab's authority.
Any user and group will do; what they may do, RBAC says.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := state.Load(stateDir)
			if err != nil {
				return err
			}
			data, err := controlplane.KubeconfigFor(state.Dir(info.StateDir), info.APIServer, user, groups)
			if err != nil {
				return err
			}
			if _, err := cmd.OutOrStdout().Write(data); err != nil {
				return fmt.Errorf("write kubeconfig: %w", err)
			}
			return nil
		},
	}
	stateDirFlag(command, &stateDir)
	command.Flags().StringVar(&user, "user", "", "user name")
	command.Flags().StringArrayVar(&groups, "group", nil, "group of the user; may be repeated")
	if err := command.MarkFlagRequired("user"); err != nil {
		panic(err) // the flag is defined two lines above
	}
	return command
}
