package ovn

import (
	"errors"
	"fmt"
	"slices"
)

// store holds the state that follows a database: the newest snapshot, and what is needed to take over the next change.
// One goroutine at a time uses it.
type store struct {
	snapshot *Snapshot
	tables   []tableDef
	layouts  map[Table]layout
	strings  *interner
	// others has, for a port that several switches hold, the switches beside the one that the port names. ovn-northd
	// refuses such a port, but the database can have it.
	others map[string][]string
}

func newStore(database Database, tables []Table) (*store, error) {
	s := &store{snapshot: &Snapshot{Database: database}, strings: newInterner(), others: make(map[string][]string)}
	for _, def := range databaseTables[database] {
		for _, name := range tables {
			if def.name() == name {
				s.tables = append(s.tables, def)
				break
			}
		}
	}
	for _, name := range tables {
		if database.table(name) == nil {
			return nil, fmt.Errorf("table %s cannot be followed in database %s", name, database)
		}
	}
	return s, nil
}

// change is one transaction, or the reading of everything, on its way into the next snapshot.
type change struct {
	drafts map[Table]tableDraft
	others map[string][]string
}

// apply takes over what the server sent: an object of tables of rows. With whole it is everything that the database
// holds; else it is what changed. After an error nothing is changed, and only a whole reading helps.
func (st *store) apply(data []byte, whole bool, transaction string) (events []Event, err error) {
	c := &change{drafts: make(map[Table]tableDraft), others: st.others}
	if whole {
		c.others = make(map[string][]string)
	}
	for _, def := range st.tables {
		c.drafts[def.name()] = def.draft(st.snapshot, st.layouts[def.name()])
	}
	s := &scan{data: data, strings: st.strings}
	var errs []error
	s.object(func(key []byte) {
		d := c.drafts[Table(key)]
		if d == nil {
			s.skip()
			return
		}
		s.object(func(key []byte) {
			if err := d.row(s, string(key)); err != nil && len(errs) < 3 {
				errs = append(errs, err)
			}
		})
	})
	if s.err != nil {
		return nil, s.err
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if whole {
		for _, d := range c.drafts {
			d.onlySent()
		}
	}
	// A table that holds others settles first: what it says of them must be in place when they are put together.
	for _, def := range slices.Backward(st.tables) {
		c.drafts[def.name()].settle(c)
	}
	next := *st.snapshot
	next.Revision++
	next.Transaction = transaction
	e := &edit{}
	for _, def := range st.tables {
		events = c.drafts[def.name()].commit(&next, e, events)
	}
	st.others = c.others
	st.snapshot = &next
	return events, nil
}
