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

// Probe sends frame once from one port and tells whether it arrives at another, byte for byte.
//
// control is a frame that must pass. It goes ahead until it has arrived, because a path that was not used before, such as a
// tunnel whose far end must be found first, may lose what comes first. Then come frame and, behind it, control again. The
// frame is called dropped only when that control has arrived and the frame has not: a path that is slow or broken is an
// error, never a drop.
func Probe(ctx context.Context, from, to *Port, frame, control []byte) (passed bool, err error) {
	if bytes.Equal(frame, control) {
		return false, fmt.Errorf("probe from %s to %s: the control frame must differ from the frame", from.Netns, to.Netns)
	}
	p := probe{from: from, control: control}
	var stop func()
	p.frames, stop = to.listen()
	defer stop()
	if err := p.openPath(ctx); err != nil {
		return false, fmt.Errorf("probe from %s to %s: before the frame was sent: %w", from.Netns, to.Netns, err)
	}
	if err := from.Send(frame); err != nil {
		return false, err
	}
	if passed, err = p.judge(ctx, frame); err != nil {
		return false, fmt.Errorf("probe from %s to %s: neither the frame arrived nor what was sent behind it: %w", from.Netns, to.Netns, err)
	}
	return passed, nil
}

// probe is one probe on its way.
type probe struct {
	from    *Port
	control []byte
	frames  <-chan []byte
}

// openPath sends the control frame until it has arrived. When it returns no copy of it is on the way any more, so that the
// next one to arrive was sent later.
func (p probe) openPath(ctx context.Context) error {
	for copies := 1; ; copies++ {
		if err := p.from.Send(p.control); err != nil {
			return err
		}
		again := time.After(controlEvery)
		for waiting := true; waiting; {
			select {
			case f := <-p.frames:
				switch {
				case !bytes.Equal(f, p.control):
				case copies == 1:
					return nil
				default:
					return p.quiet(ctx)
				}
			case <-again:
				waiting = false
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// quiet waits until no copy of the control frame has arrived for a while.
func (p probe) quiet(ctx context.Context) error {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case f := <-p.frames:
			if bytes.Equal(f, p.control) {
				timer.Reset(grace)
			}
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// judge sends the control frame behind the frame and tells which of the two arrives.
func (p probe) judge(ctx context.Context, frame []byte) (passed bool, err error) {
	if err := p.from.Send(p.control); err != nil {
		return false, err
	}
	again := time.NewTicker(controlEvery)
	defer again.Stop()
	var late <-chan time.Time
	for {
		select {
		case f := <-p.frames:
			switch {
			case bytes.Equal(f, frame):
				return true, nil
			case late == nil && bytes.Equal(f, p.control):
				late = time.After(grace)
			}
		case <-late:
			return false, nil
		case <-again.C:
			if late == nil {
				if err := p.from.Send(p.control); err != nil {
					return false, err
				}
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
