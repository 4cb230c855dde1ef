// Package table prints what a benchmark measured, next to what it is compared with, and says whether every bar is met.
package table

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table is what a benchmark ends with.
type Table struct{ rows []Row }

// Row is one line.
type Row struct {
	// What was measured, and what came out of it.
	What, Measured string
	// Peer is what it is compared with, with its value; Ratio or difference is what the bar speaks of. Both may be
	// empty.
	Peer, Ratio string
	// Bar is empty for a line that is for information.
	Bar string
	// Missed means that the bar is not met.
	Missed bool
}

// Add adds lines.
func (t *Table) Add(rows ...Row) { t.rows = append(t.rows, rows...) }

// Missed returns what the bars that are not met are about.
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
