package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// createOptions are the flags of the command.
type createOptions struct {
	reading
	wish
	namespace string
	dryRun    bool
}

// wish is what the flags ask for.
type wish struct {
	pod, workload, selector string
	providers, pairs        []string
	class, level            string
	forward                 bool
	reason, owner, ticket   string
	expires, begins         string
	expiresAt, notBefore    time.Time
	target                  v1alpha1.Target
	addressPairs            []v1alpha1.AddressPair
}

func newExceptionCreateCommand() *cobra.Command {
	var o createOptions
	cmd := &cobra.Command{
		Use:   "create NAME -n NAMESPACE",
		Short: "Ask for an exception, unless admission would refuse it",
		Long: `Asks for a PortSecurityException: for the pods of a workload (--workload), for those that made a pod
(--pod), or for pods with labels (--selector); with address pairs (--pair), a class, a level or
layer-2 forwarding. What admission would refuse is refused before it is sent, in the same words. On a
terminal it asks for the reason, the owner and the end where the flags do not give them.

--dry-run prints the manifest and creates nothing. With --from it is judged on a file, and only
--dry-run is possible.

Exit code: 0 it was created, or would be, 1 admission refuses it, 2 wrong usage, 3 the API server
could not be reached, or a right is missing, 4 a file lacks what is needed to judge it.`,
		Example: "  ovnguard exception create router -n edge --workload deployment/router --class router \\\n" +
			"    --pair 10.20.0.0/24 --reason 'forwards for the branch offices' --owner net@example.org --expires 90d\n" +
			"  ovnguard exception create vrrp -n shop --pod web-0 --class vrrp --pair 00:00:5e:00:01:0a=10.16.0.100 \\\n" +
			"    --reason 'shared address of the tills' --owner tills --expires 2027-01-31 --dry-run",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd, args[0])
		},
	}
	flags := cmd.Flags()
	o.addKubernetesFlags(flags)
	o.addNorthboundFlag(flags)
	o.addTLSFlags(flags)
	flags.Lookup("nb").Usage += ", or none: the cluster alone says then whose addresses are; or a database file: PATH " +
		"or file:PATH"
	o.told.addFlags(flags)
	addFromFlag(flags, &o.kubernetes, ", as for audit")
	flags.StringVarP(&o.namespace, "namespace", "n", "default", "namespace of the exception and its pods")
	o.addFlags(flags)
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the manifest, and create nothing")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
	return cmd
}

func (w *wish) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&w.pod, "pod", "", "pod whose owner, or else whose labels, the exception is for")
	flags.StringVar(
		&w.workload,
		"workload",
		"",
		"KIND/NAME of what makes the pods, such as deployment/router, vm/fw or "+
			"vpc-egress-gateway/veg",
	)
	flags.StringVarP(&w.selector, "selector", "l", "", "labels of the pods, such as app=router; whoever may make pods "+
		"can give them such labels")
	flags.StringArrayVar(
		&w.providers,
		"provider",
		nil,
		"NICs of this provider alone, such as ovn; may be given several times",
	)
	flags.StringVar(&w.class, "class", "", "router, vpn, vrrp, nat-gateway or nested-virtualization")
	flags.StringArrayVar(&w.pairs, "pair", nil, "address or range to send from, as PREFIX, MAC=PREFIX, or with @WHOSE "+
		"behind it for addresses of others (spec.grant.pairs.sharedWith); may be given several times")
	flags.StringVar(&w.level, "level", "", "mac: any address with the port's own MAC; open: anything")
	flags.BoolVar(
		&w.forward,
		"forward",
		false,
		"grant layer-2 forwarding: frames for MACs that nobody has reach the ports",
	)
	flags.StringVar(&w.reason, "reason", "", "why it is needed, for people")
	flags.StringVar(&w.owner, "owner", "", "person or team to ask, such as net@example.org")
	flags.StringVar(&w.ticket, "ticket", "", "where it was discussed, such as NET-1234")
	flags.StringVar(&w.expires, "expires", "", "when it ends: a span such as 30d, a day, or a time")
	flags.StringVar(&w.begins, "not-before", "", "when it begins, as --expires; default: at once")
}

