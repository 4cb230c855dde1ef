//go:build integration

package dbfile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a real ovsdb-server with one database file.
type server struct {
	t    *testing.T
	dir  string
	file string
	cmd  *exec.Cmd
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
	out, err := tryTool(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryTool(ctx context.Context, name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(
				out,
			), fmt.Errorf(
				"%s %.300q: %w\n%s(is OVN installed? `make deps`)",
				name,
				args,
				err,
				stderr.String(),
			)
	}
	return string(out), nil
}

// serve starts a server for a file. It ends with the test.
func serve(t *testing.T, file string) *server {
	t.Helper()
	s := &server{t: t, dir: shortDir(t), file: file}
	s.cmd = exec.Command(
		"ovsdb-server",
		file,
		"--remote=punix:"+filepath.Join(s.dir, "s"),
		"--unixctl="+s.control(),
		"--no-chdir",
		"--log-file="+filepath.Join(s.dir, "log"),
		"-vconsole:off",
	)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("%v (is OVN installed? `make deps`)", err)
	}
	t.Cleanup(s.kill)
	return s
}

// kill ends the server as a crash would.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

func (s *server) socket() string { return "unix:" + filepath.Join(s.dir, "s") }

func (s *server) control() string { return filepath.Join(s.dir, "ctl") }

// ask runs ovsdb-client, again and again while the server does not answer yet or has no leader.
func (s *server) ask(command string, args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for {
		out, err := tryTool(ctx, "ovsdb-client", append([]string{"--timeout=5", command, s.socket()}, args...)...)
		if err == nil {
			return out
		}
		if ctx.Err() != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("%v\n%s", err, log)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// transact runs one transaction and fails where the server refuses it for another reason than a constraint: a random
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

func (s *server) appctl(args ...string) string {
	s.t.Helper()
	return tool(s.t, "ovs-appctl", append([]string{"-t", s.control()}, args...)...)
}

// compact has the server compact the file and waits until the file shows it: a thread does the work, and the command
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

// waitFor asks for a database's state in its cluster until it is there.
func (s *server) waitFor(database, want string) {
	s.t.Helper()
	s.ask("list-dbs")
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := tryTool(s.t.Context(), "ovs-appctl", "-t", s.control(), "cluster/status", database)
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
	return readFile(s.t, s.file)
}

func readFile(t *testing.T, path string) *Database {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Read(data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// dump is what the server itself says that it holds.
func (s *server) dump(database string) string {
	s.t.Helper()
	return s.ask("dump", "--format=json", database)
}

// freePort returns a TCP port of the loopback that nobody listens on, and that is given to no outgoing connection:
// Linux takes those from 32768 on.
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
