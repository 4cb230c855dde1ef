package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/exception"
)

// pruneOptions are the flags of the command.
type pruneOptions struct {
	exceptionsOptions
	yes    bool
	unused bool
}

func newExceptionPruneCommand() *cobra.Command {
	var o pruneOptions
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete exceptions that have ended, or are for no port",
		Long: `Lists the exceptions that have ended and, with --unused, those that are for no port that there is, as
the audit's OVG015 and OVG016 find them. With --yes it deletes them. One that somebody has changed since
it was read is left alone.

Exit code: 0 there is none, or all were deleted, 1 there are some, or some were left alone, 2 wrong
usage, 3 the API server could not be reached, or a right is missing.`,
		Example: "  ovnguard exception prune\n  ovnguard exception prune -n edge --unused --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&o.unused, "unused", false, "also those that are for no port that there is now")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "delete them; without it they are only listed")
	o.output.addOutputFlags(cmd.Flags())
	return cmd
}

// pruneReport is the answer of the command. It may grow; a field never changes its meaning or goes away.
type pruneReport struct {
	answer.Meta

	Exceptions []prunedException `json:"exceptions"`
	Notes      []string          `json:"notes"`
}

// prunedException is an exception that is of no use any more.
type prunedException struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Why       string `json:"why"`
	// Result is "deleted", "would be deleted" or why it was left alone.
	Result string `json:"result"`
}

const (
	resultDeleted     = "deleted"
	resultWouldDelete = "would be deleted"
)

func (o *pruneOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	if err := o.checkFlags(); err != nil {
		return err
	}
	if o.yes && o.kubernetes != "" {
		return usage(errors.New("--yes: the cluster is a file, so that nothing can be deleted; leave it out"))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	now := time.Now()
	list, notes, err := o.readExceptions(ctx, now, flags)
	if err != nil {
		return err
	}
	r := pruneReport{
		Meta:       answer.Of("PruneReport"),
		Exceptions: []prunedException{},
		Notes:      append([]string{}, notes...),
	}
	for i := range list {
		l := &list[i]
		why := l.Useless(now)
		if why == "" || l.State != exception.Expired && !o.unused {
			continue
		}
		r.Exceptions = append(r.Exceptions, prunedException{l.Namespace, l.Name, why, resultWouldDelete})
	}
	var failed error
	if o.yes && len(r.Exceptions) > 0 {
		failed = o.delete(ctx, r.Exceptions, list)
	}
	if err := o.output.put(out, r.answer()); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return failed
	case r.remain():
		return &exitError{code: exitFindings}
	}
	return nil
}

// remain reports whether one of them is still there.
func (r *pruneReport) remain() bool {
	for i := range r.Exceptions {
		if r.Exceptions[i].Result != resultDeleted {
			return true
		}
	}
	return false
}

// delete deletes exceptions as they were read, and notes what became of each. The error is that of the API server for
// the first one that it does not let be deleted.
func (o *pruneOptions) delete(ctx context.Context, pruned []prunedException, read []exception.Listed) (failed error) {
	api, err := o.client()
	if err != nil {
		return err
	}
	was := make(map[client.ObjectKey]time.Time, len(read))
	for i := range read {
		was[client.ObjectKey{Namespace: read[i].Namespace, Name: read[i].Name}] = read[i].Expires
	}
	for i := range pruned {
		p := &pruned[i]
		key := client.ObjectKey{Namespace: p.Namespace, Name: p.Name}
		err := deleteAsRead(ctx, api, key, was[key])
		switch {
		case err == nil:
			p.Result = resultDeleted
			continue
		case errors.Is(err, errChanged) || apierrors.IsConflict(err):
			p.Result = "left alone: somebody has changed it since it was read"
		default:
			p.Result = "left alone: " + err.Error()
			if failed == nil {
				failed = lacking(
					fmt.Errorf("delete PortSecurityException %s: %w", key, err),
					"ovnguard-exception-author",
					key.Namespace,
				)
			}
		}
	}
	return failed
}

var errChanged = errors.New("it has changed")

// deleteAsRead deletes an exception that still ends when it did.
func deleteAsRead(ctx context.Context, api client.Client, key client.ObjectKey, end time.Time) error {
	o := new(v1alpha1.PortSecurityException)
	if err := api.Get(ctx, key, o); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !o.Spec.ExpiresAt.Time.Equal(end) {
		return errChanged
	}
	return client.IgnoreNotFound(api.Delete(ctx, o, client.Preconditions(metav1.Preconditions{
		UID: &o.UID, ResourceVersion: &o.ResourceVersion,
	})))
}

// answer returns the report in parts.
func (r *pruneReport) answer() answer.Answer {
	s := answer.Section{Columns: answer.Columns("Namespace", "Name", "Why", "Result")}
	deleted := 0
	for _, p := range r.Exceptions {
		if p.Result == resultDeleted {
			deleted++
		}
		s.Rows = append(s.Rows, answer.NewRow(p.Namespace, p.Name, p.Why, p.Result))
	}
	s.After = []string{fmt.Sprintf("%s of no use, %d deleted", counted(len(r.Exceptions), "exception"), deleted)}
	if len(r.Exceptions) > 0 && deleted == 0 {
		s.After = append(s.After, "nothing was deleted; --yes deletes them")
	}
	return answer.Answer{Title: "ovnguard exception prune", Document: r, Sections: []answer.Section{s}, Notes: r.Notes}
}
