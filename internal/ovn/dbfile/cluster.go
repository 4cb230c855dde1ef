package dbfile

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNotJoined means that the file is that of a server which was told to join a cluster and has not: it holds no
// database.
var ErrNotJoined = errors.New("its server has not joined the cluster yet")

// Cluster is what the file of one server says of its cluster.
type Cluster struct {
	ClusterID    string
	ServerID     string
	LocalAddress string
	// Servers returns the addresses of the members by server ID, as the newest entry that changed them says.
	Servers map[string]string
	// Term is the newest that the server knew of.
	Term uint64
	// SnapshotIndex is the last log entry that is contained in the file's snapshot.
	SnapshotIndex uint64
	// CommitIndex is the last entry that the file's server knew to be agreed on. The rows are those after it.
	CommitIndex uint64
	// LastIndex is the last entry in the log. Those behind CommitIndex may have been agreed on or not: a single server
	// cannot know. They are not in the rows.
	LastIndex uint64
	// Left means that the server has left the cluster, so that the file grows old.
	Left bool
}

// Uncommitted counts the entries that are in the log and not in the rows.
func (c *Cluster) Uncommitted() uint64 { return c.LastIndex - c.CommitIndex }

// raftLog reads the records of a clustered file.
type raftLog struct {
	db *Database
	// pending are the entries behind the commit index, the first of them next to it.
	pending []raftEntry
	// lastTerm is the term of the last entry or of the snapshot.
	lastTerm uint64
}

type raftEntry struct {
	record, offset int
	term           uint64
	data           string
}

// raftJSON has the members of every kind of record, ovsdb(5). A member that is absent is nil or zero.
type raftJSON struct {
	ServerID     string            `json:"server_id"`
	LocalAddress string            `json:"local_address"`
	ClusterID    string            `json:"cluster_id"`
	Name         string            `json:"name"`
	Remotes      []string          `json:"remote_addresses"`
	PrevServers  map[string]string `json:"prev_servers"`
	PrevTerm     *counter          `json:"prev_term"`
	PrevIndex    *counter          `json:"prev_index"`

	Term        *counter          `json:"term"`
	Index       *counter          `json:"index"`
	Servers     map[string]string `json:"servers"`
	Vote        string            `json:"vote"`
	Leader      string            `json:"leader"`
	CommitIndex *counter          `json:"commit_index"`
	Note        string            `json:"note"`
}

// counter is a 64-bit number without sign, which the files write as one with.
type counter uint64

// UnmarshalJSON implements json.Unmarshaler.
func (c *counter) UnmarshalJSON(data []byte) error {
	var n int64
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	*c = counter(n)
	return nil
}

// parseRaft reads a record. The data may be nearly all of the file, so it is only cut out.
func parseRaft(text, dataMember string) (members raftJSON, data string, err error) {
	s := &scanner{text: text}
	small := []byte{'{'}
	err = s.object(func(name string) error {
		value, err := s.skip()
		if err != nil {
			return err
		}
		if name == dataMember {
			data = value
			return nil
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return s.fail("member %q: %v", beginning(name), err)
		}
		if len(small) > 1 {
			small = append(small, ',')
		}
		small = append(append(append(small, quoted...), ':'), value...)
		return nil
	})
	if err != nil {
		return members, "", err
	}
	if err := s.end(); err != nil {
		return members, "", err
	}
	if err := json.Unmarshal(append(small, '}'), &members); err != nil {
		return members, "", fmt.Errorf("%w: %w", ErrContent, err)
	}
	return members, data, nil
}

// header reads the first record: who the server is, and a snapshot.
func (l *raftLog) header(text string) error {
	m, data, err := parseRaft(text, "prev_data")
	switch {
	case err != nil:
		return err
	case m.Remotes != nil:
		return fmt.Errorf("%w: database %s, server %s", ErrNotJoined, m.Name, m.ServerID)
	case m.PrevIndex == nil || m.PrevTerm == nil || data == "":
		return fmt.Errorf("%w: it has no snapshot (prev_index, prev_term, prev_data)", ErrContent)
	}
	l.lastTerm = uint64(*m.PrevTerm)
	index := uint64(*m.PrevIndex)
	l.db.Cluster = &Cluster{
		ClusterID: m.ClusterID, ServerID: m.ServerID, LocalAddress: m.LocalAddress, Servers: m.PrevServers,
		Term: l.lastTerm, SnapshotIndex: index, CommitIndex: index, LastIndex: index,
	}
	if err := l.apply(data); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if l.db.Name == "" {
		return fmt.Errorf("%w: the snapshot has no schema", ErrContent)
	}
	return nil
}

