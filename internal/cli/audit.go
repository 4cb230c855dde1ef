package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/report"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// auditOptions are the flags of the command.
type auditOptions struct {
	connection
	kubernetes string
	output     string
	timeout    time.Duration
}

func newAuditCommand() *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Compare every pod's port in OVN with what policy says it must be",
		Long: `Reads the cluster and the Northbound database once and says which ports are not what
policy says: open, with an entry that OVN cannot use, wider or narrower than their
identity, or without their pod. Nothing is changed.

Both can be files: --nb takes a copy of ovnnb_db.db, or what ovsdb-client backup or dump
--format=json gives; --kubernetes takes what kubectl get -A gives as JSON or YAML.

Exit code: 0 clean, 1 findings, 2 wrong usage, 3 the API server or the database could
not be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().Lookup("nb").Usage += "; or a database file: PATH or file:PATH"
	cmd.Flags().StringVar(&o.kubernetes, "kubernetes", "", "file with the cluster's objects instead of a cluster: what kubectl get -A -o json (or yaml) gives for namespaces, pods, network-attachment-definitions, ips and vips")
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server and the database")
	return cmd
}

func (o *auditOptions) run(ctx context.Context, out io.Writer) error {
	write, ok := map[string]func(io.Writer, report.Summary) error{"table": report.Table, "json": report.JSON}[o.output]
	switch {
	case !ok:
		return usage(fmt.Errorf("--output: %q: want table or json", o.output))
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than nothing", o.timeout))
	}
	if err := checkNorthbound(o.northbound); err != nil {
		return usage(err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	summary, err := o.summary(ctx, time.Now())
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
func (o *auditOptions) summary(ctx context.Context, now time.Time) (report.Summary, error) {
	var c client.Reader
	if o.kubernetes == "" {
		var err error
		if c, err = o.apiServer(); err != nil {
			return report.Summary{}, err
		}
	}
	inv := inventory.New()
	version, notes, err := o.readNorthbound(ctx, now, inv)
	if err != nil {
		return report.Summary{}, err
	}
	var more []string
	if o.kubernetes == "" {
		more, err = readCluster(ctx, c, inv)
	} else {
		more, err = readClusterFile(o.kubernetes, now, inv)
	}
	if err != nil {
		return report.Summary{}, err
	}
	notes = append(notes, more...)
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

// readNorthbound enters what the database holds into the inventory and gives the release of OVN that it names. It may be a
// file; the notes say so then.
func (o *auditOptions) readNorthbound(ctx context.Context, now time.Time, inv *inventory.Inventory) (version string, notes []string, err error) {
	if path, ok := databaseFile(o.northbound); ok {
		version, notes, err := readDatabaseFile(path, now, inv)
		if err != nil {
			return "", nil, usage(fmt.Errorf("--nb: %s: %w", path, err))
		}
		return version, notes, nil
	}
	if version, err = o.readMirror(ctx, inv); err != nil {
		return "", nil, unreachable(fmt.Errorf("--nb: %w", err))
	}
	return version, nil, nil
}

// apiServer gives a reader of the cluster. It does not connect yet.
func (o *auditOptions) apiServer() (client.Reader, error) {
	config, err := o.rest()
	if err != nil {
		return nil, err
	}
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, unreachable(fmt.Errorf("connect to the API server: %w", err))
	}
	return c, nil
}
