package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/report"
	"github.com/ovnguard/ovnguard/portsec"
)

// auditOptions are the flags of the command.
type auditOptions struct {
	reading
	output   auditOutput
	watching watching
	// acceptIncomplete makes an audit that found nothing a clean one even where it could not judge everything.
	acceptIncomplete bool
}

// addReadingFlags adds the flags of what is read. from ends what the help says about --from.
func (o *reading) addReadingFlags(flags *pflag.FlagSet, from string) {
	o.addFlags(flags)
	o.told.addFlags(flags)
	o.server.addFlags(flags)
	flags.Lookup("nb").Usage += ", or where Kube-OVN's controller finds it; or a database file: PATH or file:PATH"
	addFromFlag(flags, &o.kubernetes, from)
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server and the database")
}

// reading is how a command reads both sides and judges ports.
type reading struct {
	connection
	told       told
	server     serverOptions
	kubernetes string
	timeout    time.Duration
	// filters means that ACLs are read of a running database as well. Files are read as a whole.
	filters bool
	// within is the namespace that is enough to read where the whole cluster may not be listed; "" for none.
	within string
	// setup is what Kube-OVN was told, and unplaced says why that is not sure. accounts are those that own certain keys.
	setup    kubeovn.Setup
	unplaced []string
	accounts admission.Accounts
	// missing are the kinds that the files in place of the cluster lack.
	missing map[schema.GroupVersionKind]bool
}

func newAuditCommand() *cobra.Command {
	var o auditOptions
	o.filters = true
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Compare every pod's port in OVN with policy",
		Long: `Reads the cluster and the Northbound database once and lists the ports that are not as
policy says: open, with an entry that OVN cannot use, wider or narrower than their
identity, or without their pod, and what admission would refuse of what runs. Nothing is changed.

Both can be files. --nb takes a copy of ovnnb_db.db, or what ovsdb-client backup or dump, or ovn-nbctl
list or show, prints in any format. --from takes what kubectl get -A prints as JSON or YAML, a
directory of such files, or - for standard input. ovnguard export writes both. Files may be packed
by gzip. The notes say what is not known from them.

Exit code: 0 clean, 1 findings (--fail-on), 2 wrong usage, 3 the API server or a database could not
be reached, 4 no findings, but ports could not be judged or a file is damaged.`,
		Example: `  ovnguard audit
  ovnguard audit -n shop --severity high
  ovnguard audit --rule OVG003 --fixes-only
  ovnguard audit -o html --output-file audit.html
  ovnguard audit --since yesterday.json -o json --output-file today.json
  ovnguard audit -o sarif --fail-on critical`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.watching.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(),
				func(ctx context.Context, out io.Writer) error {
					once := o // what is detected in the cluster is detected again
					return once.run(ctx, out, cmd.Flags())
				})
		},
	}
	o.addReadingFlags(cmd.Flags(), ": the output of kubectl get -A -o json (or yaml), a directory of such files as "+
		"ovnguard export writes it, or - for standard input")
	o.output.addFlags(cmd.Flags())
	o.watching.addFlags(cmd.Flags())
	cmd.Flags().
		BoolVar(&o.acceptIncomplete, "accept-incomplete", false, "exit with 0 instead of 4 if there are no "+
			"findings but some ports could not be judged")
	return cmd
}

func (o *auditOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.output.check(flags); err != nil {
		return usage(err)
	}
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	o.within = o.output.namespace
	served, reply, err := o.servedSummary(ctx, flags)
	if err != nil {
		return err
	}
	var summary report.Summary
	seen := picture{inv: inventory.New()} // nothing is withheld from a controller
	if served != nil {
		summary = *served
	} else if summary, seen, err = o.read(ctx, flags, reply.note); err != nil {
		return o.instead(&reply, err)
	}
	if err := o.output.put(out, summary); err != nil {
		return err
	}
	if summary.Breaks() {
		return &exitError{code: exitFindings}
	}
	if err := seen.incomplete(summary.Ports[audit.Unknown]); err != nil && !o.acceptIncomplete {
		return &exitError{
			code: exitIncomplete,
			err:  fmt.Errorf("no findings%s, but %w; with --accept-incomplete this counts as clean", but(summary), err),
		}
	}
	return nil
}

// read reads both sides and returns the report.
func (o *auditOptions) read(
	ctx context.Context, flags *pflag.FlagSet, notes []string,
) (s report.Summary, seen picture, err error) {
	if err := o.place(ctx, flags); err != nil {
		return s, seen, err
	}
	if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
		return s, seen, usage(err)
	}
	s, seen, err = o.summary(ctx, time.Now())
	s.Notes = slices.Concat(notes, s.Notes)
	return s, seen, err
}

// but names the flag that makes findings not count; "" without findings.
func but(s report.Summary) string {
	if len(s.Findings) == 0 {
		return ""
	}
	return fmt.Sprintf(" that count with --fail-on %s", s.FailOn)
}

