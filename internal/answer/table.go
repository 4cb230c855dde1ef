package answer

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

func writeTable(w io.Writer, a Answer) error { return a.text(w, false) }

func writeWide(w io.Writer, a Answer) error { return a.text(w, true) }

// text writes the answer for a terminal, with an empty line between sections.
func (a Answer) text(to io.Writer, wide bool) error {
	w := bufio.NewWriter(to) // Flush says what went wrong
	for i, s := range a.Sections {
		if i > 0 {
			_, _ = fmt.Fprintln(w)
		}
		s.text(w, wide)
	}
	for _, n := range a.Notes {
		_, _ = fmt.Fprintln(w, "note: "+Plain(n))
	}
	return w.Flush()
}

func (s Section) text(w io.Writer, wide bool) {
	indent := ""
	if s.Title != "" {
		_, _ = fmt.Fprintln(w, Plain(s.Title)+":")
		indent = "  "
	}
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	if len(s.Columns) > 0 && len(s.Rows) > 0 {
		var names []string
		for _, c := range s.Columns {
			if wide || !c.Wide {
				names = append(names, strings.ToUpper(c.Name))
			}
		}
		_, _ = fmt.Fprintln(columns, indent+strings.Join(names, "\t"))
	}
	for _, row := range s.Rows {
		for _, line := range s.lines(row, wide) {
			_, _ = fmt.Fprintln(columns, indent+strings.Join(line, "\t"))
		}
	}
	_ = columns.Flush()
	for line := range strings.Lines(table.String()) {
		_, _ = fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	for _, text := range s.After {
		_, _ = fmt.Fprintln(w, indent+Plain(text))
	}
}

// lines returns the lines of a row: as many as its cell with the most lines has.
func (s Section) lines(row Row, wide bool) (lines [][]string) {
	var cells []Cell
	most := 1
	for i, c := range row {
		if wide || i >= len(s.Columns) || !s.Columns[i].Wide {
			cells = append(cells, c)
			most = max(most, len(c))
		}
	}
	for n := range most {
		line := make([]string, len(cells))
		for i, c := range cells {
			switch {
			case n < len(c):
				line[i] = OrDash(c[n])
			case n == 0:
				line[i] = "-"
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// writeCSV writes the first table, or the first pairs where there is none.
func writeCSV(to io.Writer, a Answer) error {
	i := slices.IndexFunc(a.Sections, func(s Section) bool { return len(s.Columns) > 0 })
	if i < 0 {
		i = slices.IndexFunc(a.Sections, func(s Section) bool { return len(s.Rows) > 0 })
	}
	if i < 0 {
		return nil
	}
	s := a.Sections[i]
	if len(s.Columns) == 0 {
		s.Columns = Columns("Name", "Value")
	}
	w := csv.NewWriter(to)
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = strings.ToLower(c.Name)
	}
	_ = w.Write(names) // Error says what went wrong
	for _, row := range s.Rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = CSVCell(strings.Join(c, "; "))
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return w.Error()
}
