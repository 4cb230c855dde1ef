package ovn

import (
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// tableDef is one table that can be followed.
type tableDef interface {
	name() Table
	// reads means that a column is read.
	reads(column string) bool
	// layout compares what is read with what a schema has. The error names table and column.
	layout(schema *ovsdb.DatabaseSchema) (layout, error)
	// draft begins a change of the table.
	draft(of *Snapshot, l layout) tableDraft
	// difference returns the events that lead from one snapshot to a later one.
	difference(from, to *Snapshot) []Event
}

// layout says what of a table a database has.
type layout struct {
	// columns are what is asked for.
	columns []string
	// whole has the columns that hold one value at most; their changes are sent whole.
	whole map[string]bool
}

// table describes a table with rows of type T.
type table[T any] struct {
	table   Table
	columns []column[T]
	uuid    func(*T) *string
	rows    func(*Snapshot) *Rows[T]
	// sameSubject compares what a row holds besides its columns; nil where there is nothing.
	sameSubject func(a, b *T) bool
}

func (t *table[T]) name() Table { return t.table }

func (t *table[T]) column(name string) *column[T] {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

func (t *table[T]) reads(column string) bool { return t.column(column) != nil }

// same reports whether two rows hold the same.
func (t *table[T]) same(a, b *T) bool {
	if t.sameSubject != nil && !t.sameSubject(a, b) {
		return false
	}
	for i := range t.columns {
		if !equalField(t.columns[i].field(a), t.columns[i].field(b)) {
			return false
		}
	}
	return true
}

func (t *table[T]) layout(schema *ovsdb.DatabaseSchema) (layout, error) {
	l := layout{whole: make(map[string]bool)}
	have, ok := schema.Tables[string(t.table)]
	if !ok {
		return l, fmt.Errorf("the database has no table %s (schema %s %s)", t.table, schema.Name, schema.Version)
	}
	var row T
	for i := range t.columns {
		c := &t.columns[i]
		column := have.Columns[c.name]
		if column == nil {
			if !c.optional {
				return l, fmt.Errorf(
					"table %s has no column %s (schema %s %s)",
					t.table,
					c.name,
					schema.Name,
					schema.Version,
				)
			}
			continue
		}
		single, err := fits(c.field(&row), column)
		if err != nil {
			return l, fmt.Errorf(
				"table %s, column %s: %w (schema %s %s)",
				t.table,
				c.name,
				err,
				schema.Name,
				schema.Version,
			)
		}
		l.columns = append(l.columns, c.name)
		l.whole[c.name] = single
	}
	return l, nil
}

// newTable describes a table.
func newTable[T any](name Table, columns []column[T], uuid func(*T) *string, rows func(*Snapshot) *Rows[T]) table[T] {
	return table[T]{table: name, columns: columns, uuid: uuid, rows: rows}
}

// plain returns a table that needs nothing of its own.
func plain[T any](name Table, columns []column[T], uuid func(*T) *string, rows func(*Snapshot) *Rows[T]) tableDef {
	t := newTable(name, columns, uuid, rows)
	return &t
}

// databaseTables are all tables that can be followed, by database.
var databaseTables = map[Database][]tableDef{
	Northbound: {
		newPortTable(),
		newSwitchTable(),
		newPortGroupTable(),
		plain(
			TableAddressSet,
			addressSetColumns,
			func(r *AddressSet) *string { return &r.UUID },
			func(s *Snapshot) *Rows[AddressSet] { return &s.addressSets },
		),
		plain(
			TableACL,
			aclColumns,
			func(r *ACL) *string { return &r.UUID },
			func(s *Snapshot) *Rows[ACL] { return &s.acls },
		),
		plain(
			TableRouterPort,
			routerPortColumns,
			func(r *RouterPort) *string { return &r.UUID },
			func(s *Snapshot) *Rows[RouterPort] { return &s.routerPorts },
		),
		plain(
			TableNBGlobal,
			nbGlobalColumns,
			func(r *NBGlobal) *string { return &r.UUID },
			func(s *Snapshot) *Rows[NBGlobal] { return &s.nbGlobal },
		),
	},
	Southbound: {
		plain(
			TablePortBinding,
			portBindingColumns,
			func(r *PortBinding) *string { return &r.UUID },
			func(s *Snapshot) *Rows[PortBinding] { return &s.portBindings },
		),
		plain(
			TableChassis,
			chassisColumns,
			func(r *Chassis) *string { return &r.UUID },
			func(s *Snapshot) *Rows[Chassis] { return &s.chassis },
		),
		plain(
			TableSBGlobal,
			sbGlobalColumns,
			func(r *SBGlobal) *string { return &r.UUID },
			func(s *Snapshot) *Rows[SBGlobal] { return &s.sbGlobal },
		),
	},
}

// table returns what is known of a table; nil where it cannot be followed.
func (d Database) table(name Table) tableDef {
	for _, t := range databaseTables[d] {
		if t.name() == name {
			return t
		}
	}
	return nil
}

// difference implements tableDef.
func (t *table[T]) difference(from, to *Snapshot) (events []Event) {
	gone := make(map[string]*T)
	var came []*T
	difference(t.rows(from).byUUID.root, t.rows(to).byUUID.root, 0,
		func(x entry[T]) { gone[*t.uuid(x.row)] = x.row }, func(x entry[T]) { came = append(came, x.row) })
	for _, now := range came {
		old := gone[*t.uuid(now)]
		delete(gone, *t.uuid(now))
		if old == nil || !t.same(old, now) {
			events = append(events, rowEvent(t.table, to.Revision, old, now))
		}
	}
	for _, old := range gone {
		events = append(events, rowEvent(t.table, to.Revision, old, nil))
	}
	return events
}
