package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/reach"
	"github.com/ovnguard/ovnguard/portsec"
)

// reachOptions are the flags of the command.
type reachOptions struct {
	reading
	output    output
	namespace string
	// port and source are what is sent.
	port, source string
	forgedOnly   bool
}

func newReachCommand() *cobra.Command {
	var o reachOptions
	cmd := &cobra.Command{
		Use:   "reach [SENDER RECEIVER]",
		Short: "Show what pods may send to each other, honestly and with a forged source",
		Long: `Says what pods reach, and what more they reach because their ports let them send as somebody else.
It looks at port security on both sides, at what policies ask for (NetworkPolicy,
ClusterNetworkPolicy, AdminNetworkPolicy), and at the ACLs that OVN has, and says where these two
differ. Nothing is sent, and nothing is changed.

With a sender and a receiver it follows one packet, stage by stage: with the sender's own source,
and with one that the sender may forge and that a rule of the receiver trusts, or that of --source.
Both are pod/NAME, vm/NAME, port/NAME or NAMESPACE/POD, and the receiver may be ip/ADDRESS. With -n
alone it shows what comes to each pod of a namespace.

Exit code: 0 nothing is reached by a forged source alone, 1 something is, or policies and ACLs
differ, 2 wrong usage, 3 the API server or a database could not be reached, 4 something that was
asked about is not known.`,
		Example: `  ovnguard reach pod/mallory pod/db-1 --port tcp/5432 -n shop
  ovnguard reach dev/mallory shop/db-1 --port udp/53 --source 10.16.0.7
  ovnguard reach -n shop
  ovnguard reach -n shop --forged-only -o svg --output-file shop.svg`,
		Args: cobra.MaximumNArgs(2),

		ValidArgsFunction: completeExplained,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.filters = true
	o.addReadingFlags(flags, ", as for audit, with NetworkPolicies")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace whose pods receive, and of pods without one")
	flags.StringVar(&o.port, "port", "", "what is sent, such as tcp/5432, udp/53 or icmp; default: what a rule of the "+
		"receiver names first, or tcp/80")
	flags.StringVar(
		&o.source,
		"source",
		"",
		"the source to send with, as IP or MAC/IP; default: one that the sender may "+
			"forge and a rule of the receiver trusts",
	)
	flags.BoolVar(&o.forgedOnly, "forged-only", false, "only what a forged source alone reaches")
	o.output.addFormats(flags, append(answerFormats(), formatDOT, formatSVG))
	cmd.AddCommand(newReachSuggestCommand())
	return cmd
}

// asked is what the command line asks for.
type asked struct {
	walks    bool
	from, to target
	packets  []reach.Packet
	as       reach.Source
}

// check returns what is asked for, or the errors in the command line.
func (o *reachOptions) check(args []string) (q asked, err error) {
	if o.timeout <= 0 {
		return q, fmt.Errorf("--timeout: %s: must be more than 0", o.timeout)
	}
	if err := o.output.checkFile(); err != nil {
		return q, err
	}
	q.walks = len(args) > 0
	graph := o.output.format == formatDOT || o.output.format == formatSVG
	switch {
	case !graph && !slices.Contains(answerFormats(), o.output.format):
		return q, fmt.Errorf(
			"--output: %q: want %s",
			o.output.format,
			allowed(append(answerFormats(), formatDOT, formatSVG)),
		)
	case graph && q.walks:
		return q, fmt.Errorf("--output: %s is of a namespace; leave sender and receiver out", o.output.format)
	case len(args) == 1:
		return q, fmt.Errorf("%q: a sender without a receiver: name both, such as pod/web-0 pod/db-1", args[0])
	case !q.walks && o.source != "":
		return q, errors.New("--source: needs a sender and a receiver, such as pod/web-0 pod/db-1")
	case q.walks && o.forgedOnly:
		return q, errors.New("--forged-only: is of a namespace; leave it out, or sender and receiver")
	case !q.walks && o.namespace == "":
		return q, errors.New("--namespace: missing: name the namespace whose pods receive, or a sender and a receiver")
	}
	if o.port != "" {
		p, err := packetOf(o.port)
		if err != nil {
			return q, fmt.Errorf("--port: %w", err)
		}
		q.packets = []reach.Packet{p}
	}
	if !q.walks {
		return q, nil
	}
	if q.from, err = o.end(args[0]); err != nil {
		return q, fmt.Errorf("sender: %w", err)
	}
	if q.to, err = o.end(args[1]); err != nil {
		return q, fmt.Errorf("receiver: %w", err)
	}
	if q.from.asks() {
		return q, fmt.Errorf("sender: %q: want a pod or a port: an address does not say which port sends", args[0])
	}
	if o.source != "" {
		if q.as, err = sourceOf(o.source); err != nil {
			return q, fmt.Errorf("--source: %w", err)
		}
	}
	return q, nil
}

// end reads one end of a walk.
func (o *reachOptions) end(text string) (target, error) {
	t, err := targetOf(text)
	if err != nil {
		return t, err
	}
	if t.kind != targetPod && t.kind != targetVM && t.kind != targetPort && t.kind != targetIP {
		return t, fmt.Errorf("%q: want pod/NAME, NAMESPACE/POD, vm/NAME, port/NAME or ip/ADDRESS", text)
	}
	if t.namespace == "" && t.inNamespace() {
		if t.namespace = o.namespace; t.namespace == "" {
			return t, fmt.Errorf("%q: of which namespace? Write NAMESPACE/POD, or name it by -n", text)
		}
	}
	return t, nil
}

// packetOf reads tcp/5432, udp/53, sctp/9 or icmp.
func packetOf(text string) (p reach.Packet, err error) {
	name, number, found := strings.Cut(text, "/")
	p.Protocol = intent.Protocol(strings.ToUpper(name))
	switch p.Protocol {
	case intent.ICMP:
		if !found {
			return p, nil
		}
	case intent.TCP, intent.UDP, intent.SCTP:
		n, err := strconv.ParseUint(number, 10, 16)
		if err == nil && n > 0 {
			p.Port = uint16(n)
			return p, nil
		}
	}
	return p, fmt.Errorf("%q: want a protocol with a port from 1 to 65535, such as tcp/5432 or udp/53, or icmp", text)
}

// sourceOf reads IP or MAC/IP.
func sourceOf(text string) (s reach.Source, err error) {
	address := text
	if mac, rest, found := strings.Cut(text, "/"); found {
		if s.MAC, err = portsec.ParseMAC(mac); err != nil {
			return s, fmt.Errorf("%q: want IP or MAC/IP, such as 0a:00:00:00:00:01/10.16.0.5", text)
		}
		address = rest
	}
	if s.IP, err = netip.ParseAddr(address); err != nil {
		return s, fmt.Errorf("%q: want IP or MAC/IP, such as 10.16.0.5 or 0a:00:00:00:00:01/10.16.0.5", text)
	}
	return s, nil
}

func (o *reachOptions) run(ctx context.Context, args []string, out io.Writer, flags *pflag.FlagSet) error {
	q, err := o.check(args)
	if err != nil {
		return usage(err)
	}
	c, notes, err := o.reached(ctx, flags)
	if err != nil {
		return err
	}
	if q.walks {
		return o.walk(out, c, &q, notes)
	}
	return o.matrix(out, c, &q, notes)
}

// reached reads both sides, and joins what governs what pods send to each other.
func (o *reading) reached(ctx context.Context, flags *pflag.FlagSet) (*reach.Cluster, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := o.place(ctx, flags); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
		return nil, nil, usage(err)
	}
	var c client.Reader
	if o.kubernetes == "" {
		var err error
		if c, err = o.client(); err != nil {
			return nil, nil, err
		}
	}
	now := time.Now()
	g, err := o.gather(ctx, now, c)
	if err != nil {
		return nil, nil, err
	}
	cluster := reach.New(reachInput(g.inv.Snapshot(), g.build.Eras(), now))
	notes := slices.Concat(g.notes, g.damage, cluster.Problems())
	if !cluster.PoliciesKnown() {
		notes = append(
			notes,
			"not all policies of what pods may reach are known: where one is missing, its pods count as open",
		)
	}
	if !cluster.ACLsKnown() {
		notes = append(notes, "the ACLs that OVN has are not known: what policies ask for is taken for what is done")
	}
	return cluster, notes, nil
}

// reachInput returns what says what pods send to each other.
func reachInput(state *inventory.State, eras []portsec.Era, now time.Time) reach.Input {
	return reach.Input{State: state, Eras: eras, Policies: kube.NetworkPoliciesOf(state), Now: now}
}

// portOf returns the port that one end of a walk names.
func portOf(c *reach.Cluster, t target) (*reach.Port, error) {
	switch {
	case t.kind == targetPort:
		if p := c.Port(t.name); p != nil {
			return p, nil
		}
	case t.asks():
		return c.Outside(t.question.IP), nil
	default:
		if p := c.PortOf(func(p *inventory.Port) bool { return t.is(p, selector{}) }); p != nil {
			return p, nil
		}
	}
	return nil, &exitError{code: exitFindings, err: t.nothing("")}
}
