package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/plan"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/preview"
)

// planOptions are the flags of the command.
type planOptions struct {
	reading
	output     output
	files      []string
	namespace  string
	everywhere bool
	level      string
	without    []string
	approved   []string
	failOn     string
}

// Values of --fail-on: what makes the exit code 1.
const (
	failOnLoss   = "loss"
	failOnChange = "change"
	failOnNever  = "never"
)

func failOnOfPlan() []string { return []string{failOnLoss, failOnChange, failOnNever} }

// approver is who is taken to have approved exceptions.
const approver = "whoever approves it"

func newPlanCommand() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan (-f FILE|DIR|- | --namespace NS --level LEVEL | --without-exception NS/NAME | --approved NS/NAME)",
		Short: "Say what a policy, an exception or a level would change before it is applied",
		Long: `Compares the cluster as it is with the cluster as it would be, and says by workload
  - which running ports would change, from which column to which: at once, where repair would write them, or
    when their pods are made again
  - from which MACs and addresses each could no longer send, or could send besides
  - which pods and templates admission would refuse that it lets in today, with the check, the field and the fix
  - which of the ports that lose something seem to forward for others
and which policies never decide because others come first, and for how many ports each exception counts.
Nothing is changed. The cluster, or files in its place, are read as by audit.

The change is one or more of
  -f                      policies, exceptions, namespaces, networks and workloads, as if they were applied;
                          exceptions count as approved
  --namespace NS --level  the namespace's label ovnguard.io/level, as if it were set
  --without-exception     an exception of the cluster, as if it were deleted
  --approved              an exception of the cluster, as if it were approved

Exit code: 0 nothing would be cut off or refused (--fail-on), 1 something would, 2 wrong usage, 3 the API server
or a database could not be reached, 4 nothing would be, but not everything could be judged.`,
		Example: `  ovnguard plan -f policy.yaml
  ovnguard plan --namespace shop --level strict
  ovnguard plan --without-exception shop/router -o html --output-file plan.html
  ovnguard plan -f policy.yaml --from cluster.json --nb ovnnb_db.db --fail-on change`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.addReadingFlags(flags, ", as for audit")
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "file or directory with manifests, or - for standard input")
	flags.StringVarP(&o.namespace, "namespace", "n", "",
		"show only the workloads of this namespace; it is also that of manifests that name none, and of --level")
	flags.BoolVarP(&o.everywhere, "all-namespaces", "A", false,
		fmt.Sprintf("list all workloads, and not only the %d that lose most", worstWorkloads))
	flags.StringVar(&o.level, "level", "", "level that the namespace would ask for: strict, mac or open")
	flags.StringArrayVar(&o.without, "without-exception", nil, "exception that would be deleted, NAMESPACE/NAME")
	flags.StringArrayVar(&o.approved, "approved", nil, "exception that would be approved, NAMESPACE/NAME")
	flags.StringVar(&o.failOn, "fail-on", failOnLoss, "what makes the exit code 1: loss (something would be cut off "+
		"or refused), change (anything would change) or never")
	o.output.addOutputFlags(flags)
	return cmd
}

// planReport is the answer of the command. It may grow; a field never changes its meaning or goes away.
type planReport struct {
	answer.Meta

	plan.Result

	// Next are commands that the answer leads to.
	Next  []nextStep `json:"next"`
	Notes []string   `json:"notes"`
}

// nextStep is a command, and what it is for.
type nextStep struct {
	For     string `json:"for"`
	Command string `json:"command"`
}

