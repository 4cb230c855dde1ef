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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/exception"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/status"
)

// exceptionsOptions are the flags of commands that look at all exceptions.
type exceptionsOptions struct {
	reading
	output    output
	namespace string
	all       bool
}

func (o *exceptionsOptions) addFlags(flags *pflag.FlagSet) {
	o.addKubernetesFlags(flags)
	o.told.addFlags(flags)
	addFromFlag(flags, &o.kubernetes, ", as for audit")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "only exceptions of this namespace")
	flags.BoolVarP(
		&o.all,
		"all-namespaces",
		"A",
		false,
		"exceptions of all namespaces; the default without --namespace",
	)
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
}

func (o *exceptionsOptions) checkFlags() error {
	switch {
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	case o.all && o.namespace != "":
		return usage(errors.New("--namespace and --all-namespaces: give one of them"))
	}
	return nil
}

// listOptions are the flags of the command.
type listOptions struct {
	exceptionsOptions
	expiring span
}

func newExceptionListCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List exceptions with what stands of them",
		Long: `Lists exceptions: whether each is approved and counts, is pending, has expired, or is refused by policy
and why, which ports it is for, and until when. A user who may not read the whole cluster sees what the
program noted in the exceptions' status.

Exit code: 0 all count or wait for their time, 1 some have expired, are refused, or wait for somebody,
with --expiring some end within that span, 2 wrong usage, 3 the API server could not be reached.`,
		Example: "  ovnguard exception list\n  ovnguard exception list -n edge -o wide\n" +
			"  ovnguard exception list --expiring 7d\n  ovnguard exception list --from cluster.json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().Var(&o.expiring, "expiring", "only those that end within this span, such as 7d")
	o.output.addOutputFlags(cmd.Flags())
	return cmd
}

// exceptionList is the answer of the command. It may grow; a field never changes its meaning or goes away.
type exceptionList struct {
	answer.Meta

	Exceptions []listedException `json:"exceptions"`
	Notes      []string          `json:"notes"`
}

// listedException is one exception.
type listedException struct {
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	State     exception.State `json:"state"`
	// Reason is the reason of the condition InEffect, and Why says what would have to change.
	Reason      policy.Reason `json:"reason"`
	Why         string        `json:"why,omitempty"`
	Policy      string        `json:"policy,omitempty"`
	Class       string        `json:"class,omitempty"`
	Level       string        `json:"level"`
	Grants      []string      `json:"grants"`
	Ports       int           `json:"ports"`
	FirstPorts  []string      `json:"firstPorts"`
	ExpiresAt   time.Time     `json:"expiresAt"`
	RequestedBy string        `json:"requestedBy,omitempty"`
	ApprovedBy  string        `json:"approvedBy,omitempty"`
	Ticket      string        `json:"ticket,omitempty"`
}

// portsTold is how many ports of an exception are named.
const portsTold = 16

func listedOf(l *exception.Listed) listedException {
	out := listedException{
		Namespace: l.Namespace, Name: l.Name, State: l.State, Reason: l.Reason, Why: l.Why, Policy: l.Policy,
		Class: string(l.Class), Level: l.Level.String(), Grants: grantsOf(&l.Exception), Ports: len(l.Ports),
		FirstPorts: append([]string{}, l.Ports[:min(len(l.Ports), portsTold)]...), ExpiresAt: l.Expires.UTC(),
		RequestedBy: l.RequestedBy, ApprovedBy: l.ApprovedBy, Ticket: l.Ticket,
	}
	if l.State == exception.Expired {
		out.Reason, out.Why = policy.Expired, "it ended at "+l.Expires.UTC().Format(time.RFC3339)
	}
	return out
}

// grantsOf says what an exception grants.
func grantsOf(e *policy.Exception) []string {
	out := []string{}
	if e.Level != policy.Strict {
		out = append(out, "level "+e.Level.String())
	}
	for _, pair := range e.Pairs {
		out = append(out, pair.String())
	}
	if e.Forwarding == policy.Require {
		out = append(out, "layer-2 forwarding")
	}
	return out
}

