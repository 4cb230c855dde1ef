package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/controller"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
)

// repairOptions are the flags of the command.
type repairOptions struct {
	reading
	output         output
	dryRun         bool
	namespace      string
	percent, floor int
}

func (o *repairOptions) addFlags(flags *pflag.FlagSet) {
	o.addReadingFlags(flags, ", as for audit")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what repair would write; required, since the program in the "+
		"cluster alone repairs")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "only the ports of this namespace's pods")
	addBrakeFlags(flags, &o.percent, &o.floor)
	o.output.addOutputFlags(flags)
}

// addBrakeFlags adds the flags that bound how many ports may change without a human's confirmation.
func addBrakeFlags(flags *pflag.FlagSet, percent, floor *int) {
	flags.IntVar(
		percent,
		"repair-limit-percent",
		repairPercent,
		"how many of all ports, in percent, may change within ten minutes before a human must confirm",
	)
	flags.IntVar(floor, "repair-limit-ports", repairPorts, "how many ports may always change within ten minutes")
}

// repairReport is the answer of the command. It may grow; a field never changes its meaning or goes away.
type repairReport struct {
	answer.Meta

	// Written is how many ports would be written, Held how many of the rest wait for a human, and LeftAlone how many are
	// left alone for another reason.
	Written   int            `json:"written"`
	Logged    int            `json:"logged"`
	Held      int            `json:"held"`
	LeftAlone int            `json:"leftAlone"`
	Ports     []repairedPort `json:"ports"`
	Notes     []string       `json:"notes"`
}

