// Package ovsdbserver runs real ovsdb-servers for tests and measurements: alone or as a RAFT cluster, on unix sockets
// in a directory of their own. A server ends with the process that started it.
package ovsdbserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The schemas of the distribution's package ovn-central.
const (
	NorthboundSchema = "/usr/share/ovn/ovn-nb.ovsschema"
	SouthboundSchema = "/usr/share/ovn/ovn-sb.ovsschema"
)

// startTimeout is the time limit for a server's first answer.
const startTimeout = 60 * time.Second

// Server is one ovsdb-server with its database file. Its directory must have a short name, since sockets' names may
// have 107 bytes at most.
type Server struct {
	// File is the database file.
	File string
	// Remotes are addresses to listen on in addition to the unix socket, such as "ptcp:6641:127.0.0.1" or "pssl:...".
	Remotes []string
	// Options are further options of ovsdb-server.
	Options []string

	// enter is the start of the command line if the server runs in a network namespace.
	enter []string

	dir  string
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

// New returns a server of an existing database file. name distinguishes servers in the same directory.
func New(dir, name, file string) *Server { return &Server{File: file, dir: dir, name: name} }

// Create returns a server with an empty database of a schema.
func Create(ctx context.Context, dir, name, schema string) (*Server, error) {
	file := filepath.Join(dir, name+".db")
	if _, err := Tool(ctx, "ovsdb-tool", "create", file, schema); err != nil {
		return nil, err
	}
	return New(dir, name, file), nil
}

// Socket returns the path of the server's unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, s.name+".sock") }

// Endpoint returns the server's unix socket as an endpoint.
func (s *Server) Endpoint() string { return "unix:" + s.Socket() }

// Start starts the server and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	if s.cmd != nil {
		return errors.New("the server runs already")
	}
	args := append([]string{
		s.File, "--remote=punix:" + s.Socket(), "--unixctl=" + s.control(), "--no-chdir",
		"-vconsole:off", "-vsyslog:off", "--log-file=" + filepath.Join(s.dir, s.name+".log"),
	}, s.Options...)
	for _, r := range s.Remotes {
		args = append(args, "--remote="+r)
	}
	line := append(append(slices.Clone(s.enter), "ovsdb-server"), args...)
	cmd := exec.Command(line[0], line[1:]...) //nolint:noctx // it lives longer than the call
	done, err := startLocked(cmd)
	if err != nil {
		return fmt.Errorf("%w (is it installed? `make deps`)", err)
	}
	s.cmd, s.done = cmd, done
	deadline := time.Now().Add(startTimeout)
	for {
		_, err := Tool(ctx, "ovsdb-client", "list-dbs", s.Endpoint())
		if err == nil {
			return nil
		}
		select {
		case <-done:
			s.cmd = nil
			return fmt.Errorf("ovsdb-server ended; see %s", filepath.Join(s.dir, s.name+".log"))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.Kill()
			return fmt.Errorf("ovsdb-server does not answer: %w", err)
		}
	}
}

// PID returns the process ID; 0 if the server does not run.
func (s *Server) PID() int {
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Kill ends the server as a crash would, if it runs.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it is gone already, or it goes now
	<-s.done
	s.cmd = nil
	_ = os.Remove(s.Socket())
	_ = os.Remove(s.control())
}

// Freeze stops the server as it is; connections stay open without answers. Thaw lets it go on.
func (s *Server) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *Server) Thaw() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	if s.cmd == nil {
		return errors.New("the server does not run")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal ovsdb-server: %w", err)
	}
	return nil
}

func (s *Server) control() string { return filepath.Join(s.dir, s.name+".ctl") }

// Control sends the server a command of ovs-appctl and returns the answer.
func (s *Server) Control(ctx context.Context, args ...string) (string, error) {
	return Tool(ctx, "ovs-appctl", append([]string{"-t", s.control()}, args...)...)
}

// Transact makes a transaction with ovsdb-client: a JSON array of the database's name and operations.
func (s *Server) Transact(ctx context.Context, transaction string) (string, error) {
	out, err := Tool(ctx, "ovsdb-client", "transact", s.Endpoint(), transaction)
	if err == nil && strings.Contains(out, `"error":"`) {
		err = fmt.Errorf("ovsdb-client transact: %s", out)
	}
	return out, err
}

// Dump returns the output of `ovsdb-client dump` for a database, in JSON.
func (s *Server) Dump(ctx context.Context, database string) ([]byte, error) {
	out, err := Tool(ctx, "ovsdb-client", "--format=json", "dump", s.Endpoint(), database)
	return []byte(out), err
}

// Tool runs a program to its end and returns its output.
func Tool(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(
				out,
			), fmt.Errorf(
				"%s %s: %w: %s (is it installed? `make deps`)",
				name,
				strings.Join(args, " "),
				err,
				strings.TrimSpace(stderr.String()),
			)
	}
	return string(out), nil
}
