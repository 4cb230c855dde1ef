package ovn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// Config says which database to follow.
type Config struct {
	// Endpoints is a comma list, see ParseEndpoints. Where it names several, only the leader of the cluster is
	// followed.
	Endpoints string
	// TLS is needed for ssl: endpoints. The files are read again for each connection.
	TLS TLSFiles
	// Patient has files of TLS that cannot be used tried again with each connection, instead of an error of Open.
	Patient bool
	// Database is the one to follow; empty means Northbound.
	Database Database
	// Tables are those to follow; none means ports, switches and NB_Global, or Port_Binding, Chassis and SB_Global.
	Tables []Table
	// Only are tables in which only the rows with all of these keys and values in external_ids are followed.
	Only map[Table]map[string]string
	// Probe is how long the server may be silent before it is asked whether it is still there, and how long it then has
	// for an answer; zero means five seconds.
	Probe time.Duration
	Log   logr.Logger
}

// defaultTables are followed where Config names none.
var defaultTables = map[Database][]Table{
	Northbound: {TablePort, TableSwitch, TableNBGlobal},
	Southbound: {TablePortBinding, TableChassis, TableSBGlobal},
}

// Mirror follows a database. Its methods may be called from any goroutine.
type Mirror struct {
	config    Config
	endpoints []string
	store     *store // belongs to the goroutine that reads the connection
	running   atomic.Bool
	progress  progress

	snapshot atomic.Pointer[Snapshot]

	mu            sync.Mutex
	state         State
	session       *session // nil where there is no connection that follows the database
	subscriptions map[*Subscription]struct{}
	firstSync     chan struct{}
}

// How long to wait between attempts to connect, and for one attempt.
const (
	backoffMin   = 100 * time.Millisecond
	backoffMax   = 3 * time.Second
	dialTimeout  = 5 * time.Second
	probeDefault = 5 * time.Second
)

// Open returns a mirror of the database that config names. It connects when Run is called.
func Open(config Config) (*Mirror, error) {
	endpoints, err := ParseEndpoints(config.Endpoints)
	if err != nil {
		return nil, err
	}
	if !config.Patient && slices.ContainsFunc(endpoints, isTLS) {
		if _, err := config.TLS.clientConfig(); err != nil {
			return nil, err
		}
	}
	if config.Database == "" {
		config.Database = Northbound
	}
	if databaseTables[config.Database] == nil {
		return nil, fmt.Errorf("database %q cannot be followed: want %s or %s", config.Database, Northbound, Southbound)
	}
	if len(config.Tables) == 0 {
		config.Tables = defaultTables[config.Database]
	}
	if config.Probe <= 0 {
		config.Probe = probeDefault
	}
	store, err := newStore(config.Database, config.Tables)
	if err != nil {
		return nil, err
	}
	m := &Mirror{
		config: config, endpoints: endpoints, store: store, state: State{Phase: Disconnected},
		subscriptions: make(map[*Subscription]struct{}), firstSync: make(chan struct{}),
	}
	m.snapshot.Store(store.snapshot)
	return m, nil
}

// Run follows the database until ctx ends. It connects again whenever the connection is lost and never gives up. When
// it returns, nothing of it runs any more.
func (m *Mirror) Run(ctx context.Context) {
	if m.running.Swap(true) {
		panic("ovn: Mirror.Run is called twice")
	}
	pause := backoffMin
	for {
		synced, err := m.attempt(ctx)
		m.lost(err)
		if ctx.Err() != nil {
			return
		}
		if synced {
			pause = backoffMin
		}
		m.config.Log.Info(
			"the database is not followed; trying again",
			"database",
			m.config.Database,
			"reason",
			err.Error(),
			"in",
			pause.String(),
		)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter needs no secret randomness
		}
		pause = min(2*pause, backoffMax)
	}
}

// attempt tries each endpoint once, and follows the database at the first that can be followed until that ends.
// Endpoints that failed go to the end of the list.
func (m *Mirror) attempt(ctx context.Context) (synced bool, err error) {
	m.mu.Lock()
	m.state = m.state.connecting(time.Now())
	m.mu.Unlock()
	var errs []error
	for range len(m.endpoints) {
		endpoint := m.endpoints[0]
		synced, err := m.follow(ctx, endpoint)
		err = fmt.Errorf("%s: %w", endpoint, err)
		if synced && !errors.Is(err, errNotLeader) {
			return true, err // it may well come back, so it is tried first again
		}
		m.endpoints = append(m.endpoints[1:], endpoint)
		if synced || ctx.Err() != nil {
			return synced, err
		}
		errs = append(errs, err)
	}
	return false, errors.Join(errs...)
}

// WaitSynced waits until the mirror has read the database once, or ctx ends. The error then says why it has not.
func (m *Mirror) WaitSynced(ctx context.Context) error {
	select {
	case <-m.firstSync:
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
	s := m.state
	s.Revision = m.Snapshot().Revision
	return s
}

// Snapshot returns the newest state that was read. It is empty, with revision 0, before the first.
func (m *Mirror) Snapshot() *Snapshot { return m.snapshot.Load() }

// publish makes the store's snapshot the newest, and tells all subscriptions.
func (m *Mirror) publish(events []Event, resynchronised bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := m.store.snapshot
	m.snapshot.Store(state)
	for s := range m.subscriptions {
		s.add(events, state, resynchronised)
	}
}

// synced takes a session as the one that follows the database.
func (m *Mirror) synced(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = s
	m.state = m.state.connected(time.Now(), s.endpoint)
	select {
	case <-m.firstSync:
	default:
		close(m.firstSync)
	}
}

func (m *Mirror) lost(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = nil
	m.state = m.state.lost(time.Now(), err)
}
