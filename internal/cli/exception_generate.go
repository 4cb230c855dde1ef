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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/exception"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// generateOptions are the flags of the command.
type generateOptions struct {
	reading
	namespace, port, rule string
}

func newExceptionGenerateCommand() *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate pod/NAME -n NAMESPACE | --port PORT | --finding RULE",
		Short: "Propose the narrowest exception for ports that need more",
		Long: `Writes the narrowest exception that lets ports go on with what can be seen that they need: what
port_security lets them send now, addresses that OVN has for them, addresses that pods ask for, what a
gateway forwards, and routes of pods by them. Each pair has its evidence as a comment. It never proposes
level open, and level mac only where no pairs do. What could not be seen is said; whoever asks for the
exception has to fill in reason and owner.

Exit code: 0 something is proposed, 1 nothing shows that the ports need more, 2 wrong usage, 3 the API
server or a database could not be reached.`,
		Example: "  ovnguard exception generate pod/router-0 -n edge\n" +
			"  ovnguard exception generate --port router-0.edge > router.yaml\n" +
			"  ovnguard exception generate --finding OVG028 -n kube-system\n" +
			"  ovnguard exception generate --port d03-d.t-drift --from cluster.json --nb ovnnb_db.db",
		Args: cobra.MaximumNArgs(1),

		ValidArgsFunction: completePodArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd, args)
		},
	}
	flags := cmd.Flags()
	o.addReadingFlags(flags, ", as for audit")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the pod; with --finding, only ports of its pods")
	flags.StringVar(&o.port, "port", "", "Logical_Switch_Port")
	flags.StringVar(&o.rule, "finding", "", "ports with a finding of this rule, such as OVG003")
	_ = cmd.RegisterFlagCompletionFunc("finding", completeRules) // the flag was just added
	return cmd
}

// completePodArgument completes pod/NAME of the namespace of -n.
func completePodArgument(
	cmd *cobra.Command, args []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	namespace := cmd.Flag("namespace").Value.String()
	if len(args) > 0 || namespace == "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return namesOf(cmd, podNames, namespace, "pod/", strings.TrimPrefix(typed, "pod/")),
		cobra.ShellCompDirectiveNoFileComp
}

// chosen checks which ports are meant, and returns the pod that the argument names.
func (o *generateOptions) chosen(args []string) (pod inventory.PodKey, err error) {
	given := len(args)
	for _, flag := range []string{o.port, o.rule} {
		if flag != "" {
			given++
		}
	}
	if given != 1 {
		return pod, errors.New("pod/NAME, --port or --finding: give one of them: which ports it is for")
	}
	if o.rule != "" && !slices.ContainsFunc(audit.Rules(), func(r audit.Rule) bool { return r.ID == o.rule }) {
		return pod, fmt.Errorf("--finding: %q is no rule of the audit; ovnguard rules lists them", o.rule)
	}
	if len(args) == 0 {
		return pod, nil
	}
	kind, name, ok := strings.Cut(args[0], "/")
	switch {
	case !ok || kind != "pod" && kind != "pods" || name == "":
		return pod, fmt.Errorf("%q: want pod/NAME", args[0])
	case o.namespace == "":
		return pod, errors.New("--namespace: is required with pod/NAME")
	}
	return inventory.PodKey{Namespace: o.namespace, Name: name}, nil
}

func (o *generateOptions) run(ctx context.Context, cmd *cobra.Command, args []string) error {
	pod, err := o.chosen(args)
	switch {
	case err != nil:
		return usage(err)
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	seen, now, err := o.picture(ctx, cmd.Flags())
	if err != nil {
		return err
	}
	state := seen.inv.Snapshot()
	var ports []inventory.Port
	for _, name := range seen.inv.Names() {
		p := state.Port(name, now)
		if p.Pod != nil && !p.Pod.Finished && o.means(&p, pod, seen.results[name]) {
			ports = append(ports, p)
		}
	}
	if len(ports) == 0 {
		return usage(errors.New("no port of a pod that runs is meant: pod/NAME, --port and --finding name none"))
	}
	proposals := exception.Propose(state, ports, o.ovn(seen.northbound.version).Eras(), now)
	found := false
	for i := range proposals {
		text, proposed, err := proposalText(&proposals[i])
		if err != nil {
			return err
		}
		found = found || proposed
		if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil {
			return err
		}
	}
	if err := tellNotes(cmd.ErrOrStderr(), seen.notes); err != nil {
		return err
	}
	if !found {
		return &exitError{code: exitFindings, err: errors.New("no exception is proposed; the comments say why")}
	}
	return nil
}

// means reports whether a port is one of those that are asked about.
func (o *generateOptions) means(p *inventory.Port, pod inventory.PodKey, result audit.Result) bool {
	switch {
	case o.port != "":
		return p.Name == o.port
	case o.rule == "":
		return p.Pod.PodKey == pod
	}
	return (o.namespace == "" || p.Pod.Namespace == o.namespace) &&
		slices.ContainsFunc(result.Findings, func(f audit.Finding) bool { return f.Rule.ID == o.rule })
}

// picture reads both sides once.
func (o *reading) picture(ctx context.Context, flags *pflag.FlagSet) (picture, time.Time, error) {
	now := time.Now()
	if err := o.place(ctx, flags); err != nil {
		return picture{}, now, err
	}
	if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
		return picture{}, now, usage(err)
	}
	var api client.Reader
	if o.kubernetes == "" {
		c, err := o.client()
		if err != nil {
			return picture{}, now, err
		}
		api = c
	}
	seen, err := o.look(ctx, now, api)
	return seen, now, err
}

