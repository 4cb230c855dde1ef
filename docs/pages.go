package docs

import (
	"slices"
	"strings"
)

// Rule returns the section about a rule of the audit; "" if there is none. Several headings in a row share the text
// after the last of them.
func Rule(id string) string {
	var headings, text []string
	page := func() string { return strings.TrimSpace(strings.Join(slices.Concat(headings, text), "")) + "\n" }
	about := func(heading string) bool { return strings.HasPrefix(heading, "### "+id+" ") }
	for line := range strings.Lines(audit) {
		switch {
		case !strings.HasPrefix(line, "#"):
			text = append(text, line)
			continue
		case strings.TrimSpace(strings.Join(text, "")) == "":
			headings = append(headings, line)
			continue
		case slices.ContainsFunc(headings, about):
			return page()
		}
		headings, text = []string{line}, nil
	}
	if slices.ContainsFunc(headings, about) {
		return page()
	}
	return ""
}

// Check returns the row about a check of admission as text, and the text about all checks; "" if there is no such
// check.
func Check(id string) string {
	const section = "\n## What is refused\n"
	_, after, _ := strings.Cut(admission, section)
	intro, table, _ := strings.Cut(after, "\n| ")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if _, name, found := strings.Cut(cells[0], "</a>"); !found || strings.TrimSpace(name) != id || len(cells) < 4 {
			continue
		}
		page := "### " + id + " " + strings.Trim(strings.TrimSpace(cells[1]), "`") + "\n" +
			"Refuses " + strings.TrimSpace(cells[2]) + "."
		if strings.TrimSpace(cells[3]) == "always" {
			page += " It refuses always, whatever the mode of the policy."
		}
		return page + "\n\n" + strings.TrimSpace(intro) + "\n"
	}
	return ""
}
