package report

import "io"

// Writer writes a summary in one format.
type Writer func(io.Writer, Summary) error

// Format is a format that a report can have.
type Format struct {
	Name  string
	Write Writer
}

// Formats returns all formats of an audit, in the order in which help lists them.
func Formats() []Format {
	return []Format{
		{"table", Table},
		{"wide", Wide},
		{"json", JSON},
		{"yaml", YAML},
		{"csv", CSV},
		{"markdown", Markdown},
		{"html", HTML},
		{"jsonl", JSONLines},
		{"sarif", SARIF},
		{"junit", JUnit},
		{"openreports", OpenReports},
	}
}