// Texts that whoever asks for a proposed exception has to replace.
const (
	toFill       = "FILL IN"
	reasonToFill = toFill + ": why these ports need it"
	ownerToFill  = toFill + ": the person or team to ask"
)

// proposalText writes a proposal as a manifest with comments. proposed is false where it is comments alone.
func proposalText(p *exception.Proposal) (text string, proposed bool, err error) {
	var b strings.Builder
	comment := func(indent, format string, args ...any) {
		fmt.Fprintf(&b, "%s# %s\n", indent, answer.Plain(fmt.Sprintf(format, args...)))
	}
	b.WriteString("---\n")
	comment("", "for %s", strings.Join(p.Ports, ", "))
	if p.Needless != "" {
		comment("", "no exception: %s", p.Needless)
	}
	for _, text := range p.LeftOut {
		comment("", "left out: %s", text)
	}
	for _, text := range p.Doubts {
		comment("", "look at this: %s", text)
	}
	for _, text := range p.Unseen {
		comment("", "not seen: %s", text)
	}
	if p.Needless != "" {
		return b.String(), false, nil
	}
	raw, err := yaml.Marshal(proposedObject(p))
	if err != nil {
		return "", false, fmt.Errorf("write the manifest: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		trimmed := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(trimmed)]
		switch {
		case strings.HasPrefix(trimmed, "class: ") || strings.HasPrefix(trimmed, "level: "):
			for _, text := range p.Evidence {
				comment(indent, "%s", text)
			}
		case strings.HasPrefix(trimmed, "- "):
			for _, text := range evidenceAt(p, trimmed, &b) {
				comment(indent, "%s", text)
			}
		}
		b.WriteString(line)
	}
	return b.String(), true, nil
}

// evidenceAt returns what shows that the pair is needed that a line of the manifest begins. Pairs are in order, and
// each begins with its MAC or its prefix.
func evidenceAt(p *exception.Proposal, line string, before *strings.Builder) []string {
	if !strings.HasPrefix(line, "- mac: ") && !strings.HasPrefix(line, "- prefix: ") {
		return nil
	}
	begun := strings.Count(before.String(), "\n    - mac: ") + strings.Count(before.String(), "\n    - prefix: ")
	if begun >= len(p.Pairs) {
		return nil
	}
	return p.Pairs[begun].Evidence
}

// proposedObject returns a proposal as a manifest has it.
func proposedObject(p *exception.Proposal) *v1alpha1.PortSecurityException {
	o := &v1alpha1.PortSecurityException{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kube.ExceptionKind.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name},
		Spec: v1alpha1.PortSecurityExceptionSpec{
			Target: v1alpha1.Target{Providers: []string{string(p.Provider)}}, Class: v1alpha1.Class(p.Class),
			Reason: reasonToFill, Owner: ownerToFill, ExpiresAt: metav1.NewTime(p.Expires),
		},
	}
	if p.Owner != nil {
		o.Spec.Target.Owner = &v1alpha1.Owner{APIVersion: p.Owner.APIVersion, Kind: p.Owner.Kind, Name: p.Owner.Name}
	} else {
		o.Spec.Target.PodSelector = &metav1.LabelSelector{MatchLabels: p.Labels}
	}
	if p.Level != policy.Strict && p.Class == "" {
		o.Spec.Grant.Level = v1alpha1.Level(p.Level.String())
	}
	if p.Forwards {
		o.Spec.Grant.Layer2Forward = v1alpha1.Allow
	}
	for _, pair := range p.Pairs {
		out := v1alpha1.AddressPair{Prefix: exception.PrefixText(pair.Prefix), SharedWith: pair.SharedWith}
		if pair.MAC != (portsec.MAC{}) {
			out.MAC = pair.MAC.String()
		}
		o.Spec.Grant.Pairs = append(o.Spec.Grant.Pairs, out)
	}
	return o
}
