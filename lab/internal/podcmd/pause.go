package podcmd

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func newPauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause",
		Short: "Hold a pod's namespaces until SIGTERM, and reap what ends in them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			children := make(chan os.Signal, 1)
			signal.Notify(children, syscall.SIGCHLD)
			for {
				select {
				case <-cmd.Context().Done():
					return nil
				case <-children:
					if err := reap(); err != nil {
						return err
					}
				}
			}
		},
	}
}

// reap takes the exit codes of all children that have ended.
func reap() error {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.ECHILD) || err == nil && pid == 0:
			return nil
		case err != nil:
			return fmt.Errorf("reap: %w", err)
		}
	}
}
