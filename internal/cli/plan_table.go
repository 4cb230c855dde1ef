package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/plan"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
)

const (
	// worstWorkloads is how many workloads are listed unless all are asked for.
	worstWorkloads = 20
	// portsShown is how many ports of a workload a table shows.
	portsShown = 2
	// commandsShown is how many commands for exceptions are listed as next steps.
	commandsShown = 5
)

// answer returns the report in parts.
func (r *planReport) answer(o *planOptions) answer.Answer {
	a := answer.Answer{Title: "ovnguard plan", Document: r, Notes: r.Notes}
	a.Sections = append(a.Sections, answer.Section{After: []string{summaryText(&r.Summary)}})
	if len(r.Workloads) > 0 || o.output.format == "csv" { // which has the first table alone
		a.Sections = append(a.Sections, r.workloads(o))
	}
	if len(r.Shadowed) > 0 {
		a.Sections = append(a.Sections, r.shadowed())
	}
	if len(r.Exceptions) > 0 {
		a.Sections = append(a.Sections, r.exceptions())
	}
	if len(r.Next) > 0 {
		s := answer.Section{Title: "next"}
		for _, n := range r.Next {
			s.Rows = append(s.Rows, answer.NewRow(n.For, n.Command))
		}
		a.Sections = append(a.Sections, s)
	}
	return a
}

// summaryText says in a line what would change.
func summaryText(s *plan.Summary) string {
	if s.Workloads == 0 {
		return fmt.Sprintf("nothing would change: %s compared", counted(s.Ports, "port"))
	}
	return fmt.Sprintf(
		"%s: %s would change (%d written by repair, %d when their pods are made again), %d would lose addresses "+
			"(%d of them seem to forward for others), %d would gain some, %s would be refused; %s compared",
		counted(s.Workloads, "workload"), counted(s.Changes, "port"), s.Now, s.Later, s.Lose, s.Forward, s.Gain,
		counted(s.Refused, "workload"), counted(s.Ports, "port"),
	)
}

// workloads returns the workloads, the one that loses most first.
func (r *planReport) workloads(o *planOptions) answer.Section {
	s := answer.Section{Columns: answer.Columns("Namespace", "Workload", "Ports", "Lose", "Gain", "Refused", "What")}
	list, short := r.Workloads, o.output.format == "table"
	if more := len(list) - worstWorkloads; more > 0 && !o.everywhere {
		list = list[:worstWorkloads]
		s.After = []string{fmt.Sprintf("and %s more: -A lists all", counted(more, "workload"))}
	}
	for i := range list {
		w := &list[i]
		refused := "no"
		if len(w.Refused) > 0 {
			refused = "yes"
		}
		s.Rows = append(s.Rows, answer.NewRow(
			w.Namespace, w.Kind+" "+w.Name, len(w.Ports), w.Lose(), w.Gain(), refused, workloadLines(w, short),
		))
	}
	return s
}

// workloadLines says what would change for a workload. short shows its first ports alone.
func workloadLines(w *plan.Workload, short bool) (lines []string) {
	shown := 0
	for _, group := range portGroups(w.Ports) {
		first := group[0]
		lines = append(lines, counted(len(group), "port")+": "+changeText(first))
		for _, p := range group {
			if short && shown >= portsShown && len(p.Forwards) == 0 {
				continue
			}
			shown++
			lines = append(lines, portLines(p)...)
		}
	}
	if more := len(w.Ports) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %s more: -o wide shows them", counted(more, "port")))
	}
	for _, r := range w.Refused {
		lines = append(lines, "would be refused: "+r.String())
	}
	for _, r := range w.Warned {
		lines = append(lines, fmt.Sprintf("mode %s, would be refused in mode enforce: %s", r.Mode, r))
	}
	for _, n := range w.NotGranted {
		lines = append(lines, fmt.Sprintf("would not be granted: %s=%q: %s", n.Field, n.Value, n.Why))
	}
	if w.Admitted {
		lines = append(lines, "would be let in, and is refused today")
	}
	return lines
}

// portGroups returns the ports by what happens to them, in the order of the first of each.
func portGroups(ports []plan.Port) (groups [][]*plan.Port) {
	at := make(map[string]int)
	for i := range ports {
		p := &ports[i]
		key := changeText(p)
		if _, there := at[key]; !there {
			at[key] = len(groups)
			groups = append(groups, nil)
		}
		groups[at[key]] = append(groups[at[key]], p)
	}
	return groups
}

// changeText says what happens to a port, in words that hold for others as well.
func changeText(p *plan.Port) string {
	if p.Unknown != "" {
		return "not known: " + p.Unknown
	}
	text := p.After.Level
	if p.Before.Level != p.After.Level {
		text = p.Before.Level + " -> " + p.After.Level
	}
	if p.When == plan.Now {
		return text + ", written by repair"
	}
	text += ", when made again"
	if p.Stays != "" {
		text += " (" + p.Stays + ")"
	}
	return text
}