func (o *planOptions) check() error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.timeout <= 0 {
		bad("--timeout: %s: must be more than 0", o.timeout)
	}
	if len(o.files)+len(o.without)+len(o.approved) == 0 && o.level == "" {
		bad("--filename, --level, --without-exception or --approved: give one of them: they say what would change")
	}
	if !slices.Contains(failOnOfPlan(), o.failOn) {
		bad("--fail-on: %q: want %s", o.failOn, allowed(failOnOfPlan()))
	}
	switch {
	case o.namespace != "" && o.everywhere:
		bad("--namespace and --all-namespaces: give one of them")
	case o.namespace == "" && o.level != "":
		bad("--level: name the namespace with --namespace")
	case o.namespace != "":
		if wrong := validation.IsDNS1123Label(o.namespace); len(wrong) > 0 {
			bad("--namespace: %q: %s", o.namespace, wrong[0])
		}
	}
	if o.level != "" {
		if _, err := policy.ParseLevel(o.level); err != nil {
			bad("--level: %w", err)
		}
	}
	for flag, names := range map[string][]string{"without-exception": o.without, "approved": o.approved} {
		for _, name := range names {
			if _, err := exceptionKey(name); err != nil {
				bad("--%s: %w", flag, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return usage(err)
	}
	return nil
}

// exceptionKey reads NAMESPACE/NAME.
func exceptionKey(text string) (inventory.PodKey, error) {
	namespace, name, found := strings.Cut(text, "/")
	if !found || namespace == "" || name == "" || strings.Contains(name, "/") {
		return inventory.PodKey{}, fmt.Errorf("%q: want NAMESPACE/NAME", text)
	}
	return inventory.PodKey{Namespace: namespace, Name: name}, nil
}

func (o *planOptions) run(ctx context.Context, in io.Reader, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.check(); err != nil {
		return err
	}
	manifests, err := readManifests(o.files, in)
	if err != nil {
		return usage(fmt.Errorf("--filename: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := o.place(ctx, flags); err != nil {
		return err
	}
	if err := errors.Join(checkNorthbound(o.northbound), o.connection.check()); err != nil {
		return usage(err)
	}
	now := time.Now()
	var c client.Reader
	if o.kubernetes == "" {
		if c, err = o.client(); err != nil {
			return err
		}
	}
	g, err := o.gather(ctx, now, c)
	if err != nil {
		return err
	}
	before := g.inv.Snapshot()
	q, notes, err := o.change(&g, manifests, now)
	if err != nil {
		return usage(err)
	}
	q.Before = plan.Side{Cluster: o.previewed(before, now), Templates: g.templates}
	stage(ctx, "comparing the ports")
	r := planReport{
		Meta:   answer.Of("Plan"),
		Result: plan.Compare(q),
		Notes:  append(append([]string{}, g.notes...), notes...),
	}
	idle := idleManifests(&g.inv.State, manifests, &r.Result)
	r.Notes = append(r.Notes, idle...)
	if o.level != "" && r.Summary.Workloads == 0 {
		r.Notes = append(r.Notes, o.decidedAlready(&g, flags, now)...)
	}
	r.Next = o.next(&r.Result, flags, len(idle) == 0)
	if err := o.output.put(out, r.answer(o)); err != nil {
		return err
	}
	return o.verdict(&r.Summary, g.damage, errWithheld(before))
}

// change makes the change in the inventory, and returns the question about it without the side before.
func (o *planOptions) change(g *bothSides, manifests []manifest, now time.Time) (
	q plan.Question, notes []string, err error,
) {
	q = plan.Question{Eras: g.build.Eras(), Namespace: o.namespace}
	notes, err = enterManifests(g.inv, manifests, cmp.Or(o.namespace, "default"), approver, now)
	if err != nil {
		return q, nil, fmt.Errorf("--filename: %w", err)
	}
	after, pods, err := templatesWith(g.templates, manifests)
	if err != nil {
		return q, nil, fmt.Errorf("--filename: %w", err)
	}
	if pods > 0 {
		notes = append(
			notes,
			fmt.Sprintf("%s among the manifests not judged: ovnguard check says what admission would "+
				"do about them", verb(pods, "pod")),
		)
	}
	for i := range manifests {
		if m := &manifests[i]; m.GroupVersionKind() == kube.ExceptionKind {
			q.Exceptions = append(q.Exceptions, inventory.PodKey{Namespace: m.GetNamespace(), Name: m.GetName()})
		}
	}
	if err := checkNamespace(&g.inv.State, o.namespace); err != nil {
		return q, nil, err
	}
	if err := o.changeExceptions(g.inv, &q); err != nil {
		return q, nil, err
	}
	if o.level != "" {
		ns := g.inv.Namespace(o.namespace)
		if ns.Err != nil {
			return q, nil, fmt.Errorf("--namespace: %w", ns.Err)
		}
		ns.Labels = maps.Clone(ns.Labels)
		if ns.Labels == nil {
			ns.Labels = make(map[string]string)
		}
		ns.Labels[policy.LevelLabel] = o.level
		g.inv.SetNamespace(ns)
	}
	q.After = plan.Side{Cluster: o.previewed(g.inv.Snapshot(), now), Templates: after}
	return q, notes, nil
}

// verb words how many there are of something, with the verb that fits.
func verb(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return fmt.Sprintf("%d %ss are", n, thing)
}

// changeExceptions takes exceptions away, and approves others.
func (o *planOptions) changeExceptions(inv *inventory.Inventory, q *plan.Question) error {
	find := func(flag, name string) (e policy.Exception, err error) {
		key, err := exceptionKey(name)
		if err != nil {
			return e, fmt.Errorf("--%s: %w", flag, err)
		}
		list := inv.Exceptions(key.Namespace)
		i := slices.IndexFunc(list, func(e policy.Exception) bool { return e.Name == key.Name })
		if i < 0 {
			return e, fmt.Errorf("--%s: the cluster has no PortSecurityException %s", flag, name)
		}
		q.Exceptions = append(q.Exceptions, key)
		return list[i], nil
	}
	for _, name := range o.approved {
		e, err := find("approved", name)
		if err != nil {
			return err
		}
		e.ApprovedBy = approver
		inv.SetException(e)
	}
	for _, name := range o.without {
		e, err := find("without-exception", name)
		if err != nil {
			return err
		}
		inv.DeleteException(e.Namespace, e.Name)
	}
	return nil
}

// templatesWith returns the templates with those of the manifests in the place of those of the same objects. pods is
// how many of the manifests are pods.
func templatesWith(templates []preview.Template, manifests []manifest) (out []preview.Template, pods int, err error) {
	out = slices.Clone(templates)
	for i := range manifests {
		m := &manifests[i]
		if m.GetAPIVersion() == "v1" && m.GetKind() == "Pod" {
			pods++
			continue
		}
		raw, err := m.MarshalJSON()
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", m.where(), err)
		}
		t, ok, err := preview.TemplateOf(raw)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", m.where(), err)
		}
		if !ok {
			continue
		}
		key := inventory.WorkloadSubject(t.Namespace, t.Workload)
		out = slices.DeleteFunc(out, func(o preview.Template) bool {
			return inventory.WorkloadSubject(o.Namespace, o.Workload) == key
		})
		out = append(out, t)
	}
	return out, pods, nil
}

// verdict returns the exit code as an error.
func (o *planOptions) verdict(s *plan.Summary, damage []string, withheld error) error {
	found := s.Lose+s.Refused > 0
	switch o.failOn {
	case failOnChange:
		found = s.Workloads > 0
	case failOnNever:
		found = false
	}
	if found {
		return &exitError{code: exitFindings}
	}
	if err := incomplete(s.Unknown, damage, withheld); err != nil {
		return &exitError{code: exitIncomplete, err: err}
	}
	return nil
}
