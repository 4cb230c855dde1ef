//go:build integration

package process

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/vishvananda/netns"
)

// TestNetns shows that a child runs in its own namespace, and that the next child does not.
func TestNetns(t *testing.T) {
	// Not /proc/self: that is the main thread, which may be the one that makes
	// a namespace below and stays in it.
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	name := "ovnlab-process-test-" + strconv.Itoa(os.Getpid())
	makeNamespace(t, name)
	g := newTestGroup(t, Options{})
	inside := shell(t, "inside", "exec sleep 60")
	inside.Netns = name
	namespaceOf := func(spec Spec) string {
		p, err := g.Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		link, err := os.Readlink("/proc/" + strconv.Itoa(p.PID()) + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	if got := namespaceOf(inside); got == own {
		t.Errorf("the child is in the parent's namespace %s", got)
	}
	if got := namespaceOf(shell(t, "outside", "exec sleep 60")); got != own {
		t.Errorf("the next child is in %s, want the parent's %s", got, own)
	}
	p := g.Process("inside")
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink("/proc/" + strconv.Itoa(p.PID()) + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if link == own {
		t.Error("after a restart the child is in the parent's namespace")
	}
}

func makeNamespace(t *testing.T, name string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes a network namespace: run it as root")
	}
	result := make(chan error, 1)
	go func() {
		// NewNamed enters the namespace; the thread ends together with it.
		runtime.LockOSThread()
		handle, err := netns.NewNamed(name)
		if err == nil {
			err = handle.Close()
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.DeleteNamed(name); err != nil {
			t.Error(err)
		}
	})
}
