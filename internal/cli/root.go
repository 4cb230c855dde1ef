// Package cli holds the program's commands, one a file. Answers go to standard output, everything else to standard
// error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every command.
const (
	exitOK          = 0
	exitFindings    = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitIncomplete  = 4
)

// version is set by the build.
var version = "unknown"

// exitError ends the program with a code. An empty message says nothing more, because the answer was given already.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as the user's: the message names the flag and the fix.
func usage(err error) error { return &exitError{code: exitUsage, err: err} }

// unreachable marks an error as that of something the program depends on.
func unreachable(err error) error { return &exitError{code: exitUnreachable, err: err} }

// Main runs the command line and returns the exit code: 0 fine, 1 findings, 2 wrong usage, 3 something could not be
// reached, 4 nothing was found but not everything could be judged. The first interrupt ends the command cleanly, the
// second at once.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand(os.Args[0])
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitUsage // what cobra itself refuses
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
	}
	if text := err.Error(); text != "" {
		_, _ = fmt.Fprintln(stderr, "ovnguard:", text) // nobody is left to tell
	}
	return code
}

// newRootCommand returns the command line. program is the path that the program was started by: as a plugin of kubectl
// its name is kubectl-ovnguard, and its texts say "kubectl ovnguard".
func newRootCommand(program string) *cobra.Command {
	name := "ovnguard"
	if strings.TrimSuffix(filepath.Base(program), ".exe") == "kubectl-ovnguard" {
		name = "kubectl ovnguard"
	}
	root := &cobra.Command{
		Use:           "ovnguard",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
		Short:         "Port security for Kube-OVN: on by default, governed exceptions, proof on the wire",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(
		newAuditCommand(),
		newCheckCommand(),
		newControllerCommand(),
		newDefinitionsCommand(),
		newDoctorCommand(),
		newExplainCommand(),
		newFrameCommand(),
		newPortsecCommand(),
		newRenderCommand(),
		newRepairCommand(),
		newRulesCommand(),
		newSelftestCommand(),
		newStatusCommand(),
		newUndoCommand(),
		newUninstallCommand(),
		newVersionCommand(),
	)
	addCompletions(root)
	return root
}
