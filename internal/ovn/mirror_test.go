//go:build integration

package ovn

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"go.uber.org/goleak"
)

// server is a real ovsdb-server with a real Northbound schema.
type server struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
}

// newServer makes a database and starts a server for it. The directory is short, since sockets have short names.
func newServer(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{t: t, dir: dir}
	s.tool("ovsdb-tool", "create", filepath.Join(dir, "nb.db"), "/usr/share/ovn/ovn-nb.ovsschema")
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) tool(name string, args ...string) string {
	s.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s(is OVN installed? `make deps`)", name, args, err, out)
	}
	return string(out)
}

func (s *server) endpoint() string { return "unix:" + filepath.Join(s.dir, "nb.sock") }

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command("ovsdb-server", filepath.Join(s.dir, "nb.db"), "--remote=punix:"+filepath.Join(s.dir, "nb.sock"),
		"--unixctl="+filepath.Join(s.dir, "ctl.sock"), "--no-chdir")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if err := exec.Command("ovsdb-client", "list-dbs", s.endpoint()).Run(); err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("ovsdb-server does not answer")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// kill ends the server as a crash would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = os.Remove(filepath.Join(s.dir, "nb.sock"))
}

func (s *server) nbctl(args ...string) string {
	s.t.Helper()
	return s.tool("ovn-nbctl", append([]string{"--db=" + s.endpoint()}, args...)...)
}

// mirror starts a mirror of the server and waits until it is synced.
func (s *server) mirror() *Mirror {
	s.t.Helper()
	m, err := Open(Config{Endpoints: s.endpoint(), Log: testr.New(s.t)})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-ended
	})
	wait, stop := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer stop()
	if err := m.WaitSynced(wait); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// truth is what the server holds, in words, read by OVN's own tool.
func (s *server) truth() []string {
	s.t.Helper()
	out := s.nbctl("--format=csv", "--no-headings", "--data=bare", "--columns=name,port_security,addresses", "list", "Logical_Switch_Port")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if lines[0] == "" {
		return nil
	}
	slices.Sort(lines)
	return lines
}

// words gives ports in the words of truth.
func words(ports map[string]*Port) []string {
	var lines []string
	for _, p := range ports {
		cells := []string{p.Name, strings.Join(p.PortSecurity, " "), strings.Join(p.Addresses, " ")}
		for i, c := range cells {
			if strings.ContainsAny(c, `," `) && strings.ContainsAny(c, `,"`) {
				cells[i] = strconv.Quote(c)
			}
		}
		lines = append(lines, strings.Join(cells, ","))
	}
	slices.Sort(lines)
	return lines
}

// settle replays changes until they give what the server holds, and checks that the mirror's own view is the same.
func settle(t *testing.T, s *server, m *Mirror, replay map[string]*Port) {
	t.Helper()
	want := s.truth()
	deadline := time.Now().Add(20 * time.Second)
	for !slices.Equal(words(replay), want) {
		ctx, cancel := context.WithDeadline(t.Context(), deadline)
		changes, err := m.Changes(ctx)
		cancel()
		if err != nil {
			t.Fatalf("replayed changes do not give what the server holds:\n%q\nwant\n%q", words(replay), want)
		}
		for _, c := range changes {
			apply(t, replay, c)
		}
	}
	own := make(map[string]*Port)
	for _, p := range m.Ports() {
		own[p.UUID] = p
	}
	if got := words(own); !slices.Equal(got, want) {
		t.Fatalf("the mirror holds\n%q\nwant\n%q", got, want)
	}
}

