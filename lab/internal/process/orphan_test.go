package process

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// groupMembers lists the living processes of a process group (field 5 of
// /proc/PID/stat).
func groupMembers(t *testing.T, group int) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if fields[2] == strconv.Itoa(group) && fields[0] != "Z" {
			members = append(members, filepath.Base(filepath.Dir(path)))
		}
	}
	return members
}

// TestMain lets the test binary act as a supervisor that is then killed.
func TestMain(m *testing.M) {
	if log := os.Getenv("TEST_SUPERVISOR_LOG"); log != "" {
		supervise(log)
	}
	os.Exit(m.Run())
}

func supervise(log string) {
	g := NewGroup(Options{})
	p, err := g.Start(
		context.Background(),
		Spec{Name: "child", Path: "/bin/sh", Args: []string{"-c", "exec sleep 60"}, LogPath: log},
	)
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	if _, err := os.Stdout.WriteString(strconv.Itoa(p.PID()) + "\n"); err != nil {
		os.Exit(1)
	}
	select {}
}

func TestChildrenDieWithTheirParent(t *testing.T) {
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = append(os.Environ(), "TEST_SUPERVISOR_LOG="+filepath.Join(t.TempDir(), "log"))
	supervisor.Stderr = os.Stderr
	out, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	started, _, err := procStat(pid)
	if err != nil {
		t.Fatalf("child %d does not run: %v", pid, err)
	}
	child := Record{Name: "child", PID: pid, Started: started}
	// Many threads of the supervisor come and go in this time; the child must not depend on one of them.
	time.Sleep(200 * time.Millisecond)
	if !child.Alive() {
		t.Fatal("the child ended before its parent")
	}
	if err := supervisor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = supervisor.Wait() // killed: always an error
	const patience = time.Minute
	for deadline := time.Now().Add(patience); child.Alive(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("child %d survived its parent by %s", pid, patience)
		}
	}
}
