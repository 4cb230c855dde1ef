package labcmd

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/demo"
)

func newDemoCommand() *cobra.Command {
	var options demo.Options
	command := &cobra.Command{
		Use:   "demo",
		Short: "Show on the wire what ovnguard changes",
		Long: `Starts a lab, sends real frames between pods without ovnguard and with it, and compares
what arrives with what should. The exit code is 1 where something differs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, restore := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer restore()
			// A second Ctrl-C ends this program at once.
			context.AfterFunc(ctx, restore)
			options.Out, options.Lab.Log = cmd.OutOrStdout(), cmd.ErrOrStderr()
			options.Colour = isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
			return demo.Run(ctx, options)
		},
	}
	stateDirFlag(command, &options.Lab.StateDir)
	flags := command.Flags()
	flags.StringVar(&options.Guard, "ovnguard", "bin/ovnguard", "path of the program ovnguard")
	flags.BoolVar(&options.Keep, "keep", false, "leave the lab up at the end, until Ctrl-C")
	return command
}

// isTerminal reports whether a file is a terminal.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
