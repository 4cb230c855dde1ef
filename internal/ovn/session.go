package ovn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// session follows the database over one connection.
type session struct {
	mirror   *Mirror
	endpoint string
	conn     *conn
	server   server
	// followed is set once the database was read, so that changes of it make sense.
	followed atomic.Bool
}

// Names that the server's notifications have for their subject.
const (
	dataMonitor   = "ovnguard-data"
	serverMonitor = "ovnguard-server"
)

// noTransaction asks for everything.
const noTransaction = "00000000-0000-0000-0000-000000000000"

// firstReading is how long the server may be silent while it puts everything together.
const firstReading = time.Minute

// follow makes one connection and follows the database over it until that ends. It says whether the database was read.
func (m *Mirror) follow(ctx context.Context, endpoint string) (synced bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := m.dial(dialing, endpoint)
	if err != nil {
		return false, err
	}
	s := &session{
		mirror:   m,
		endpoint: endpoint,
		server:   server{database: m.config.Database, leaderOnly: len(m.endpoints) > 1},
	}
	s.conn = newConn(c, s.notification)
	defer func() { s.conn.close(err) }()
	if err := s.watchServer(dialing); err != nil {
		return false, err
	}
	if err := s.readSchema(dialing); err != nil {
		return false, err
	}
	if err := s.readAll(ctx); err != nil {
		return false, err
	}
	m.progress.reach(s.server.position())
	m.synced(s)
	m.config.Log.Info(
		"the database is followed",
		"database",
		m.config.Database,
		"endpoint",
		endpoint,
		"revision",
		m.Snapshot().Revision,
	)
	return true, s.watch(ctx, m.config.Probe)
}

