//go:build integration

package ovn

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// cluster is a real RAFT cluster with a Northbound database.
type cluster struct {
	*ovsdbserver.Cluster
	t *testing.T
}

// newCluster starts a cluster of three servers with a switch that has three ports.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := ovsdbserver.CreateCluster(t.Context(), tempDir(t), ovsdbserver.NorthboundSchema, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	k := &cluster{c, t}
	k.nbctl("ls-add", "sw", "--", "lsp-add", "sw", "p0", "--", "lsp-add", "sw", "p1", "--", "lsp-add", "sw", "p2")
	return k
}

// nbctl runs OVN's own tool on the leader.
func (c *cluster) nbctl(args ...string) string {
	c.t.Helper()
	out, err := ovsdbserver.Tool(
		c.t.Context(),
		"ovn-nbctl",
		append([]string{"--timeout=60", "--db=" + c.leader().Endpoint()}, args...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *cluster) do(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

func (c *cluster) leader(among ...*ovsdbserver.Server) *ovsdbserver.Server {
	c.t.Helper()
	s, err := c.Leader(c.t.Context(), among...)
	c.do("find the leader", err)
	return s
}

// follow starts a mirror of all servers, and waits until it has the leader's rows.
func (c *cluster) follow() *follower {
	c.t.Helper()
	f := follow(
		c.t,
		Config{Endpoints: c.Endpoints(), Tables: allNB, Probe: 500 * time.Millisecond, Log: testr.New(c.t)},
	)
	f.settle(c.leader())
	return f
}

// settleAt waits until the mirror follows a server and has its rows.
func (f *follower) settleAt(s *ovsdbserver.Server) {
	f.t.Helper()
	begin := time.Now()
	until(
		f.t,
		"the mirror follows "+s.Endpoint(),
		func() bool { return f.State().Synced() && f.State().Endpoint == s.Endpoint() },
	)
	f.t.Logf("it followed %s after %v", filepath.Base(s.Socket()), time.Since(begin).Round(time.Millisecond))
	f.settle(s)
}

func TestClusterLeaderKilled(t *testing.T) {
	c := newCluster(t)
	f := c.follow()
	for round := range 3 {
		killed := c.leader()
		f.settleAt(killed)
		killed.Kill()
		c.nbctl(
			"lsp-add",
			"sw",
			fmt.Sprint("while-away-", round),
			"--",
			"lsp-set-port-security",
			"p0",
			fmt.Sprint("0a:00:00:00:00:0", round),
		)
		f.settleAt(c.leader())
		c.do("start the old leader", killed.Start(t.Context()))
		c.nbctl("lsp-del", fmt.Sprint("while-away-", round))
		f.settle(c.leader())
	}
	if f.Snapshot().Port("p0").PortSecurity[0] != "0a:00:00:00:00:02" {
		t.Errorf("port %+v", f.Snapshot().Port("p0"))
	}
}

func TestClusterLeadershipMoved(t *testing.T) {
	c := newCluster(t)
	f := c.follow()
	before := f.Snapshot().Port("p0")
	for range 4 {
		moved, err := c.MoveLeadership(t.Context())
		c.do("move the leadership", err)
		f.settleAt(moved)
	}
	if f.Snapshot().Port("p0") != before {
		t.Error("a row that did not change was made again")
	}
	for _, e := range f.seen {
		if e.Kind == Delete {
			t.Errorf("%+v: nothing was deleted", e)
		}
	}
}

// A leader that is cut off from the others does not know it at first, and clients still reach it. Its rows are out of
// date.
func TestClusterLeaderCutOff(t *testing.T) {
	c := newCluster(t)
	f := c.follow()
	alone := c.leader()
	f.settleAt(alone)
	c.do("cut the leader off", c.Cut(t.Context(), alone))
	elected := c.leader(c.Others(alone)...)
	if _, err := elected.Transact(
		t.Context(),
		`["OVN_Northbound",{"op":"update","table":"Logical_Switch_Port","where":[["name","==","p1"]],"row":{"port_security":"0a:00:00:00:00:01"}}]`,
	); err != nil {
		t.Fatal(err)
	}
	f.settleAt(elected)
	seen := f.Snapshot().Revision
	c.do("let the old leader back", c.Join(t.Context(), alone))
	c.nbctl("lsp-add", "sw", "p3")
	f.settle(c.leader())
	if ps := f.Snapshot().Port("p1").PortSecurity; len(ps) != 1 || f.Snapshot().Revision <= seen {
		t.Errorf("port_security %q at revision %d, after %d", ps, f.Snapshot().Revision, seen)
	}
}

// Without a majority no row is certain any more, and the mirror must say so and keep its rows.
func TestClusterWithoutMajority(t *testing.T) {
	c := newCluster(t)
	f := c.follow()
	left := c.leader()
	f.settleAt(left)
	gone := c.Others(left)
	for _, s := range gone {
		s.Kill()
	}
	until(t, "the mirror is stale", func() bool { return f.State().Phase == Stale })
	time.Sleep(2 * time.Second)
	if st := f.State(); st.Phase != Stale || st.Err == nil || f.Snapshot().Ports().Len() != 3 {
		t.Errorf("state %+v with %d ports", st, f.Snapshot().Ports().Len())
	}
	for _, s := range gone {
		c.do("start a server", s.Start(t.Context()))
	}
	c.nbctl("lsp-del", "p2")
	f.settle(c.leader())
}

func TestClusterRestartedFromDisk(t *testing.T) {
	c := newCluster(t)
	f := c.follow()
	before := f.Snapshot().Port("p0")
	for _, s := range c.Servers {
		s.Kill()
	}
	until(t, "the mirror is stale", func() bool { return f.State().Phase == Stale })
	for _, s := range c.Servers {
		c.do("start a server", s.Start(t.Context()))
	}
	f.settleAt(c.leader())
	if f.Snapshot().Port("p0") != before {
		t.Error("a row that did not change was made again")
	}
}

// The servers compact their files and pass the leadership around, under a load of changes. A server cannot send changes
// that it dropped from its log, so the mirror may have to read everything again.
func TestClusterCompactedUnderLoad(t *testing.T) {
	c := newCluster(t)
	f := c.follow()
	const lasts, enough = 8 * time.Second, 20
	begin := time.Now()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var changes atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		load(ctx, c.Servers[0], 3, &changes)
	}()
	compactions := 0
	for ctx.Err() == nil && (time.Since(begin) < lasts || changes.Load() < enough) {
		for _, s := range c.Servers {
			c.do("compact", s.Compact(t.Context()))
			compactions++
		}
		if _, err := c.MoveLeadership(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	stop()
	<-ended
	t.Logf("%d transactions, %d compactions", changes.Load(), compactions)
	if n := changes.Load(); n < enough {
		t.Errorf("only %d transactions were made", n)
	}
	f.settle(c.leader())
}

// load changes ports p0, p1, ... at a server until ctx ends, and counts the committed transactions. A failed
// transaction, as there may be while there is no leader, is not counted.
func load(ctx context.Context, s *ovsdbserver.Server, ports int, made *atomic.Int64) {
	for i := 0; ctx.Err() == nil; i++ {
		_, err := s.Transact(
			ctx,
			fmt.Sprintf(
				`["OVN_Northbound",{"op":"update","table":"Logical_Switch_Port","where":[["name","==","p%d"]],"row":{"port_security":["set",["0a:00:00:00:%02x:%02x","x%d"]]}}]`,
				i%ports,
				i>>8&255,
				i&255,
				i%2,
			),
		)
		if err == nil {
			made.Add(1)
		}
	}
}

// If a server crashes in the middle of a transaction, it is open whether that was committed. The mirror agrees with the
// other servers in either case.
func TestClusterLeaderCrashesInATransaction(t *testing.T) {
	for _, scenario := range []string{"crash-before-sending-append-request", "crash-after-sending-append-request"} {
		t.Run(scenario, func(t *testing.T) {
			c := newCluster(t)
			f := c.follow()
			crashing := c.leader()
			c.do("prepare the crash", c.Fail(t.Context(), crashing, scenario))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := crashing.Transact(
				ctx,
				`["OVN_Northbound",{"op":"insert","table":"Logical_Switch","row":{"name":"`+scenario+`"}}]`,
			)
			if err == nil {
				t.Fatal("the server did not crash")
			}
			crashing.Kill()
			f.settleAt(c.leader())
			c.do("start the server", crashing.Start(t.Context()))
			c.nbctl("lsp-add", "sw", "p9")
			f.settle(c.leader())
		})
	}
}
