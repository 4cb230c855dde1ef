package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/registration"
	"github.com/ovnguard/ovnguard/internal/selftest"
)

// selftestOptions are the flags of the command.
type selftestOptions struct {
	connection
	namespace string
	expect    string
	timeout   time.Duration
}

func newSelftestCommand() *cobra.Command {
	var o selftestOptions
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Ask the API server whether new pods are guarded as the mode says",
		Long: `Asks the API server, as any user does, what would become of a pod that asks to be open: with
enforce it is made strict, with warn its author is warned, with audit nothing happens. It is a dry run, no pod
is made. Then it looks whether all webhooks are registered and somebody answers. It tries every second until
the timeout, since registering takes a moment after the start.

It takes the right to create pods in the namespace, to get the webhook configurations named ovnguard, and
to list EndpointSlices in the namespace of the program.

Exit code: 0 the cluster is as expected, 1 it is not, 2 wrong usage, 3 the API server could not be reached.`,
		Example: "  ovnguard selftest\n  ovnguard selftest --expect warn",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	o.addKubernetesFlags(flags)
	flags.StringVar(&o.namespace, "selftest-namespace", "ovnguard-selftest", "namespace for the pod of the dry run")
	flags.StringVar(&o.expect, "expect", "enforce", "mode that policy has there: enforce, warn or audit")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait until the cluster is as expected")
	return cmd
}

// modeNamed returns the mode with that name.
func modeNamed(name string) (policy.Mode, error) {
	for _, m := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		if m.String() == name {
			return m, nil
		}
	}
	return policy.Enforce, fmt.Errorf("--expect: %q: want enforce, warn or audit", name)
}

func (o *selftestOptions) run(ctx context.Context, out io.Writer) error {
	mode, err := modeNamed(o.expect)
	if err != nil {
		return usage(err)
	}
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	for {
		said, err := o.look(ctx, mode)
		if err == nil {
			_, err := fmt.Fprintln(out, answer.Plain(said))
			return err
		}
		if exit, ok := errors.AsType[*exitError](err); ok && exit.code != exitFindings {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// look asks once, and returns what it saw where that is as expected.
func (o *selftestOptions) look(ctx context.Context, mode policy.Mode) (said string, err error) {
	_, api, err := o.connect(ctx)
	if err != nil {
		return "", err
	}
	wrong := func(format string, args ...any) (string, error) {
		return "", &exitError{code: exitFindings, err: fmt.Errorf(format, args...)}
	}
	stands, err := registration.Stands(ctx, api)
	switch {
	case err != nil:
		return wrong("%w", err)
	case stands.Registered < stands.Wanted:
		return wrong("%d of %d webhooks are registered: look at the controller's log", stands.Registered, stands.Wanted)
	case stands.Silent != "":
		return wrong("%s: look at the controller's pods", stands.Silent)
	}
	config, err := o.rest()
	if err != nil {
		return "", err
	}
	answer, err := selftest.Ask(ctx, config, o.namespace)
	if err != nil {
		return wrong("%w", err)
	}
	ok, why := answer.Shows(mode)
	if !ok {
		return wrong(
			"mode %s was expected of namespace %s, but %s: ovnguard explain and kubectl get portsecuritypolicies "+
				"say which policy counts",
			mode,
			o.namespace,
			why,
		)
	}
	return fmt.Sprintf("mode %s: %s; all %d webhooks are registered", mode, why, stands.Registered), nil
}
