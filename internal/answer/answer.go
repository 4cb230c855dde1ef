// Package answer writes the answers of commands in each format that people ask for: one renderer for each format, which
// escapes text that others wrote.
package answer

import (
	"fmt"
	"io"
	"strings"
)

// Answer is what a command found out, for people and for programs.
type Answer struct {
	// Title is the heading of a page.
	Title string
	// Document is the answer as JSON and YAML have it.
	Document any
	// Sections are the parts of the answer, in order. CSV has the first table, or the first pairs.
	Sections []Section
	// Notes say what is not known, and where the answer comes from.
	Notes []string
}

// APIVersion is the version of the shapes of all documents. A shape may grow; a field never changes its meaning or goes
// away within a version.
const APIVersion = "report.ovnguard.io/v1alpha1"

// Meta begins a document.
type Meta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// Of returns the beginning of a document of a kind.
func Of(kind string) Meta { return Meta{APIVersion, kind} }

// Section is a part of an answer: a table, or lines of text.
type Section struct {
	// Title stands above the section; tables have none for "".
	Title string
	// Columns name the columns of Rows; rows without columns are pairs of a name and a value.
	Columns []Column
	Rows    []Row
	// After are sentences below the rows.
	After []string
}

// Column is a column of a table.
type Column struct {
	Name string
	// Wide columns are left out of the format "table".
	Wide bool
}

// Columns returns columns with names.
func Columns(names ...string) []Column {
	out := make([]Column, len(names))
	for i, n := range names {
		out[i].Name = n
	}
	return out
}

// WideColumns returns columns with names that the format "table" leaves out.
func WideColumns(names ...string) []Column {
	out := Columns(names...)
	for i := range out {
		out[i].Wide = true
	}
	return out
}

// Row is a line of a table, one cell for each column.
type Row []Cell

// Cell is one or more lines of text.
type Cell []string

// NewRow returns a row. A []string is a cell of several lines; everything else is one line, as fmt.Sprint writes it,
// with semicolons for line feeds.
func NewRow(cells ...any) Row {
	row := make(Row, len(cells))
	for i, c := range cells {
		if lines, ok := c.([]string); ok {
			row[i] = lines
		} else {
			row[i] = Cell{strings.ReplaceAll(fmt.Sprint(c), "\n", "; ")}
		}
	}
	return row
}

// line returns the cell as one line, a dash for an empty one.
func (c Cell) line(separator string, escape func(string) string) string {
	lines := make([]string, len(c))
	for i, text := range c {
		lines[i] = escape(text)
	}
	if text := strings.Join(lines, separator); text != "" {
		return text
	}
	return "-"
}

// Format is a way to write an answer.
type Format struct {
	Name  string
	Write func(io.Writer, Answer) error
}

// Formats returns all formats, in the order in which help lists them.
func Formats() []Format {
	return []Format{
		{"table", writeTable},
		{"wide", writeWide},
		{"json", func(w io.Writer, a Answer) error { return WriteJSON(w, a.Document) }},
		{"yaml", func(w io.Writer, a Answer) error { return WriteYAML(w, a.Document) }},
		{"csv", writeCSV},
		{"markdown", writeMarkdown},
		{"html", writeHTML},
	}
}
