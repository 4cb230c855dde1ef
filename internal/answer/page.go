package answer

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// writeMarkdown writes the answer in the Markdown of GitHub and GitLab.
func writeMarkdown(to io.Writer, a Answer) error {
	w := bufio.NewWriter(to) // Flush says what went wrong
	_, _ = fmt.Fprintf(w, "# %s\n", Markdown(a.Title))
	for _, s := range a.Sections {
		s.WriteMarkdown(w)
	}
	if len(a.Notes) > 0 {
		_, _ = fmt.Fprint(w, "\n## Notes\n\n")
	}
	for _, n := range a.Notes {
		_, _ = fmt.Fprintf(w, "- %s\n", Markdown(n))
	}
	return w.Flush()
}

// WriteMarkdown writes the section in Markdown; w says later what went wrong.
func (s Section) WriteMarkdown(w *bufio.Writer) {
	if s.Title != "" {
		_, _ = fmt.Fprintf(w, "\n## %s\n", Markdown(s.Title))
	}
	if len(s.Rows) > 0 {
		s.markdown(w)
	}
	for _, text := range s.After {
		_, _ = fmt.Fprintf(w, "\n%s\n", Markdown(text))
	}
}

// markdown writes the rows of a section as a table.
func (s Section) markdown(w io.Writer) {
	names := make([]string, len(s.Rows[0]))
	for i, c := range s.Columns {
		names[i] = Markdown(c.Name)
	}
	_, _ = fmt.Fprintf(w, "\n| %s |\n|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, row := range s.Rows {
		for _, c := range row {
			_, _ = fmt.Fprintf(w, "| %s ", c.line("<br>", Markdown))
		}
		_, _ = fmt.Fprintln(w, "|")
	}
}

//go:embed style.css
var style string

// Style returns the style sheet of pages, which can be printed.
func Style() template.CSS { return template.CSS(style) } //nolint:gosec // it is a file of this package

//go:embed page.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"plain": Plain,
	"style": Style,
}).Parse(pageText))

// writeHTML writes the answer as one page: it loads nothing, runs nothing and can be printed.
func writeHTML(w io.Writer, a Answer) error { return pageTemplate.Execute(w, a) }
