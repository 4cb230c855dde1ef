//go:build integration

package dbfile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// persistentOdd is the schema in the form that a cluster has: without ephemeral columns.
var persistentOdd = strings.ReplaceAll(oddSchema, `,"ephemeral":true`, "")

// A cluster of one: snapshot, log, compaction, a new schema while it runs, and the distribution's own conversion.
func TestClusterOfOne(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "c")
	tool(t, "ovsdb-tool", "create-cluster", file, createOdd(t), fmt.Sprintf("tcp:127.0.0.1:%d", freePort(t)))
	if d := readFile(t, file); d.Format != Clustered || d.Name != "Odd" || d.Loss != nil || len(d.Rows("Root")) != 0 {
		t.Fatalf("new cluster: %+v", d)
	}
	s := serve(t, file)
	s.waitFor("Odd", "Role: leader")
	d := newDice(t)
	for round := range 3 {
		for range 30 {
			s.transact("Odd", d.operations()...)
		}
		sameAsServer(t, s.read(), s.dump("Odd"))
		if round == 1 {
			s.compact("Odd", func(d *Database) bool { return d.Cluster.SnapshotIndex > 10 })
			sameAsServer(t, s.read(), s.dump("Odd"))
		}
	}
	rows := len(s.read().Rows("Root"))

	newer := filepath.Join(dir, "newer")
	text := strings.NewReplacer(`"1.0.0"`, `"1.1.0"`, `"name":{"type":"string"},`,
		`"name":{"type":"string"},"more":{"type":"integer"},`).
		Replace(persistentOdd)
	if err := os.WriteFile(newer, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ask("convert", newer)
	s.transact("Odd", `{"op":"update","table":"Root","where":[],"row":{"more":7}}`)
	converted := s.read()
	sameAsServer(t, converted, s.dump("Odd"))
	if converted.Version != "1.1.0" || len(converted.Rows("Root")) != rows || rows == 0 {
		t.Errorf("converted: version %s, %d rows, before %d", converted.Version, len(converted.Rows("Root")), rows)
	}
	c := converted.Cluster
	if c.CommitIndex <= c.SnapshotIndex || c.Uncommitted() != 0 || c.Term == 0 || len(c.Servers) != 1 ||
		c.Servers[c.ServerID] != c.LocalAddress {
		t.Errorf("cluster %+v", c)
	}
	if got := strings.TrimSpace(tool(t, "ovsdb-tool", "db-cid", file)); got != c.ClusterID {
		t.Errorf("cluster ID %s, want %s", c.ClusterID, got)
	}
	if got := strings.TrimSpace(tool(t, "ovsdb-tool", "db-sid", file)); got != c.ServerID {
		t.Errorf("server ID %s, want %s", c.ServerID, got)
	}

	dump := s.dump("Odd")
	s.compact("Odd", func(d *Database) bool { return d.Cluster.SnapshotIndex == d.Cluster.CommitIndex })
	s.transact("Odd", `{"op":"comment","comment":"after"}`)
	s.Kill()
	sameAsServer(t, s.read(), dump)
	alone := filepath.Join(dir, "alone")
	tool(t, "ovsdb-tool", "cluster-to-standalone", alone, file)
	sameAsServer(t, readFile(t, alone), dump)
}

// Three servers agree: the files of all three have the same rows. An entry that only the leader has written is in its
// log and not in its rows.
func TestClusterOfThree(t *testing.T) {
	dir := shortDir(t)
	var addresses []string
	for range 3 {
		addresses = append(addresses, fmt.Sprintf("tcp:127.0.0.1:%d", freePort(t)))
	}
	first := filepath.Join(dir, "0")
	tool(t, "ovsdb-tool", "create-cluster", first, createOdd(t), addresses[0])
	servers := []*server{serve(t, first)}
	servers[0].waitFor("Odd", "Role: leader")
	for i := 1; i < 3; i++ {
		file := filepath.Join(dir, strconv.Itoa(i))
		tool(t, "ovsdb-tool", "join-cluster", file, "Odd", addresses[i], addresses[0])
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(string(data)); err == nil || !strings.Contains(err.Error(), ErrNotJoined.Error()) {
			t.Errorf("before it joined: %v, want %v", err, ErrNotJoined)
		}
		s := serve(t, file)
		s.waitFor("Odd", "Status: cluster member")
		servers = append(servers, s)
	}
	d := newDice(t)
	for range 40 {
		servers[0].transact("Odd", d.operations()...)
	}
	// A read through each server waits for what was written before it.
	for i, s := range servers {
		deadline := time.Now().Add(time.Minute)
		for s.read().Cluster.CommitIndex < servers[0].read().Cluster.CommitIndex {
			if time.Now().After(deadline) {
				t.Fatalf("server %d does not catch up", i)
			}
			time.Sleep(20 * time.Millisecond)
		}
		db := s.read()
		sameAsServer(t, db, servers[0].dump("Odd"))
		if len(db.Cluster.Servers) != 3 || db.Cluster.Servers[db.Cluster.ServerID] != addresses[i] {
			t.Errorf("server %d: %+v", i, db.Cluster)
		}
	}
	before := servers[0].dump("Odd")
	servers[1].Kill()
	servers[2].Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		out, err := servers[0].Transact(ctx, `["Odd",{"op":"insert","table":"Root","row":{"name":"alone"}}]`)
		if err == nil {
			t.Errorf("a leader without followers agreed with itself: %s", out)
		}
	}()
	for ctx.Err() == nil && servers[0].read().Cluster.Uncommitted() == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond) // time in which the others might agree
	cancel()
	<-answered
	servers[0].Kill()
	db := servers[0].read()
	if db.Cluster.Uncommitted() == 0 {
		t.Errorf("what the leader wrote alone is not counted: %+v", db.Cluster)
	}
	sameAsServer(t, db, before)
}
