package ovn

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// The database in which a server says what it is (ovsdb-server(5)).
const (
	serverDatabase = "_Server"
	serverTable    = "Database"
)

var serverColumns = []string{"name", "model", "leader", "connected", "cid", "index"}

// Reasons not to follow a server.
var (
	errNotLeader    = errors.New("the server is not the leader of its cluster")
	errNoCluster    = errors.New("the server has lost its cluster")
	errServerBehind = errors.New("the server is behind what was seen already")
	errNoDatabase   = errors.New("the server does not serve the database")
)

// server is what a server says of the database that is followed.
type server struct {
	database   Database
	leaderOnly bool

	mu   sync.Mutex
	rows map[string]*serverRow
}

// serverRow is a row of table Database: how the server has one database.
type serverRow struct {
	name      string
	model     string
	leader    bool
	connected bool
	cluster   string
	index     int
}

func (r *serverRow) field(column string) any {
	switch column {
	case "name":
		return &r.name
	case "model":
		return &r.model
	case "leader":
		return &r.leader
	case "connected":
		return &r.connected
	case "cid":
		return &r.cluster
	case "index":
		return &r.index
	}
	return nil
}

// take reads what the server says of its databases, or what changed of it.
func (v *server) take(tables []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rows == nil {
		v.rows = make(map[string]*serverRow)
	}
	s := &scan{data: tables}
	s.object(func(table []byte) {
		if string(table) != serverTable {
			s.skip()
			return
		}
		s.object(func(uuid []byte) {
			key := string(uuid)
			s.object(func(kind []byte) {
				if string(kind) == "delete" {
					delete(v.rows, key)
					s.skip()
					return
				}
				row := &serverRow{}
				if old := v.rows[key]; old != nil && string(kind) == "modify" {
					*row = *old
				}
				v.rows[key] = row
				s.object(func(column []byte) {
					if f := row.field(string(column)); f != nil {
						readValue(s, f)
						return
					}
					s.skip()
				})
			})
		})
	})
	if s.err != nil {
		return fmt.Errorf("what the server says of itself: %w", s.err)
	}
	return nil
}

func (v *server) row() *serverRow {
	for _, r := range v.rows {
		if r.name == string(v.database) {
			return r
		}
	}
	return nil
}

// position returns how far the server is in the log of its cluster; empty and 0 where it has none.
func (v *server) position() (cluster string, index int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.row(); r != nil {
		return r.cluster, r.index
	}
	return "", 0
}

// usable returns nil where the server may be followed. It must not be behind what was seen before, where that is given.
func (v *server) usable(seen *progress) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.row()
	switch {
	case r == nil:
		return fmt.Errorf("%w %s", errNoDatabase, v.database)
	case r.model != "clustered":
		return nil
	case !r.connected:
		return errNoCluster
	case v.leaderOnly && !r.leader:
		return errNotLeader
	case seen != nil:
		return seen.allows(r.cluster, r.index, time.Now())
	}
	return nil
}

// progress is how far the servers that were followed had come in the log of their cluster. A server that was cut off,
// or only just became leader, may be behind; following it would turn time back.
type progress struct {
	mu      sync.Mutex
	cluster string
	index   int
	// refused is since when servers were refused for being behind; zero where the last was not.
	refused time.Time
}

// patience is how long servers are refused for being behind. When all stay behind for longer, the cluster was put back
// to an earlier state on purpose.
const patience = 30 * time.Second

// reach notes how far a server that is followed has come.
func (p *progress) reach(cluster string, index int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cluster != p.cluster {
		p.cluster, p.index = cluster, 0
	}
	p.index, p.refused = max(p.index, index), time.Time{}
}

// allows returns nil for a server that is not behind.
func (p *progress) allows(cluster string, index int, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cluster != p.cluster || index >= p.index {
		return nil
	}
	if p.refused.IsZero() {
		p.refused = now
	}
	if now.Sub(p.refused) > patience {
		p.index = index
		return nil
	}
	return fmt.Errorf("%w: it is at %d of its log, and %d was seen", errServerBehind, index, p.index)
}
