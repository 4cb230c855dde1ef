package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shell returns the Spec of a child that runs a script.
func shell(t *testing.T, name, script string) Spec {
	t.Helper()
	return Spec{
		Name:    name,
		Path:    "/bin/sh",
		Args:    []string{"-c", script},
		LogPath: filepath.Join(t.TempDir(), name+".log"),
	}
}

func newTestGroup(t *testing.T, options Options) *Group {
	t.Helper()
	g := NewGroup(options)
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Errorf("stop group: %v", err)
		}
	})
	return g
}

func logHolds(path, text string) func(context.Context) error {
	return func(context.Context) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.Contains(string(data), text) {
			return errors.New("log does not hold " + text)
		}
		return nil
	}
}

func TestStartWaitsUntilReady(t *testing.T) {
	g := newTestGroup(t, Options{Env: []string{"GREETING=hello"}})
	spec := shell(t, "slow", `sleep 0.1; echo "$GREETING there"; exec sleep 60`)
	spec.Ready = logHolds(spec.LogPath, "hello there")
	p, err := g.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Ready(t.Context()); err != nil {
		t.Errorf("Start returned before the child was ready: %v", err)
	}
	if !p.Running() {
		t.Error("child does not run")
	}
}

func TestEarlyExitGivesTheLogTail(t *testing.T) {
	g := newTestGroup(t, Options{OnExit: func(e *ExitError) { t.Errorf("reported twice: %v", e) }})
	spec := shell(t, "broken", `for i in $(seq 100); do echo "line $i"; done; exit 3`)
	spec.Ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	_, err := g.Start(t.Context(), spec)
	var exit *ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("got error %v, want an *ExitError", err)
	}
	if exit.Status != "exit status 3" {
		t.Errorf("status %q, want exit status 3", exit.Status)
	}
	lines := strings.Split(exit.LogTail, "\n")
	if len(lines) != tailLines || lines[0] != "line 76" || lines[len(lines)-1] != "line 100" {
		t.Errorf("tail is not the last %d lines:\n%s", tailLines, exit.LogTail)
	}
	if got := g.Processes(); len(got) != 0 {
		t.Errorf("the group keeps %d processes after a failed start", len(got))
	}
}

