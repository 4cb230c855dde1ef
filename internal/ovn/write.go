package ovn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// ErrStale means that the mirror does not follow the database now, so that nothing may be written by what it says.
var ErrStale = errors.New("the mirror does not follow the database")

// Write changes columns of one port, provided that the port is still as it was read. Only columns of which Kube-OVN
// does not notice a change can be written.
type Write struct {
	// Port is the row as it was read. Its name, its type and every column that is written must still be the same.
	Port *Port
	// PortSecurity and Addresses are what the columns shall hold; nil leaves a column as it is.
	PortSecurity *[]string
	Addresses    *[]string
	// ExternalIDs is what that column shall hold as a whole; nil leaves it as it is.
	ExternalIDs *map[string]string
	// Guard names further columns that must still be as they were read, such as external_ids.
	Guard []string
}

// Result tells what became of a Write.
type Result uint8

// The results of a Write.
const (
	// Written: the database holds the new values, and so does the mirror.
	Written Result = iota + 1
	// Conflict: the row is not as it was read, or gone, and nothing was written. It may even hold the new values, where
	// somebody else wrote the same. Read it again and decide again.
	Conflict
	// Failed: the database refused, or was never asked; nothing was written.
	Failed
	// Unknown: the connection was lost before the answer came. Whether the new values were written shows when the
	// mirror is synced again.
	Unknown
)

// String returns the result in lower case.
func (r Result) String() string {
	switch r {
	case Written:
		return "written"
	case Conflict:
		return "conflict"
	case Failed:
		return "failed"
	case Unknown:
		return "unknown"
	}
	return "none"
}

// Outcome is the result of one Write. Err says why it is not Written.
type Outcome struct {
	Result Result
	Err    error
}

// writeBatch is how many rows go into one transaction.
const writeBatch = 100

var (
	errGone    = errors.New("the port is gone")
	errChanged = errors.New("the port is not as it was read")
)

// Write makes some changes, each on its own terms: one that conflicts does not keep the others from being written. It
// returns an outcome for each. The error wraps ErrStale where the mirror is not synced, and is otherwise about a Write
// that makes no sense; nothing was tried then.
func (m *Mirror) Write(ctx context.Context, writes ...Write) ([]Outcome, error) {
	if err := checkWrites(writes); err != nil {
		return nil, err
	}
	m.mu.Lock()
	s, state := m.session, m.state
	m.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("%w: %s since %s: %w", ErrStale, state.Phase, state.Since.Format("15:04:05"), state.Err)
	}
	outcomes := make([]Outcome, len(writes))
	var todo []int
	now := m.Snapshot()
	for i, w := range writes {
		if err := w.conflict(now); err != nil {
			outcomes[i] = Outcome{Conflict, err}
			continue
		}
		todo = append(todo, i)
	}
	for batch := range slices.Chunk(todo, writeBatch) {
		// A transaction is all or nothing, so whoever spoils it is left out and the rest goes again.
		for len(batch) > 0 {
			batch = s.write(ctx, writes, batch, outcomes)
		}
	}
	return outcomes, nil
}

// write sends one transaction for the writes that batch lists. It notes outcomes and returns the writes that are to be
// tried again.
func (s *session) write(ctx context.Context, writes []Write, batch []int, outcomes []Outcome) (again []int) {
	var operations []ovsdb.Operation
	for _, i := range batch {
		operations = append(operations, writes[i].operations()...)
	}
	var results []ovsdb.OperationResult
	args := ovsdb.NewTransactArgs(string(s.mirror.config.Database), operations...)
	err := s.conn.ask(ctx, "transact", args, func(result []byte) error {
		if err := json.Unmarshal(result, &results); err != nil {
			return fmt.Errorf("the result of a transaction cannot be read: %w", err)
		}
		return nil
	})
	all := Outcome{Written, nil}
	_, refused := errors.AsType[*serverError](err)
	switch {
	case err == nil && len(results) < len(operations):
		all = Outcome{Unknown, fmt.Errorf("%d results for %d operations", len(results), len(operations))}
	case err == nil:
		errs, failure := ovsdb.CheckOperationResults(results, operations)
		if failure == nil {
			break
		}
		if len(errs) > 0 {
			return spoiled(batch, results, errs[0], outcomes)
		}
		all = Outcome{Failed, failure}
	case refused, errors.Is(err, errNotSent):
		all = Outcome{Failed, err}
	default:
		all = Outcome{Unknown, err}
	}
	for _, i := range batch {
		outcomes[i] = all
	}
	return nil
}

// operationsPerWrite is how many operations a Write becomes: a wait and an update.
const operationsPerWrite = 2