// apply replays one change and checks that it fits what was there.
func apply(t *testing.T, replay map[string]*Port, c Change) {
	t.Helper()
	switch {
	case c.Old == nil && c.New != nil:
		if replay[c.New.UUID] != nil {
			t.Fatalf("%s is new, but is already there", c.New.Name)
		}
	case c.Old != nil:
		if have := replay[c.Old.UUID]; have == nil || !have.same(c.Old) {
			t.Fatalf("a change of %+v, but before it was %+v", c.Old, have)
		}
	default:
		t.Fatal("a change of nothing")
	}
	if c.New == nil {
		delete(replay, c.Old.UUID)
		return
	}
	replay[c.New.UUID] = c.New
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFollowsChanges(t *testing.T) {
	s := newServer(t)
	s.nbctl("ls-add", "sw", "--", "lsp-add", "sw", "p1", "--", "lsp-set-addresses", "p1", "0a:00:00:00:00:01 10.0.0.1",
		"--", "set", "NB_Global", ".", "options:northd_internal_version=23.03.1-20.27.0-70.6")
	m := s.mirror()
	replay := make(map[string]*Port)
	settle(t, s, m, replay)
	if m.Version() != "23.03.1" {
		t.Errorf("version %q", m.Version())
	}
	if p := m.Ports()[0]; p.Switch != "sw" || p.Name != "p1" {
		t.Errorf("port %+v", p)
	}
	s.nbctl("lsp-set-port-security", "p1", "0a:00:00:00:00:01 10.0.0.1", "--", "lsp-add", "sw", "p2")
	settle(t, s, m, replay)
	s.nbctl("lsp-set-port-security", "p1", "--", "lsp-del", "p2")
	settle(t, s, m, replay)
}

func TestPortMovesToAnotherSwitch(t *testing.T) {
	s := newServer(t)
	s.nbctl("ls-add", "a", "--", "ls-add", "b", "--", "lsp-add", "a", "p")
	m := s.mirror()
	replay := make(map[string]*Port)
	settle(t, s, m, replay)
	uuid := strings.TrimSpace(s.nbctl("get", "Logical_Switch_Port", "p", "_uuid"))
	s.nbctl("remove", "Logical_Switch", "a", "ports", uuid, "--", "add", "Logical_Switch", "b", "ports", uuid)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for m.Ports()[0].Switch != "b" {
		if _, err := m.Changes(ctx); err != nil {
			t.Fatalf("the port is still on %q", m.Ports()[0].Switch)
		}
	}
}

// What changed while the server was away comes as ordinary changes, rows that went away included.
func TestServerKilled(t *testing.T) {
	s := newServer(t)
	s.nbctl("ls-add", "sw", "--", "lsp-add", "sw", "stays", "--", "lsp-add", "sw", "goes")
	m := s.mirror()
	replay := make(map[string]*Port)
	settle(t, s, m, replay)
	s.kill()
	deadline := time.Now().Add(5 * time.Second)
	for m.State().Synced {
		if time.Now().After(deadline) {
			t.Fatal("the mirror did not notice that the server is gone")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := m.State().Err; err == nil {
		t.Error("the state does not say why")
	}
	// Change the file behind the mirror's back: another server, seen by nobody.
	other := &server{t: t, dir: s.dir}
	other.start()
	other.nbctl("lsp-del", "goes", "--", "lsp-add", "sw", "comes", "--", "lsp-set-port-security", "stays", "0a:00:00:00:00:01")
	s.cmd = other.cmd
	settle(t, s, m, replay)
}

// A reader that comes late gets everything, in order, and the server's twenty thousand changes do not wait for it.
func TestSlowReader(t *testing.T) {
	s := newServer(t)
	s.nbctl("ls-add", "sw")
	m := s.mirror()
	const ports, rounds = 100, 200
	args := []string{}
	for i := range ports {
		args = append(args, "--", "lsp-add", "sw", fmt.Sprintf("p%d", i))
	}
	s.nbctl(args...)
	script := filepath.Join(s.dir, "ops")
	var ops strings.Builder
	for r := range rounds {
		for i := range ports {
			fmt.Fprintf(&ops, "{\"op\":\"update\",\"table\":\"Logical_Switch_Port\",\"where\":[[\"name\",\"==\",\"p%d\"]],\"row\":{\"port_security\":\"0a:00:00:00:00:01 10.0.%d.%d\"}}\n", i, r, i)
		}
	}
	if err := os.WriteFile(script, []byte(ops.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	lines := strings.Split(strings.TrimSpace(ops.String()), "\n")
	for chunk := range slices.Chunk(lines, ports) {
		s.tool("ovsdb-client", "transact", s.endpoint(), `["OVN_Northbound",`+strings.Join(chunk, ",")+`]`)
	}
	t.Logf("%d changes in %v", len(lines), time.Since(begin))
	settle(t, s, m, make(map[string]*Port))
}

func TestUnreachable(t *testing.T) {
	m, err := Open(Config{Endpoints: "unix:/nonexistent/nb.sock", Log: testr.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	if err := m.WaitSynced(ctx); err == nil || !strings.Contains(err.Error(), "/nonexistent/nb.sock") {
		t.Errorf("error %v, want one that names the endpoint", err)
	}
	<-ended
}
