package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/registration"
)

// worstNamespaces is how many namespaces are listed unless all are asked for.
const worstNamespaces = 10

// statusOptions are the flags of the command.
type statusOptions struct {
	reading
	output    output
	watching  watching
	selector  selector
	namespace string
	// program is the namespace of this program.
	program string
	all     bool
}

func newStatusCommand() *cobra.Command {
	var o statusOptions
	o.filters = true
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the cluster on one screen: ports, what needs action, health",
		Long: `Shows how many ports are protected, which namespaces have the most to do, which critical and high
findings there are and the command that lists them, and the health of what protection rests on.
It judges ports as audit does. Nothing is changed.

Ports are counted once, as
  protected           they send from their own MAC and addresses alone
  extended            they may do more by permission
  open by permission  they send from anything, and somebody permits that
  widened             they may send more than was decided
  open                they send from anything, and nobody permits that
  unknown             they could not be judged
  out of scope        they are no port of a pod that runs

Exit code: 0 clean, 1 critical or high findings, 2 wrong usage, 3 the API server or a database
could not be reached, 4 no such findings, but something is not known.`,
		Example: "  ovnguard status\n  ovnguard status -n shop\n" +
			"  ovnguard status --from cluster.json --nb ovnnb_db.db -o json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.watching.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(),
				func(ctx context.Context, out io.Writer) error {
					once := o // what is detected in the cluster is detected again
					return once.run(ctx, out, cmd.Flags())
				})
		},
	}
	flags := cmd.Flags()
	o.addReadingFlags(flags, ", as for audit")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "only the ports and findings of this namespace")
	o.selector.addFlag(flags)
	flags.BoolVarP(&o.all, "all-namespaces", "A", false,
		fmt.Sprintf("list all namespaces, and not only the %d with the most to do", worstNamespaces))
	flags.StringVar(&o.program, "program-namespace", namespaceDefault(), "namespace of ovnguard, where the Lease is")
	o.watching.addFlags(flags)
	o.output.addOutputFlags(flags)
	return cmd
}

// statusReport is the answer of the command.
type statusReport struct{ api.Status }

func (o *statusOptions) check() error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	if err := o.selector.parse(); err != nil {
		return usage(err)
	}
	switch {
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	case o.all && o.namespace != "":
		return usage(errors.New("--namespace and --all-namespaces: give one of them"))
	case o.northbound == "" && o.kubernetes != "":
		return usage(checkNorthbound(""))
	case o.northbound != "":
		if err := errors.Join(checkNorthbound(o.northbound), o.connection.check()); err != nil {
			return usage(err)
		}
	}
	return nil
}

func (o *statusOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.check(); err != nil {
		return err
	}
	o.within = o.namespace
	interruptible := ctx
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	now := time.Now()
	answered, reply, err := o.servedStatus(ctx, flags)
	if err != nil {
		return err
	}
	if answered != nil {
		if err := o.output.put(out, answered.answer(now)); err != nil {
			return err
		}
		return o.verdict(answered, nil, unread{}, nil)
	}
	return o.instead(&reply, o.readAndShow(interruptible, ctx, now, out, flags, reply.note))
}

// readAndShow reads both sides and shows the status. ctx ends with the time of the command, and interruptible does not.
func (o *statusOptions) readAndShow(
	interruptible, ctx context.Context, now time.Time, out io.Writer, flags *pflag.FlagSet, notes []string,
) error {
	r := statusReport{api.NewStatus()}
	r.Notes = append(r.Notes, notes...)
	var live client.Client
	var l layout.Layout
	if o.kubernetes == "" {
		server, c, err := o.connect(ctx)
		if err != nil {
			return err
		}
		if l, err = detect(ctx, c, o.told.wanted(flags, o.northbound)); err != nil {
			return err
		}
		r.Health.APIServer, r.Health.Layout, live = &server, &l, c
		r.Health.Webhooks = lookAtWebhooks(ctx, c)
		config, err := o.rest()
		if err != nil {
			return err
		}
		r.Health.Leader = api.ReadLeader(ctx, config, o.program, now)
	}
	seen, failed, err := o.see(ctx, now, l, flags)
	if err != nil {
		return err
	}
	if seen.inv == nil { // what governs ports is known all the same
		ctx, cancel := context.WithTimeout(interruptible, o.timeout) // the database took the time of the other one
		defer cancel()
		seen.inv = inventory.New()
		if _, err := o.readKubernetes(ctx, live, now, seen.inv); err != nil {
			return err
		}
	}
	if err := o.keepSelected(&seen); err != nil {
		return usage(err)
	}
	o.fill(&r, seen, failed, l, now, flags)
	if err := o.output.put(out, r.answer(now)); err != nil {
		return err
	}
	return o.verdict(&r, seen.damage, failed, errWithheld(seen.inv.Snapshot()))
}

// keepSelected leaves the results about pods that --selector picks. It returns an error if there are no such pods, or
// no such namespace.
func (o *statusOptions) keepSelected(seen *picture) error {
	if err := seen.checkNamespace(o.namespace); err != nil || !o.selector.given() {
		return err
	}
	pods, err := o.selector.pods(&seen.inv.State, o.namespace)
	if err != nil {
		return err
	}
	for _, j := range seen.judged {
		if !pods[j.Pod] {
			delete(seen.results, j.Port)
		}
	}
	return nil
}

// lookAtWebhooks returns what stands of the registration.
func lookAtWebhooks(ctx context.Context, c client.Reader) *api.Webhooks {
	standing, err := registration.Stands(ctx, c)
	if err != nil {
		return &api.Webhooks{Error: err.Error()}
	}
	return &api.Webhooks{Standing: standing}
}

