package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// changeOptions are the flags of commands that change one exception.
type changeOptions struct {
	reading
	namespace string
	yes       bool
}

func (o *changeOptions) addFlags(flags *pflag.FlagSet, yes string) {
	o.addKubernetesFlags(flags)
	flags.StringVarP(
		&o.namespace,
		"namespace",
		"n",
		"",
		"namespace of the exception, where the argument does not say it",
	)
	flags.BoolVarP(&o.yes, "yes", "y", false, yes)
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
}

func newExceptionApproveCommand() *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "approve NAMESPACE/NAME",
		Short: "Approve an exception that somebody else asked for",
		Long: `Shows what the exception opens, for which ports and until when, and approves just that: what is changed
in the meantime is not approved. It asks for a confirmation, or takes --yes. It takes the verb approve
on portsecurityexceptions.ovnguard.io, and nobody approves what they asked for themselves.

Exit code: 0 approved, 1 admission refuses the approval, or it was not confirmed, 2 wrong usage, 3 the
API server could not be reached, or a right is missing.`,
		Example: "  ovnguard exception approve edge/router\n  ovnguard exception approve router -n edge --yes",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeExceptions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.approve(cmd.Context(), cmd, args[0])
		},
	}
	o.addFlags(cmd.Flags(), "approve without asking for a confirmation")
	return cmd
}

// start reads the exception that the argument names, and what is needed to judge a change of it.
func (o *changeOptions) start(
	ctx context.Context, errs io.Writer, arg string, now time.Time,
) (j *judge, is *v1alpha1.PortSecurityException, err error) {
	key, err := named(arg, o.namespace)
	if err != nil {
		return nil, nil, usage(err)
	}
	j, notes, err := o.newJudge(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	if err := tellNotes(errs, notes); err != nil {
		return nil, nil, err
	}
	is, err = getException(ctx, j.api, key)
	return j, is, err
}

func (o *changeOptions) approve(ctx context.Context, cmd *cobra.Command, arg string) error {
	now, out, errs := time.Now(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	asking := ctx
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	j, is, err := o.start(ctx, errs, arg, now)
	if err != nil {
		return err
	}
	if is.Spec.ApprovedBy != "" && is.Spec.ApprovedRequest == is.Spec.RequestID {
		_, err := fmt.Fprintf(out, "PortSecurityException %s/%s is approved already, by %s\n",
			is.Namespace, is.Name, answer.Plain(is.Spec.ApprovedBy))
		return err
	}
	approved := is.DeepCopy()
	approved.Spec.ApprovedBy, approved.Spec.ApprovedRequest = j.user.Username, is.Spec.RequestID
	v, err := j.judge(ctx, is, approved)
	if err != nil {
		return err
	}
	if v.Refusal != "" {
		return &exitError{code: exitFindings, err: errors.New("refused: " + answer.Plain(v.Refusal))}
	}
	for _, line := range j.opens(is) {
		if _, err := fmt.Fprintln(out, answer.Plain(line)); err != nil {
			return err
		}
	}
	if err := v.warn(errs); err != nil {
		return err
	}
	if err := o.confirm(cmd.InOrStdin(), errs, "Approve this?"); err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(asking, o.timeout) // whoever was asked took their time
	defer cancel()
	if err := j.api.Patch(ctx, approved, client.MergeFrom(is)); err != nil {
		return refusedByServer(err, is)
	}
	_, err = fmt.Fprintf(out, "PortSecurityException %s/%s was approved\n", is.Namespace, is.Name)
	return err
}

// confirm asks whether to go on, unless --yes says so.
func (o *changeOptions) confirm(in io.Reader, errs io.Writer, question string) error {
	if o.yes {
		return nil
	}
	if !isTerminal(in) {
		return usage(errors.New("--yes: is required where nobody can be asked; nothing was changed"))
	}
	if _, err := fmt.Fprint(errs, question+" [y/N] "); err != nil {
		return err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err := ignoreEnd(err); err != nil {
		return err
	}
	if reply := strings.ToLower(strings.TrimSpace(line)); reply != "y" && reply != "yes" {
		return &exitError{code: exitFindings, err: errors.New("nothing was changed")}
	}
	return nil
}

// opens says what an exception opens.
func (j *judge) opens(o *v1alpha1.PortSecurityException) []string {
	e := kube.ExceptionOf(o)
	lines := []string{
		fmt.Sprintf("PortSecurityException %s/%s", o.Namespace, o.Name),
		"  reason:    " + o.Spec.Reason,
		"  asked by:  " + o.Spec.RequestedBy + at(o.Spec.RequestedAt),
		"  owner:     " + o.Spec.Owner,
	}
	if o.Spec.Ticket != "" {
		lines = append(lines, "  ticket:    "+o.Spec.Ticket)
	}
	if w := o.Spec.Target.Owner; w != nil {
		lines = append(lines, fmt.Sprintf("  for:       pods of %s %s", w.Kind, w.Name))
	}
	if s := o.Spec.Target.PodSelector; s != nil {
		lines = append(lines, "  for:       pods with labels "+metav1.FormatLabelSelector(s)+
			", which whoever may make pods can give them")
	}
	for _, text := range grantsOf(&e) {
		lines = append(lines, "  grants:    "+text)
	}
	for i, with := range e.SharedWith {
		if with != "" {
			lines = append(lines, fmt.Sprintf("  shares:    %s, with %s", e.Pairs[i], with))
		}
	}
	lines = append(lines, "  until:     "+e.Expires.UTC().Format(time.RFC3339))
	if j.inv == nil {
		return append(lines, "  ports now: not known, since you may not read the cluster")
	}
	ports := j.inv.Targets(&e)
	text := strings.Join(ports[:min(len(ports), portsTold)], " ")
	if more := len(ports) - portsTold; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return append(lines, fmt.Sprintf("  ports now: %d %s", len(ports), text))
}

func at(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return " at " + t.UTC().Format(time.RFC3339)
}
