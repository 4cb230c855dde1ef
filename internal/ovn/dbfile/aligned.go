package dbfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// isTableHeader reports whether two lines are the head of a table: names, and dashes below each.
func isTableHeader(names, dashes string) bool {
	words := strings.Fields(names)
	lines := strings.Fields(dashes)
	return len(words) > 0 && len(words) == len(lines) &&
		!slices.ContainsFunc(words, func(w string) bool { return !isWord(w) }) &&
		!slices.ContainsFunc(lines, func(l string) bool { return strings.Trim(l, "-") != "" })
}

// aligned reads a table with aligned columns. Its head was read as far as the names. Each value says itself
// where it ends, so that it does not matter whether blanks were lost.
func (t *text) aligned(names []string) {
	l := t.head(names)
	t.line() // the dashes
	for t.more() {
		line := strings.TrimSpace(t.line())
		if l == nil || line == "" {
			continue
		}
		n := &notation{scanner{text: line}}
		err := t.db.put(l, func(_ int, c *Column) (Value, error) {
			v, err := n.cell(c, &t.db.arena)
			if err != nil {
				err = fmt.Errorf("column %s: %w (is it written with --data=bare? leave that out)", c.Name, err)
			}
			return v, err
		})
		if err == nil && l.table != nil {
			err = n.end()
		}
		if err != nil {
			t.unread(t.number, "a row: %v", err)
		}
	}
}

// isCSVHeader reports whether a line has the names of columns with commas between.
func (t *text) isCSVHeader(line string) bool {
	names := strings.Split(line, ",")
	return !slices.ContainsFunc(names, func(n string) bool { return !isWord(n) }) &&
		(len(names) > 1 || t.table != "" && t.db.Format == Dump)
}

// separated reads a table with commas between its columns. Its head was read.
func (t *text) separated(names []string) {
	l := t.head(names)
	begin, first := t.at, t.number
	for t.more() {
		t.line()
	}
	if l == nil {
		return
	}
	r := csv.NewReader(strings.NewReader(t.text[begin:t.at]))
	r.ReuseRecord, r.FieldsPerRecord = true, -1
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		at := first
		if err != nil {
			if p, ok := errors.AsType[*csv.ParseError](err); ok {
				at += p.StartLine
			}
			t.unread(at, "a row: %v", err)
			continue
		}
		line, _ := r.FieldPos(0)
		at += line
		if len(fields) != len(names) {
			t.unread(at, "a row has %d columns, and there are %d headings", len(fields), len(names))
			continue
		}
		err = t.db.put(l, func(n int, c *Column) (Value, error) {
			v, err := only(fields[n], c, &t.db.arena)
			if err != nil {
				err = fmt.Errorf("column %s: %w (is it written with --data=bare? leave that out)", c.Name, err)
			}
			return v, err
		})
		if err != nil {
			t.unread(at, "a row: %v", err)
		}
	}
}

// head begins a table with these columns. It is nil where they are not enough.
func (t *text) head(names []string) *layout {
	t.begun = true
	if t.db.Format == "" {
		t.db.Format = List
	}
	t.db.Records++
	l, err := t.db.layoutOf(t.table, names)
	if err != nil {
		t.unread(t.number, "%v", err)
	}
	return l
}

// more reports whether the next line is one of the same table.
func (t *text) more() bool {
	line := strings.TrimSpace(t.peekLine())
	return t.at < len(t.text) && line != "" && !isCaption(line) && !isChatter(line)
}
