package dbfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errNoUUID is that of a row that nothing can refer to.
var errNoUUID = errors.New("the rows have no " + uuidColumn + "; list all columns, without --columns")

// errNoTable is that of rows with columns that several tables have.
var errNoTable = errors.New("the table cannot be told from the columns; list all columns, without --columns")

// pair is a line of a record.
type pair struct{ name, value string }

// recordLine takes apart a line such as "name                : web-0.shop".
func recordLine(line string) (p pair, ok bool) {
	name, value, found := strings.Cut(line, ":")
	name = strings.TrimRight(name, " ")
	if !found || !isWord(name) || name != strings.ToLower(name) || value != "" && value[0] != ' ' {
		return pair{}, false
	}
	return pair{name, strings.TrimSpace(value)}, true
}

// isRecord reports whether a line begins a record of `ovn-nbctl list`: the columns are padded.
func isRecord(line string) bool {
	p, ok := recordLine(line)
	return ok && strings.HasPrefix(line[len(p.name):], " ")
}

// records reads the record that begins with the line.
func (t *text) records(line string) {
	t.begun = true
	if t.db.Format == "" {
		t.db.Format = List
	}
	first := t.number
	var record []pair
	var bad error
	for {
		p, ok := recordLine(line)
		if ok {
			record = append(record, p)
		} else if bad == nil {
			bad = fmt.Errorf("line %d is not understood: %q", t.number, beginning(line))
		}
		line = strings.TrimSpace(t.peekLine())
		next, is := recordLine(line)
		if t.at == len(t.text) || line == "" || is && slices.ContainsFunc(record, func(p pair) bool {
			return p.name == next.name
		}) || !is && (isChatter(line) || isCaption(line) || line[0] == '{') {
			break
		}
		t.line()
	}
	if bad == nil {
		bad = t.record(record)
	}
	if bad != nil {
		t.unread(first, "a record: %v", bad)
	}
}

// record enters a record.
func (t *text) record(record []pair) error {
	if t.layout == nil ||
		!slices.EqualFunc(t.layout.names, record, func(n string, p pair) bool { return n == p.name }) {
		names := make([]string, len(record))
		for i, p := range record {
			names[i] = p.name
		}
		var err error
		if t.layout, err = t.db.layoutOf(t.table, names); err != nil {
			return err
		}
	}
	return t.db.put(t.layout, func(n int, c *Column) (Value, error) {
		v, err := only(record[n].value, c, &t.db.arena)
		if err != nil {
			return Value{}, fmt.Errorf(
				"column %s: %w (is it written with --bare or --data=bare? leave that out)",
				c.Name,
				err,
			)
		}
		return v, nil
	})
}
