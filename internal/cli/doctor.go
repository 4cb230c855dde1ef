package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/portsec"
)

// doctorOptions are the flags of the command.
type doctorOptions struct {
	reading
	output   output
	accounts admission.Accounts
}

func newDoctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what protection rests on, and show Kube-OVN's layout",
		Long: `Shows which accounts write Kube-OVN's keys, how its default router and the nodes' subnet are
called, and where its Northbound database is, with the source of each value, as ovnguard
controller with the same flags would find it. Then it checks what protection rests on: the API
server, your rights, the databases, versions, eras, the resource definitions, the registration
and the webhooks of others. Each check passes, warns or fails, and says what to do. Nothing is
changed. docs/troubleshooting.md lists each check and each message with its cause and its cure.

Exit code: 0 no check fails, 1 one fails, 2 wrong usage, 3 the API server or a database could not
be reached, 4 none fails, but one could not be made.`,
		Example: "  ovnguard doctor\n  ovnguard doctor --from cluster.json --nb ovnnb_db.db",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.addReadingFlags(flags, ", as for audit")
	addKubeOVNAccounts(flags, &o.accounts, nil, "; default: the accounts of Kube-OVN's workloads")
	o.output.addOutputFlags(flags)
	return cmd
}

// outcome is the result of a check.
type outcome string

// Outcomes. unmade is that of a check that could not be made.
const (
	pass   outcome = "pass"
	warn   outcome = "warn"
	fail   outcome = "fail"
	unmade outcome = "unknown"
)

// checkup is one check that was made.
type checkup struct {
	Name   string  `json:"name"`
	Result outcome `json:"result"`
	// Says is what was found, and Fix what to do; Fix is empty where nothing is to be done.
	Says string `json:"says"`
	Fix  string `json:"fix,omitempty"`

	// away means that something could not be reached.
	away bool
}

// diagnosis is the answer of the command. It may grow; a field never changes its meaning or goes away.
type diagnosis struct {
	answer.Meta
	// Layout is nil where the cluster is a file.
	Layout *layout.Layout `json:"layout,omitempty"`
	Checks []checkup      `json:"checks"`
}

// add notes a check.
func (d *diagnosis) add(name string, result outcome, fix, format string, args ...any) {
	d.Checks = append(d.Checks, checkup{Name: name, Result: result, Says: fmt.Sprintf(format, args...), Fix: fix})
}

// notReached notes a check that fails because something does not answer.
func (d *diagnosis) notReached(name, fix string, err error) {
	d.Checks = append(d.Checks, checkup{Name: name, Result: fail, Says: err.Error(), Fix: fix, away: true})
}