// repairedPort is what would become of one port.
type repairedPort struct {
	Port      string `json:"port"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Provider  string `json:"provider"`
	Policy    string `json:"policy,omitempty"`
	// Action is "annotate" and "write" for changes; another one leaves the port alone.
	Action repair.Kind `json:"action"`
	Why    string      `json:"why,omitempty"`
	// Logged means that the policy has it logged only, and Held that a human has to confirm first.
	Logged  bool           `json:"logged,omitempty"`
	Held    bool           `json:"held,omitempty"`
	Changes []repairChange `json:"changes,omitempty"`
}

// repairChange is one value, before and after.
type repairChange struct {
	// What is "annotation KEY", "port_security", "addresses" or "external_ids KEY".
	What   string `json:"what"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

func (o *repairOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	switch {
	case !o.dryRun:
		return usage(
			errors.New("--dry-run: is required: the program in the cluster repairs, and this command only shows " +
				"what it would write; ovnguard repair confirm lets it write what it holds"),
		)
	case o.timeout <= 0:
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	case o.percent < 0 || o.percent > 100:
		return usage(fmt.Errorf("--repair-limit-percent: %d: want 0 to 100", o.percent))
	case o.floor < 0:
		return usage(fmt.Errorf("--repair-limit-ports: %d: want a number that is not negative", o.floor))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	seen, now, err := o.picture(ctx, flags)
	if err != nil {
		return err
	}
	if err := seen.checkNamespace(o.namespace); err != nil {
		return usage(err)
	}
	brake := &repair.Brake{Percent: o.percent, Floor: o.floor, Window: controller.BrakeWindow}
	if o.kubernetes == "" {
		api, err := o.client()
		if err != nil {
			return err
		}
		if until, err := controller.Confirmed(
			ctx,
			api,
			namespaceDefault(),
		); err == nil { // nobody has where it is not known
			brake.Confirm(until)
		}
	}
	r := o.report(&seen, brake, now)
	if err := o.output.put(out, r.answer()); err != nil {
		return err
	}
	switch {
	case r.Written+r.Held > 0:
		return &exitError{code: exitFindings}
	case len(seen.damage) > 0:
		return &exitError{code: exitIncomplete, err: incomplete(0, seen.damage, nil)}
	}
	return nil
}

// report returns what would become of the ports.
func (o *repairOptions) report(seen *picture, brake *repair.Brake, now time.Time) repairReport {
	r := repairReport{
		Meta:  answer.Of("RepairReport"),
		Ports: []repairedPort{},
		Notes: append([]string{}, seen.notes...),
	}
	state := seen.inv.Snapshot()
	total := 0
	state.EachRow(func(*inventory.Row) { total++ })
	all := func(yield func(inventory.Port) bool) {
		for _, name := range seen.inv.Names() {
			if !yield(state.Port(name, now)) {
				return
			}
		}
	}
	for _, f := range repair.Foresee(all, total, o.ovn(seen.northbound.version).Eras(), brake, now) {
		if o.namespace != "" && f.Port.Pod.Namespace != o.namespace {
			continue
		}
		p := repaired(&f)
		r.Ports = append(r.Ports, p)
		switch changes := len(p.Changes) > 0; {
		case changes && p.Logged:
			r.Logged++
		case changes && p.Held:
			r.Held++
		case changes:
			r.Written++
		default:
			r.LeftAlone++
		}
	}
	return r
}

// repaired returns what is foreseen of one port as it is printed.
func repaired(f *repair.Foreseen) repairedPort {
	p, a := &f.Port, &f.Action
	out := repairedPort{
		Port: p.Name, Namespace: p.Pod.Namespace, Pod: p.Pod.Name, Provider: string(p.Provider),
		Policy: p.Decision.Policy, Action: a.Kind, Why: a.Why, Logged: a.Log, Held: f.Held,
	}
	add := func(what string, before, after any) {
		out.Changes = append(out.Changes, repairChange{what, before, after})
	}
	switch a.Kind { //nolint:exhaustive // the others write nothing
	case repair.Annotate:
		for _, key := range slices.Sorted(maps.Keys(a.Annotations)) {
			if key != policy.RecordAnnotation {
				add("annotation "+key, p.Pod.Annotations[key], a.Annotations[key])
			}
		}
	case repair.Write:
		if a.PortSecurity != nil {
			add("port_security", orEmpty(p.Row.PortSecurity), a.PortSecurity)
		}
		if a.Addresses != nil {
			add("addresses", orEmpty(p.Row.Addresses), a.Addresses)
		}
		for _, key := range slices.Sorted(maps.Keys(a.ExternalIDs)) {
			if p.Row.ExternalIDs[key] != a.ExternalIDs[key] {
				add("external_ids "+key, p.Row.ExternalIDs[key], a.ExternalIDs[key])
			}
		}
	}
	return out
}

// orEmpty returns a list that is not nil, so that it is a list in JSON as well.
func orEmpty(list []string) []string { return append([]string{}, list...) }

// answer returns the report in parts.
func (r *repairReport) answer() answer.Answer {
	s := answer.Section{
		Columns: append(answer.Columns("Result", "Port", "What"), answer.WideColumns("Policy", "Why")...),
		After: []string{fmt.Sprintf(
			"%s would be written now, %d held, %d left alone; %d would be with repair: repair; nothing was written",
			counted(r.Written, "port"), r.Held, r.LeftAlone, r.Logged,
		)},
	}
	for i := range r.Ports {
		p := &r.Ports[i]
		s.Rows = append(s.Rows, answer.NewRow(p.result(), p.Port, p.lines(), p.Policy, p.Why))
	}
	if r.Held > 0 {
		s.After = append(s.After, "held changes follow from a changed decision, and are more than an ordinary edit "+
			"explains; look at them, and confirm with: ovnguard repair confirm")
	}
	return answer.Answer{Title: "ovnguard repair --dry-run", Document: r, Sections: []answer.Section{s}, Notes: r.Notes}
}

func (p *repairedPort) result() string {
	switch {
	case len(p.Changes) == 0:
		return "left alone"
	case p.Logged:
		return "logged only: " + string(p.Action)
	case p.Held:
		return "held"
	}
	return string(p.Action)
}

// lines says what would change, or why nothing does.
func (p *repairedPort) lines() (lines []string) {
	for _, c := range p.Changes {
		lines = append(lines, c.What+": "+valueText(c.Before)+" -> "+valueText(c.After))
	}
	if len(lines) == 0 {
		lines = []string{p.Why}
	}
	return lines
}

// valueText returns a value as people read it.
func valueText(value any) string {
	switch v := value.(type) {
	case []string:
		return "[" + strings.TrimSpace(quotedList(v)) + "]"
	case string:
		return journal.AnnotationText(v)
	}
	return fmt.Sprint(value)
}
