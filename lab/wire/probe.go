package wire

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

const (
	// controlEvery is how often the control frame is sent while it has not arrived.
	controlEvery = 200 * time.Millisecond
	// grace is how long a frame may arrive after a control frame that was sent behind it: the first of its kind takes Open
	// vSwitch's slow path, the other one may not.
	grace = 150 * time.Millisecond
)

// Probe sends frame from one port and tells whether it arrives at another, byte for byte. It is called dropped only when
// control, which is sent behind it and must pass, has arrived and frame has not: a path that is merely slow or broken is an
// error, never a drop.
func Probe(ctx context.Context, from, to *Port, frame, control []byte) (passed bool, err error) {
	if bytes.Equal(frame, control) {
		return false, fmt.Errorf("probe from %s to %s: the control frame must differ from the frame", from.Netns, to.Netns)
	}
	frames, stop := to.listen()
	defer stop()
	if err := from.Send(frame); err != nil {
		return false, err
	}
	if err := from.Send(control); err != nil {
		return false, err
	}
	again := time.NewTicker(controlEvery)
	defer again.Stop()
	var late <-chan time.Time
	for {
		select {
		case f := <-frames:
			switch {
			case bytes.Equal(f, frame):
				return true, nil
			case late == nil && bytes.Equal(f, control):
				late = time.After(grace)
			}
		case <-late:
			return false, nil
		case <-again.C:
			if late == nil {
				if err := from.Send(control); err != nil {
					return false, err
				}
			}
		case <-ctx.Done():
			return false, fmt.Errorf("probe from %s to %s: neither the frame nor the control frame behind it arrived: %w", from.Netns, to.Netns, ctx.Err())
		}
	}
}
