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

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/preview"
)

// checkOptions are the flags of the command.
type checkOptions struct {
	reading
	output    output
	files     []string
	namespace string
}

func newCheckCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check -f FILE|DIR|-",
		Short: "Say what admission would do about manifests before they are applied",
		Long: `Reads manifests and says of each pod, of each object that makes pods, and of each exception and
policy, what admission would do if it were applied: allow it, change annotations, or refuse it, with
the check, the field, the reason and the fix. It asks the same checks as the webhooks, about the
cluster or about a file in its place. Nothing is applied.

Namespaces, policies, exceptions and networks among the manifests count as if they were applied: a
team can test an exception before it is asked for. A namespace that is nowhere gets the strict default.

-f takes a file, a directory with all *.yaml, *.yml and *.json below it, or - for standard input; it
may be given several times.

Exit code: 0 nothing is refused, 1 something is, 2 wrong usage, also a manifest that cannot be read,
3 the API server or the database could not be reached, 4 nothing is refused, but something could not
be judged.`,
		Example: "  ovnguard check -f manifests/\n  helm template . | ovnguard check -f - -n shop\n" +
			"  ovnguard check -f web.yaml --from cluster.json -o json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("%s: use -f %s", answer.Plain(args[0]), answer.Plain(args[0])))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "file or directory with manifests, or - for standard input")
	flags.StringVarP(&o.namespace, "namespace", "n", "default", "namespace of objects that name none")
	o.addKubernetesFlags(flags)
	o.addNorthboundFlag(flags)
	o.addTLSFlags(flags)
	o.told.addFlags(flags)
	flags.Lookup("nb").Usage += ", or none: names of ports that are no pod's are not known then; or a database file: " +
		"PATH or file:PATH"
	addFromFlag(flags, &o.kubernetes, ", as for audit")
	o.output.addOutputFlags(flags)
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server and the database")
	return cmd
}

// Results of checking an object.
const (
	resultAllowed = "allowed"
	resultChanged = "changed"
	resultRefused = "refused"
	resultUnknown = "unknown"
)

// checkReport is the answer of the command. It may grow; a field never changes its meaning or goes away.
type checkReport struct {
	answer.Meta
	Objects []checkedObject `json:"objects"`
	// Others counts the objects that make no pods that admission knows, and are no exceptions or policies.
	Others int      `json:"others"`
	Notes  []string `json:"notes"`
}