func TestTailStartsWithTheRun(t *testing.T) {
	g := newTestGroup(t, Options{})
	spec := shell(t, "again", `echo second run; exit 1`)
	if err := os.WriteFile(spec.LogPath, []byte("first run\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec.Ready = func(context.Context) error { return errors.New("no") }
	_, err := g.Start(t.Context(), spec)
	var exit *ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("got error %v, want an *ExitError", err)
	}
	if exit.LogTail != "second run" {
		t.Errorf("tail %q, want only the second run", exit.LogTail)
	}
}

func TestNotReadyInTime(t *testing.T) {
	dir := t.TempDir()
	g := newTestGroup(t, Options{PIDDir: dir})
	spec := shell(t, "never", `echo waiting; exec sleep 60`)
	spec.ReadyTimeout = 500 * time.Millisecond
	refused := errors.New("connection refused")
	spec.Ready = func(context.Context) error { return refused }
	_, err := g.Start(t.Context(), spec)
	if !errors.Is(err, refused) || !strings.Contains(err.Error(), "not ready after 500ms") {
		t.Fatalf("got error %v, want the time-out with the last answer", err)
	}
	if records, err := List(dir); err != nil || len(records) != 0 {
		t.Errorf("pid files left: %v, %v", records, err)
	}
}

func TestStopIsInReverseOrder(t *testing.T) {
	g := NewGroup(Options{})
	order := filepath.Join(t.TempDir(), "order")
	for _, name := range []string{"a", "b", "c"} {
		spec := shell(t, name, `trap 'echo `+name+` >>`+order+`; exit 0' TERM; echo up; while :; do sleep 0.01; done`)
		spec.Ready = logHolds(spec.LogPath, "up")
		if _, err := g.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(order)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("c\nb\na\n", string(got)); diff != "" {
		t.Errorf("stop order (-want +got):\n%s", diff)
	}
	if _, err := g.Start(t.Context(), shell(t, "late", "true")); !errors.Is(err, ErrStopped) {
		t.Errorf("start after stop gave %v, want ErrStopped", err)
	}
}

func TestStopKillsWhatIgnoresSIGTERM(t *testing.T) {
	g := NewGroup(Options{})
	spec := shell(t, "stubborn", `trap '' TERM; echo up; while :; do sleep 0.01; done`)
	spec.Ready, spec.StopTimeout = logHolds(spec.LogPath, "up"), 50*time.Millisecond
	p, err := g.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	if p.Running() {
		t.Error("child still runs")
	}
}

func TestUnexpectedExitIsReportedOnceAndWantedOnesAreNot(t *testing.T) {
	var mu sync.Mutex
	var reported []string
	seen := make(chan struct{}, 10)
	g := newTestGroup(t, Options{OnExit: func(e *ExitError) {
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, e.Name+": "+e.Status)
		seen <- struct{}{}
	}})
	start := func(name string) *Process {
		p, err := g.Start(t.Context(), shell(t, name, "exec sleep 60"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	killed, restarted, victim := start("killed"), start("restarted"), start("victim")
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	before := restarted.PID()
	if err := restarted.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if restarted.PID() == before || !restarted.Running() {
		t.Errorf("restart: pid %d before and %d after, running %v", before, restarted.PID(), restarted.Running())
	}
	if err := victim.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-seen
	if err := victim.Restart(t.Context()); err != nil {
		t.Fatalf("restart a dead process: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"victim: signal: killed"}, reported); diff != "" {
		t.Errorf("reported exits (-want +got):\n%s", diff)
	}
}

func TestKillTakesTheProcessGroup(t *testing.T) {
	g := newTestGroup(t, Options{})
	spec := shell(t, "parent", `sleep 60 & echo child $!; wait`)
	spec.Ready = logHolds(spec.LogPath, "child")
	p, err := g.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	// Signal 0 asks whether the group still has a member; an orphan that is
	// dying needs a moment to be reaped by init.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if err := syscall.Kill(-p.PID(), 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		if members := groupMembers(t, p.PID()); len(members) == 0 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("processes %v of the killed group still run", members)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	g := newTestGroup(t, Options{})
	if _, err := g.Start(t.Context(), shell(t, "twice", "exec sleep 60")); err != nil {
		t.Fatal(err)
	}
	missing := shell(t, "missing", "")
	missing.Path = "/nonexistent/program"
	nowhere := shell(t, "nowhere", "exec sleep 60")
	nowhere.Netns = "ovnlab-no-such-namespace"
	for name, test := range map[string]struct {
		spec Spec
		want string
	}{
		"no name":      {Spec{Path: "/bin/sh", LogPath: "/dev/null"}, "must be a plain file name"},
		"path as name": {Spec{Name: "../x", Path: "/bin/sh", LogPath: "/dev/null"}, "must be a plain file name"},
		"no path":      {Spec{Name: "x", LogPath: "/dev/null"}, "Path is empty"},
		"no log":       {Spec{Name: "x", Path: "/bin/sh"}, "LogPath is empty"},
		"same name":    {shell(t, "twice", "exec sleep 60"), "already has a process of that name"},
		"no program":   {missing, "no such file or directory"},
		"no namespace": {nowhere, `network namespace "ovnlab-no-such-namespace"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := g.Start(t.Context(), test.spec)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestSweepKillsOnlyTheRecordedProcess(t *testing.T) {
	dir := t.TempDir()
	// A group that is never stopped in order is like a parent that was killed: the pid file stays.
	g := NewGroup(Options{PIDDir: dir})
	spec := shell(t, "leftover", "exec sleep 60")
	spec.Health = "unix:/somewhere"
	p, err := g.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	records, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 1 || !records[0].Alive() || records[0].PID != p.PID() || records[0].Health != spec.Health {
		t.Fatalf("pid files say %+v, want the one living child %d", records, p.PID())
	}

	stranger := records[0]
	stranger.Started++ // same pid, another process
	if stranger.Alive() {
		t.Error("a record with another start time counts as alive")
	}

	killed, err := Sweep(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(records, killed); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	if again, err := Sweep(dir); err != nil || len(again) != 0 {
		t.Errorf("second sweep: %v, %v; want nothing", again, err)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
}

func TestListNamesADamagedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.pid")
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := List(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
	if records, err := List(filepath.Join(dir, "none")); err != nil || records != nil {
		t.Errorf("missing directory gave %v, %v", records, err)
	}
}
