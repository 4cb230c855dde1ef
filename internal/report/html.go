package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

//go:embed html.tmpl
var htmlText string

var htmlTemplate = template.Must(template.New("html").Funcs(template.FuncMap{
	"plain":   answer.Plain,
	"style":   answer.Style,
	"dash":    answer.OrDash,
	"pod":     podName,
	"about":   about,
	"rfc3339": rfc3339,
	"since":   (*Changes).since,
	"join":    func(words []string) string { return strings.Join(words, ", ") },
	"ports":   NamespaceTally.Ports,
}).Parse(htmlText))

// HTML writes the report as one page for people: it loads nothing, runs nothing and can be printed.
func HTML(w io.Writer, s Summary) error {
	programs, without := fixes(s.Findings)
	var states []count
	for _, state := range []audit.State{audit.Compliant, audit.Violation, audit.Unknown} {
		states = append(states, count{string(state), s.Ports[state]})
	}
	var groups []map[string]any
	for _, g := range permissions(s.Permitted) {
		groups = append(groups, map[string]any{
			"Level": g.level, "Ports": g.ports, "Namespace": g.namespace, "By": g.by,
		})
	}
	return htmlTemplate.Execute(w, map[string]any{
		"S":          s,
		"Totals":     s.totals(),
		"Risk":       s.risk(),
		"Filter":     s.Filter.String(),
		"States":     chart("ports by state", states),
		"Severities": chart("findings by severity", s.severities()),
		"Permitted":  groups,
		"Programs":   programs,
		"Without":    without,
	})
}

// risk says in a sentence what the findings mean for people who do not read them.
func (s Summary) risk() string {
	urgent := 0
	for i := range s.Findings {
		if s.Findings[i].Rule.Severity.Rank() <= audit.High.Rank() {
			urgent++
		}
	}
	text := "Risk: no finding is critical or high."
	if urgent > 0 {
		text = fmt.Sprintf("Risk: critical and high findings: %d. Programs in such pods may be able to send under the "+
			"address of others, to take over what is meant for them, and to pass rules that go by address.", urgent)
	}
	if n := s.Ports[audit.Unknown]; n > 0 {
		text += fmt.Sprintf(" Ports that could not be judged, and may be no better: %d.", n)
	}
	return text
}

// Sizes of a chart, in the units of its picture.
const (
	chartLabel = 90
	chartWidth = 320
	barHeight  = 24
)

// bars is a chart of horizontal bars. Each says its name and its number.
type bars struct {
	Title  string
	Height int
	Bars   []bar
}

type bar struct {
	Name           string
	N              int
	Y, Text, Width int
	Number         int
}

// chart returns the bars for numbers, the longest one as wide as the chart.
func chart(title string, counts []count) bars {
	largest := 1
	for _, c := range counts {
		largest = max(largest, c.N)
	}
	out := bars{Title: title, Height: len(counts) * barHeight}
	var words []string
	for i, c := range counts {
		width := c.N * chartWidth / largest
		if c.N > 0 {
			width = max(width, 2) // a small number can be seen too
		}
		out.Bars = append(out.Bars, bar{
			Name: c.Name, N: c.N, Y: i * barHeight, Text: i*barHeight + 16, Width: width,
			Number: chartLabel + width + 6,
		})
		words = append(words, fmt.Sprintf("%s %d", c.Name, c.N))
	}
	out.Title += ": " + strings.Join(words, ", ")
	return out
}