func (m *Mirror) dial(ctx context.Context, endpoint string) (net.Conn, error) {
	kind, address, _ := strings.Cut(endpoint, ":")
	var c net.Conn
	var err error
	switch kind {
	case "unix":
		c, err = new(net.Dialer).DialContext(ctx, "unix", address)
	case "tcp":
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	default:
		var config *tls.Config
		if config, err = m.config.TLS.clientConfig(); err == nil {
			c, err = (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

// watchServer asks the server to say what it is, and to tell when that changes.
func (s *session) watchServer(ctx context.Context) error {
	requests := map[string]ovsdb.MonitorRequest{serverTable: {Columns: serverColumns}}
	err := s.conn.ask(ctx, "monitor_cond", []any{serverDatabase, serverMonitor, requests}, s.server.take)
	if err != nil {
		return err
	}
	return s.server.usable(&s.mirror.progress)
}

// readSchema reads the schema and compares it with what is to be read.
func (s *session) readSchema(ctx context.Context) error {
	var schema *ovsdb.DatabaseSchema
	st := s.mirror.store
	err := s.conn.ask(
		ctx,
		"get_schema",
		ovsdb.NewGetSchemaArgs(string(s.mirror.config.Database)),
		func(result []byte) (err error) {
			schema, err = parseSchema(result)
			return err
		},
	)
	if _, refused := errors.AsType[*serverError](err); refused {
		return fmt.Errorf("the server does not have database %s: %w", s.mirror.config.Database, err)
	}
	if err != nil {
		return err
	}
	return st.setSchema(schema)
}

// readAll has the server send what is in the database, or what changed since the last connection where it still knows,
// and then every change.
func (s *session) readAll(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st := s.mirror.store
	requests := make(map[string]ovsdb.MonitorRequest)
	for name, l := range st.layouts {
		request := ovsdb.MonitorRequest{Columns: l.columns}
		if only := s.mirror.config.Only[name]; len(only) > 0 {
			value, err := ovsdb.NewOvsMap(only)
			if err != nil {
				return fmt.Errorf("ask for some rows of %s: %w", name, err)
			}
			request.Where = []ovsdb.Condition{ovsdb.NewCondition("external_ids", ovsdb.ConditionIncludes, value)}
		}
		requests[string(name)] = request
	}
	since := st.since()
	var answer error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		args := ovsdb.NewMonitorCondSinceArgs(string(s.mirror.config.Database), dataMonitor, requests, since)
		answer = s.conn.ask(ctx, "monitor_cond_since", args, s.takeAll)
	}()
	err := s.alive(ctx, firstReading, answered)
	if err == nil {
		return answer
	}
	s.conn.fail(err)
	cancel()
	<-answered
	return err
}

// takeAll takes the reply to the request of readAll: [found, transaction, tables].
func (s *session) takeAll(result []byte) error {
	var found bool
	var transaction string
	sc := &scan{data: result}
	sc.take('[')
	found = sc.boolean()
	sc.take(',')
	transaction = string(sc.bytes())
	sc.take(',')
	tables := sc.skip()
	sc.take(']')
	if sc.err != nil {
		return sc.err
	}
	s.followed.Store(true)
	return s.take(tables, !found, transaction)
}

// take takes over what the server sent.
func (s *session) take(tables []byte, whole bool, transaction string) error {
	st := s.mirror.store
	taken := false
	defer func() {
		if !taken { // by an error or a panic: only reading everything again can help
			st.forget()
		}
	}()
	events, err := st.apply(tables, whole, transaction)
	if err != nil {
		return err
	}
	taken = true
	s.mirror.publish(events, whole)
	return nil
}

// notification takes what the server says without being asked.
func (s *session) notification(method string, params []byte) error {
	sc := &scan{data: params}
	var monitor, transaction string
	sc.take('[')
	monitor = string(sc.bytes())
	sc.take(',')
	if method == "update3" {
		transaction = string(sc.bytes())
		sc.take(',')
	}
	tables := sc.skip()
	sc.take(']')
	if sc.err != nil {
		return fmt.Errorf("%s: %w", method, sc.err)
	}
	switch {
	case method == "update3" && monitor == dataMonitor && s.followed.Load():
		return s.take(tables, false, transaction)
	case method == "update2" && monitor == serverMonitor:
		if err := s.server.take(tables); err != nil {
			return err
		}
		if s.followed.Load() {
			s.mirror.progress.reach(s.server.position())
		}
		return s.server.usable(nil)
	}
	return fmt.Errorf("%s of %q, which was not asked for: %w", method, monitor, errJSON)
}

// watch waits until the connection ends, and sees to it that it does when the server is silent.
func (s *session) watch(ctx context.Context, probe time.Duration) error {
	return s.alive(ctx, probe, nil)
}

// alive returns nil when until is closed, and an error when ctx ends, the connection ends or the server is silent for
// longer than patience and does not answer a probe in as long again.
func (s *session) alive(ctx context.Context, patience time.Duration, until chan struct{}) error {
	probe := min(patience, s.mirror.config.Probe)
	tick := time.NewTicker(max(probe/4, time.Millisecond))
	defer tick.Stop()
	var asked time.Time
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan error, 1)
	for {
		select {
		case <-until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-s.conn.done:
			return s.conn.err()
		case err := <-answered:
			if err != nil {
				return err
			}
			asked = time.Time{}
		case <-tick.C:
			silent, mute := s.conn.silent(), s.conn.mute()
			switch {
			case asked.IsZero() && mute > probe:
				asked = time.Now()
				go func() {
					answered <- s.conn.ask(probing, "echo", ovsdb.NewEchoArgs(), func([]byte) error { return nil })
				}()
			case !asked.IsZero() && time.Since(asked) > patience && silent > patience:
				return fmt.Errorf("%w for %s", errSilent, silent.Round(time.Millisecond))
			case !asked.IsZero() && until == nil && mute > messageProbes*probe:
				// Where the beginning or end of a string was garbled, all that follows looks like one message without
				// end.
				return fmt.Errorf("%w for %s", errMute, mute.Round(time.Millisecond))
			}
		}
	}
}

var (
	errSilent = errors.New("the server was silent")
	errMute   = errors.New("the server sent nothing that is whole")
)

// messageProbes is how long the server may take for one message of changes, in times of Config.Probe.
const messageProbes = 12

// setSchema takes over the schema of the database that is about to be read.
func (st *store) setSchema(schema *ovsdb.DatabaseSchema) error {
	layouts := make(map[Table]layout, len(st.tables))
	for _, def := range st.tables {
		l, err := def.layout(schema)
		if err != nil {
			return err
		}
		layouts[def.name()] = l
	}
	if st.layouts != nil && schema.Version != st.snapshot.Schema {
		st.forget() // other columns may be known now
	}
	next := *st.snapshot
	next.Schema = schema.Version
	st.layouts, st.snapshot = layouts, &next
	return nil
}

// since returns the transaction up to which everything is known.
func (st *store) since() string {
	if st.snapshot.Transaction == "" {
		return noTransaction
	}
	return st.snapshot.Transaction
}

// forget makes the next reading one of everything.
func (st *store) forget() {
	next := *st.snapshot
	next.Transaction = ""
	st.snapshot = &next
}
