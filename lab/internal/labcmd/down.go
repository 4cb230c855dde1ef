package labcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/up"
)

func newDownCommand() *cobra.Command {
	var stateDir string
	command := &cobra.Command{
		Use:   "down",
		Short: "Stop a lab and sweep what a killed one left",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			say := func(format string, args ...any) {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
			}
			return up.Down(cmd.Context(), stateDir, say)
		},
	}
	stateDirFlag(command, &stateDir)
	return command
}
