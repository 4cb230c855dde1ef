package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// maxLines is how many lines the table has about namespaces, about permissions, and about findings without a command.
const maxLines = 20

// Table writes the summary as text: the totals, then a line for each finding, then the commands that put them right. It
// prints no control characters, whatever names and columns contain.
func Table(w io.Writer, s Summary) error { return writeText(w, s, false) }

// Wide writes what Table does with more columns, and all lines.
func Wide(w io.Writer, s Summary) error { return writeText(w, s, true) }

func writeText(out io.Writer, s Summary, wide bool) error {
	buffered := bufio.NewWriter(out)
	t := text{Writer: buffered, all: wide}
	t.totals(s)
	t.namespaces(s)
	t.rules(s)
	t.permitted(s.Permitted)
	t.changes(s)
	t.findings(s, wide)
	t.fixes(s.Findings)
	t.unknown(s.Unknown)
	t.notes(s.Notes)
	return buffered.Flush() // it says what went wrong before
}

// text writes sections, with an empty line between two.
type text struct {
	*bufio.Writer
	// all means that no lines are left out.
	all bool
}

func (t text) printf(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) }

// columns writes rows of cells, which are plain already.
func (t text) columns(rows [][]string) {
	tw := tabwriter.NewWriter(t, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	_ = tw.Flush()
}

// shown returns how many of n lines are shown.
func (t text) shown(n int) int {
	if t.all {
		return n
	}
	return min(n, maxLines)
}

func (t text) totals(s Summary) {
	t.printf("%s\n", s.totals())
	if selected := s.Filter.String(); selected != "" {
		t.printf("filtered by %s\n", answer.Plain(selected))
	}
}

// notes writes what the audit could not take into account.
func (t text) notes(all []string) {
	if len(all) > 0 {
		t.printf("\n")
	}
	for _, n := range all {
		t.printf("note: %s\n", answer.Plain(n))
	}
}

// unknown writes a line for each port that could not be judged.
func (t text) unknown(why map[string]string) {
	if len(why) == 0 {
		return
	}
	rows := [][]string{{"  PORT", "WHY"}}
	for _, port := range slices.Sorted(maps.Keys(why))[:t.shown(len(why))] {
		rows = append(rows, []string{"  " + answer.Plain(port), answer.OrDash(why[port])})
	}
	t.printf("\ncould not be judged:\n")
	t.columns(rows)
	if more := len(why) - t.shown(len(why)); more > 0 {
		t.printf("  and %d more ports; -o wide lists all\n", more)
	}
}

// totals words the numbers of ports, findings and permissions.
func (s Summary) totals() string {
	return fmt.Sprintf(
		"%d ports: %d compliant, %d violation, %d unknown; %d findings; %d open or widened by permission",
		s.Total(), s.Ports[audit.Compliant], s.Ports[audit.Violation], s.Ports[audit.Unknown], len(s.Findings),
		s.PermittedPorts(),
	)
}

func (t text) namespaces(s Summary) {
	rows := [][]string{{"NAMESPACE", "PORTS", "COMPLIANT", "VIOLATION", "UNKNOWN", "FINDINGS", "WORST"}}
	clean := 0
	for i, n := range s.Namespaces {
		if !t.all && n.Findings == 0 && n.Violation == 0 && n.Unknown == 0 {
			clean = len(s.Namespaces) - i // they are the last ones
			break
		}
		rows = append(
			rows,
			slices.Concat([]string{answer.OrDash(n.Namespace)}, n.numbers(), []string{answer.OrDash(string(n.Worst))}),
		)
	}
	if len(rows) == 1 {
		return
	}
	t.printf("\n")
	shown := t.shown(len(rows) - 1)
	t.columns(rows[:shown+1])
	if more := len(rows) - 1 - shown; more > 0 {
		t.printf("and %d more namespaces with findings or unknown ports; -o wide lists all\n", more)
	}
	if clean > 0 {
		t.printf("and %d namespaces where all ports are compliant\n", clean)
	}
}

func (t text) rules(s Summary) {
	if len(s.Rules) == 0 {
		return
	}
	rows := [][]string{{"RULE", "SEVERITY", "FINDINGS"}}
	for _, r := range s.Rules {
		rows = append(rows, []string{r.Rule + " " + r.Name, string(r.Severity), strconv.Itoa(r.Findings)})
	}
	t.printf("\n")
	t.columns(rows)
}

// permitted writes the permissions of ports: a line for each namespace, level and permitter, the loosest level first.
func (t text) permitted(all []audit.Permission) {
	groups := permissions(all)
	if len(groups) == 0 {
		return
	}
	rows := [][]string{{"  LEVEL", "PORTS", "NAMESPACE", "BY"}}
	for _, g := range groups[:t.shown(len(groups))] {
		rows = append(
			rows,
			[]string{"  " + string(g.level), strconv.Itoa(g.ports), answer.Plain(g.namespace), answer.OrDash(g.by)},
		)
	}
	t.printf("\nopen or widened by permission:\n")
	t.columns(rows)
	if more := len(groups) - t.shown(len(groups)); more > 0 {
		t.printf("  and %d more lines; -o wide lists them, -o json lists all ports\n", more)
	}
}

// permissionGroup counts the ports of a namespace with the same level and the same permitters.
type permissionGroup struct {
	level         audit.PermittedLevel
	namespace, by string
	ports         int
}

// permissions returns the permissions in groups, the loosest level first.
func permissions(all []audit.Permission) []permissionGroup {
	counts := make(map[permissionGroup]int)
	for i := range all {
		by := make([]string, len(all[i].By))
		for j := range all[i].By {
			by[j] = all[i].By[j].String()
		}
		counts[permissionGroup{level: all[i].Level, namespace: all[i].Namespace, by: strings.Join(by, ", ")}]++
	}
	var groups []permissionGroup
	for g := range maps.Keys(counts) {
		ports := counts[g]
		g.ports = ports
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b permissionGroup) int {
		return cmp.Or(
			cmp.Compare(a.level.Rank(), b.level.Rank()),
			-cmp.Compare(a.ports, b.ports),
			cmp.Compare(a.namespace, b.namespace),
			cmp.Compare(a.by, b.by),
		)
	})
	return groups
}

