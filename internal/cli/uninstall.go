package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/uninstall"
)

// uninstallOptions are the flags of the command.
type uninstallOptions struct {
	reading
	uninstall.Options
	yes        bool
	leavePorts bool
	narrow     bool
}

func newUninstallCommand() *cobra.Command {
	var o uninstallOptions
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take ovnguard out of the cluster, so that pods start without it",
		Long: `Removes what the program made and what was installed with it, in the order in which no step keeps
pods from starting: the registration of the webhooks and the admission policies first, then the
replicas, then the definitions with all policies and exceptions, the journal of repair, reports, the
Lease, the certificate, and the roles. Each object has a line, and what stays says why. It uses the
rights of your kubeconfig, needs no replica that answers, and can be run again.

From then on new pods get the ports that they ask for. Running pods keep what they may send:
--narrow-ports takes from their ports what exceptions granted.

Where Helm installed ovnguard, run helm uninstall instead: it runs this command first.

Exit code: 0 all is removed, 1 something is left that should not be, 2 wrong usage, 3 the API server
or the database could not be reached.`,
		Example: "  ovnguard uninstall --dry-run\n  ovnguard uninstall --yes --keep-crds",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.addFlags(flags)
	o.told.addFlags(flags)
	flags.Lookup("nb").Usage += ", or where Kube-OVN's controller finds it; for --narrow-ports"
	flags.StringVar(&o.Namespace, "namespace", namespaceDefault(), "namespace of the program")
	flags.BoolVar(&o.DryRun, "dry-run", false, "only show what would be removed")
	flags.BoolVar(&o.yes, "yes", false, "remove it")
	flags.BoolVar(
		&o.KeepDefinitions,
		"keep-crds",
		false,
		"keep the definitions of PortSecurityPolicies and PortSecurityExceptions, with all that people wrote",
	)
	flags.BoolVar(
		&o.KeepInstalled,
		"keep-installed",
		false,
		"keep what was installed, such as roles and the Service, for whoever installed it to remove; the replicas end "+
			"all the same",
	)
	flags.BoolVar(&o.leavePorts, "leave-ports", false, "leave the ports of running pods as they are; the default")
	flags.BoolVar(
		&o.narrow,
		"narrow-ports",
		false,
		"take from the ports of running pods what exceptions granted: what forwards for others is cut off",
	)
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long all of it may take")
	flags.DurationVar(&o.Wait, "wait", time.Minute, "how long the replicas may take to end")
	return cmd
}

// checkUninstall says what is wrong with the flags.
func (o *uninstallOptions) checkUninstall() error {
	var errs []error
	if o.DryRun == o.yes {
		errs = append(errs, errors.New("say what to do: --dry-run to see what would be removed, or --yes to remove it"))
	}
	if o.leavePorts && o.narrow {
		errs = append(errs, errors.New("--leave-ports and --narrow-ports: give one of them"))
	}
	if o.timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	if o.Wait < 0 {
		errs = append(errs, fmt.Errorf("--wait: %s: must not be less than 0", o.Wait))
	}
	return errors.Join(errs...)
}

func (o *uninstallOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.checkUninstall(); err != nil {
		return usage(err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	config, err := o.rest()
	if err != nil {
		return err
	}
	if _, err := askServer(ctx, config); err != nil {
		return err
	}
	api, err := newClient(config)
	if err != nil {
		return err
	}
	u := &uninstall.Uninstaller{Client: api, Options: o.Options, Say: func(l uninstall.Line) error {
		return sayLine(out, l, o.DryRun)
	}}
	if o.narrow {
		u.Narrow, err = o.narrower(ctx, api, flags)
		if err != nil {
			return err
		}
	}
	err = u.Run(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, uninstall.ErrFailed):
		return &exitError{code: exitFindings, err: err}
	}
	return unreachable(err)
}

// sayLine writes a line of what became of an object.
func sayLine(out io.Writer, l uninstall.Line, dryRun bool) error {
	word := string(l.Result)
	if dryRun && (l.Result == uninstall.Removed || l.Result == uninstall.Stopped) {
		word = "would be " + word
	}
	w := tabwriter.NewWriter(out, 17, 0, 1, ' ', 0)
	text := answer.Plain(l.What)
	if l.Why != "" {
		text += ": " + answer.Plain(l.Why)
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\n", word, text) // Flush says what went wrong
	return w.Flush()
}