// kinds are the kinds of --workload, by the names that people give them.
var kinds = map[string]v1alpha1.Owner{
	"deployment": {APIVersion: "apps/v1", Kind: "Deployment"}, "deploy": {APIVersion: "apps/v1", Kind: "Deployment"},
	"replicaset": {APIVersion: "apps/v1", Kind: "ReplicaSet"}, "rs": {APIVersion: "apps/v1", Kind: "ReplicaSet"},
	"statefulset": {APIVersion: "apps/v1", Kind: "StatefulSet"}, "sts": {APIVersion: "apps/v1", Kind: "StatefulSet"},
	"daemonset": {APIVersion: "apps/v1", Kind: "DaemonSet"}, "ds": {APIVersion: "apps/v1", Kind: "DaemonSet"},
	"job": {APIVersion: "batch/v1", Kind: "Job"}, "cronjob": {APIVersion: "batch/v1", Kind: "CronJob"},
	"vm":                     {APIVersion: "kubevirt.io/v1", Kind: "VirtualMachine"},
	"virtualmachine":         {APIVersion: "kubevirt.io/v1", Kind: "VirtualMachine"},
	"vmi":                    {APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance"},
	"virtualmachineinstance": {APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance"},
	"vpc-nat-gateway":        {APIVersion: "kubeovn.io/v1", Kind: "VpcNatGateway"},
	"vpc-egress-gateway":     {APIVersion: "kubeovn.io/v1", Kind: "VpcEgressGateway"},
}

// check reads the flags. Those that a terminal can be asked for may be missing.
func (w *wish) check(now time.Time) error {
	var errs []error
	given := 0
	for _, flag := range []string{w.pod, w.workload, w.selector} {
		if flag != "" {
			given++
		}
	}
	if given != 1 {
		errs = append(errs, errors.New("--workload, --pod or --selector: give one of them: for which pods it is"))
	}
	if w.workload != "" {
		kind, name, _ := strings.Cut(w.workload, "/")
		o, ok := kinds[strings.ToLower(kind)]
		if !ok || name == "" {
			errs = append(errs, fmt.Errorf("--workload: %q: want KIND/NAME, such as deployment/router", w.workload))
		}
		o.Name = name
		w.target.Owner = &o
	}
	if w.selector != "" {
		s, err := metav1.ParseToLabelSelector(w.selector)
		if err != nil {
			errs = append(errs, fmt.Errorf("--selector: %w", err))
		}
		w.target.PodSelector = s
	}
	w.target.Providers = w.providers
	for _, text := range w.pairs {
		pair, err := parsePair(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--pair: %q: %w", text, err))
		}
		w.addressPairs = append(w.addressPairs, pair)
	}
	if w.level != "" {
		if level, err := policy.ParseLevel(w.level); err != nil {
			errs = append(errs, fmt.Errorf("--level: %w", err))
		} else if level == policy.Strict {
			errs = append(errs, errors.New("--level: strict grants nothing; leave it out, and give --pair"))
		}
	}
	if len(w.pairs) == 0 && w.level == "" && !w.forward && w.class != string(policy.NATGateway) {
		errs = append(errs, errors.New("--pair, --level, --forward or --class nat-gateway: give what it grants"))
	}
	return errors.Join(append(errs, w.checkTimes(now))...)
}

func (w *wish) checkTimes(now time.Time) error {
	var errs []error
	var err error
	if w.expires != "" {
		if w.expiresAt, err = parseEnd(w.expires, now); err != nil {
			errs = append(errs, fmt.Errorf("--expires: %w", err))
		}
	}
	if w.begins != "" {
		if w.notBefore, err = parseEnd(w.begins, now); err != nil {
			errs = append(errs, fmt.Errorf("--not-before: %w", err))
		}
	}
	return errors.Join(errs...)
}

// parsePair reads [MAC=]PREFIX[@WHOSE].
func parsePair(text string) (v1alpha1.AddressPair, error) {
	var p v1alpha1.AddressPair
	p.Prefix, p.SharedWith, _ = strings.Cut(text, "@")
	if mac, prefix, ok := strings.Cut(p.Prefix, "="); ok {
		p.MAC, p.Prefix = mac, prefix
	}
	_, err := kube.PairOf(p)
	return p, err
}

// asked are the values that a terminal is asked for.
func (w *wish) asked() []struct {
	flag, question string
	value          *string
} {
	return []struct {
		flag, question string
		value          *string
	}{
		{"reason", "Why is it needed", &w.reason},
		{"owner", "Which person or team is to be asked about it", &w.owner},
		{"expires", "When does it end (such as 30d or 2027-01-31)", &w.expires},
	}
}

// complete asks for what is missing where somebody can answer, and otherwise says which flags are.
func (w *wish) complete(in io.Reader, errs io.Writer, now time.Time) error {
	var missing []error
	lines := bufio.NewReader(in)
	for _, a := range w.asked() {
		if *a.value != "" {
			continue
		}
		if !isTerminal(in) {
			missing = append(missing, fmt.Errorf("--%s: is required", a.flag))
			continue
		}
		if _, err := fmt.Fprintf(errs, "%s? ", a.question); err != nil {
			return err
		}
		line, err := lines.ReadString('\n')
		if *a.value = strings.TrimSpace(line); *a.value == "" {
			return usage(errors.Join(fmt.Errorf("--%s: is required", a.flag), ignoreEnd(err)))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return usage(err)
	}
	if err := w.checkTimes(now); err != nil {
		return usage(err)
	}
	return nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// object returns the exception that is asked for.
func (w *wish) object(namespace, name string) *v1alpha1.PortSecurityException {
	o := &v1alpha1.PortSecurityException{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kube.ExceptionKind.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.PortSecurityExceptionSpec{
			Target: w.target, Class: v1alpha1.Class(w.class), Reason: w.reason, Owner: w.owner, Ticket: w.ticket,
			Grant:     v1alpha1.Grant{Pairs: w.addressPairs, Level: v1alpha1.Level(w.level)},
			ExpiresAt: metav1.NewTime(w.expiresAt),
		},
	}
	if w.forward {
		o.Spec.Grant.Layer2Forward = v1alpha1.Allow
	}
	if !w.notBefore.IsZero() {
		o.Spec.NotBefore = &metav1.Time{Time: w.notBefore}
	}
	return o
}

// of has the exception be for what made a pod, or else for its labels.
func (w *wish) of(j *judge, namespace string) error {
	inv := j.inv
	for p := range inv.EachPod() {
		if p.PodKey != (inventory.PodKey{Namespace: namespace, Name: w.pod}) {
			continue
		}
		if owners := inv.Owners(p.Controller); len(owners) > 0 {
			o := owners[len(owners)-1]
			w.target.Owner = &v1alpha1.Owner{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name}
			return nil
		}
		if c := p.Controller; c != nil && j.missing[schema.FromAPIVersionAndKind(c.APIVersion, c.Kind)] {
			return &exitError{code: exitIncomplete, err: fmt.Errorf(
				"--pod: pod %s is owned by %s %s: %s", p, c.Kind, c.Name,
				lacksKind(schema.FromAPIVersionAndKind(c.APIVersion, c.Kind)),
			)}
		}
		if len(p.Labels) == 0 {
			return usage(
				fmt.Errorf("--pod: pod %s has neither an owner nor labels by which an exception could name it", p),
			)
		}
		w.target.PodSelector = &metav1.LabelSelector{MatchLabels: p.Labels}
		return nil
	}
	return usage(fmt.Errorf("--pod: namespace %s has no pod %q", namespace, w.pod))
}

func (o *createOptions) run(ctx context.Context, cmd *cobra.Command, name string) error {
	now, out, errs := time.Now(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	switch err := o.check(now); {
	case err != nil:
		return usage(err)
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	case o.kubernetes != "" && !o.dryRun:
		return usage(errors.New("--from: the cluster is a file, so that nothing can be created; add --dry-run"))
	}
	if o.northbound != "" {
		if err := errors.Join(checkNorthbound(o.northbound), o.connection.check()); err != nil {
			return usage(err)
		}
	}
	if err := o.complete(cmd.InOrStdin(), errs, now); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.kubernetes != "" {
		o.setup = o.told.offline(cmd.Flags())
	}
	j, notes, err := o.newJudge(ctx, now)
	if err != nil {
		return err
	}
	if o.pod != "" {
		if j.inv == nil {
			return usage(errors.New("--pod: you may not read what owns pods; give --workload or --selector"))
		}
		if err := o.of(j, o.namespace); err != nil {
			return err
		}
	}
	object := o.object(o.namespace, name)
	notes = append(notes, j.unselected(object)...)
	if err := tellNotes(errs, notes); err != nil {
		return err
	}
	v, err := j.judge(ctx, nil, object)
	if err != nil {
		return err
	}
	if err := v.warn(errs); err != nil {
		return err
	}
	if v.Refusal != "" {
		return &exitError{code: exitFindings, err: errors.New("refused: " + answer.Plain(v.Refusal))}
	}
	if o.dryRun {
		text, err := manifestText(object)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}
	if err := j.api.Create(ctx, object); err != nil {
		return refusedByServer(err, object)
	}
	_, err = fmt.Fprintf(out, "PortSecurityException %s/%s was created; until %s. See: ovnguard exception list -n %s\n",
		object.Namespace, object.Name, object.Spec.ExpiresAt.UTC().Format(time.RFC3339), object.Namespace)
	return err
}

// tellNotes prints what is not known.
func tellNotes(errs io.Writer, notes []string) error {
	for _, n := range notes {
		if _, err := fmt.Fprintln(errs, "note: "+answer.Plain(n)); err != nil {
			return err
		}
	}
	return nil
}

// manifestText writes an exception as its author would, without what others write into it.
func manifestText(o *v1alpha1.PortSecurityException) ([]byte, error) {
	raw, err := yaml.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return raw, nil
}