// changes writes what came and what went since an earlier report.
func (t text) changes(s Summary) {
	c := s.Changes
	if c == nil {
		return
	}
	t.printf("\nsince %s: %d findings came, %d went\n", answer.Plain(c.since()), len(c.Came), len(c.Went))
	var rows [][]string
	for sign, findings := range map[string][]audit.Finding{"  + ": c.Came, "  - ": c.Went} {
		for _, f := range findings {
			rows = append(rows, []string{
				sign + answer.Plain(
					f.Rule.ID+" "+f.Rule.Name,
				),
				answer.Plain(string(f.Rule.Severity)),
				answer.Plain(about(f)),
				answer.Plain(f.Message),
			})
		}
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(a[0][:4], b[0][:4]) })
	t.columns(rows)
}

// findings writes a line for each finding.
func (t text) findings(s Summary, wide bool) {
	if len(s.Findings) == 0 {
		return
	}
	header := []string{"RULE", "SEVERITY", "PORT", "POD", "NIC"}
	if wide {
		header = append(header, "CLASS", "SWITCH", "DECISION", "IDENTITY", "PORT_SECURITY", "ADDRESSES")
	}
	rows := [][]string{append(header, "FINDING")}
	for _, f := range s.Findings {
		row := []string{
			f.Rule.ID + " " + f.Rule.Name, string(f.Rule.Severity), answer.OrDash(f.Port), answer.OrDash(podName(f)),
			answer.OrDash(string(f.Provider)),
		}
		if wide {
			e := f.Evidence
			row = append(
				row,
				answer.OrDash(string(e.Class)),
				answer.OrDash(e.Switch),
				answer.OrDash(e.Decision),
				answer.OrDash(e.Identity),
				answer.OrDash(strings.Join(e.PortSecurity, ", ")),
				answer.OrDash(strings.Join(e.Addresses, ", ")),
			)
		}
		rows = append(rows, append(row, answer.Plain(f.Message)))
	}
	t.printf("\n")
	t.columns(rows)
}

// fixes writes the commands by program, and which findings have none.
func (t text) fixes(findings []audit.Finding) {
	programs, without := fixes(findings)
	for _, p := range programs {
		t.printf("\nto put it right, with %s:\n", answer.Plain(p.Name))
		for _, c := range p.Commands {
			t.printf("  %s\n", answer.Plain(c))
		}
	}
	if len(without) == 0 {
		return
	}
	t.printf("\nto be looked at, for there is no command:\n")
	shown := t.shown(len(without))
	for _, f := range without[:shown] {
		t.printf("  %s %s: %s\n", f.Rule.ID, f.Rule.Name, answer.Plain(about(f)))
	}
	if more := len(without) - shown; more > 0 {
		t.printf("  and %d more; -o wide lists all\n", more)
	}
}