func (o *listOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	if err := o.checkFlags(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	now := time.Now()
	list, notes, err := o.readExceptions(ctx, now, flags)
	if err != nil {
		return err
	}
	r := exceptionList{
		Meta:       answer.Of("ExceptionList"),
		Exceptions: []listedException{},
		Notes:      append([]string{}, notes...),
	}
	for i := range list {
		if o.expiring == 0 || list[i].Ends(time.Duration(o.expiring), now) {
			r.Exceptions = append(r.Exceptions, listedOf(&list[i]))
		}
	}
	if err := o.output.put(out, r.answer()); err != nil {
		return err
	}
	wanting := func(e listedException) bool { return e.State != exception.Approved && e.Reason != policy.NotYet }
	if o.expiring != 0 && len(r.Exceptions) > 0 || slices.ContainsFunc(r.Exceptions, wanting) {
		return &exitError{code: exitFindings}
	}
	return nil
}

// readExceptions returns the exceptions with what stands of them, from the file, from the cluster as a whole, or, for
// who may not read that, from their status.
func (o *exceptionsOptions) readExceptions(
	ctx context.Context, now time.Time, flags *pflag.FlagSet,
) (list []exception.Listed, notes []string, err error) {
	inv := inventory.New()
	if o.kubernetes != "" {
		inv.SetSetup(o.told.offline(flags))
		cluster, err := readClusterFile(o.kubernetes, now, inv)
		if err != nil {
			return nil, nil, err
		}
		list, err = o.ofNamespace(inv.Snapshot(), now)
		return list, cluster.notes, err
	}
	_, api, err := o.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	notes, err = readCluster(ctx, api, inv, "")
	switch {
	case apierrors.IsForbidden(err):
		if list, err = o.fromStatus(ctx, api, now); err != nil {
			return nil, nil, err
		}
		return list, []string{"you may not read the whole cluster, so that this is what the program in the cluster " +
			"noted in the exceptions' status"}, nil
	case err != nil:
		return nil, nil, err
	}
	list, err = o.ofNamespace(inv.Snapshot(), now)
	return list, notes, err
}

// ofNamespace returns the exceptions of the namespace, or of all.
func (o *exceptionsOptions) ofNamespace(inv *inventory.State, now time.Time) ([]exception.Listed, error) {
	list := exception.List(inv, o.namespace, now)
	if len(list) == 0 {
		if err := checkNamespace(inv, o.namespace); err != nil {
			return nil, usage(err)
		}
	}
	return list, nil
}

// fromStatus returns the exceptions by what the program noted in their status.
func (o *exceptionsOptions) fromStatus(
	ctx context.Context, api client.Reader, now time.Time,
) (list []exception.Listed, err error) {
	var objects v1alpha1.PortSecurityExceptionList
	if err := api.List(ctx, &objects, client.InNamespace(o.namespace)); err != nil {
		err = fmt.Errorf("list PortSecurityExceptions: %w", err)
		if o.namespace == "" && apierrors.IsForbidden(err) {
			err = fmt.Errorf("%w; with --namespace, those of one namespace", err)
		}
		return nil, lacking(err, "ovnguard-exception-viewer", o.namespace)
	}
	for i := range objects.Items {
		x := &objects.Items[i]
		e := kube.ExceptionOf(x)
		s := status.Standing{
			Reason: policy.NotApproved, Why: "the program in the cluster has not looked at it yet",
			Policy: x.Status.Policy,
		}
		if c := meta.FindStatusCondition(x.Status.Conditions, v1alpha1.ConditionInEffect); c != nil {
			s.Reason, s.Why = policy.Reason(c.Reason), c.Message
			if s.Reason == policy.InEffect {
				s.Why = ""
			}
		}
		list = append(list, exception.Listed{
			Exception: e, State: exception.StateOf(s.Reason, e.Expires, now), Standing: s, Ports: x.Status.Ports,
		})
	}
	return list, nil
}

// answer returns the list in parts.
func (r *exceptionList) answer() answer.Answer {
	s := answer.Section{Columns: append(
		answer.Columns("Namespace", "Name", "State", "Ports", "Until", "Why"),
		answer.WideColumns("Class", "Grants", "Policy", "Requested by", "Approved by", "Ticket")...,
	)}
	count := make(map[exception.State]int)
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		count[e.State]++
		s.Rows = append(s.Rows, answer.NewRow(
			e.Namespace, e.Name, e.State, e.Ports, e.ExpiresAt.Format(time.RFC3339), e.Why, e.Class,
			strings.Join(e.Grants, "; "), e.Policy, e.RequestedBy, e.ApprovedBy, e.Ticket,
		))
	}
	s.After = []string{fmt.Sprintf(
		"%s: %d approved, %d pending, %d expired, %d refused", counted(len(r.Exceptions), "exception"),
		count[exception.Approved], count[exception.Pending], count[exception.Expired], count[exception.Refused],
	)}
	return answer.Answer{Title: "ovnguard exception list", Document: r, Sections: []answer.Section{s}, Notes: r.Notes}
}