// checkedObject is what admission would do about the pods of one object.
type checkedObject struct {
	File       string `json:"file"`
	Document   int    `json:"document"`
	Line       int    `json:"line"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	Result     string `json:"result"`
	// Set and Remove are the annotations that would be changed, without ovnguard's own record.
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
	// Refusals are the reasons to refuse the pods. Those of another mode than enforce refuse nothing yet.
	Refusals []checkedRefusal `json:"refusals,omitempty"`
	// NotGranted are the wishes that would not be granted.
	NotGranted []checkedWish `json:"notGranted,omitempty"`
	Warnings   []string      `json:"warnings,omitempty"`
	// Why says why admission is not asked; empty where it is.
	Why string `json:"why,omitempty"`
}

type checkedRefusal struct {
	Check string `json:"check,omitempty"`
	Field string `json:"field,omitempty"`
	Why   string `json:"why"`
	Fix   string `json:"fix,omitempty"`
	Mode  string `json:"mode"`

	// passing means that a check waits for what has not been read.
	passing bool
	// unread lists the kinds that it waits for.
	unread string
}

type checkedWish struct {
	Field string `json:"field"`
	Value string `json:"value"`
	Why   string `json:"why"`
	Mode  string `json:"mode"`
}

func (o *checkOptions) run(ctx context.Context, in io.Reader, out io.Writer, flags *pflag.FlagSet) error {
	switch err := o.output.checkOutput(); {
	case err != nil:
		return err
	case len(o.files) == 0:
		return usage(errors.New("--filename: is required: a file or directory with manifests, or -"))
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	if o.northbound != "" {
		if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
			return usage(err)
		}
	}
	if o.kubernetes == standardInput && slices.Contains(o.files, standardInput) {
		return usage(errors.New("--filename and --from: only one of them can be - for standard input"))
	}
	manifests, err := readManifests(o.files, in)
	if err != nil {
		return usage(fmt.Errorf("--filename: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	now, inv := time.Now(), inventory.New()
	r := checkReport{Meta: answer.Of("CheckReport"), Objects: []checkedObject{}, Notes: []string{}}
	notes, err := o.read(ctx, now, inv, flags)
	if err != nil {
		return err
	}
	entered, err := enterManifests(inv, manifests, o.namespace, "", now)
	if err != nil {
		return usage(fmt.Errorf("--filename: %w", err))
	}
	r.Notes = append(append(r.Notes, notes...), entered...)
	r.Notes = append(r.Notes, passedOver(manifests)...)
	if err := r.judge(ctx, o, inv.Snapshot(), manifests, now); err != nil {
		return err
	}
	if o.kubernetes != "" {
		r.fromFiles()
	}
	if err := o.output.put(out, r.answer()); err != nil {
		return err
	}
	if err := r.verdict(); err != nil {
		return err
	}
	if err := errWithheld(&inv.State); err != nil {
		return &exitError{code: exitIncomplete, err: err}
	}
	return nil
}

// read enters what the cluster, or the files in its place, say.
func (o *checkOptions) read(
	ctx context.Context, now time.Time, inv *inventory.Inventory, flags *pflag.FlagSet,
) (notes []string, err error) {
	if flags.Changed("namespace") {
		o.within = o.namespace
	}
	asked := o.northbound // without a flag no database is asked
	if o.kubernetes != "" {
		if err := o.place(ctx, flags); err != nil {
			return nil, err
		}
		inv.SetSetup(o.setup)
		if notes, err = o.readKubernetes(ctx, nil, now, inv); err != nil {
			return nil, err
		}
	} else {
		_, api, err := o.connect(ctx)
		if err != nil {
			return nil, err
		}
		if err := o.place(ctx, flags); err != nil {
			return nil, err
		}
		inv.SetSetup(o.setup)
		if notes, err = o.readKubernetes(ctx, api, now, inv); err != nil {
			return nil, err
		}
	}
	notes = slices.Concat(o.unplaced, notes)
	if o.northbound = asked; asked == "" {
		return notes, nil
	}
	d, err := o.readNorthbound(ctx, now, inv)
	if err != nil {
		return nil, err
	}
	inv.SetOVN(o.ovn(d.version))
	return append(notes, d.notes...), nil
}

// check judges a manifest.
func (r *checkReport) check(c *preview.Cluster, m *manifest) error {
	raw, err := m.MarshalJSON()
	if err != nil {
		return err
	}
	var j preview.Judgement
	if m.GetAPIVersion() == "v1" && m.GetKind() == "Pod" {
		if j, err = c.JudgePod(m.GetNamespace(), raw); err != nil {
			return err
		}
	} else {
		t, ok, err := preview.TemplateOf(raw)
		if err != nil {
			return err
		}
		if !ok {
			r.Others++
			return nil
		}
		j = c.JudgeTemplate(t)
	}
	r.Objects = append(r.Objects, checked(m, &j))
	return nil
}

// checkedOf returns what is printed of a manifest that is allowed.
func checkedOf(m *manifest) checkedObject {
	return checkedObject{
		File:       m.file,
		Document:   m.document,
		Line:       m.line,
		APIVersion: m.GetAPIVersion(),
		Kind:       m.GetKind(),
		Namespace:  m.GetNamespace(),
		Name:       cmp.Or(m.GetName(), m.GetGenerateName()),
		Result:     resultAllowed,
	}
}

// checked returns a judgement as it is printed.
func checked(m *manifest, j *preview.Judgement) checkedObject {
	o := checkedOf(m)
	o.Why, o.Warnings = j.Unasked, j.Change.Warnings
	at := func(field string) string {
		if j.Path == "" || field == "" {
			return field
		}
		return j.Path + "." + field
	}
	unknown, refused := false, false
	for _, r := range j.Refusals {
		if r.Check == nil && r.More == 0 { // a note about the change
			continue
		}
		out := checkedRefusal{Field: at(r.Field), Why: r.Why, Fix: r.Fix, Mode: r.Mode.String()}
		if r.Check != nil {
			out.Check, out.passing = r.Check.ID, r.Check.Passing
			out.unread = r.Unread
		}
		if r.More > 0 {
			out.Why = fmt.Sprintf("and %d more", r.More)
		}
		o.Refusals = append(o.Refusals, out)
		unknown = unknown || out.passing
		refused = refused || !out.passing && r.Mode == policy.Enforce
	}
	for _, w := range j.Overruled {
		o.NotGranted = append(o.NotGranted, checkedWish{at(w.Field), w.Value, w.Why, w.Mode.String()})
	}
	switch {
	case refused:
		o.Result = resultRefused
		return o
	case unknown:
		o.Result = resultUnknown
		return o
	}
	o.change(j.Change)
	return o
}

// change notes what admission writes.
func (o *checkedObject) change(c admission.Change) {
	o.Set = maps.Clone(c.Set)
	delete(o.Set, policy.RecordAnnotation)
	o.Remove = slices.DeleteFunc(
		slices.Clone(c.Remove),
		func(key string) bool { return key == policy.RecordAnnotation },
	)
	if len(o.Set)+len(o.Remove) > 0 {
		o.Result = resultChanged
	}
}

// fromFiles has refusals that only say what was not read tell which kinds the files lack: waiting does not help.
func (r *checkReport) fromFiles() {
	for i := range r.Objects {
		for j := range r.Objects[i].Refusals {
			at := &r.Objects[i].Refusals[j]
			if at.passing && at.unread != "" {
				at.Why = "cannot tell whether names or addresses clash: the file has no " + at.unread
				at.Fix = "export this kind as well"
			}
		}
	}
}

// verdict returns the exit code as an error.
func (r *checkReport) verdict() error {
	count := r.count()
	switch {
	case count[resultRefused] > 0:
		return &exitError{code: exitFindings}
	case count[resultUnknown] > 0:
		return &exitError{
			code: exitIncomplete, err: fmt.Errorf("%s could not be judged", counted(count[resultUnknown], "object")),
		}
	}
	return nil
}

func (r *checkReport) count() map[string]int {
	count := make(map[string]int)
	for i := range r.Objects {
		count[r.Objects[i].Result]++
	}
	return count
}

// answer returns the report in parts, with a line for each thing that admission would do.
func (r *checkReport) answer() answer.Answer {
	count := r.count()
	s := answer.Section{
		Columns: append(answer.Columns("Result", "Object", "What"), answer.WideColumns("File")...),
		After: []string{
			fmt.Sprintf(
				"%s: %d allowed, %d changed, %d refused, %d unknown; %d make no pods",
				counted(
					len(r.Objects)+r.Others,
					"object",
				),
				count[resultAllowed],
				count[resultChanged],
				count[resultRefused],
				count[resultUnknown],
				r.Others,
			),
		},
	}
	for i := range r.Objects {
		o := &r.Objects[i]
		s.Rows = append(s.Rows, answer.NewRow(
			o.Result,
			o.Kind+" "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"),
			o.lines(),
			fmt.Sprintf("%s:%d", o.File, o.Line),
		))
	}
	return answer.Answer{
		Title: "ovnguard check", Document: r, Sections: []answer.Section{s}, Notes: r.Notes,
	}
}

// lines says what admission would do about the object.
func (o *checkedObject) lines() (lines []string) {
	if o.Why != "" {
		lines = append(lines, o.Why)
	}
	for _, r := range o.Refusals {
		text := r.Why
		if r.Field != "" {
			text = r.Field + ": " + text
		}
		if r.Fix != "" {
			text += "; " + r.Fix
		}
		if r.Check != "" {
			text += " (" + r.Check + ")"
		}
		if r.Mode != policy.Enforce.String() {
			text = "mode " + r.Mode + ", would be refused: " + text
		}
		lines = append(lines, text)
	}
	for _, key := range slices.Sorted(maps.Keys(o.Set)) {
		lines = append(lines, key+"="+o.Set[key])
	}
	for _, key := range o.Remove {
		lines = append(lines, "without "+key)
	}
	for _, n := range o.NotGranted {
		lines = append(lines, fmt.Sprintf("not granted: %s=%q: %s", n.Field, n.Value, n.Why))
	}
	for _, text := range o.Warnings {
		if len(o.NotGranted) == 0 || !strings.Contains(text, "was not applied") { // that is said already
			lines = append(lines, "warning: "+strings.TrimPrefix(text, "ovnguard: "))
		}
	}
	return lines
}
