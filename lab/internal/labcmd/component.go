package labcmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/component"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// newComponentCommand returns the hidden command with which the lab starts itself again as one of its parts.
func newComponentCommand() *cobra.Command {
	command := &cobra.Command{
		Use:    "component",
		Short:  "Run one part of a lab (used by up)",
		Hidden: true,
	}
	command.AddCommand(
		newAPIServerCommand(),
		newControllerManagerCommand(),
		newSchedulerCommand(),
		newKubeOVNCommand(),
		newNodeAgentCommand(),
	)
	return command
}

func newAPIServerCommand() *cobra.Command {
	var etcdDir string
	command := &cobra.Command{
		Use: controlplane.APIServer + " --etcd-dir DIR -- FLAGS",
		RunE: func(cmd *cobra.Command, flags []string) error {
			return component.APIServer(cmd.Context(), etcdDir, flags)
		},
	}
	command.Flags().StringVar(&etcdDir, "etcd-dir", "", "directory of etcd's data and sockets")
	return command
}

func newControllerManagerCommand() *cobra.Command {
	return &cobra.Command{
		Use:  controlplane.ControllerManager + " -- FLAGS",
		RunE: func(_ *cobra.Command, flags []string) error { return component.ControllerManager(flags) },
	}
}

func newSchedulerCommand() *cobra.Command {
	return &cobra.Command{
		Use:  controlplane.Scheduler + " -- FLAGS",
		RunE: func(_ *cobra.Command, flags []string) error { return component.Scheduler(flags) },
	}
}

// untilTerminated runs one of the lab's own components until SIGTERM. The command up stops it with that signal, so this
// is no failure.
func untilTerminated(ctx context.Context, run func(context.Context) error) error {
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer restore()
	if err := run(ctx); err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
		return err
	}
	return nil
}

// sayReady returns a function that writes the file that up waits for. It holds the process id, so that a file of an
// earlier run does not count.
func sayReady(file string, log *slog.Logger) func() {
	return func() {
		if err := state.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			log.Error("cannot say that it is ready", "error", err)
		}
	}
}
