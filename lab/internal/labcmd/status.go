package labcmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/lab/internal/status"
)

// ErrQuiet ends the program with exit code 1 without a message: the command has printed everything.
var ErrQuiet = errors.New("the lab does not run, or not all of it")

func newStatusCommand() *cobra.Command {
	var stateDir, format string
	command := &cobra.Command{
		Use:   "status",
		Short: "Say which parts of a lab run and whether they are healthy",
		Long: `Says which parts of a lab run and whether they are healthy.
The exit code is 0 when the lab is ready and all of it is healthy, else 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--output %q: must be text or json", format)
			}
			dir, err := state.FindDir(stateDir)
			if err != nil {
				return err
			}
			report, err := status.Check(cmd.Context(), dir)
			if err != nil {
				return err
			}
			write := report.WriteText
			if format == "json" {
				write = report.WriteJSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("write status: %w", err)
			}
			if !report.Running() {
				return ErrQuiet
			}
			return nil
		},
	}
	stateDirFlag(command, &stateDir)
	command.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return command
}
