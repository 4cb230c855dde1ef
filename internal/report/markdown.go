package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// Markdown writes the report in the Markdown of GitHub and GitLab, for issues and for summaries of pipelines.
func Markdown(out io.Writer, s Summary) error {
	w := bufio.NewWriter(out)
	m := markdown{w}
	m.printf("# ovnguard audit\n\n%s.\n", s.totals())
	if selected := s.Filter.String(); selected != "" {
		m.printf("\nFiltered by %s\n", answer.Markdown(selected))
	}
	if at := rfc3339(s.Time); at != "" {
		m.printf("\nRead at %s.\n", at)
	}
	var rows [][]string
	for _, n := range s.Namespaces {
		rows = append(rows, slices.Concat([]string{n.Namespace}, n.numbers(), []string{string(n.Worst)}))
	}
	m.table("Namespaces", "Namespace|Ports|Compliant|Violation|Unknown|Findings|Worst", rows)
	rows = nil
	for _, r := range s.Rules {
		rows = append(rows, []string{r.Rule, r.Name, string(r.Severity), strconv.Itoa(r.Findings)})
	}
	m.table("Rules", "Rule|Name|Severity|Findings", rows)
	rows = nil
	for _, g := range permissions(s.Permitted) {
		rows = append(rows, []string{string(g.level), strconv.Itoa(g.ports), g.namespace, g.by})
	}
	m.table("Open or widened by permission", "Level|Ports|Namespace|By", rows)
	if c := s.Changes; c != nil {
		m.printf("\n## Since %s\n\n%d findings came, %d went.\n", answer.Markdown(c.since()), len(c.Came), len(c.Went))
		const header = "Rule|Severity|About|Finding"
		m.table("Came", header, changed(c.Came))
		m.table("Went", header, changed(c.Went))
	}
	rows = nil
	for _, f := range s.Findings {
		rows = append(rows, []string{
			f.Rule.ID + " " + f.Rule.Name, string(f.Rule.Severity), f.Port, podName(f), string(f.Provider), f.Message,
		})
	}
	m.table("Findings", "Rule|Severity|Port|Pod|NIC|Finding", rows)
	m.fixes(s.Findings)
	if len(s.Notes) > 0 {
		m.printf("\n## Notes\n\n")
	}
	for _, n := range s.Notes {
		m.printf("- %s\n", answer.Markdown(n))
	}
	return w.Flush()
}

// changed returns the rows of findings that came or went.
func changed(findings []audit.Finding) (rows [][]string) {
	for _, f := range findings {
		rows = append(rows, []string{f.Rule.ID + " " + f.Rule.Name, string(f.Rule.Severity), about(f), f.Message})
	}
	return rows
}

type markdown struct{ *bufio.Writer }

func (m markdown) printf(format string, args ...any) { _, _ = fmt.Fprintf(m, format, args...) }

// table writes a heading and a table; nothing where there are no rows.
func (m markdown) table(heading, header string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	section := answer.Section{Title: heading, Columns: answer.Columns(strings.Split(header, "|")...)}
	for _, row := range rows {
		cells := make(answer.Row, len(row))
		for i, c := range row {
			cells[i] = answer.Cell{c}
		}
		section.Rows = append(section.Rows, cells)
	}
	section.WriteMarkdown(m.Writer)
}

// fixes writes the commands by program, and which findings have none.
func (m markdown) fixes(findings []audit.Finding) {
	programs, without := fixes(findings)
	for _, p := range programs {
		text := answer.Plain(strings.Join(p.Commands, "\x00"))
		fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
		m.printf("\n## To put it right, with %s\n\n%ssh\n", answer.Markdown(p.Name), fence)
		for _, c := range p.Commands {
			m.printf("%s\n", answer.Plain(c))
		}
		m.printf("%s\n", fence)
	}
	if len(without) > 0 {
		m.printf("\n## To be looked at\n\nThere is no command for these:\n\n")
	}
	for _, f := range without {
		m.printf("- %s %s: %s\n", f.Rule.ID, answer.Markdown(f.Rule.Name), answer.Markdown(about(f)))
	}
}

// longestRun returns the length of the longest run of a character.
func longestRun(s string, of rune) (longest int) {
	run := 0
	for _, r := range s {
		if r != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