// portLines says from which column to which a port changes, and what it loses by that.
func portLines(p *plan.Port) (lines []string) {
	var words []string
	if !slices.Equal(p.Before.PortSecurity, p.After.PortSecurity) {
		words = append(words, fmt.Sprintf("port_security %s -> %s", columnText(p.Before.PortSecurity),
			columnText(p.After.PortSecurity)))
	}
	if p.Before.TakesUnknown() != p.After.TakesUnknown() {
		words = append(words, fmt.Sprintf("addresses %s -> %s", columnText(p.Before.Addresses),
			columnText(p.After.Addresses)))
	}
	if len(p.Lost) > 0 {
		words = append(words, "loses "+strings.Join(p.Lost, ", "))
	}
	if len(p.Gained) > 0 {
		words = append(words, "gains "+strings.Join(p.Gained, ", "))
	}
	if len(words) > 0 {
		lines = append(lines, p.Name+": "+strings.Join(words, "; "))
	}
	for _, sign := range p.Forwards {
		lines = append(lines, p.Name+" may forward for others: "+sign)
	}
	return lines
}

// columnText returns a column as people write it.
func columnText(column []string) string {
	if len(column) == 0 {
		return "empty"
	}
	return fmt.Sprintf("%q", column)
}

// shadowed returns the policies that never decide.
func (r *planReport) shadowed() answer.Section {
	s := answer.Section{
		Title:   "policies that never decide, because others come first wherever they pick",
		Columns: answer.Columns("Policy", "Today behind", "Then behind"),
	}
	for _, p := range r.Shadowed {
		s.Rows = append(s.Rows, answer.NewRow(p.Policy, strings.Join(p.Before, ", "), strings.Join(p.After, ", ")))
	}
	return s
}

// exceptions returns for how many ports exceptions count.
func (r *planReport) exceptions() answer.Section {
	s := answer.Section{
		Title:   "exceptions, and for how many ports they count",
		Columns: answer.Columns("Namespace", "Exception", "Today", "Then", "Why not"),
	}
	for _, e := range r.Exceptions {
		s.Rows = append(s.Rows, answer.NewRow(e.Namespace, e.Name, e.Before, e.After, e.Why))
	}
	return s
}

// next returns the commands that the answer leads to.
// applies is false where the manifests would not have the effect that they are written for.
func (o *planOptions) next(r *plan.Result, flags *pflag.FlagSet, applies bool) []nextStep {
	out := []nextStep{}
	reads := readingWords(flags)
	for i := range r.Workloads {
		for _, p := range r.Workloads[i].Ports {
			step := nextStep{"an exception for " + p.Name, p.Exception}
			if strings.HasPrefix(step.Command, "ovnguard ") { // others are kubectl's
				step.Command += reads
			}
			if p.Exception != "" && len(out) < commandsShown {
				out = append(out, step)
			}
		}
	}
	if held(r) {
		out = append(out, nextStep{"let repair write so many ports", "ovnguard repair confirm"})
	}
	if applies && len(o.files) > 0 && !slices.Contains(o.files, "-") {
		words := []string{"kubectl apply"}
		for _, f := range o.files {
			words = append(words, "-f", quoted(f))
		}
		out = append(out, nextStep{"make the change", strings.Join(words, " ")})
	}
	if o.level != "" {
		out = append(out, nextStep{"make the change", fmt.Sprintf("kubectl label namespace %s %s=%s --overwrite",
			quoted(o.namespace), policy.LevelLabel, quoted(o.level))})
	}
	for _, name := range o.without {
		namespace, exception, _ := strings.Cut(name, "/")
		out = append(out, nextStep{"make the change", fmt.Sprintf("kubectl delete portsecurityexception -n %s %s",
			quoted(namespace), quoted(exception))})
	}
	return out
}

// held reports whether repair with its usual limits would wait for a human before it has written all ports.
func held(r *plan.Result) bool {
	brake := repair.Brake{Percent: repairPercent, Floor: repairPorts}
	inNamespace := make(map[string]int)
	for i := range r.Workloads {
		w := &r.Workloads[i]
		for j := range w.Ports {
			if w.Ports[j].When == plan.Now {
				inNamespace[w.Namespace]++
			}
		}
		if inNamespace[w.Namespace] > brake.Share(r.Summary.Ports) {
			return true
		}
	}
	return r.Summary.Now > brake.Limit(r.Summary.Ports)
}

// readingWords returns the flags that were given and say what is read, each with a blank before it: another command
// reads the same with them.
func readingWords(flags *pflag.FlagSet) string {
	var known reading
	reads := pflag.NewFlagSet("", pflag.ContinueOnError)
	known.addReadingFlags(reads, "")
	var b strings.Builder
	flags.Visit(func(f *pflag.Flag) {
		if reads.Lookup(f.Name) == nil {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			b.WriteString(" --" + f.Name + "=" + quoted(value))
		}
	})
	return b.String()
}
