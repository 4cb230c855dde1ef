package ovn

import (
	"errors"
	"fmt"
)

// errInconsistent means that what the server sent does not fit what was known. The remedy is to read everything again.
var errInconsistent = errors.New("the server's changes do not fit what is known")

// tableDraft collects what a transaction changes in one table.
type tableDraft interface {
	// row reads one row's change: {"initial": {...}}, {"insert": {...}}, {"modify": {...}} or {"delete": null}.
	row(s *scan, uuid string) error
	// onlySent says that rows which were not sent are gone.
	onlySent()
	// settle works out what depends on other tables.
	settle(c *change)
	// commit puts the changes into the next snapshot.
	commit(next *Snapshot, e *edit, events []Event) []Event
}

// draft is what changes in a table with rows of type T.
type draft[T any] struct {
	*table[T]
	of      *Snapshot
	layout  layout
	changes []*pending[T]
	byUUID  map[string]*pending[T]
}

// pending is one row's change. now is old where nothing changed yet.
type pending[T any] struct{ old, now *T }

func (t *table[T]) draft(of *Snapshot, l layout) tableDraft { return t.newDraft(of, l) }

func (t *table[T]) newDraft(of *Snapshot, l layout) *draft[T] {
	return &draft[T]{table: t, of: of, layout: l, byUUID: make(map[string]*pending[T])}
}

// pending returns the change of a row, which may be new.
func (d *draft[T]) pending(uuid string) *pending[T] {
	p := d.byUUID[uuid]
	if p == nil {
		old := d.rows(d.of).get(uuid, d.uuid)
		p = &pending[T]{old: old, now: old}
		if old != nil {
			uuid = *d.uuid(old) // the string that is kept anyway
		}
		d.byUUID[uuid] = p
		d.changes = append(d.changes, p)
	}
	return p
}

// current returns the row as this draft would leave it; nil where there is none.
func (d *draft[T]) current(uuid string) *T {
	if p := d.byUUID[uuid]; p != nil {
		return p.now
	}
	return d.rows(d.of).get(uuid, d.uuid)
}

// edit returns the row to write to; nil where there is none.
func (d *draft[T]) edit(uuid string) *T {
	p := d.pending(uuid)
	if p.now != nil && p.now == p.old {
		c := *p.old
		p.now = &c
	}
	return p.now
}

// row implements tableDraft.
func (d *draft[T]) row(s *scan, uuid string) error {
	return d.rowWith(s, uuid, func(string, bool) bool { return false })
}

// rowWith reads a row's change. special gets the columns that are not described and says whether it read the value;
// whole says that the value is not a difference.
func (d *draft[T]) rowWith(s *scan, uuid string, special func(column string, whole bool) bool) error {
	p := d.pending(uuid)
	var err error
	s.object(func(key []byte) {
		switch string(key) {
		case "initial", "insert":
			p.now = new(T)
			*d.uuid(p.now) = uuid
			d.read(s, p.now, true, special)
		case "modify":
			if p.now == nil {
				err = fmt.Errorf("table %s, row %s is changed, but is not there: %w", d.name(), uuid, errInconsistent)
				s.skip()
				return
			}
			d.read(s, d.edit(uuid), false, special)
		case "delete":
			if p.now == nil {
				err = fmt.Errorf("table %s, row %s is deleted, but is not there: %w", d.name(), uuid, errInconsistent)
			}
			p.now = nil
			s.skip()
		default:
			s.fail("initial, insert, modify or delete")
		}
	})
	return err
}

// read reads columns into row.
func (d *draft[T]) read(s *scan, row *T, whole bool, special func(column string, whole bool) bool) {
	s.object(func(key []byte) {
		c := d.column(string(key))
		switch {
		case c == nil:
			if !special(string(key), whole) {
				s.skip()
			}
		case whole || d.layout.whole[c.name]:
			readValue(s, c.field(row))
		default:
			readDifference(s, c.field(row))
		}
		if _, told := errors.AsType[*columnError](s.err); s.err != nil && !told {
			s.err = &columnError{table: d.name(), column: string(key), err: s.err}
		}
	})
}

// columnError says where something unreadable was.
type columnError struct {
	table  Table
	column string
	err    error
}

func (e *columnError) Error() string {
	return fmt.Sprintf("table %s, column %s: %v", e.table, e.column, e.err)
}
func (e *columnError) Unwrap() error { return e.err }

// onlySent implements tableDraft. It comes before settle, which must not bring back what is gone.
func (d *draft[T]) onlySent() {
	for row := range d.rows(d.of).All() {
		if uuid := *d.uuid(row); d.byUUID[uuid] == nil {
			d.pending(uuid).now = nil
		}
	}
}

// settle implements tableDraft.
func (d *draft[T]) settle(*change) {}

// commit implements tableDraft.
func (d *draft[T]) commit(next *Snapshot, e *edit, events []Event) []Event {
	return d.commitWith(next, e, events, func(_, _ *T) {})
}

// commitWith puts the changes into the next snapshot and calls changed for each.
func (d *draft[T]) commitWith(next *Snapshot, e *edit, events []Event, changed func(old, now *T)) []Event {
	rows := d.rows(next)
	put := func(old, now *T) {
		named := now
		if now == nil {
			named = old
		}
		rows.byUUID = rows.byUUID.put(e, hashOf(*d.uuid(named)), old, now)
		changed(old, now)
		events = append(events, rowEvent(d.name(), next.Revision, old, now))
	}
	for _, p := range d.changes {
		if p.old != p.now && (p.old == nil || p.now == nil || !d.same(p.old, p.now)) {
			put(p.old, p.now)
		}
	}
	return events
}