// record reads any further record.
func (l *raftLog) record(r record) error {
	m, data, err := parseRaft(r.body, "data")
	if err != nil {
		return err
	}
	c := l.db.Cluster
	if m.Term != nil {
		// A leader passes on entries of earlier terms, so this may be lower than before.
		c.Term = max(c.Term, uint64(*m.Term))
	}
	switch {
	case m.Index != nil:
		return l.entry(m, raftEntry{record: l.db.Records, offset: r.offset, data: data})
	case m.CommitIndex != nil:
		return l.commit(uint64(*m.CommitIndex))
	case m.Note == "left":
		c.Left = true
	case m.Term == nil && m.Note == "":
		return fmt.Errorf("%w: a record of no known kind", ErrContent)
	}
	return nil
}

// entry takes an entry into the log. One that is there already, and all behind it, were given up for it by a new
// leader.
func (l *raftLog) entry(m raftJSON, e raftEntry) error {
	c := l.db.Cluster
	index := uint64(*m.Index)
	switch {
	case m.Term == nil:
		return fmt.Errorf("%w: entry %d has no term", ErrContent, index)
	case index <= c.CommitIndex:
		return fmt.Errorf(
			"%w: entry %d comes again, and entries up to %d are agreed on",
			ErrContent,
			index,
			c.CommitIndex,
		)
	case index > c.LastIndex+1:
		return fmt.Errorf("%w: entry %d follows on entry %d", ErrContent, index, c.LastIndex)
	}
	e.term = uint64(*m.Term)
	l.pending = l.pending[:index-c.CommitIndex-1]
	before := l.lastTerm
	if n := len(l.pending); n > 0 {
		before = l.pending[n-1].term
	}
	if e.term < before {
		return fmt.Errorf(
			"%w: entry %d is of term %d, and the one before it of term %d",
			ErrContent,
			index,
			e.term,
			before,
		)
	}
	l.pending = append(l.pending, e)
	c.LastIndex = index
	if m.Servers != nil {
		c.Servers = m.Servers
	}
	return nil
}

// commit applies the entries up to an index.
func (l *raftLog) commit(index uint64) error {
	c := l.db.Cluster
	if index < c.CommitIndex || index > c.LastIndex {
		return fmt.Errorf(
			"%w: entries are agreed on up to %d, and the log has those from %d to %d",
			ErrContent,
			index,
			c.CommitIndex,
			c.LastIndex,
		)
	}
	for c.CommitIndex < index {
		e := l.pending[0]
		if e.data != "" {
			if err := l.apply(e.data); err != nil {
				return &placedError{record: e.record, offset: e.offset, err: err}
			}
		}
		l.lastTerm = e.term
		l.pending = l.pending[1:]
		c.CommitIndex++
	}
	return nil
}

// apply makes what an entry or a snapshot holds part of the rows: a new schema or null, then a transaction or null.
// With both, the transaction builds on nothing. A schema alone keeps the rows, as servers since Open vSwitch 3.2 write
// it.
func (l *raftLog) apply(data string) error {
	s := &scanner{text: data}
	var parts []string
	if err := s.array(func() error {
		part, err := s.skip()
		parts = append(parts, part)
		return err
	}); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("%w: data of %d parts, want a schema and a transaction", ErrContent, len(parts))
	}
	schema, transaction := parts[0], parts[1]
	if schema == "null" && transaction == "null" {
		return nil
	}
	before := *l.db
	if schema != "null" {
		if err := l.db.setSchema(schema); err != nil {
			return err
		}
		if transaction == "null" {
			l.db.convert(before.Tables)
			return nil
		}
	}
	if l.db.Tables == nil {
		return fmt.Errorf("%w: a transaction before any schema", ErrContent)
	}
	if err := l.db.transaction(transaction); err != nil {
		l.db.Name, l.db.Version, l.db.Tables = before.Name, before.Version, before.Tables
		return err
	}
	return nil
}

// convert takes rows over into the tables of a new schema: the columns that are still there and can hold what they
// held.
func (d *Database) convert(old map[string]*Table) {
	for name, t := range d.Tables {
		from := old[name]
		if from == nil || t.skipped {
			continue
		}
		for uuid, row := range from.Rows {
			kept := &Row{UUID: uuid, table: t}
			for _, c := range row.cells {
				c = c.settled()
				column := t.Columns[c.column.Name]
				if column != nil && column.Key == c.column.Key && column.Value == c.column.Value &&
					column.holds(len(c.value.Keys)) {
					kept.cells = append(kept.cells, cell{column: column, value: c.value})
				}
			}
			t.Rows[uuid] = kept
		}
	}
}
