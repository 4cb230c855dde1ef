package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/report"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// auditOptions are the flags of the command.
type auditOptions struct {
	connection
	output  string
	timeout time.Duration
}

func newAuditCommand() *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Compare every pod's port in OVN with what policy says it must be",
		Long: `Reads the cluster and the Northbound database once and says which ports are not what
policy says: open, with an entry that OVN cannot use, wider or narrower than their
identity, or without their pod. Nothing is changed.

Exit code: 0 clean, 1 findings, 2 wrong usage, 3 the API server or the database could
not be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server and the database")
	return cmd
}

func (o *auditOptions) run(ctx context.Context, out io.Writer) error {
	write, ok := map[string]func(io.Writer, report.Summary) error{"table": report.Table, "json": report.JSON}[o.output]
	switch {
	case !ok:
		return usage(fmt.Errorf("--output: %q: want table or json", o.output))
	case o.northbound == "":
		return usage(errors.New("--nb: is required, for example unix:/var/run/ovn/ovnnb_db.sock or tcp:10.0.0.1:6641; or set $OVN_NB_DB"))
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than nothing", o.timeout))
	}
	if _, err := ovn.ParseEndpoints(o.northbound); err != nil {
		return usage(fmt.Errorf("--nb: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	summary, err := o.summary(ctx)
	if err != nil {
		return err
	}
	if err := write(out, summary); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if len(summary.Findings) > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

// summary reads both sides and judges every port. The database is read first: a port whose pod came between would only
// seem to be missing, and Kube-OVN's annotations tell that it was not made yet.
func (o *auditOptions) summary(ctx context.Context) (report.Summary, error) {
	config, err := o.rest()
	if err != nil {
		return report.Summary{}, err
	}
	inv := inventory.New()
	version, err := o.readNorthbound(ctx, inv)
	if err != nil {
		return report.Summary{}, unreachable(err)
	}
	scheme, err := kube.Scheme()
	if err != nil {
		return report.Summary{}, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return report.Summary{}, unreachable(fmt.Errorf("connect to the API server: %w", err))
	}
	missing, err := kube.Fill(ctx, c, inv)
	if err != nil {
		return report.Summary{}, unreachable(fmt.Errorf("read the cluster: %w", err))
	}
	var notes []string
	for _, s := range missing {
		notes = append(notes, fmt.Sprintf("the cluster does not serve %s; not known: %s", s.Kind.GroupKind(), s.Lacks))
	}
	if version == "" {
		notes = append(notes, "the database does not say which release of OVN enforces; a port counts as protected only if every release protects it")
	}
	eras := rows.Eras(version)
	results := make(map[string]audit.Result)
	for _, name := range inv.Names() {
		results[name] = audit.Evaluate(inv.Port(name), eras)
	}
	return report.Summarise(results, notes), nil
}

// readNorthbound enters what the database holds into the inventory and gives the release of OVN that it names.
func (o *auditOptions) readNorthbound(ctx context.Context, inv *inventory.Inventory) (version string, err error) {
	mirror, err := ovn.Open(ovn.Config{Endpoints: o.northbound, TLS: o.tls, Log: logr.Discard()})
	if err != nil {
		return "", fmt.Errorf("--nb: %w", err)
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
		return "", fmt.Errorf("--nb: %w", err)
	}
	for _, c := range mirror.Take() {
		rows.Apply(inv, c)
	}
	return mirror.Version(), nil
}
