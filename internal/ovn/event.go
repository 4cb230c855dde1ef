package ovn

// Kind tells what an event says.
type Kind uint8

// The kinds of events.
const (
	// Insert says that a row is new: Old is nil.
	Insert Kind = iota + 1
	// Update says that a row changed: Old and New are both set, and differ.
	Update
	// Delete says that a row is gone: New is nil.
	Delete
	// Resynchronised says that the events before it lead to the state of its revision, but perhaps not by the way that
	// the database went: rows that changed and changed back in between were not seen. It comes after the first reading,
	// after a reconnection for which the server could not give the changes one by one, and after a reader fell too far
	// behind.
	Resynchronised
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Insert:
		return "insert"
	case Update:
		return "update"
	case Delete:
		return "delete"
	case Resynchronised:
		return "resynchronised"
	}
	return "unknown"
}

// Event is one change of one row. All events of one transaction have the same revision; among them there is no order.
type Event struct {
	Kind     Kind
	Table    Table
	Revision Revision
	Old, New Row
}

// Ports returns the event's rows where it is about a port. Both are nil where it is not.
func (e Event) Ports() (old, now *Port) {
	old, _ = e.Old.(*Port)
	now, _ = e.New.(*Port)
	return old, now
}

// rowEvent returns the event for a row that was old and is now; either may be nil, not both.
func rowEvent[T any](table Table, revision Revision, old, now *T) Event {
	e := Event{Table: table, Revision: revision, Kind: Update}
	if old != nil {
		e.Old = any(old).(Row)
	} else {
		e.Kind = Insert
	}
	if now != nil {
		e.New = any(now).(Row)
	} else {
		e.Kind = Delete
	}
	return e
}