// spoiled notes the outcome of the write whose operation failed, and returns the others.
func spoiled(batch []int, results []ovsdb.OperationResult, reason error, outcomes []Outcome) (again []int) {
	at := slices.IndexFunc(results, func(r ovsdb.OperationResult) bool { return r.Error != "" })
	spoiler := batch[at/operationsPerWrite]
	outcomes[spoiler] = Outcome{Failed, reason}
	if _, timedOut := errors.AsType[*ovsdb.TimedOut](reason); timedOut && at%operationsPerWrite == 0 {
		outcomes[spoiler] = Outcome{Conflict, errChanged}
	}
	return slices.DeleteFunc(slices.Clone(batch), func(i int) bool { return i == spoiler })
}

// checkWrites returns an error for writes that make no sense.
func checkWrites(writes []Write) error {
	seen := make(map[string]bool, len(writes))
	for i, w := range writes {
		switch {
		case w.Port == nil || w.Port.UUID == "":
			return fmt.Errorf("write %d: Port is not set", i)
		case w.PortSecurity == nil && w.Addresses == nil && w.ExternalIDs == nil:
			return fmt.Errorf(
				"write %d: port %s: neither PortSecurity nor Addresses nor ExternalIDs is set",
				i,
				w.Port.Name,
			)
		case seen[w.Port.UUID]:
			return fmt.Errorf("write %d: port %s is written twice", i, w.Port.Name)
		}
		seen[w.Port.UUID] = true
		for _, name := range w.Guard {
			if !Northbound.table(TablePort).reads(name) {
				return fmt.Errorf("write %d: Guard: table %s: column %q is not read", i, TablePort, name)
			}
		}
	}
	return nil
}

// guarded returns the columns that must be as they were read.
func (w Write) guarded() (columns []column[Port]) {
	for _, c := range portColumns {
		if c.name == "name" || c.name == "type" || slices.Contains(w.Guard, c.name) ||
			c.name == "port_security" &&
				w.PortSecurity != nil || c.name == "addresses" && w.Addresses != nil || c.name == "external_ids" &&
			w.ExternalIDs != nil {
			columns = append(columns, c)
		}
	}
	return columns
}

// conflict returns what the newest snapshot says against the write; nil where nothing.
func (w Write) conflict(now *Snapshot) error {
	p := now.Ports().Get(w.Port.UUID)
	if p == nil {
		return errGone
	}
	for _, c := range w.guarded() {
		if !equalField(c.field(p), c.field(w.Port)) {
			return fmt.Errorf("%w: %s changed", errChanged, c.name)
		}
	}
	return nil
}

// operations returns the operations of the write: wait that the row is as it was read, then write.
func (w Write) operations() []ovsdb.Operation {
	where := []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: w.Port.UUID})}
	expected, written, timeout := ovsdb.Row{}, ovsdb.Row{}, 0
	var columns []string
	for _, c := range w.guarded() {
		columns = append(columns, c.name)
		expected[c.name] = notation(c.field(w.Port), c.orNone)
	}
	if w.PortSecurity != nil {
		written["port_security"] = notation(w.PortSecurity, false)
	}
	if w.Addresses != nil {
		written["addresses"] = notation(w.Addresses, false)
	}
	if w.ExternalIDs != nil {
		written["external_ids"] = notation(w.ExternalIDs, false)
	}
	return []ovsdb.Operation{
		{
			Op: ovsdb.OperationWait, Table: string(TablePort), Where: where, Columns: columns,
			Until: string(ovsdb.WaitConditionEqual), Rows: []ovsdb.Row{expected}, Timeout: &timeout,
		},
		{Op: ovsdb.OperationUpdate, Table: string(TablePort), Where: where, Row: written},
	}
}

// notation returns a port's column as OVSDB writes it. With orNone an empty string is one that is absent.
func notation(field any, orNone bool) any {
	set := ovsdb.OvsSet{GoSet: []any{}}
	switch f := field.(type) {
	case *string:
		if !orNone || *f != "" {
			return *f
		}
	case *[]string:
		for _, v := range *f {
			set.GoSet = append(set.GoSet, v)
		}
	case *map[string]string:
		m := ovsdb.OvsMap{GoMap: make(map[any]any, len(*f))}
		for k, v := range *f {
			m.GoMap[k] = v
		}
		return m
	case **bool:
		if *f != nil {
			set.GoSet = append(set.GoSet, **f)
		}
	case **int:
		if *f != nil {
			set.GoSet = append(set.GoSet, **f)
		}
	}
	return set
}