// place finds out how Kube-OVN is laid out, where a cluster can say it.
func (o *reading) place(ctx context.Context, flags *pflag.FlagSet) error {
	o.accounts = admission.DefaultAccounts()
	if o.kubernetes != "" {
		o.setup = o.told.offline(flags)
		return nil
	}
	if o.northbound != "" {
		if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
			return usage(err) // before anything is asked
		}
	}
	c, err := o.client()
	if err != nil {
		if o.northbound == "" {
			err = errors.Join(usage(checkNorthbound("")), err)
		}
		return err
	}
	if o.northbound == "" { // the cluster says where it is
		if _, _, err := o.connect(ctx); err != nil {
			return err
		}
	}
	l, err := detect(ctx, c, o.told.wanted(flags, o.northbound))
	if err != nil {
		return err
	}
	o.placed(l)
	return nil
}

// placed has the audit rest on a layout.
func (o *reading) placed(l layout.Layout) {
	if len(l.Unclear) > 0 {
		o.unplaced = []string{
			fmt.Sprintf(
				"Kube-OVN's layout is not known, so its usual names are used unless a flag sets others (--%s, "+
					"--%s, --%s, --%s): %s",
				layout.FlagRouter,
				layout.FlagNodeSwitch,
				layout.FlagKeepVMIP,
				layout.FlagNonPrimary,
				l.Unclear[0].Text,
			),
		}
	}
	o.northbound, o.setup = l.Northbound.Is, l.Setup()
	if len(l.Unclear) == 0 {
		o.accounts.KubeOVN = l.Accounts.Is
	}
}

// incomplete says why an audit without findings does not show that all is well; nil where it does.
func (p *picture) incomplete(unknown int) error {
	return incomplete(unknown, p.damage, errWithheld(&p.inv.State))
}

// incomplete says why an answer about ports without findings does not show that all is well; nil where it does.
func incomplete(unknown int, damage []string, withheld error) error {
	var errs []string
	if unknown > 0 {
		errs = append(errs, fmt.Sprintf("%d ports could not be judged (-o json says why)", unknown))
	}
	errs = append(errs, damage...)
	if withheld != nil {
		errs = append(errs, withheld.Error())
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.New(strings.Join(errs, ", and "))
}

// summary is judge as a report.
func (o *auditOptions) summary(ctx context.Context, now time.Time) (s report.Summary, seen picture, err error) {
	if seen, err = o.judge(ctx, now); err != nil {
		return report.Summary{}, seen, err
	}
	if err := o.output.selects(&seen); err != nil {
		return report.Summary{}, seen, usage(err)
	}
	for i := range seen.judged {
		seen.judged[i].Result = seen.results[seen.judged[i].Port]
	}
	s = report.Summarise(seen.judged, report.Options{
		Filter:  o.output.filter,
		FailOn:  audit.Severity(o.output.failOn),
		Notes:   seen.notes,
		Time:    now,
		Version: version,
	})
	o.output.complete(&s)
	return s, seen, nil
}

// versionNote says so where the database leaves open which parser of OVN enforces.
func versionNote(version string, eras []portsec.Era) []string {
	switch {
	case len(eras) == 1:
		return nil
	case version == "":
		return []string{
			"the database does not say which release of OVN enforces; a port counts as protected only if every " +
				"release protects it",
		}
	}
	var releases []string
	for _, e := range eras {
		releases = append(releases, e.Releases())
	}
	note := fmt.Sprintf(
		"OVN %s may read port_security as any of these do: %s; a port counts as protected only if each protects it",
		version,
		strings.Join(releases, "; "),
	)
	if eras[len(eras)-1] > portsec.E2 {
		note += "; some images of Kube-OVN have a build of an OVN branch with the number of a later release: " +
			"--kube-ovn-release tells which build it is"
	}
	return []string{note}
}

// databaseError says that a database could not be reached.
type databaseError struct {
	error

	which ovn.Database
}

// Unwrap returns the cause.
func (e databaseError) Unwrap() error { return e.error }

// database is what reading one of OVN's databases tells besides its ports.
type database struct {
	// version is the release of OVN that it names.
	version string
	notes   []string
	// damage is what is lost of a file, and written when the file was last written; zero where it does not say.
	damage  string
	written time.Time
}

// readNorthbound enters what the database holds into the inventory. It may be a file; the notes say so then.
func (o *reading) readNorthbound(ctx context.Context, now time.Time, inv *inventory.Inventory) (database, error) {
	if path, ok := databaseFile(o.northbound); ok {
		d, err := readDatabaseFile(path, now, inv)
		if err != nil {
			return database{}, usage(fmt.Errorf("--nb: %s: %w", path, err))
		}
		return d, nil
	}
	d, err := o.readMirror(ctx, inv)
	if err != nil {
		return database{}, unreachable(databaseError{fmt.Errorf("--nb: %w", err), ovn.Northbound})
	}
	return d, nil
}
