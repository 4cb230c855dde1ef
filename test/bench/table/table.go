// Package table prints a benchmark's measurements, compared with those of a peer, and reports whether every bar is met.
package table

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table is the result of a benchmark.
type Table struct{ rows []Row }

// Row is one line.
type Row struct {
	// What names the measurement, and Measured is its result.
	What, Measured string
	// Peer names what it is compared with, with its value; Ratio is the ratio or difference that the bar is about. Both
	// may be empty.
	Peer, Ratio string
	// Bar is empty for a line that is only information.
	Bar string
	// Missed means that the bar is not met.
	Missed bool
}

// Add adds lines.
func (t *Table) Add(rows ...Row) { t.rows = append(t.rows, rows...) }

// Missed returns the names of the measurements that missed their bars.
func (t *Table) Missed() (missed []string) {
	for _, r := range t.rows {
		if r.Missed {
			missed = append(missed, r.What)
		}
	}
	return missed
}

// Write writes the table.
func (t *Table) Write(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	lines := []string{"WHAT\tMEASURED\tPEER OR FLOOR\tRATIO\tBAR\tRESULT\n"}
	for _, r := range t.rows {
		result := ""
		switch {
		case r.Missed:
			result = "MISSED"
		case r.Bar != "":
			result = "met"
		}
		lines = append(lines, strings.Join([]string{r.What, r.Measured, r.Peer, r.Ratio, r.Bar, result}, "\t")+"\n")
	}
	if _, err := io.WriteString(w, strings.Join(lines, "")); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}
