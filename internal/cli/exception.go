package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

func newExceptionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exception",
		Short: "List, ask for, approve, propose, renew and prune PortSecurityExceptions",
		Long: `A PortSecurityException lets some ports send from more than their own MAC and addresses, for a time.
list says what stands of each, generate proposes the narrowest one for a port, create asks for one,
approve approves what somebody else asked for, renew asks for a later end, and prune deletes those
that are of no use any more. What admission would refuse is refused before it is sent.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newExceptionListCommand(),
		newExceptionCreateCommand(),
		newExceptionApproveCommand(),
		newExceptionGenerateCommand(),
		newExceptionRenewCommand(),
		newExceptionPruneCommand(),
	)
	return cmd
}

// named reads NAMESPACE/NAME, or a name with the namespace of -n.
func named(arg, namespace string) (client.ObjectKey, error) {
	ns, name, both := strings.Cut(arg, "/")
	if !both {
		ns, name = namespace, arg
	}
	switch {
	case both && namespace != "" && namespace != ns:
		return client.ObjectKey{}, fmt.Errorf("--namespace: %q is not the namespace of %s", namespace, arg)
	case ns == "" || name == "" || strings.Contains(name, "/"):
		return client.ObjectKey{}, fmt.Errorf("%q: want NAMESPACE/NAME, or NAME with --namespace", arg)
	}
	return client.ObjectKey{Namespace: ns, Name: name}, nil
}

// getException reads an exception from the cluster.
func getException(
	ctx context.Context, api client.Reader, key client.ObjectKey,
) (*v1alpha1.PortSecurityException, error) {
	o := new(v1alpha1.PortSecurityException)
	if err := api.Get(ctx, key, o); err != nil {
		if apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return nil, usage(fmt.Errorf("namespace %s has no PortSecurityException %q; ovnguard exception list -n %s "+
				"lists them", key.Namespace, key.Name, key.Namespace))
		}
		return nil, lacking(
			fmt.Errorf("read PortSecurityException %s: %w", key, err),
			"ovnguard-exception-viewer",
			key.Namespace,
		)
	}
	return o, nil
}

// lacking adds to the API server's refusal for want of a right the role that has it. Any other error is as it was.
func lacking(err error, role, namespace string) error {
	if apierrors.IsForbidden(err) {
		at := "the whole cluster"
		if namespace != "" {
			at = "namespace " + namespace
		}
		err = fmt.Errorf("%w; an administrator can bind ClusterRole %s to you in %s", err, role, at)
	}
	return unreachable(err)
}

// denial returns the text of admission's refusal; ok is false where the error is none.
func denial(err error) (text string, ok bool) {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return "", false
	}
	_, text, ok = strings.Cut(status.Status().Message, "denied the request: ")
	return text, ok && strings.Contains(status.Status().Message, "admission webhook")
}

// day is the unit that Go's durations lack.
const day = 24 * time.Hour

// span is the value of a flag: a duration that may be in days, such as 30d or 12h.
type span time.Duration

// String implements pflag.Value.
func (s *span) String() string {
	d := time.Duration(*s)
	switch {
	case d == 0:
		return ""
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}

// Type implements pflag.Value.
func (s *span) Type() string { return "duration" }

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	d, err := parseSpan(text)
	*s = span(d)
	return err
}

// mostDays is how many days a span may have: more than any exception may last.
const mostDays = 36500

// parseSpan reads a duration that is more than 0, such as 30d, 12h or 90m.
func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n <= 0 || n > mostDays {
			return 0, fmt.Errorf("%q: want a number of days such as 30d", text)
		}
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q: want a span such as 30d, 12h or 90m", text)
	}
	return d, nil
}

// parseEnd reads when something ends: a time, a day, or a span from now on.
func parseEnd(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	d, err := parseSpan(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: want a span such as 30d, a day such as 2027-01-31, or a time such as "+
			"2027-01-31T08:00:00Z", text)
	}
	return now.Add(d).UTC().Truncate(time.Second), nil
}
