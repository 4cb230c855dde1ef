package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/explain"
	"github.com/ovnguard/ovnguard/internal/journal"
)

// journalOptions are the flags of the command.
type journalOptions struct {
	connection
	output     output
	kubernetes string
	program    string
	namespace  string
	pod, port  string
	since      time.Duration
	timeout    time.Duration
}

func newJournalCommand() *cobra.Command {
	var o journalOptions
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "List what repair did, with the command that takes each change back",
		Long: `Reads the journal of repair, which is kept in ConfigMaps in the namespace of ovnguard, and lists the
changes, the newest last: what was written, why, what became of it, and the command that takes it
back. ovnguard undo takes a port's annotation and its row back together. Nothing is changed.

The journal keeps the newest changes alone, about 1.5 MB of them.

Exit code: 0, also where there are none, 2 wrong usage, 3 the API server could not be reached or does
not let you read the ConfigMaps, 4 lines of the journal cannot be read.`,
		Example: `  ovnguard journal --since 2h
  ovnguard journal -n shop --pod web-0
  ovnguard journal --from configmaps.json -o csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	o.addKubernetesFlags(flags)
	addFromFlag(flags, &o.kubernetes, ": the output of kubectl get configmaps -n ovnguard-system -o json (or yaml)")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "only changes of ports of this namespace's pods")
	flags.StringVar(&o.pod, "pod", "", "only changes of ports of pods with this name")
	flags.StringVar(&o.port, "port", "", "only changes of this Logical_Switch_Port")
	flags.DurationVar(&o.since, "since", 0, "only changes of this last stretch of time, such as 2h")
	flags.StringVar(&o.program, "program-namespace", namespaceDefault(), "namespace of ovnguard, where the journal is")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
	o.output.addOutputFlags(flags)
	return cmd
}

// journalReport is the answer of the command. It may grow; a field never changes its meaning or goes away.
type journalReport struct {
	answer.Meta

	// Changes are the oldest first.
	Changes []journalChange `json:"changes"`
	Notes   []string        `json:"notes"`
}

// journalChange is a change of repair, and the port that it is of.
type journalChange struct {
	explain.Change

	Port      string `json:"port"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	By        string `json:"by"`
}

func (o *journalOptions) run(ctx context.Context, out io.Writer) error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	switch {
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	case o.since < 0:
		return usage(fmt.Errorf("--since: %s: want a time that is not negative", o.since))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	entries, damage, err := o.read(ctx)
	if err != nil {
		return err
	}
	r := journalReport{Meta: answer.Of("Journal"), Changes: []journalChange{}, Notes: []string{}}
	if damage != nil {
		r.Notes = append(r.Notes, damage.Error())
	}
	now := time.Now()
	for _, e := range entries {
		if o.selects(&e, now) {
			r.Changes = append(r.Changes, journalChange{
				explain.Changed(e, entries, o.program), e.Port, e.Namespace, e.Pod, e.By,
			})
		}
	}
	if err := o.output.put(out, r.answer()); err != nil {
		return err
	}
	if damage != nil {
		return &exitError{code: exitIncomplete, err: damage}
	}
	return nil
}

// selects reports whether the flags select a change.
func (o *journalOptions) selects(e *journal.Entry, now time.Time) bool {
	return (o.namespace == "" || e.Namespace == o.namespace) && (o.pod == "" || e.Pod == o.pod) &&
		(o.port == "" || e.Port == o.port) && (o.since == 0 || !e.Time.Before(now.Add(-o.since)))
}

// read returns the changes, the oldest first; damage says that some cannot be read.
func (o *journalOptions) read(ctx context.Context) (entries []journal.Entry, damage, err error) {
	if o.kubernetes != "" {
		entries, found, err := journalOf(o.kubernetes)
		switch {
		case errors.Is(err, journal.ErrUnreadable):
			return entries, err, nil
		case err != nil:
			return nil, nil, usage(fmt.Errorf("--from: %s: %w", o.kubernetes, err))
		case !found:
			return nil, nil, usage(
				fmt.Errorf("--from: %s: it has no ConfigMap of the journal: want the output of kubectl get "+
					"configmaps -n %s -l %s -o json", o.kubernetes, o.program, journal.Label),
			)
		}
		return entries, nil, nil
	}
	config, err := o.rest()
	if err != nil {
		return nil, nil, err
	}
	api, err := newClient(config)
	if err != nil {
		return nil, nil, err
	}
	entries, err = journal.Read(ctx, api, o.program)
	switch {
	case errors.Is(err, journal.ErrUnreadable):
		return entries, err, nil
	case apierrors.IsForbidden(err):
		return nil, nil, unreachable(
			fmt.Errorf("%w; an administrator can grant the right to list configmaps in namespace %s",
				err, o.program),
		)
	case err != nil:
		return nil, nil, unreachable(err)
	}
	return entries, nil, nil
}

// answer returns the changes as a table.
func (r *journalReport) answer() answer.Answer {
	s := answer.Section{Columns: append(
		answer.Columns("Time", "Namespace", "Pod", "Change", "Outcome", "To take it back"),
		answer.WideColumns("ID", "By")...,
	)}
	for i := range r.Changes {
		c := &r.Changes[i]
		what := []string{c.What}
		if c.Why != "" {
			what = append(what, "because "+c.Why)
		}
		s.Rows = append(
			s.Rows,
			answer.NewRow(c.Time.Format(time.RFC3339), c.Namespace, c.Pod, what, c.Outcome, c.Undo, c.ID,
				c.By),
		)
	}
	if len(s.Rows) == 0 {
		s.After = []string{"the journal has no such change"}
	}
	return answer.Answer{Title: "ovnguard journal", Document: r, Sections: []answer.Section{s}, Notes: r.Notes}
}

// journalOf returns the changes that a file has, or the files of a directory; found reports whether there is a journal.
// Standard input has been read for the objects of the cluster, so that none is found there.
func journalOf(path string) (entries []journal.Entry, found bool, err error) {
	if path == standardInput {
		return nil, false, nil
	}
	files, _, err := clusterFiles(path)
	if err != nil {
		return nil, false, err
	}
	for _, file := range files {
		data, err := readFile(file)
		if err != nil {
			return nil, false, err
		}
		some, is, err := journal.FromFile(data)
		if err != nil && len(files) > 1 {
			err = fmt.Errorf("%s: %w", file, err)
		}
		entries, found = append(entries, some...), found || is
		if err != nil {
			return entries, found, err
		}
	}
	return entries, found, nil
}

// readFile returns what a file has, unpacked.
func readFile(path string) ([]byte, error) {
	in, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // it was only read
	return io.ReadAll(in)
}

// readJournal returns the changes that are still kept, from the cluster or from a file in its place. notes say what is
// not known of them.
func readJournal(
	ctx context.Context, api client.Reader, program, file string,
) (entries []journal.Entry, notes []string, err error) {
	if file != "" {
		entries, found, err := journalOf(file)
		switch {
		case err != nil:
			notes = append(notes, fmt.Sprintf("the journal in %s: %v; not known: some of what repair did", file, err))
		case !found:
			notes = append(notes, "the file has no ConfigMap of the journal; not known: what repair did")
		}
		return entries, notes, nil
	}
	entries, err = journal.Read(ctx, api, program)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, unreachable(err)
		}
		notes = append(notes, fmt.Sprintf("%v; not known: what repair did", err))
	}
	return entries, notes, nil
}
