package ovn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// Config says which Northbound database to follow.
type Config struct {
	// Endpoints is a comma list, see ParseEndpoints.
	Endpoints string
	// TLS is needed for ssl: endpoints.
	TLS TLSFiles
	Log logr.Logger
}

// State says what the mirror knows.
type State struct {
	// Synced tells that the mirror follows the database now.
	Synced bool
	// Since is when that became so, or when it ended; zero where it never was.
	Since time.Time
	// Err says why the mirror does not follow the database; nil while it does or before the first attempt.
	Err error
}

// Change is one change of one port. Old is nil for a new port, New for one that is gone.
type Change struct {
	Old *Port
	New *Port
}

// Mirror follows the ports of a Northbound database. What it hands out is never changed afterwards.
type Mirror struct {
	config    Config
	endpoints []string

	mu       sync.Mutex
	ports    map[string]*Port // by UUID
	version  string
	state    State
	changes  []Change
	signal   chan struct{}
	firstEnd chan struct{}
	first    bool
}

// How long to wait between attempts to connect, and to see whether a silent server is still there.
const (
	backoffMin   = 100 * time.Millisecond
	backoffMax   = 3 * time.Second
	dialTimeout  = 5 * time.Second
	probeEvery   = 5 * time.Second
	probeTimeout = 5 * time.Second
)

// Open gives a mirror of the database that config names. It connects when Run is called.
func Open(config Config) (*Mirror, error) {
	endpoints, err := ParseEndpoints(config.Endpoints)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(endpoints, isTLS) {
		if _, err := config.TLS.clientConfig(); err != nil {
			return nil, err
		}
	}
	return &Mirror{
		config: config, endpoints: endpoints,
		ports: make(map[string]*Port), signal: make(chan struct{}, 1), firstEnd: make(chan struct{}),
	}, nil
}

// Run follows the database until ctx ends. It connects again whenever the connection is lost and never gives up; what
// changed meanwhile then comes as ordinary changes.
func (m *Mirror) Run(ctx context.Context) {
	pause := backoffMin
	for ctx.Err() == nil {
		synced, err := m.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		m.lost(err)
		if synced {
			pause = backoffMin
		}
		m.config.Log.Info("the Northbound database is not followed; trying again", "reason", err.Error(), "in", pause.String())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter needs no secret randomness
		}
		pause = min(2*pause, backoffMax)
	}
}

// WaitSynced waits until the mirror has read the database once, or ctx ends. The error then says why it has not.
func (m *Mirror) WaitSynced(ctx context.Context) error {
	select {
	case <-m.firstEnd:
		return nil
	case <-ctx.Done():
		if s := m.State(); s.Err != nil {
			return s.Err
		}
		return fmt.Errorf("no answer from %s: %w", m.config.Endpoints, ctx.Err())
	}
}

// State says what the mirror knows.
func (m *Mirror) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Ports gives all ports as they are now, in no order.
func (m *Mirror) Ports() []*Port {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.ports))
}

// Version gives the release of the ovn-northd that works on the database, such as "23.03.1"; empty where it says nothing.
func (m *Mirror) Version() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.version
}

// Changes waits for changes and gives all that have come since the last call, in order. Nothing is lost, however late the
// caller comes: what it has not taken is kept. The first call gives every port as a new one.
func (m *Mirror) Changes(ctx context.Context) ([]Change, error) {
	for {
		if changes := m.Take(); len(changes) > 0 {
			return changes, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-m.signal:
		}
	}
}

// Take gives the changes that have come since the last call, without waiting for any.
func (m *Mirror) Take() []Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	changes := m.changes
	m.changes = nil
	return changes
}

// replace makes ports the whole truth; what is different from before becomes changes.
func (m *Mirror) replace(ports map[string]*Port, version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version = version
	for uuid := range m.ports {
		if ports[uuid] == nil {
			m.put(uuid, nil)
		}
	}
	for uuid, p := range ports {
		m.put(uuid, p)
	}
	m.state = State{Synced: true, Since: time.Now()}
	if !m.first {
		m.first = true
		close(m.firstEnd)
	}
}

// update takes over one port, or its end.
func (m *Mirror) update(uuid string, p *Port) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(uuid, p)
}

func (m *Mirror) put(uuid string, p *Port) {
	old := m.ports[uuid]
	switch {
	case old == nil && p == nil, old != nil && p != nil && old.same(p):
		return
	case p == nil:
		delete(m.ports, uuid)
	default:
		m.ports[uuid] = p
	}
	m.changes = append(m.changes, Change{Old: old, New: p})
	select {
	case m.signal <- struct{}{}:
	default: // the reader has a signal waiting and will take this change with it
	}
}

func (m *Mirror) setVersion(version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version = version
}

func (m *Mirror) lost(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state.Synced {
		m.state = State{Since: time.Now()}
	}
	m.state.Err = err
}

var errConnectionLost = errors.New("the connection was lost")
