package dbfile

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// What a transaction record holds besides tables.
const (
	dateMember    = "_date"
	commentMember = "_comment"
	// diffMember means that the columns of rows which were there already hold what changes in them, and not what they
	// become. Servers write it since Open vSwitch 2.15.
	diffMember = "_is_diff"
	// secondsLimit is the first date that cannot be one in seconds, as old servers wrote them.
	secondsLimit = 1 << 32
)

// change is what a transaction does to one row.
type change struct {
	table *Table
	uuid  string
	// gone means that the row is deleted.
	gone  bool
	cells []cell
}

// transaction applies one transaction, all of it or, with an error, nothing.
func (d *Database) transaction(text string) error {
	s := &scanner{text: text}
	var changes []change
	var written time.Time
	diff := false
	err := s.object(func(name string) error {
		t := d.Tables[name]
		switch {
		case t != nil && t.skipped:
			_, err := s.skip()
			return err
		case t != nil:
			return s.object(func(uuid string) error {
				c, err := d.readChange(s, t, uuid)
				changes = append(changes, c)
				return err
			})
		case name == dateMember:
			text, _, err := s.number()
			written = parseDate(text)
			return err
		case name == commentMember:
			_, err := s.skip()
			return err
		case name == diffMember:
			word, err := s.skip()
			diff = word == "true"
			return err
		default:
			return s.fail("the schema has no table %q", beginning(name))
		}
	})
	if err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if err := d.apply(changes, diff); err != nil {
		return err
	}
	if !written.IsZero() {
		d.Written = written
	}
	return nil
}

func parseDate(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n < secondsLimit:
		return time.Unix(n, 0).UTC()
	default:
		return time.UnixMilli(n).UTC()
	}
}

// readChange reads what becomes of one row.
func (d *Database) readChange(s *scanner, t *Table, uuid string) (change, error) {
	id, ok := parseUUID(uuid)
	if !ok {
		return change{}, s.fail("table %s: %q is no UUID", t.Name, beginning(uuid))
	}
	c := change{table: t, uuid: id}
	if s.peek() == 'n' {
		c.gone = true
		return c, s.word("null")
	}
	var buffer [16]cell
	cells := buffer[:0]
	err := s.object(func(name string) error {
		column := t.Columns[name]
		if column == nil {
			return s.fail("table %s has no column %q in the schema", t.Name, beginning(name))
		}
		v, err := s.value(column, &d.arena)
		cells = append(cells, cell{column: column, value: v})
		return err
	})
	c.cells = d.arena.keepCells(cells)
	return c, err
}

// apply makes the changes. The new rows are all worked out before the first is put in place. What was there before is
// written over, and new rows share no memory with others, so that nothing outlives its transaction that is not the
// database's.
func (d *Database) apply(changes []change, diff bool) error {
	d.arena.rows = slices.Grow(d.arena.rows[:0], len(changes))[:len(changes)]
	rows := d.arena.rows
	defer clear(rows)
	for i, c := range changes {
		old := c.table.Rows[c.uuid]
		if c.gone {
			if old == nil {
				return fmt.Errorf("%w: table %s: row %s is deleted, and is not there", ErrContent, c.table.Name, c.uuid)
			}
			continue
		}
		rows[i] = Row{UUID: c.uuid, table: c.table, cells: c.cells}
		if old != nil {
			rows[i].cells = old.merge(c.cells, diff)
		}
		for _, cell := range rows[i].cells {
			if n := cell.count(); !cell.column.holds(n) {
				return fmt.Errorf(
					"%w: table %s: row %s: column %s has %d values",
					ErrContent,
					c.table.Name,
					c.uuid,
					cell.column.Name,
					n,
				)
			}
		}
	}
	for i, c := range changes {
		if c.gone {
			delete(c.table.Rows, c.uuid)
			continue
		}
		if old := c.table.Rows[c.uuid]; old != nil {
			*old = rows[i]
			continue
		}
		row := rows[i]
		c.table.Rows[c.uuid] = &row
	}
	return nil
}

// merge returns the cells of a row after some were written.
func (r *Row) merge(written []cell, diff bool) []cell {
	cells := make([]cell, len(r.cells), len(r.cells)+len(written))
	copy(cells, r.cells)
next:
	for _, w := range written {
		for i := range cells {
			if cells[i].column != w.column {
				continue
			}
			cells[i] = w.after(cells[i], diff)
			continue next
		}
		cells = append(cells, w.after(cell{column: w.column, value: w.column.initial()}, diff))
	}
	return cells
}

// after returns the cell once this was written over what the column held before. For a column of one value at most, a
// difference is the new value.
//
// Where a set or map of at least one element held its default, servers write the difference like any other, and Open
// vSwitch 3.1 takes it for the new value when it reads the file again. What the server held is what is given here.
func (w cell) after(before cell, diff bool) cell {
	switch {
	case !diff || w.column.Max <= 1:
		return w
	case len(before.value.Keys) >= overlayFrom:
		return before.overlaid(w.value)
	}
	before.value = before.value.toggle(w.value, w.column)
	return before
}

// toggle applies a difference. In a set, what it names leaves if it is there and comes if it is not. In a map, a key
// comes if it is not there, leaves if it is there with this value, and takes the value otherwise.
func (v Value) toggle(diff Value, c *Column) Value {
	var out Value
	i, j := 0, 0
	put := func(from Value, n int) {
		out.Keys = append(out.Keys, from.Keys[n])
		if c.Value != "" {
			out.Values = append(out.Values, from.Values[n])
		}
	}
	for i < len(v.Keys) || j < len(diff.Keys) {
		switch {
		case j == len(diff.Keys) || i < len(v.Keys) && v.Keys[i] < diff.Keys[j]:
			put(v, i)
			i++
		case i == len(v.Keys) || diff.Keys[j] < v.Keys[i]:
			put(diff, j)
			j++
		default:
			if c.Value != "" && v.Values[i] != diff.Values[j] {
				put(diff, j)
			}
			i++
			j++
		}
	}
	return out
}
