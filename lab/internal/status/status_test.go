package status

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

func TestRunning(t *testing.T) {
	good := Component{Name: "a", PID: 1, Health: Healthy}
	for name, test := range map[string]struct {
		report Report
		want   bool
	}{
		"stopped":  {Report{Phase: Stopped}, false},
		"starting": {Report{Phase: Changing, Components: []Component{good}}, false},
		"ready": {
			Report{Phase: Ready, Components: []Component{good}, Nodes: []Node{{Health: Healthy}}}, true,
		},
		"a part is dead": {Report{Phase: Ready, Components: []Component{good, {Health: Dead}}}, false},
		"a part is ill":  {Report{Phase: Ready, Components: []Component{{Health: Unhealthy}, good}}, false},
		"a node is not well": {
			Report{Phase: Ready, Components: []Component{good}, Nodes: []Node{{Health: Unhealthy}}}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.report.Running(); got != test.want {
				t.Errorf("Running() = %v, want %v", got, test.want)
			}
		})
	}
}

func TestCheckOfALabThatStarts(t *testing.T) {
	dir, err := state.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{StateDir: string(dir), Phase: Stopped}, report); diff != "" {
		t.Errorf("empty directory (-want +got):\n%s", diff)
	}

	lock, err := dir.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	})
	if err := dir.Prepare(false); err != nil {
		t.Fatal(err)
	}
	socket := dir.Join("listening.sock")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	group := process.NewGroup(process.Options{PIDDir: dir.Run()})
	t.Cleanup(func() {
		if err := group.Stop(); err != nil {
			t.Error(err)
		}
	})
	want := Report{StateDir: string(dir), Phase: Changing, Holder: os.Getpid()}
	for _, part := range []struct {
		name, script, address string
		health                Health
		detail                string
	}{
		{"alive", "exec sleep 60", "", Healthy, ""},
		{"answers", "exec sleep 60", "unix:" + socket, Healthy, ""},
		{"deaf", "exec sleep 60", "unix:" + dir.Join("nobody.sock"), Unhealthy, "no such file"},
		{"dead", "sleep 0.1", "", Dead, "its log says why"},
	} {
		p, err := group.Start(t.Context(), process.Spec{
			Name:    part.name,
			Path:    "/bin/sh",
			Args:    []string{"-c", part.script},
			LogPath: dir.Log(part.name),
			Health:  part.address,
		})
		if err != nil {
			t.Fatal(err)
		}
		for part.health == Dead && p.Running() {
			time.Sleep(time.Millisecond)
		}
		want.Components = append(
			want.Components,
			Component{Name: part.name, PID: p.PID(), Health: part.health, Detail: part.detail},
		)
	}
	report, err = Check(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	byName := cmp.Transformer("byName", func(components []Component) map[string]Component {
		named := map[string]Component{}
		for _, c := range components {
			if c.Name == "deaf" && strings.Contains(c.Detail, "no such file") {
				c.Detail = "no such file"
			}
			named[c.Name] = c
		}
		return named
	})
	if diff := cmp.Diff(want, report, byName); diff != "" {
		t.Errorf("starting lab (-want +got):\n%s", diff)
	}
}

func TestWriteText(t *testing.T) {
	report := Report{
		StateDir: "/lab",
		Phase:    Ready,
		Holder:   7,
		Lab: &state.Info{
			ID:        "abc123",
			APIServer: "https://127.0.0.1:1",
			ReadyIn:   state.Duration(1500 * time.Millisecond),
		},
		Components: []Component{
			{Name: "one", PID: 8, Health: Healthy},
			{Name: "two", PID: 9, Health: Unhealthy, Detail: "refused\nmore"},
		},
		Nodes: []Node{{Name: "node1", Health: Healthy}},
	}
	var got strings.Builder
	if err := report.WriteText(&got); err != nil {
		t.Fatal(err)
	}
	want := `lab abc123 in /lab: PID 7, ready in 1.5s, API server https://127.0.0.1:1

COMPONENT   PID   STATE
one         8     healthy
two         9     unhealthy: refused

NODE    STATE
node1   healthy
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestDamagedPidFileIsAnError(t *testing.T) {
	dir, err := state.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lock, err := dir.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}()
	if err := dir.Prepare(false); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir.Run(), "x.pid")
	if err := os.WriteFile(path, []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(t.Context(), dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}
