// Package podcmd has what the lab's containers do: nothing, serve and fetch pages, and send frames.
package podcmd

import (
	"github.com/spf13/cobra"
)

// New returns the program of the lab's images.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "ovnguard-lab-pod",
		Short:         "What the containers of a lab run",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newPauseCommand(), newServeCommand(), newGetCommand(), newFramesCommand())
	return root
}
