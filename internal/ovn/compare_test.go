package ovn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// described has rows as text, one line a row, so that the rows of two readers can be compared: table, UUID, then each
// column that is read, in the schema's order.
type described map[string]string

func valueText(keys, values []string) string {
	if len(values) == 0 {
		return fmt.Sprintf("%q", keys)
	}
	pairs := make([]string, len(keys))
	for i := range keys {
		pairs[i] = keys[i] + "=" + values[i]
	}
	slices.Sort(pairs)
	return fmt.Sprintf("%q", pairs)
}

func fieldText(field any) string {
	some := func(s ...string) string { return valueText(s, nil) }
	switch f := field.(type) {
	case *string:
		if *f == "" {
			return some()
		}
		return some(*f)
	case *[]string:
		return valueText(*f, nil)
	case *persistent.Set[string]:
		return valueText(slices.Sorted(f.All()), nil)
	case *map[string]string:
		var keys, values []string
		for k, v := range *f {
			keys, values = append(keys, k), append(values, v)
		}
		return valueText(keys, values)
	case *int:
		return some(strconv.Itoa(*f))
	case **int:
		if *f == nil {
			return some()
		}
		return some(strconv.Itoa(**f))
	case *bool:
		return some(strconv.FormatBool(*f))
	case **bool:
		if *f == nil {
			return some()
		}
		return some(strconv.FormatBool(**f))
	}
	panic(fmt.Sprintf("%T", field))
}

// describer is the part of a table that describe needs; all tables implement it.
type describer interface {
	describe(into described, s *Snapshot)
	describeRow(row Row) string
	columnNames() []string
}

func (t *table[T]) columnNames() (names []string) {
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return names
}

func (t *table[T]) describeRow(row Row) string {
	r := any(row).(*T)
	var columns []string
	for _, c := range t.columns {
		columns = append(columns, c.name+":"+fieldText(c.field(r)))
	}
	if p, ok := any(r).(*Port); ok {
		columns = append(columns, "switch:"+p.Switch)
	}
	return strings.Join(columns, " ")
}

func (t *table[T]) describe(into described, s *Snapshot) {
	for row := range t.rows(s).All() {
		r := any(row).(Row)
		into[string(t.table)+" "+r.RowUUID()] = t.describeRow(r)
	}
}

// describeSnapshot describes the tables that are followed.
func describeSnapshot(s *Snapshot, tables []Table) described {
	d := described{}
	for _, t := range tables {
		s.Database.table(t).(describer).describe(d, s)
	}
	return d
}

// describeFile describes the same tables of a database that dbfile read: an independent reader of another format.
func describeFile(db *dbfile.Database, database Database, tables []Table, s *Snapshot) described {
	switches := map[string]string{}
	for _, row := range db.Rows(string(TableSwitch)) {
		for _, port := range row.Strings("ports") {
			switches[port] = row.String("name")
		}
	}
	d := described{}
	for _, t := range tables {
		for uuid, row := range db.Rows(string(t)) {
			var columns []string
			for _, c := range database.table(t).(describer).columnNames() {
				v, ok := row.Value(c)
				text := valueText(v.Keys, v.Values)
				if !ok || text == `[""]` {
					text = "[]"
				}
				columns = append(columns, c+":"+text)
			}
			if t == TablePort {
				columns = append(columns, "switch:"+switches[uuid])
			}
			d[string(t)+" "+uuid] = strings.Join(columns, " ")
		}
	}
	return d
}

// differing returns the differences of two descriptions, both ways; empty where they are the same.
func differing(got, want described) string {
	var out []string
	for k, w := range want {
		if g, ok := got[k]; !ok {
			out = append(out, "missing: "+k+" "+w)
		} else if g != w {
			out = append(out, "have: "+k+" "+g+"\nwant: "+k+" "+w)
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok {
			out = append(out, "too much: "+k+" "+g)
		}
	}
	slices.Sort(out)
	if len(out) > 6 {
		out = append(out[:6], fmt.Sprintf("... %d differences", len(out)))
	}
	return strings.Join(out, "\n")
}
