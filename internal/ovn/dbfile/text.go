package dbfile

import (
	"errors"
	"fmt"
	"strings"
)

// Line is a line of text that could not be read.
type Line struct {
	// Number counts from 1.
	Number int
	Err    error
}

// String says where the line is and what is wrong with it.
func (l Line) String() string { return fmt.Sprintf("line %d: %v", l.Number, l.Err) }

// text reads what OVN's tools print: tables one after the other, in any of their layouts, with the lines of a shell
// between them. It goes from line to line.
type text struct {
	db   *Database
	text string
	// at is where the next line begins, and number the number of the line that was read last.
	at, number int
	// table is the one that the next rows are of, as far as a line before them says so; "" otherwise.
	table string
	// layout is that of the rows that were read last.
	layout *layout
	// begun means that something was read, so that lines are no longer taken for a program's greeting.
	begun bool
	// first is the first line that could not be understood before anything was read.
	first *Line
}

// readText reads the output of OVN's tools.
func (d *Database) readText(content string) error {
	d.Tables = make(map[string]*Table)
	t := &text{db: d, text: content}
	for t.at < len(t.text) {
		if err := t.next(); err != nil {
			return err
		}
		if d.Loss != nil {
			break
		}
	}
	if d.Records == 0 {
		switch {
		case len(d.Unread) > 0:
			return fmt.Errorf("line %d: %w", d.Unread[0].Number, d.Unread[0].Err)
		case t.first != nil:
			return fmt.Errorf("%w; want a database file, or rows as OVN's tools print them", t.first.Err)
		}
		return errors.New("it has no row")
	}
	return nil
}

// line returns the next line without its end, and steps over it.
func (t *text) line() string {
	line, rest, found := strings.Cut(t.text[t.at:], "\n")
	t.at = len(t.text) - len(rest)
	if !found {
		t.at = len(t.text)
	}
	t.number++
	return strings.TrimSuffix(line, "\r")
}

// peekLine returns the line after the one that was read last.
func (t *text) peekLine() string {
	line, _, _ := strings.Cut(t.text[t.at:], "\n")
	return strings.TrimSuffix(line, "\r")
}

// next reads what begins at the next line.
func (t *text) next() error {
	begin := t.at
	raw := t.line()
	line := strings.TrimSpace(raw)
	switch {
	case line == "":
	case line[0] == '{':
		return t.json(begin, raw)
	case t.caption(line):
	case t.commanded(line):
	case isTableHeader(line, strings.TrimSpace(t.peekLine())):
		t.aligned(strings.Fields(line))
	case t.isCSVHeader(line):
		t.separated(strings.Split(line, ","))
	case isRecord(line):
		t.records(line)
	case isShow(line):
		t.show(line)
	case isChatter(line):
	case !t.begun:
		if t.first == nil {
			t.first = &Line{t.number, fmt.Errorf("it begins with %q", beginning(line))}
		}
	default:
		t.unread(t.number, "it is not understood: %q", beginning(line))
	}
	return nil
}

// json reads the object that begins on the line that was read last.
func (t *text) json(begin int, raw string) error {
	start := begin + strings.IndexByte(raw, '{')
	s := &scanner{text: t.text, at: start}
	if err := t.db.dumpTable(s, t.table); err != nil {
		if t.db.Records == 0 {
			return err
		}
		t.db.Loss = lossAt(err, t.db.Records, start, len(t.text))
		return nil
	}
	t.db.Records++
	t.begin("")
	// The rest of the object's last line is read as a line of that number.
	t.number += strings.Count(t.text[start:s.at], "\n") - 1
	t.at = s.at
	return nil
}

// begin notes that a table begins; its name may be known.
func (t *text) begin(format Format) {
	t.begun = true
	if t.db.Format == "" {
		t.db.Format = format
	}
	t.table, t.layout = "", nil
}

// unread notes a line that cannot be read.
func (t *text) unread(number int, format string, args ...any) {
	t.db.Unread = append(t.db.Unread, Line{number, fmt.Errorf("%w: "+format, append([]any{ErrContent}, args...)...)})
}

// caption takes the line before a table of `ovsdb-client dump`.
func (t *text) caption(line string) bool {
	if !isCaption(line) {
		return false
	}
	t.begin(Dump)
	t.table = strings.TrimSuffix(line, captionSuffix)
	return true
}

// commanded takes a line of a shell by which somebody called a tool. It may name the table.
func (t *text) commanded(line string) bool {
	words := strings.Fields(line)
	tool := false
	for i, w := range words {
		switch {
		case strings.HasSuffix(w, "nbctl"), strings.HasSuffix(w, "sbctl"), strings.HasSuffix(w, "ovsdb-client"):
			tool = true
		case tool && (w == "list" || w == "find") && i+1 < len(words):
			t.table = tableNamed(words[i+1])
			t.layout = nil
			return true
		case tool && (w == "show" || w == "dump"):
			return true
		}
	}
	return false
}

// isChatter reports whether a line is one that shells, kubectl and OVN's tools write besides the answer.
func isChatter(line string) bool {
	for _, begin := range []string{"Defaulted container", "Warning:", "Use 'kubectl", "command terminated"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	if len(line) > 5 && strings.IndexByte("IWEF", line[0]) >= 0 && line[5] == ' ' && isDigits(line[1:5]) {
		return true // kubectl's log
	}
	if strings.HasPrefix(line, "20") && strings.Contains(line, "Z|") {
		return true // the tools' log
	}
	last := line[len(line)-1]
	return last == '$' || last == '#' || last == '%' // a prompt
}

// isCaption reports whether a line is the one before a table of `ovsdb-client dump`.
func isCaption(line string) bool {
	name, found := strings.CutSuffix(line, captionSuffix)
	return found && isWord(name)
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// isWord reports whether a text may be the name of a table or of a column.
func isWord(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return text != "" && (text[0] == '_' || text[0] > '9')
}
