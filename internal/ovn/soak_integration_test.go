//go:build integration

package ovn

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

var (
	seedFlag = flag.Uint64("ovn.seed", 1, "seed of the random tests; 0 takes another one each time")
	soakFlag = flag.Duration("ovn.soak", 20*time.Second, "how long the random test of a cluster goes on")
)

// soak makes random writes and faults in a cluster.
type soak struct {
	*cluster
	random *rand.Rand
	backup string
	names  int // number of ports that were made
	done   map[string]int
	// apart is the server that is cut off.
	apart *ovsdbserver.Server
	// versions is the number of conversions of the schema.
	versions int
}

// Writes of all kinds, mixed with faults of the servers: whenever things come to rest, the mirror has the leader's
// rows, and so has the replay of its events.
func TestSoak(t *testing.T) {
	c := newCluster(t)
	s := &soak{
		cluster: c,
		random:  randomness(t),
		backup:  filepath.Join(tempDir(t), "backup"),
		done:    make(map[string]int),
	}
	f := c.follow()
	c.do("back up", c.leader().Backup(t.Context(), c.Database, s.backup))
	for begin := time.Now(); time.Since(begin) < *soakFlag; {
		for range s.random.IntN(4) {
			s.write()
		}
		undo := s.fault()
		for range s.random.IntN(4) {
			s.write()
		}
		if s.random.IntN(2) == 0 {
			f.settle(c.leader(s.running()...)) // while the fault lasts
		}
		undo()
		f.settle(c.leader())
	}
	t.Logf("%d events, %d ports at the end, done: %v", len(f.seen), f.Snapshot().Ports().Len(), s.done)
}

// write makes one transaction of several random changes.
func (s *soak) write() {
	s.t.Helper()
	var ops []string
	for range 1 + s.random.IntN(5) {
		port := fmt.Sprintf(`[["name","==","p%d"]]`, s.random.IntN(s.names+3))
		switch s.random.IntN(6) {
		case 0:
			s.names++
			ops = append(
				ops,
				fmt.Sprintf(
					`{"op":"insert","table":"Logical_Switch_Port","uuid-name":"n%d","row":{"name":"p%d","addresses":["set",["a%d","unknown"]]}},
				{"op":"mutate","table":"Logical_Switch","where":[],"mutations":[["ports","insert",["named-uuid","n%d"]]]}`,
					s.names,
					s.names+2,
					s.names,
					s.names,
				),
			)
		case 1:
			ops = append(
				ops,
				fmt.Sprintf(
					`{"op":"update","table":"Logical_Switch_Port","where":%s,"row":{"port_security":"0a:00:00:00:00:%02x","enabled":%t}}`,
					port,
					s.random.IntN(256),
					s.random.IntN(2) == 0,
				),
			)
		case 2:
			ops = append(
				ops,
				fmt.Sprintf(
					`{"op":"mutate","table":"Logical_Switch_Port","where":%s,"mutations":[["port_security","insert","x%d"],["external_ids","delete",["set",["pod"]]]]}`,
					port,
					s.random.IntN(5),
				),
			)
		case 3:
			ops = append(
				ops,
				fmt.Sprintf(
					`{"op":"mutate","table":"Logical_Switch_Port","where":%s,"mutations":[["port_security","delete","x%d"],["external_ids","insert",["map",[["pod","ns/%d"]]]]]}`,
					port,
					s.random.IntN(5),
					s.random.IntN(5),
				),
			)
		case 4:
			ops = append(
				ops,
				fmt.Sprintf(
					`{"op":"update","table":"Logical_Switch","where":[],"row":{"name":"sw%d"}}`,
					s.random.IntN(3),
				),
			)
		case 5:
			ops = append(
				ops,
				fmt.Sprintf(
					`{"op":"update","table":"Logical_Switch_Port","where":%s,"row":{"enabled":["set",[]],"tag":%d,"options":["map",[["a","%d"]]]}}`,
					port,
					1+s.random.IntN(9),
					s.random.IntN(9),
				),
			)
		}
	}
	if s.random.IntN(8) == 0 {
		ops = append(
			ops,
			`{"op":"update","table":"Logical_Switch","where":[],"row":{"ports":["set",[]]}}`,
		) // its ports are deleted with it
	}
	for {
		_, err := s.leader(s.running()...).Transact(s.t.Context(), `["OVN_Northbound",`+strings.Join(ops, ",")+`]`)
		if err == nil {
			s.done["write"]++
			return
		}
		if strings.Contains(
			err.Error(),
			"constraint violation",
		) { // it was committed although that server is gone
			return
		}
		if !strings.Contains(err.Error(), "not leader") && !strings.Contains(err.Error(), "raft") &&
			!strings.Contains(err.Error(), "End of file") {
			s.t.Fatal(err)
		}
		s.done["write that failed"]++
	}
}

// running returns the servers that are running and reach each other.
func (s *soak) running() (all []*ovsdbserver.Server) {
	for _, v := range s.Servers {
		if v.PID() != 0 && v != s.apart {
			all = append(all, v)
		}
	}
	return all
}

// fault makes a random fault in the cluster, and returns a function that ends it.
func (s *soak) fault() (undo func()) {
	s.t.Helper()
	ctx := s.t.Context()
	any := s.Servers[s.random.IntN(len(s.Servers))]
	nothing := func() {}
	faults := []struct {
		name string
		do   func() func()
	}{
		{"leader killed", func() func() {
			l := s.leader()
			l.Kill()
			return func() { s.do("start", l.Start(ctx)) }
		}},
		{"server killed", func() func() {
			any.Kill()
			return func() { s.do("start", any.Start(ctx)) }
		}},
		{"server cut off", func() func() {
			s.do("cut", s.Cut(ctx, any))
			s.apart = any
			return func() {
				s.do("join", s.Join(ctx, any))
				s.apart = nil
			}
		}},
		{"leadership moved", func() func() {
			_, err := s.MoveLeadership(ctx)
			s.do("move", err)
			return nothing
		}},
		{"compaction", func() func() {
			s.do("compact", any.Compact(ctx))
			return nothing
		}},
		{"all killed", func() func() {
			for _, v := range s.Servers {
				v.Kill()
			}
			for _, v := range s.Servers {
				s.do("start", v.Start(ctx))
			}
			return nothing
		}},
		{"restore", func() func() {
			s.do("restore", s.leader().Restore(ctx, s.Database, s.backup))
			return nothing
		}},
		{"conversion", func() func() {
			s.versions++
			convert(s.t, s.leader(), fmt.Sprintf("7.91.%d", s.versions), `"priority": {`, `"priority": {`)
			s.do("back up", s.leader().Backup(ctx, s.Database, s.backup)) // an older schema would be refused
			return nothing
		}},
	}
	f := faults[s.random.IntN(len(faults))]
	s.done[f.name]++
	return f.do()
}
