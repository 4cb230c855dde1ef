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
	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
)

// Exit codes, the same for every command.
const (
	exitOK          = 0
	exitFindings    = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitIncomplete  = 4
	// exitInterrupted is that of a command without an answer, as shells have it for an interrupt.
	exitInterrupted = 130
)

// version, commit and date are set by the build. The date is that of the commit, so that a commit is always built to
// the same bytes.
var (
	version      = "unknown"
	commit, date string
)

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
// reached, 4 nothing was found but not everything could be judged, 130 interrupted before there was an answer. The
// first interrupt ends the command cleanly, the second at once.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand(os.Args[0])
	root.SetArgs(args)
	p := newProgress(stderr)
	stdout, stderr = quietWriter{stdout, p}, quietWriter{stderr, p}
	root.PersistentFlags().BoolVar(&p.on, "progress", p.on,
		"say on standard error what a command waits for that takes over a second; default: on a terminal")
	root.PersistentFlags().Lookup("progress").DefValue = ""
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.WithValue(ctx, progressKey{}, p))
	p.hide()
	if err == nil {
		return exitOK
	}
	code := exitUsage // what cobra itself refuses
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
	}
	if _, ok := errors.AsType[lastState](err); !ok && ctx.Err() != nil && code != exitFindings {
		code, err = exitInterrupted, errors.New("interrupted")
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
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(nearFlag)
	root.AddCommand(
		newAuditCommand(),
		newBundleCommand(),
		newCheckCommand(),
		newControllerCommand(),
		newDefinitionsCommand(),
		newDoctorCommand(),
		newExceptionCommand(),
		newExplainCommand(),
		newReachCommand(),
		newExportCommand(),
		newFrameCommand(),
		newJournalCommand(),
		newPlanCommand(),
		newPortsecCommand(),
		newRenderCommand(),
		newRepairCommand(),
		newRulesCommand(),
		newSelftestCommand(),
		newStatusCommand(),
		newUndoCommand(),
		newUpgradeCheckCommand(),
		newUninstallCommand(),
		newVersionCommand(),
	)
	addCompletions(root)
	return root
}

// Commands returns the command line as documents describe it. program is the name that starts it.
func Commands(program string) *cobra.Command { return newRootCommand(program) }

// nearFlag adds to the error of an unknown flag the nearest flag of the command.
func nearFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || len(unknown.GetSpecifiedName()) < 2 {
		return usage(err)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := nearestIDs(unknown.GetSpecifiedName(), names)
	if len(near) == 0 {
		return usage(err)
	}
	return usage(fmt.Errorf("--%s: did you mean --%s?", answer.Plain(unknown.GetSpecifiedName()), near[0]))
}

// noCommand refuses words that are no command, and names the nearest commands.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("%s; did you mean %s?", text, strings.Join(near, ", "))
	}
	return fmt.Errorf("%s; --help lists all", text)
}
