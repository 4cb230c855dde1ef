package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/repair/apply"
)

// undoOptions are the flags of the command.
type undoOptions struct {
	connection
	choice    journal.Choice
	since     time.Duration
	all       bool
	dryRun    bool
	namespace string
	timeout   time.Duration
}

func newUndoCommand() *cobra.Command {
	var o undoOptions
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Take back changes of repair, the newest first",
		Long: `Reads the journal of repair from the cluster and takes changes back, the newest first. What repair
did to a port is taken back as one thing, the pod's annotation and the row together, or not at all:
only where both still are what repair wrote, the pod and the row are the same ones, and the API
server takes the annotation. What somebody changed since is left alone and named, and so is what would
give the port more than its own MAC and addresses: the journal is not believed further than that.
Where only one of the two was asked for the other goes with it, and the output says so. Undoing is
written down as well, with your name, and each change is taken back once.

It takes the verb undo on pods.ovnguard.io in the pod's namespace, the right to patch pods/status
there, to read IP resources, and to write ConfigMaps in the program's namespace: see ClusterRoles
ovnguard-undoer and ovnguard-undoer-proof, and Role ovnguard-undoer.

Where a policy still says repair: repair, the port is put right again at once: set the policy's
spec.repair to log first.

Exit code: 0 all were taken back, 1 some were left alone, 2 wrong usage, 3 the API server or the
database could not be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	o.addFlags(flags)
	flags.Lookup("nb").Usage += ", or where Kube-OVN's controller finds it"
	flags.StringVar(&o.choice.ID, "change", "", "the one change with this ID")
	flags.StringVar(&o.choice.Port, "port", "", "changes of this Logical_Switch_Port")
	flags.StringVar(&o.choice.Namespace, "of", "", "changes of ports of this namespace's pods")
	flags.DurationVar(&o.since, "since", 0, "changes of this last stretch of time, such as 30m")
	flags.IntVar(&o.choice.Last, "last", 0, "this many changes")
	flags.BoolVar(&o.all, "all", false, "every change that is still kept")
	flags.BoolVar(&o.dryRun, "dry-run", false, "only show what would be taken back")
	flags.StringVar(&o.namespace, "namespace", namespaceDefault(), "namespace of the program, where the journal is")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server and the database")
	return cmd
}

// checkChoice says what is wrong with the flags.
func (o *undoOptions) checkChoice() error {
	var errs []error
	if chosen := o.choice != (journal.Choice{}) || o.since != 0; chosen == o.all {
		errs = append(errs, errors.New("name the changes: --change, --port, --of, --since and --last, or --all "+
			"alone"))
	}
	if o.since < 0 {
		errs = append(errs, fmt.Errorf("--since: %s: want a time that is not negative", o.since))
	}
	if o.choice.Last < 0 {
		errs = append(errs, fmt.Errorf("--last: %d: want a number that is not negative", o.choice.Last))
	}
	return errors.Join(append(errs, o.check())...)
}

func (o *undoOptions) run(ctx context.Context, out, errs io.Writer) error {
	if err := o.checkChoice(); err != nil {
		return usage(err)
	}
	if o.since > 0 {
		o.choice.Since = time.Now().Add(-o.since)
	}
	reach, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	config, err := o.rest()
	if err != nil {
		return err
	}
	api, err := newClient(config)
	if err != nil {
		return err
	}
	entries, err := journal.Read(reach, api, o.namespace)
	if err != nil && len(entries) == 0 {
		return unreachable(err)
	}
	units := o.choice.Units(entries)
	if len(units) == 0 {
		if _, err := journal.Standing(entries, o.choice.ID); o.choice.ID != "" && err != nil {
			return &exitError{code: exitFindings, err: fmt.Errorf("--change: %w", err)}
		}
		_, err := fmt.Fprintln(out, journal.Nothing(entries, o.choice))
		return err
	}
	user, err := whoAmI(reach, api)
	if err != nil {
		return unreachable(err)
	}
	if err := o.findNorthbound(reach, api); err != nil {
		return err
	}
	mirror, err := ovn.Open(ovn.Config{Endpoints: o.northbound, TLS: o.tls, Log: logr.Discard()})
	if err != nil {
		return usage(fmt.Errorf("--nb: %w", err))
	}
	follow, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		mirror.Run(follow)
	}()
	defer func() {
		stop()
		<-ended
	}()
	if err := mirror.WaitSynced(reach); err != nil {
		return unreachable(err)
	}
	undoer := &apply.Undoer{
		Mirror:  mirror,
		Client:  api,
		Journal: &journal.Journal{Client: api, Namespace: o.namespace, By: user, Now: time.Now},
		May:     mayUndo(api, user),
	}
	if err := warnOfRepair(reach, errs, api, units); err != nil {
		return err
	}
	return o.undo(ctx, out, errs, undoer, units)
}

// findNorthbound has --nb be what Kube-OVN's controller uses, where nothing else names the database.
func (o *undoOptions) findNorthbound(ctx context.Context, api client.Client) error {
	if o.northbound != "" {
		return nil
	}
	l, err := detect(ctx, api, layout.Wanted{})
	if err != nil {
		return err
	}
	if l.Northbound.Is == "" {
		return usage(fmt.Errorf("--nb: is required: %s", strings.Join(l.Problems(), "; ")))
	}
	o.northbound = l.Northbound.Is
	if err := o.check(); err != nil {
		return usage(fmt.Errorf("the Northbound database is at %s (%s): %w", o.northbound, l.Northbound.From, err))
	}
	return nil
}

func (o *undoOptions) undo(ctx context.Context, out, errs io.Writer, undoer *apply.Undoer, units []journal.Unit) error {
	left := 0
	var done []*apply.Restore
	for _, unit := range units {
		verb := "taken back"
		var r *apply.Restore
		var err error
		if o.dryRun {
			verb = "would be taken back"
			r, err = undoer.Check(ctx, unit)
		} else if r, err = undoer.Undo(ctx, unit); err == nil {
			done = append(done, r)
			if err := tell(ctx, errs, undoer, unit); err != nil {
				return err
			}
		}
		if err != nil {
			left++
			verb = "left alone: " + err.Error()
		} else {
			unit = r.Unit
		}
		if err := printUnit(out, unit, verb); err != nil {
			return err
		}
	}
	for _, port := range undoer.Behind(ctx, done) {
		if _, err := fmt.Fprintf(
			errs,
			"port %s: is still protected: Kube-OVN has not followed the annotation yet, or repair has put it right again\n",
			port,
		); err != nil {
			return err
		}
	}
	if left > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

// printUnit prints what becomes of a unit, one change a line.
func printUnit(out io.Writer, unit journal.Unit, verb string) error {
	for i, change := range unit.Undoing("") {
		e := unit.Changes[i]
		with := ""
		if slices.Contains(unit.Added, e.ID) {
			with = " (not asked for: a port's annotation and row go together)"
		}
		if _, err := fmt.Fprintf(
			out,
			"%s  %s  %s  %s%s\n",
			e.ID,
			e.Time.Format(time.RFC3339),
			change.Text(),
			verb,
			with,
		); err != nil {
			return err
		}
	}
	return nil
}