func (o *doctorOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	if o.northbound != "" {
		if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
			return usage(err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	d := diagnosis{Meta: answer.Of("Diagnosis"), Checks: []checkup{}}
	d.add("version", pass, "", "ovnguard %s", version)
	now, inv := time.Now(), inventory.New()
	if o.kubernetes == "" {
		if err := o.examineCluster(ctx, &d, flags); err != nil {
			return err
		}
	} else if err := o.examineFile(&d, now, inv); err != nil {
		return err
	}
	if err := o.examineDatabases(ctx, &d, now, inv, flags); err != nil {
		return err
	}
	if err := o.output.put(out, d.answer()); err != nil {
		return err
	}
	return d.verdict()
}

// examineFile checks the file in place of the cluster.
func (o *doctorOptions) examineFile(d *diagnosis, now time.Time, inv *inventory.Inventory) error {
	cluster, err := readClusterFile(o.kubernetes, now, inv)
	if err != nil {
		return err
	}
	d.add("cluster file", pass, "", "%s", cluster.notes[0])
	for _, n := range cluster.notes[1:] {
		d.add("cluster file", warn, "take what is missing as well: ovnguard export DIR writes all", "%s", n)
	}
	return nil
}

// examineDatabases checks the databases and the OVN that they tell of.
func (o *doctorOptions) examineDatabases(
	ctx context.Context, d *diagnosis, now time.Time, inv *inventory.Inventory, flags *pflag.FlagSet,
) error {
	if o.northbound == "" {
		d.add("northbound", unmade, "set --nb", "it is not known where the Northbound database is")
		return nil
	}
	from := northboundFrom(flags, o.northbound)
	if d.Layout != nil {
		from = d.Layout.Northbound.From
	}
	if err := o.check(); err != nil {
		d.add("northbound", fail, "give the files for TLS, or another database by --nb",
			"it is at %s (%s), and cannot be asked: %v", o.northbound, from, err)
		return nil
	}
	northbound, err := o.readNorthbound(ctx, now, inv)
	if err != nil {
		if _, away := failedDatabase(err); !away {
			return err
		}
		fix := "make sure that the address is right and that nothing between this machine and the server blocks it; " +
			"--nb names another one"
		d.notReached("northbound", fix, fmt.Errorf("not reached at %s (%s): %w", o.northbound, from, err))
		return nil
	}
	h := healthOf(o.northbound, from, northbound, nil)
	switch {
	case h.Damage != "":
		d.add("northbound", fail, "take another copy of the file", "the file is damaged and lacks %s", h.Damage)
	case len(h.Plaintext) > 0:
		d.add("northbound", warn, "let ovsdb-server listen on pssl: (Kube-OVN: ENABLE_SSL) and use ssl:",
			"%s: anyone on the network path can read and change it", databaseText(&h, now))
	default:
		d.add("northbound", pass, "", "%s", databaseText(&h, now))
	}
	if note := noneMarked(&inv.State); len(note) > 0 {
		result := warn // a cluster without pods may have no port yet
		inv.EachRow(func(*inventory.Row) { result = fail })
		d.add("northbound", result, "name the database of Kube-OVN by --nb", "%s", note[0])
	}
	build := o.ovn(northbound.version)
	inv.SetOVN(build)
	d.build(build)
	return o.examineSouthbound(ctx, d, now, inv)
}

// build checks whether the parser of port_security is known.
func (d *diagnosis) build(ovn portsec.OVN) {
	eras := ovn.Eras()
	switch note := versionNote(ovn.Version, eras); {
	case len(note) == 0:
		d.add("ovn", pass, "", "OVN %s, era %s", ovn.Version, eras[0])
	case ovn.Version == "":
		d.add("ovn", warn, "set --ovn-version", "%s", note[0])
	default:
		d.add("ovn", warn, "set --kube-ovn-release to the image tag of Kube-OVN", "%s", note[0])
	}
}

// examineSouthbound checks the parsers on the nodes, where --sb names the database.
func (o *doctorOptions) examineSouthbound(
	ctx context.Context, d *diagnosis, now time.Time, inv *inventory.Inventory,
) error {
	if o.southbound == "" {
		d.add("eras", warn, "set --sb", "the parsers on the nodes are not known: the Southbound database was not asked")
		return nil
	}
	if _, err := o.readSouthbound(ctx, now, inv); err != nil {
		if _, away := failedDatabase(err); !away {
			return err
		}
		d.notReached("southbound", "make sure that --sb is right", err)
		return nil
	}
	if path, file := databaseFile(o.southbound); file {
		d.add("southbound", pass, "", "read from the file %s", path)
	} else {
		d.add("southbound", pass, "", "reached at %s", o.southbound)
	}
	nodes := overview.NodesOf(inv.Snapshot())
	different := false
	for _, n := range nodes {
		different = different || strings.Join(n.Eras, " ") != strings.Join(nodes[0].Eras, " ")
	}
	if different {
		d.add("eras", warn, "finish the upgrade of OVN on every node", "nodes parse port_security differently: %s",
			erasText(nodes))
		return nil
	}
	d.add("eras", pass, "", "%s", erasText(nodes))
	return nil
}

// verdict returns the exit code as an error.
func (d *diagnosis) verdict() error {
	var failed, unknown []string
	away := false
	for _, c := range d.Checks {
		switch c.Result {
		case fail:
			failed, away = append(failed, c.Name), away || c.away
		case unmade:
			unknown = append(unknown, c.Name)
		case pass, warn:
		}
	}
	switch {
	case away:
		return unreachable(errors.New("could not be reached, or fails: " + strings.Join(failed, ", ")))
	case len(failed) > 0:
		return &exitError{code: exitFindings}
	case len(unknown) > 0:
		return &exitError{code: exitIncomplete, err: errors.New("could not be checked: " + strings.Join(unknown, ", "))}
	}
	return nil
}

// answer returns the checks and the layout.
func (d *diagnosis) answer() answer.Answer {
	checks := answer.Section{Columns: answer.Columns("Check", "Result", "Says")}
	for _, c := range d.Checks {
		says := []string{c.Says}
		if c.Fix != "" {
			says = append(says, "to do: "+c.Fix)
		}
		checks.Rows = append(checks.Rows, answer.NewRow(c.Name, c.Result, says))
	}
	a := answer.Answer{Title: "ovnguard doctor", Document: d, Sections: []answer.Section{checks}}
	if d.Layout != nil {
		a.Sections = append(a.Sections, layoutSection(*d.Layout))
	}
	return a
}

// layoutSection returns Kube-OVN's layout with the source of each value.
func layoutSection(l layout.Layout) answer.Section {
	s := answer.Section{Columns: answer.Columns("Kube-OVN", "Is", "From")}
	row := func(name string, is any, from string) { s.Rows = append(s.Rows, answer.NewRow(name, is, from)) }
	row("namespace", l.Namespace.Is, l.Namespace.From)
	row("accounts", strings.Join(l.Accounts.Is, ","), l.Accounts.From)
	row(layout.FlagRouter, l.Router.Is, l.Router.From)
	row(layout.FlagNodeSwitch, l.NodeSwitch.Is, l.NodeSwitch.From)
	row(layout.FlagKeepVMIP, l.KeepVMIP.Is, l.KeepVMIP.From)
	row(layout.FlagNonPrimary, l.NonPrimary.Is, l.NonPrimary.From)
	row("northbound", l.Northbound.Is, l.Northbound.From)
	row("certificates", l.TLSSecret.Is, l.TLSSecret.From)
	for _, p := range l.Problems() {
		s.After = append(s.After, "not known: "+p)
	}
	for _, i := range l.Ignored {
		s.After = append(s.After, "not believed: "+i)
	}
	return s
}
