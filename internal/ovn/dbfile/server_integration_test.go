//go:build integration

package dbfile

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// server is a real ovsdb-server with one database file.
type server struct {
	*ovsdbserver.Server

	t *testing.T
}

// shortDir returns a directory with a short name, since sockets have short names.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dbf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// tool runs one of the real tools and returns what it prints.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := ovsdbserver.Tool(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// serve starts a server for a file. It ends with the test.
func serve(t *testing.T, file string) *server {
	t.Helper()
	s := &server{ovsdbserver.New(shortDir(t), "s", file), t}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

// ask runs ovsdb-client, again and again while the server does not answer yet or has no leader.
func (s *server) ask(command string, args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for {
		line := append([]string{"--timeout=5", command, s.Endpoint()}, args...)
		out, err := ovsdbserver.Tool(ctx, "ovsdb-client", line...)
		if err == nil {
			return out
		}
		if ctx.Err() != nil {
			s.t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// transact runs one transaction and fails if the server refuses it for another reason than a constraint: a random
// transaction may well break one.
func (s *server) transact(database string, ops ...string) (done bool) {
	s.t.Helper()
	out := s.ask("transact", `["`+database+`",`+strings.Join(ops, ",")+`]`)
	var results []struct{ Error, Details string }
	if err := json.Unmarshal([]byte(out), &results); err != nil {
		s.t.Fatalf("%s: %v", out, err)
	}
	for _, r := range results {
		switch r.Error {
		case "":
		case "constraint violation", "referential integrity violation":
			return false
		default:
			s.t.Fatalf("%s\n%s", ops, out)
		}
	}
	return true
}

func (s *server) appctl(args ...string) {
	s.t.Helper()
	if _, err := s.Control(s.t.Context(), args...); err != nil {
		s.t.Fatal(err)
	}
}

// compact makes the server compact the file and waits until the file shows it: a thread does the work, and the command
// may answer before.
func (s *server) compact(database string, shows func(*Database) bool) {
	s.t.Helper()
	s.appctl("ovsdb-server/compact", database)
	deadline := time.Now().Add(time.Minute)
	for !shows(s.read()) {
		if time.Now().After(deadline) {
			s.t.Fatal("the file does not become compacted")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// waitFor waits until a database has that state in its cluster.
func (s *server) waitFor(database, want string) {
	s.t.Helper()
	s.ask("list-dbs")
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := s.Control(s.t.Context(), "cluster/status", database)
		if err == nil && strings.Contains(out, want) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q does not come: %v\n%s", want, err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) read() *Database {
	s.t.Helper()
	return readFile(s.t, s.File)
}

func readFile(t *testing.T, path string) *Database {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Read(string(data))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// dump returns the server's own dump of the database.
func (s *server) dump(database string) string {
	s.t.Helper()
	return s.ask("dump", "--format=json", database)
}

// freePort returns a TCP port of the loopback that nobody listens on, and that Linux gives to no outgoing connection:
// those have ports from 32768 on.
func freePort(t *testing.T) int {
	t.Helper()
	const first, count, tries = 10000, 10000, 100
	var last error
	for range tries {
		port := first + rand.IntN(count)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port
		}
		last = err
	}
	t.Fatal(last)
	return 0
}
