package dbfile

import (
	"fmt"
	"slices"
	"strings"
)

// layout says which columns the rows of some text have.
type layout struct {
	names []string
	// table is nil where it was not asked for.
	table   *Table
	columns []*Column
}

// layoutOf returns the layout of rows with these columns. table is the name of their table, "" where nothing says it.
func (d *Database) layoutOf(table string, names []string) (*layout, error) {
	if table == "" {
		table = guess(names)
	}
	switch {
	case !slices.Contains(names, uuidColumn):
		return nil, errNoUUID
	case table == "":
		return nil, errNoTable
	}
	return d.rowsOf(table, names), nil
}

// rowsOf is layoutOf for a table that is known.
func (d *Database) rowsOf(table string, names []string) *layout {
	l := &layout{names: names}
	if d.wanted != nil && !d.wanted[table] {
		return l
	}
	l.table = d.Tables[table]
	if l.table == nil {
		l.table = &Table{Name: table, Columns: make(map[string]*Column), Rows: make(map[string]*Row)}
		d.Tables[table] = l.table
	}
	for _, name := range names {
		c := l.table.Columns[name]
		if c == nil {
			c = &Column{Name: name, Key: Unknown, Max: Unlimited}
			if name != uuidColumn {
				l.table.Columns[name] = c
			}
		}
		l.columns = append(l.columns, c)
	}
	return l
}

// put enters a row. read gives the value of the n-th column.
func (d *Database) put(l *layout, read func(n int, c *Column) (Value, error)) error {
	d.Records++
	if l.table == nil {
		return nil
	}
	row := &Row{table: l.table}
	values := make([]Value, len(l.columns))
	for n, c := range l.columns {
		v, err := read(n, c)
		if err != nil {
			return err
		}
		if c.Name == uuidColumn && len(v.Keys) == 1 {
			row.UUID, _ = parseUUID(v.Keys[0])
			continue
		}
		values[n] = v
	}
	if row.UUID == "" {
		return fmt.Errorf("%w: %s: want one UUID", ErrContent, uuidColumn)
	}
	row.cells = make([]cell, 0, len(values))
	for n, c := range l.columns {
		if c.Name != uuidColumn {
			row.cells = append(row.cells, cell{column: c, value: values[n]})
		}
	}
	l.table.Rows[row.UUID] = row
	return nil
}

// telling are tables by the columns that tell them from others, where nothing else names the table.
var telling = []struct {
	table     string
	has, none []string
}{
	{"Port_Binding", []string{"logical_port", "datapath"}, nil},
	{"Logical_Switch_Port", []string{"port_security"}, nil},
	{"Logical_Switch_Port", []string{"dynamic_addresses"}, nil},
	{"Logical_Router_Port", []string{"mac", "networks"}, nil},
	{"Logical_Router", []string{"static_routes"}, nil},
	{"Logical_Router", []string{"nat"}, nil},
	{"Logical_Switch", []string{"ports", "other_config"}, nil},
	{"Logical_Switch", []string{"ports", "qos_rules"}, nil},
	{"Port_Group", []string{"ports", "acls"}, nil},
	{"ACL", []string{"direction", "priority", "match", "action"}, []string{"bandwidth"}}, // QoS has one
	{"NB_Global", []string{"nb_cfg", "sb_cfg"}, nil},
	{"Chassis", []string{"hostname", "encaps"}, nil},
	{"Address_Set", []string{"addresses", "name", "external_ids"}, []string{"type", "options", "up"}},
}

// guess returns the table that has these columns; "" where they may be those of several.
func guess(names []string) string {
	has := func(name string) bool { return slices.Contains(names, name) }
	for _, t := range telling {
		if !slices.ContainsFunc(t.has, func(n string) bool { return !has(n) }) && !slices.ContainsFunc(t.none, has) {
			return t.table
		}
	}
	return ""
}

// tableNamed returns the table that somebody named on a command line: the tools take any case, and '-' for '_'.
func tableNamed(text string) string {
	text = strings.ReplaceAll(text, "-", "_")
	for _, t := range telling {
		if strings.EqualFold(t.table, text) {
			return t.table
		}
	}
	return text
}
