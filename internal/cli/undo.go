package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/journal"
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
		Short: "Take back what repair did, the newest change first",
		Long: `Reads the journal of repair from the cluster and takes changes back, the newest first. A change is
taken back only where the row, or the pod's annotation, still is what the change wrote; what
somebody changed since is left alone and named. Undoing is written down as well.

Where a policy still says repair: repair, the port is put right again at once: set the policy's
spec.repair to log first.

Exit code: 0 all were taken back, 1 some were left alone, 2 wrong usage, 3 the API server or the
database could not be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	o.addFlags(flags)
	flags.StringVar(&o.choice.ID, "change", "", "the one change with this ID")
	flags.StringVar(&o.choice.Port, "port", "", "changes of this Logical_Switch_Port")
	flags.StringVar(&o.choice.Namespace, "of", "", "changes of ports of this namespace's pods")
	flags.DurationVar(&o.since, "since", 0, "changes of this last stretch of time, such as 30m")
	flags.IntVar(&o.choice.Last, "last", 0, "this many changes")
	flags.BoolVar(&o.all, "all", false, "every change that is still kept")
	flags.BoolVar(&o.dryRun, "dry-run", false, "only say what would be taken back")
	flags.StringVar(&o.namespace, "namespace", namespaceDefault(), "namespace of the program, where the journal is")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server and the database")
	return cmd
}

// checkChoice says what is wrong with the flags.
func (o *undoOptions) checkChoice() error {
	var errs []error
	if chosen := o.choice != (journal.Choice{}) || o.since != 0; chosen == o.all {
		errs = append(errs, errors.New("say which changes: --change, --port, --of, --since and --last, or --all alone"))
	}
	if o.since < 0 {
		errs = append(errs, fmt.Errorf("--since: %s: want a time that is not negative", o.since))
	}
	if o.choice.Last < 0 {
		errs = append(errs, fmt.Errorf("--last: %d: want a number that is not negative", o.choice.Last))
	}
	if o.northbound == "" {
		errs = append(errs, errors.New("--nb: is required, for example unix:/var/run/ovn/ovnnb_db.sock or tcp:10.0.0.1:6641"))
	}
	return errors.Join(append(errs, o.check())...)
}

func (o *undoOptions) run(ctx context.Context, out io.Writer) error {
	if err := o.checkChoice(); err != nil {
		return usage(err)
	}
	if o.since > 0 {
		o.choice.Since = time.Now().Add(-o.since)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	config, err := o.rest()
	if err != nil {
		return err
	}
	api, err := newClient(config)
	if err != nil {
		return err
	}
	entries, err := journal.Read(ctx, api, o.namespace)
	if err != nil && len(entries) == 0 {
		return unreachable(err)
	}
	picked := o.choice.Pick(entries)
	if len(picked) == 0 {
		_, err := fmt.Fprintln(out, "No change to take back.")
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
	if err := mirror.WaitSynced(ctx); err != nil {
		return unreachable(err)
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	undoer := &apply.Undoer{
		Mirror: mirror, Client: api, Journal: &journal.Journal{Client: api, Namespace: o.namespace, By: "undo on " + host, Now: time.Now},
	}
	return o.undo(ctx, out, undoer, picked)
}

func (o *undoOptions) undo(ctx context.Context, out io.Writer, undoer *apply.Undoer, picked []journal.Entry) error {
	left := 0
	restored := make(map[string]journal.Values) // by port: what this run brought back
	for _, e := range picked {
		change, verb := e.Undoing("taken back by hand"), "taken back"
		// What others wrote between two repairs is what the later one is taken back to, and is where the earlier one goes on from.
		before, again := restored[e.Port]
		change.Before = change.Before.Follow(before)
		var err error
		switch {
		case !o.dryRun:
			err = undoer.Undo(ctx, change)
		case !again:
			err = undoer.Check(ctx, change)
		}
		if o.dryRun {
			verb = "would be taken back"
		}
		if err != nil {
			left++
			verb = "left alone: " + err.Error()
		} else {
			restored[e.Port] = before.With(change.After)
		}
		if _, err := fmt.Fprintf(out, "%s  %s  %s  %s\n", e.ID, e.Time.Format(time.RFC3339), describe(change), verb); err != nil {
			return err
		}
	}
	if left > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

// newClient gives a client for a command that answers once. What the client would log is an error as well.
func newClient(config *rest.Config) (client.Client, error) {
	ctrl.SetLogger(logr.Discard())
	api, err := client.New(config, client.Options{})
	if err != nil {
		return nil, unreachable(fmt.Errorf("connect to the API server: %w", err))
	}
	return api, nil
}

// describe says what a change does.
func describe(e journal.Entry) string {
	words := []string{"port " + e.Port}
	if e.After.PortSecurity != nil {
		words = append(words, fmt.Sprintf("port_security %q -> %q", *e.Before.PortSecurity, *e.After.PortSecurity))
	}
	if e.After.Addresses != nil {
		words = append(words, fmt.Sprintf("addresses %q -> %q", *e.Before.Addresses, *e.After.Addresses))
	}
	if e.After.Annotations != nil {
		words = append(words, fmt.Sprintf("annotations of pod %s/%s", e.Namespace, e.Pod))
	}
	return strings.Join(words, ", ")
}
