//go:build integration

package ovsdbserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newCluster(t *testing.T, servers int) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c, err := CreateCluster(t.Context(), dir, NorthboundSchema, servers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func leader(t *testing.T, c *Cluster, among ...*Server) *Server {
	t.Helper()
	s, err := c.Leader(t.Context(), among...)
	must(t, err)
	return s
}

func addSwitch(t *testing.T, s *Server, name string) {
	t.Helper()
	_, err := s.Transact(
		t.Context(),
		`["OVN_Northbound",{"op":"insert","table":"Logical_Switch","row":{"name":"`+name+`"}}]`,
	)
	must(t, err)
}

func holds(t *testing.T, s *Server, name string) bool {
	t.Helper()
	out, err := s.Dump(t.Context(), "OVN_Northbound")
	must(t, err)
	return strings.Contains(string(out), `"`+name+`"`)
}

// The faults are real: each has on the servers the effect in its name.
func TestClusterFaults(t *testing.T) {
	c := newCluster(t, 3)
	ctx := t.Context()
	first := leader(t, c)
	addSwitch(t, first, "one")

	moved, err := c.MoveLeadership(ctx)
	must(t, err)
	if moved == first {
		t.Fatal("leadership did not move")
	}

	// A leader without a majority: nothing is committed at it, the others elect another, and it follows when it is
	// back.
	must(t, c.Cut(ctx, moved))
	second := leader(t, c, c.Others(moved)...)
	addSwitch(t, second, "two")
	if holds(t, moved, "two") {
		t.Error("what is written elsewhere arrives at a server that is cut off")
	}
	must(t, within(ctx, "the server that is cut off to give up leading", func() bool {
		status, err := c.Status(ctx, moved)
		return err == nil && status["Role"] != "leader"
	}))
	must(t, c.Join(ctx, moved))
	must(t, within(ctx, "the server to catch up", func() bool { return holds(t, moved, "two") }))

	// A leader that crashes, and comes back from its file.
	crashed := leader(t, c)
	crashed.Kill()
	addSwitch(t, leader(t, c), "three")
	must(t, crashed.Start(ctx))
	must(t, within(ctx, "the server to catch up", func() bool { return holds(t, crashed, "three") }))

	for _, s := range c.Servers {
		must(t, s.Compact(ctx))
	}
	if last := leader(t, c); !holds(t, last, "one") {
		t.Error("compaction lost a row")
	}
}

func TestBackupAndRestore(t *testing.T) {
	c := newCluster(t, 1)
	ctx := t.Context()
	s := c.Servers[0]
	addSwitch(t, s, "kept")
	backup := filepath.Join(c.dir, "backup")
	must(t, s.Backup(ctx, c.Database, backup))
	addSwitch(t, s, "later")
	must(t, s.Restore(ctx, c.Database, backup))
	if !holds(t, s, "kept") || holds(t, s, "later") {
		t.Error("the database is not what the backup says")
	}
	s.Kill()
	addedTo := time.Now()
	must(t, c.Found(ctx, backup))
	if !holds(t, s, "kept") || holds(t, s, "later") {
		t.Error("the new cluster is not what the backup says")
	}
	t.Logf("a cluster was founded from a backup in %v", time.Since(addedTo))
}
