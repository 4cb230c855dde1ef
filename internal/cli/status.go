package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/layout"
)

// statusOptions are the flags of the command.
type statusOptions struct {
	connection
	told     told
	accounts admission.Accounts
	output   string
	timeout  time.Duration
}

func newStatusCommand() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show Kube-OVN's layout, and where each value comes from",
		Long: `Says which accounts write Kube-OVN's keys, how its default router and the nodes' subnet are
called, and where its Northbound database is, as ` + "`ovnguard controller`" + ` with the same flags would
find it: from these flags, from the workloads that run Kube-OVN's programs, wherever they are,
and from what the API server says of their rights. Nothing is changed.

Exit code: 0 all is known, 2 wrong usage, 3 the API server could not be reached, 4 something
is not known; the output says which flag to set.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	o.addKubernetesFlags(flags)
	o.addNorthboundFlag(flags)
	o.told.addFlags(flags)
	addKubeOVNAccounts(flags, &o.accounts, nil, "; default: the accounts of Kube-OVN's workloads")
	flags.StringVarP(&o.output, "output", "o", "table", "table or json")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
	return cmd
}

func (o *statusOptions) run(cmd *cobra.Command) error {
	write, ok := map[string]func(io.Writer, layout.Layout) error{"table": writeLayout, "json": writeLayoutJSON}[o.output]
	if !ok {
		return usage(fmt.Errorf("--output: %q: want table or json", o.output))
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	c, err := o.client()
	if err != nil {
		return err
	}
	wanted := o.told.wanted(cmd.Flags(), o.northbound)
	wanted.Accounts = o.accounts.KubeOVN
	l, err := detect(ctx, c, wanted)
	if err != nil {
		return err
	}
	if err := write(cmd.OutOrStdout(), l); err != nil {
		return unreachable(fmt.Errorf("write the status: %w", err))
	}
	if len(l.Problems()) > 0 {
		return &exitError{code: exitIncomplete, err: errors.New("Kube-OVN's layout is not known")}
	}
	return nil
}

// client returns a client of the cluster. It does not connect yet.
func (c *connection) client() (client.Client, error) {
	config, err := c.rest()
	if err != nil {
		return nil, err
	}
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	out, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, unreachable(fmt.Errorf("connect to the API server: %w", err))
	}
	return out, nil
}

// detect works out how Kube-OVN is laid out in the cluster. What may not be read is in the layout; an API server that
// does not answer is an error.
func detect(ctx context.Context, c client.Client, wanted layout.Wanted) (layout.Layout, error) {
	e := kube.Evidence{Live: c, Reviews: c}.Gather(ctx, nil)
	if ctx.Err() != nil {
		return layout.Layout{}, unreachable(fmt.Errorf("read the cluster: %w", context.Cause(ctx)))
	}
	e.Wanted = wanted
	return layout.Detect(e), nil
}

// offline returns what flags say that Kube-OVN was told, where no cluster is there to say more.
func (t *told) offline(flags *pflag.FlagSet) kubeovn.Setup {
	return layout.Detect(layout.Evidence{Wanted: t.wanted(flags, "")}).Setup()
}

func writeLayoutJSON(out io.Writer, l layout.Layout) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(l)
}

func writeLayout(out io.Writer, l layout.Layout) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, is any, from string) {
		text := fmt.Sprint(is)
		if text == "" {
			text = "-"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", name, text, from) // Flush says what went wrong
	}
	row("KUBE-OVN", "IS", "FROM")
	row("namespace", l.Namespace.Is, l.Namespace.From)
	row("accounts", strings.Join(l.Accounts.Is, ","), l.Accounts.From)
	row(layout.FlagRouter, l.Router.Is, l.Router.From)
	row(layout.FlagNodeSwitch, l.NodeSwitch.Is, l.NodeSwitch.From)
	row(layout.FlagKeepVMIP, l.KeepVMIP.Is, l.KeepVMIP.From)
	row(layout.FlagNonPrimary, l.NonPrimary.Is, l.NonPrimary.From)
	row("northbound", l.Northbound.Is, l.Northbound.From)
	row("certificates", l.TLSSecret.Is, l.TLSSecret.From)
	if err := w.Flush(); err != nil {
		return err
	}
	var more []string
	for _, p := range l.Problems() {
		more = append(more, "not known: "+p)
	}
	for _, i := range l.Ignored {
		more = append(more, "not believed: "+i)
	}
	if len(more) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(out, "\n"+strings.Join(more, "\n"))
	return err
}