// unread says of each database why it could not be read; nil where it could.
type unread struct{ north, south error }

// see judges the ports. Where a database could not be read there are none.
func (o *statusOptions) see(
	ctx context.Context, now time.Time, l layout.Layout, flags *pflag.FlagSet,
) (seen picture, failed unread, err error) {
	o.restOn(l, flags)
	if o.northbound == "" {
		return picture{}, unread{}, nil
	}
	// Flags have been checked, and so this is about an address that was detected.
	if err := o.connection.check(); err != nil {
		lacks := &exitError{code: exitIncomplete, err: err}
		return picture{}, unread{north: lacks}, nil //nolint:nilerr // the rest is shown all the same
	}
	seen, err = o.judge(ctx, now)
	switch which, notReached := failedDatabase(err); {
	case !notReached:
		return seen, unread{}, err
	case which == ovn.Southbound:
		return picture{}, unread{south: err}, nil
	}
	return picture{}, unread{north: err}, nil
}

// fill enters what was seen into the report.
func (o *statusOptions) fill(
	r *statusReport, seen picture, failed unread, l layout.Layout, now time.Time, flags *pflag.FlagSet,
) {
	from := cmp.Or(l.Northbound.From, northboundFrom(flags, o.northbound))
	r.Health.Northbound = healthOf(o.northbound, from, seen.northbound, failed.north)
	if o.northbound == "" {
		r.Health.Northbound = api.Database{Error: "it is not known where it is; set --nb"}
	}
	if o.southbound != "" {
		from := "--sb"
		if !flags.Changed("sb") {
			from = "$" + envSouthbound
		}
		h := healthOf(o.southbound, from, database{}, failed.south)
		r.Health.Southbound = &h
	}
	state := seen.inv.Snapshot()
	r.Health.Policies = overview.PoliciesOf(state, "")
	r.Health.Nodes = append(r.Health.Nodes, overview.NodesOf(state)...)
	r.Notes = append(r.Notes, seen.notes...)
	if seen.results != nil {
		o.sum(&seen, r, flags)
	}
}

// restOn has the audit rest on the layout, or on the flags where the cluster is a file.
func (o *statusOptions) restOn(l layout.Layout, flags *pflag.FlagSet) {
	if o.kubernetes != "" {
		o.setup = o.told.offline(flags)
		return
	}
	o.placed(l)
}

// sum enters the ports and findings.
func (o *statusOptions) sum(seen *picture, r *statusReport, flags *pflag.FlagSet) {
	p := overview.Picture{Only: o.namespace}
	for _, j := range seen.judged {
		if result, ok := seen.results[j.Port]; ok {
			j.Result = result
			p.Verdicts = append(p.Verdicts, j.Verdict)
		}
	}
	r.Sum(&p, o.all, func(rule string) string { return o.auditLine(flags, rule) })
}

// auditLine returns the command line of audit that lists the findings of a rule, with the same flags.
func (o *statusOptions) auditLine(flags *pflag.FlagSet, rule string) string {
	words := []string{"ovnguard audit"}
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "namespace", "all-namespaces", "output", "output-file", "watch", "interval", "progress",
			"program-namespace":
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			words = append(words, "--"+f.Name+"="+quoted(value))
		}
	})
	words = append(words, "--severity=high", "--rule="+rule)
	if o.namespace != "" {
		words = append(words, "--namespace="+quoted(o.namespace))
	}
	return strings.Join(words, " ")
}

// verdict returns the exit code as an error.
func (o *statusOptions) verdict(r *statusReport, damage []string, failed unread, withheld error) error {
	switch err := errors.Join(failed.north, failed.south); {
	case err != nil:
		return err
	case len(r.Action) > 0:
		return &exitError{code: exitFindings}
	}
	var unknown []string
	if r.Ports == nil {
		unknown = append(unknown, "no port could be judged: "+r.Health.Northbound.Error)
	} else if r.Ports.Unknown > 0 {
		unknown = append(unknown, fmt.Sprintf("%d ports could not be judged (ovnguard audit -o json says why)",
			r.Ports.Unknown))
	}
	if r.Time != nil && !r.Health.Northbound.Reached {
		unknown = append(unknown, "the controller does not follow the Northbound database: "+r.Health.Northbound.Error)
	}
	unknown = append(unknown, damage...)
	if r.Health.Layout != nil && !r.Health.Layout.Clear() {
		unknown = append(unknown, "Kube-OVN's layout is not known (ovnguard doctor says why)")
	}
	if withheld != nil {
		unknown = append(unknown, withheld.Error())
	}
	if len(unknown) == 0 {
		return nil
	}
	return &exitError{code: exitIncomplete, err: errors.New(strings.Join(unknown, ", and "))}
}

// readKubernetes enters what the cluster, or the file in its place, says.
func (o *reading) readKubernetes(
	ctx context.Context, c client.Reader, now time.Time, inv *inventory.Inventory,
) (notes []string, err error) {
	if o.kubernetes != "" {
		cluster, err := readClusterFile(o.kubernetes, now, inv)
		o.missing = cluster.missing
		return cluster.notes, err
	}
	return readCluster(ctx, c, inv, o.within)
}

// offline returns what flags say that Kube-OVN was told, where no cluster is there to say more.
func (t *told) offline(flags *pflag.FlagSet) kubeovn.Setup {
	return layout.Detect(layout.Evidence{Wanted: t.wanted(flags, "")}).Setup()
}
