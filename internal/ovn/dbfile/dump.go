package dbfile

import (
	"fmt"
	"strings"
)

// The members of one table in a dump.
const (
	captionMember  = "caption"
	captionSuffix  = " table"
	headingsMember = "headings"
	dataMember     = "data"
	uuidColumn     = "_uuid"
)

// dumpTable reads one table, as `ovsdb-client dump --format=json` prints it, or `ovn-nbctl --format=json list`, which
// leaves out the caption: name then says which table it is, if anything does. The rows come before the names of their
// columns, so they are walked over twice.
func (d *Database) dumpTable(s *scanner, name string) error {
	var caption, data string
	var headings []string
	err := s.object(func(name string) error {
		var err error
		switch name {
		case captionMember:
			caption, err = s.string()
		case headingsMember:
			err = s.array(func() error {
				h, err := s.string()
				headings = append(headings, h)
				return err
			})
		case dataMember:
			data, err = s.skip()
		default:
			err = s.fail("member %q does not belong to a dump", beginning(name))
		}
		return err
	})
	if err != nil {
		return err
	}
	if data == "" || headings == nil {
		return fmt.Errorf("%w: a table as JSON has headings and data", ErrContent)
	}
	format := List
	if captioned, found := strings.CutSuffix(caption, captionSuffix); found {
		name, format = captioned, Dump
	} else if name == "" {
		name = guess(headings)
	}
	if name == "" {
		return fmt.Errorf("%w: %w", ErrContent, errNoTable)
	}
	if d.Format == "" {
		d.Format = format
	}
	if d.wanted != nil && !d.wanted[name] {
		return nil
	}
	t := &Table{Name: name, Columns: make(map[string]*Column, len(headings)), Rows: make(map[string]*Row)}
	columns := make([]*Column, len(headings))
	for i, h := range headings {
		columns[i] = &Column{Name: h, Key: Unknown, Max: Unlimited}
		if h != uuidColumn {
			t.Columns[h] = columns[i]
		}
	}
	if err := d.dumpRows(t, columns, data); err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	if before := d.Tables[name]; before != nil { // two answers about the same table
		before.take(t)
		return nil
	}
	d.Tables[name] = t
	return nil
}

// take adds the rows of another part of the table.
func (t *Table) take(part *Table) {
	for name, c := range part.Columns {
		if t.Columns[name] == nil {
			t.Columns[name] = c
		}
	}
	for uuid, row := range part.Rows {
		row.table = t
		for i := range row.cells {
			row.cells[i].column = t.Columns[row.cells[i].column.Name]
		}
		t.Rows[uuid] = row
	}
}

func (d *Database) dumpRows(t *Table, columns []*Column, data string) error {
	s := &scanner{text: data}
	return s.array(func() error {
		row := &Row{table: t, cells: make([]cell, 0, len(columns))}
		n := 0
		err := s.array(func() error {
			if n == len(columns) {
				return s.fail("a row has more columns than the %d headings", n)
			}
			c := columns[n]
			n++
			v, err := s.value(c, &d.arena)
			switch {
			case err != nil:
				return err
			case c.Name == uuidColumn && len(v.Keys) == 1:
				row.UUID, _ = parseUUID(v.Keys[0])
			case c.Name != uuidColumn:
				row.cells = append(row.cells, cell{column: c, value: v})
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case n < len(columns):
			return s.fail("a row has %d columns, and there are %d headings", n, len(columns))
		case row.UUID == "":
			return s.fail("a row has no %s", uuidColumn)
		}
		t.Rows[row.UUID] = row
		return nil
	})
}
