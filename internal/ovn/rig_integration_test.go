//go:build integration

package ovn

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"

	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settleTime is the longest time for any state to be reached.
const settleTime = 30 * time.Second

// nb is a real ovsdb-server with a Northbound database.
type nb struct {
	*ovsdbserver.Server
	t *testing.T
}

// tempDir returns a directory with a name short enough for sockets.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newNB(t *testing.T) *nb {
	t.Helper()
	s, err := ovsdbserver.Create(t.Context(), tempDir(t), "nb", ovsdbserver.NorthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	n := &nb{s, t}
	n.start()
	return n
}

func (n *nb) start() {
	n.t.Helper()
	if err := n.Start(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(n.Kill)
}

func (n *nb) nbctl(args ...string) string {
	n.t.Helper()
	out, err := ovsdbserver.Tool(n.t.Context(), "ovn-nbctl", append([]string{"--db=" + n.Endpoint()}, args...)...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// dump returns the server's rows, as its own tool prints them.
func dump(t *testing.T, s *ovsdbserver.Server, of Database) *dbfile.Database {
	t.Helper()
	data, err := s.Dump(t.Context(), string(of))
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbfile.Read(string(data))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// follower is a running mirror with a reader that rebuilds the state from its events.
type follower struct {
	*Mirror
	t        *testing.T
	sub      *Subscription
	replayed map[string]Row
	state    *Snapshot
	last     Revision
	seen     []Event
}

// follow starts a mirror and waits until it is synced.
func follow(t *testing.T, config Config) *follower {
	t.Helper()
	f := start(t, config)
	ctx, cancel := context.WithTimeout(t.Context(), settleTime)
	defer cancel()
	if err := f.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	return f
}

func start(t *testing.T, config Config) *follower {
	t.Helper()
	if config.Log.GetSink() == nil {
		config.Log = logr.Discard()
	}
	m, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{Mirror: m, t: t, sub: m.Subscribe(), replayed: make(map[string]Row), state: m.Snapshot()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		f.sub.Close()
	})
	return f
}

// read takes events and replays them. Each must fit the state before it, and revisions must never go back.
func (f *follower) read(wait time.Duration) bool {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), wait)
	defer cancel()
	events, state, err := f.sub.Next(ctx)
	if err != nil {
		return false
	}
	for _, e := range events {
		if e.Revision < f.last {
			f.t.Fatalf("revision %d comes after %d", e.Revision, f.last)
		}
		f.last = e.Revision
		f.replay(e)
	}
	if state.Revision < f.last {
		f.t.Fatalf("the state has revision %d, its events go to %d", state.Revision, f.last)
	}
	f.seen = append(f.seen, events...)
	f.state = state
	return true
}

func (f *follower) replay(e Event) {
	f.t.Helper()
	if e.Kind == Resynchronised {
		return
	}
	row := e.New
	if row == nil {
		row = e.Old
	}
	key := string(e.Table) + " " + row.RowUUID()
	have := f.replayed[key]
	switch {
	case e.Kind == Insert && have != nil:
		f.t.Fatalf("%s is new, but was there", key)
	case e.Kind != Insert && have != e.Old:
		f.t.Fatalf("%s: %s of %+v, but it was %+v", key, e.Kind, e.Old, have)
	case e.Kind == Update && e.New == nil, e.Kind == Delete && e.New != nil, e.Kind == Insert && e.New == nil:
		f.t.Fatalf("%s: an event that says nothing: %+v", key, e)
	}
	if e.Kind == Delete {
		delete(f.replayed, key)
		return
	}
	f.replayed[key] = row
}

// settle waits until the snapshot and the replayed events both have the server's rows.
func (f *follower) settle(s *ovsdbserver.Server) {
	f.t.Helper()
	deadline := time.Now().Add(settleTime)
	for {
		truth := dump(f.t, s, f.config.Database)
		for f.read(20 * time.Millisecond) {
		}
		now := f.Snapshot()
		want := describeFile(truth, f.config.Database, f.config.Tables, now)
		wrong := differing(describeSnapshot(now, f.config.Tables), want)
		if wrong == "" && f.State().Synced() {
			for f.read(20 * time.Millisecond) { // the events since then, which led to now
			}
			f.checkReplay(want)
			checkIndexes(f.t, now)
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the mirror is not what the server holds (state %+v):\n%s", f.State(), wrong)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (f *follower) checkReplay(want described) {
	f.t.Helper()
	got := described{}
	for key, row := range f.replayed {
		for _, t := range f.config.Tables {
			def := f.config.Database.table(t).(describer)
			if key == string(t)+" "+row.RowUUID() {
				got[key] = def.describeRow(row)
			}
		}
	}
	if wrong := differing(got, want); wrong != "" {
		f.t.Fatalf("replayed events do not give what the server holds:\n%s", wrong)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(settleTime)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("this did not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
