//go:build integration

package wire

import (
	"context"
	"testing"
	"time"
)

// A pod's interface takes 1500 bytes, and so must every path between two pods: a tunnel that is too narrow breaks TCP
// only with larger amounts of data.
func TestFullFramesPass(t *testing.T) {
	w := newWorld(t)
	for _, to := range []int{2, 3} {
		frame, err := UDP(host(t, mac(1), ip4(1)), host(t, mac(to), ip4(to)))
		if err != nil {
			t.Fatal(err)
		}
		const ethernet, mtu = 14, 1500
		full := append(frame, make([]byte, ethernet+mtu-len(frame))...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		passed, err := Probe(ctx, w.ports[1], w.ports[to], full, frame)
		cancel()
		if err != nil || !passed {
			t.Errorf("a frame of %d bytes to port %d passes: %v, %v", len(full), to, passed, err)
		}
	}
}
