package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/answer"
)

// renewOptions are the flags of the command.
type renewOptions struct {
	changeOptions
	lasting span
	dryRun  bool
}

func newExceptionRenewCommand() *cobra.Command {
	var o renewOptions
	cmd := &cobra.Command{
		Use:   "renew NAMESPACE/NAME --for SPAN",
		Short: "Ask for a later end of an exception",
		Long: `Has the exception end a span from now. That asks for something new: where policy wants an approval,
the exception does not count until somebody approves it again, and this is said before it is sent.

Exit code: 0 it was renewed, 1 admission refuses it, or it was not confirmed, 2 wrong usage, 3 the API
server could not be reached, or a right is missing.`,
		Example: "  ovnguard exception renew edge/router --for 30d",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeExceptions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd, args[0])
		},
	}
	o.addFlags(cmd.Flags(), "renew without asking for a confirmation")
	cmd.Flags().Var(&o.lasting, "for", "how long it lasts from now on, such as 30d")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the manifest, and change nothing")
	return cmd
}

func (o *renewOptions) run(ctx context.Context, cmd *cobra.Command, arg string) error {
	now, out, errs := time.Now(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	switch {
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	case o.lasting == 0:
		return usage(errors.New("--for: is required: how long it lasts from now on, such as 30d"))
	}
	asking := ctx
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	j, is, err := o.start(ctx, errs, arg, now)
	if err != nil {
		return err
	}
	renewed := is.DeepCopy()
	renewed.Spec.ExpiresAt = metav1.NewTime(now.Add(time.Duration(o.lasting)).UTC().Truncate(time.Second))
	if !renewed.Spec.ExpiresAt.After(is.Spec.ExpiresAt.Time) {
		return usage(fmt.Errorf("--for: %s: it lasts until %s already", &o.lasting,
			is.Spec.ExpiresAt.UTC().Format(time.RFC3339)))
	}
	// Admission writes its fields again; an approval of the earlier end is none of this one.
	renewed.Spec.RequestedBy, renewed.Spec.RequestedAt, renewed.Spec.RequestID = "", nil, ""
	renewed.Spec.ApprovedBy, renewed.Spec.ApprovedRequest, renewed.Spec.SharedBy = "", "", nil
	v, err := j.judge(ctx, is, renewed)
	if err != nil {
		return err
	}
	if v.Refusal != "" {
		return &exitError{code: exitFindings, err: errors.New("refused: " + answer.Plain(v.Refusal))}
	}
	if err := v.warn(errs); err != nil {
		return err
	}
	if o.dryRun {
		shown := renewed.DeepCopy()
		shown.ManagedFields = nil
		text, err := manifestText(shown)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}
	until := renewed.Spec.ExpiresAt.UTC().Format(time.RFC3339)
	if is.Spec.ApprovedBy != "" {
		question := fmt.Sprintf("%s/%s was approved by %s until %s. Renewing it takes the approval away: where policy "+
			"wants one, it does not count until it is approved again. Renew it until %s?", is.Namespace, is.Name,
			answer.Plain(is.Spec.ApprovedBy), is.Spec.ExpiresAt.UTC().Format(time.RFC3339), until)
		if err := o.confirm(cmd.InOrStdin(), errs, question); err != nil {
			return err
		}
	}
	ctx, cancel = context.WithTimeout(asking, o.timeout) // whoever was asked took their time
	defer cancel()
	if err := j.api.Patch(
		ctx,
		renewed,
		client.MergeFromWithOptions(is, client.MergeFromWithOptimisticLock{}),
	); err != nil {
		return refusedByServer(err, is)
	}
	_, err = fmt.Fprintf(out, "PortSecurityException %s/%s lasts until %s\n", is.Namespace, is.Name, until)
	return err
}
