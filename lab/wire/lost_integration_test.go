//go:build integration

package wire

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/netns"
)

// A frame that a port could not read in time is counted, whether it was lost in the kernel or later.
func TestLostFramesAreCounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root: the ports are in network namespaces")
	}
	prefix := netns.Prefix(fmt.Sprintf("%06x", os.Getpid()))
	left, right := prefix+"left", prefix+"right"
	for _, name := range []string{left, right} {
		if err := netns.Ensure(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := netns.Remove(context.Background(), name); err != nil {
				t.Error(err)
			}
		})
	}
	if err := netns.Batch(
		t.Context(),
		left,
		"link add eth0 type veth peer name eth0 netns "+right,
		"link set eth0 up",
	); err != nil {
		t.Fatal(err)
	}
	if err := netns.Batch(t.Context(), right, "link set eth0 up"); err != nil {
		t.Fatal(err)
	}
	open := func(name string) *Port {
		p, err := Open(name, "eth0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		return p
	}
	from, to := open(left), open(right)
	frame, err := UDP(host(t, mac(1), ip4(1)), host(t, mac(2), ip4(2)))
	if err != nil {
		t.Fatal(err)
	}
	send := func(count int) {
		for range count {
			if err := from.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	missed := func() uint64 {
		n, err := to.missed()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := missed(); n != 0 {
		t.Fatalf("%d frames lost before there was one", n)
	}

	frames, stop := to.listen()
	send(cap(frames) + 100)
	for deadline := time.Now().Add(time.Minute); missed() < 100; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d frames were lost behind a full listener, want 100 and more", missed())
		}
	}
	stop()

	before := missed()
	to.mu.Lock() // nobody reads from the socket now
	send(20_000)
	to.mu.Unlock()
	if n := missed(); n == before {
		t.Error("a full socket has lost nothing")
	}
}
