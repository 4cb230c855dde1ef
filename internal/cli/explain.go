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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/explain"
	"github.com/ovnguard/ovnguard/internal/journal"
)

// explainOptions are the flags of the command.
type explainOptions struct {
	reading
	selector selector
	output   output
	// namespace is that of the pod, and program the one of this program.
	namespace string
	program   string
	provider  string
}

func newExplainCommand() *cobra.Command {
	var o explainOptions
	o.filters = true
	cmd := &cobra.Command{
		Use:   "explain KIND/NAME",
		Short: "Explain all about the ports of a pod, or about an address",
		Long: `Says for each NIC of a pod what was decided, with every step that led there and the source of each
value, also the refused ones and why; which MAC and addresses it has; what OVN has for it and what
that lets it send, with examples of frames; what the audit finds, what to do, and what repair did.
It uses the same functions as the webhooks, the audit and repair. Nothing is changed.

What can be asked about, with -n for the namespace:
  pod/NAME                  a pod; NAMESPACE/POD means the same
  vm/NAME                   a machine of KubeVirt
  port/NAME                 a Logical_Switch_Port
  deployment/NAME, statefulset/NAME, daemonset/NAME, job/NAME
                            the pods that run of a workload
  ip/ADDRESS, mac/ADDRESS   who has it, who may send from it, and which exceptions grant it
  -l SELECTOR               the pods with these labels

About pods and ports the controller's API is asked where it can be (--server, --direct), and a
note says so: a tenant needs no right on the databases then. The rest is read directly.

Exit code: 0 explained, 1 findings, or nothing of that name, 2 wrong usage, 3 the API server or a
database that was named could not be reached, 4 no findings, but something could not be read.`,
		Example: `  ovnguard explain pod/web-0 -n shop
  ovnguard explain shop/web-0 --nic net1.shop.ovn
  ovnguard explain deployment/web -n shop -o markdown
  ovnguard explain ip/10.16.0.5
  ovnguard explain pod/web-0 -n shop --from cluster.json --nb ovnnb_db.db -o json`,
		Args: cobra.MaximumNArgs(1),

		ValidArgsFunction: completeExplained,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.addReadingFlags(flags, ", as for audit, with ConfigMaps for the history")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the pod or the workload; default: that of the "+
		"kubeconfig's context")
	flags.StringVar(&o.provider, "nic", "", "only the NIC of this provider, such as ovn or net1.default.ovn")
	flags.StringVar(&o.program, "program-namespace", namespaceDefault(), "namespace of ovnguard, where the journal is")
	o.selector.addFlag(flags)
	o.output.addOutputFlags(flags)
	return cmd
}

