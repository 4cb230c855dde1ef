package controlplane

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

func TestPortsAreKeptWhileTheyAreFree(t *testing.T) {
	dir, err := state.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first, err := choosePorts(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := []int{first.APIServer, first.ControllerManager, first.Scheduler}
	for i, port := range all {
		if port < firstPort || port >= firstPort+portCount {
			t.Errorf("port %d is out of range", port)
		}
		for _, other := range all[:i] {
			if port == other {
				t.Errorf("port %d was given twice", port)
			}
		}
	}
	if again, err := choosePorts(dir); err != nil || again != first {
		t.Errorf("second choice %+v (%v), want %+v", again, err, first)
	}

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(first.APIServer))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}()
	moved, err := choosePorts(dir)
	if err != nil {
		t.Fatal(err)
	}
	if moved.APIServer == first.APIServer || moved.Scheduler != first.Scheduler ||
		moved.ControllerManager != first.ControllerManager {
		t.Errorf("with port %d in use: %+v, want only that one changed from %+v", first.APIServer, moved, first)
	}
}

func TestDamagedPortsFileIsNamed(t *testing.T) {
	dir, err := state.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := dir.Join("ports.json")
	if err := os.WriteFile(path, []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := choosePorts(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

// TestPortOfADyingServerIsWaitedFor: the last server's socket closes a moment after its process has lost its name.
func TestPortOfADyingServerIsWaitedFor(t *testing.T) {
	dir, err := state.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first, err := choosePorts(dir)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(first.APIServer))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	time.AfterFunc(300*time.Millisecond, func() { closed <- listener.Close() })
	again, err := choosePorts(dir)
	if err != nil || again != first {
		t.Errorf("got %+v (%v), want the ports of the last start, %+v", again, err, first)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