// check returns what is asked about, or the errors in the command line.
func (o *explainOptions) check(args []string, flags *pflag.FlagSet) (target, error) {
	if err := o.output.checkOutput(); err != nil {
		return target{}, err
	}
	if o.timeout <= 0 {
		return target{}, usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	if err := o.selector.parse(); err != nil {
		return target{}, usage(err)
	}
	var t target
	switch {
	case len(args) == 1 && o.selector.given():
		return target{}, usage(errors.New("--selector: leave it out, or leave the name out"))
	case len(args) == 1:
		var err error
		if t, err = targetOf(args[0]); err != nil {
			return target{}, usage(err)
		}
	case o.selector.given():
		t.kind = targetPods
	default:
		return target{}, usage(
			errors.New("no argument: want KIND/NAME, such as pod/web-0 or ip/10.16.0.5, NAMESPACE/POD, " +
				"or -l SELECTOR"),
		)
	}
	switch {
	case t.namespace == "":
		t.namespace = o.namespace
	case o.namespace != "" && o.namespace != t.namespace:
		return target{}, usage(fmt.Errorf("--namespace: %q: %s/%s names another namespace; write pod/%s", o.namespace,
			t.namespace, t.name, t.name))
	}
	if t.namespace == "" && o.kubernetes == "" {
		t.namespace = o.contextNamespace()
	} else if t.namespace == "" {
		t.namespace = "default"
	}
	if o.northbound != "" {
		if err := errors.Join(checkNorthbound(o.northbound), o.connection.check()); err != nil {
			return target{}, usage(err)
		}
	}
	return t, nil
}

func (o *explainOptions) run(ctx context.Context, args []string, out io.Writer, flags *pflag.FlagSet) error {
	t, err := o.check(args, flags)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	served, r, err := o.servedPorts(ctx, t, flags)
	if err != nil {
		return err
	}
	if served != nil {
		if err := o.output.put(out, served.Answer("ovnguard explain "+t.String(), served.Notes)); err != nil {
			return err
		}
		if served.Breaks() {
			return &exitError{code: exitFindings}
		}
		return nil
	}
	err = o.readAndExplain(ctx, t, out, flags, r.note)
	if _, _, ok := t.path(""); !ok {
		return err // the API would be no help
	}
	return o.instead(&r, err)
}

// readAndExplain reads both sides and explains. notes come before what is not known.
func (o *explainOptions) readAndExplain(
	ctx context.Context, t target, out io.Writer, flags *pflag.FlagSet, notes []string,
) error {
	if t.inNamespace() {
		o.within = t.namespace
	}
	named := o.northbound != ""
	if err := o.place(ctx, flags); err != nil {
		return err
	}
	unreached := false
	if !named && o.northbound != "" {
		if err := errors.Join(o.connection.check(), o.answers(ctx)); err != nil {
			unreached = true
			notes = append(notes, fmt.Sprintf("the Northbound database at %s was not read: %v; --nb names another one",
				o.northbound, err))
			o.northbound = ""
		}
	}
	g, err := o.gatherSettled(ctx, t)
	if err != nil {
		return err
	}
	g.notes = slices.Concat(notes, g.notes)
	if t.asks() {
		return o.answerQuestion(out, t, g, unreached)
	}
	if len(g.ports) == 0 {
		return &exitError{code: exitFindings, err: t.nothing(o.provider)}
	}
	if err := o.output.put(
		out,
		explain.Ports("ovnguard explain "+t.String(), g.ports, o.program, g.notes),
	); err != nil {
		return err
	}
	return o.verdict(g, unreached)
}

// answerQuestion answers who has an address or a MAC.
func (o *explainOptions) answerQuestion(out io.Writer, t target, g *gathered, unreached bool) error {
	held := explain.Find(g.inv.Snapshot(), t.question, g.eras, g.now)
	held.Notes = append(held.Notes, g.notes...)
	if err := o.output.put(out, held.Answer(o.northbound != "")); err != nil {
		return err
	}
	return o.verdict(g, unreached)
}

// verdict returns the exit code as an error.
func (o *explainOptions) verdict(g *gathered, unreached bool) error {
	for i := range g.ports {
		if r := g.ports[i].Result; r != nil && (r.Breaks() || (audit.Result{Findings: g.ports[i].Beyond}).Breaks()) {
			return &exitError{code: exitFindings}
		}
	}
	if unreached {
		return &exitError{code: exitIncomplete, err: errors.New("the Northbound database could not be reached")}
	}
	if err := errWithheld(g.inv.Snapshot()); err != nil {
		return &exitError{code: exitIncomplete, err: err}
	}
	return nil
}

// gatherSettled gathers the facts, and does so again after a while where a finding may be a moment in the making of a
// port.
func (o *explainOptions) gatherSettled(ctx context.Context, t target) (*gathered, error) {
	var api client.Client
	if o.kubernetes == "" {
		config, err := o.rest()
		if err != nil {
			return nil, err
		}
		if api, err = newClient(config); err != nil {
			return nil, err
		}
	}
	g, err := o.gather(ctx, api, t)
	if err != nil {
		return nil, err
	}
	if _, file := databaseFile(o.northbound); api != nil && o.northbound != "" && !file {
		earlier := g.results()
		if pause := settling(earlier); pause > 0 {
			stage(ctx, "waiting to see whether the findings last")
			select {
			case <-ctx.Done():
				return nil, unreachable(
					fmt.Errorf("--timeout: %s: ended before the findings could be checked again: %w",
						o.timeout, ctx.Err()),
				)
			case <-time.After(pause):
			}
			if g, err = o.gather(ctx, api, t); err != nil {
				return nil, err
			}
			for name, r := range audit.Lasting(earlier, g.results()) {
				i := slices.IndexFunc(g.ports, func(p explain.Port) bool { return p.Name == name })
				g.ports[i].Result = &r
			}
		}
	}
	notes, err := o.addHistory(ctx, api, g)
	if err != nil {
		return nil, err
	}
	g.notes = append(g.notes, notes...)
	g.notes = append(g.notes, addEvents(ctx, api, g)...)
	return g, nil
}

// addHistory enters what repair did to the ports.
func (o *explainOptions) addHistory(ctx context.Context, api client.Reader, g *gathered) (notes []string, err error) {
	if len(g.ports) == 0 {
		return nil, nil
	}
	entries, notes, err := readJournal(ctx, api, o.program, o.kubernetes)
	if err != nil {
		return nil, err
	}
	for i := range g.ports {
		g.ports[i].History = slices.DeleteFunc(slices.Clone(entries), func(e journal.Entry) bool {
			return e.Port != g.ports[i].Name
		})
	}
	return notes, nil
}

// nothing says that there is nothing of that name.
func (t target) nothing(provider string) error {
	switch {
	case provider != "":
		return fmt.Errorf("%s has no NIC %q in OVN; leave --nic out to see those that it has", t, provider)
	case t.kind == targetPods:
		return fmt.Errorf("no pod of namespace %s that the labels select has a port in OVN", t.namespace)
	case t.kind == targetPod:
		return fmt.Errorf("%s has no port in OVN: it does not exist, or is on the host's network", t)
	case t.kind == targetPort:
		return fmt.Errorf(
			"%s does not exist: no pod claims a port of that name, and OVN and the IP resources have none",
			t,
		)
	}
	return fmt.Errorf("%s has no pod with a port in OVN: it does not exist, or none of its pods runs", t)
}

// String names what is asked about.
func (t target) String() string {
	switch {
	case t.asks():
		return t.question.String()
	case t.kind == targetPods:
		return "pods of " + t.namespace
	case t.inNamespace():
		return strings.ToLower(t.kind) + " " + t.namespace + "/" + t.name
	}
	return t.kind + " " + t.name
}
