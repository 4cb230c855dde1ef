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
	// grace is how much later than a control frame that was sent after it a frame may arrive: the first of its kind takes
	// Open vSwitch's slow path, the other one may not.
	grace = 150 * time.Millisecond
)

// Probe sends frame once from one port and reports whether it arrives at another, byte for byte.
//
// control is a frame that must pass. It is sent first until it has arrived, because a path that was not used before,
// such as a tunnel with a far end that must be found first, may lose the first frames. Then frame follows, and after it
// control again. The frame counts as dropped only when that control has arrived and the frame has not: a path that is
// slow or broken is an error, never a drop. So is a capture that lost frames meanwhile, since the frame may be one of
// them.
func Probe(ctx context.Context, from, to *Port, frame, control []byte) (passed bool, err error) {
	if passed, err = ProbeBy(ctx, from.Send, to, frame, control); err != nil {
		return false, fmt.Errorf("probe from %s: %w", from.Netns, err)
	}
	return passed, nil
}

// ProbeBy is Probe for frames that something else than a Port sends, such as a process in a container.
func ProbeBy(
	ctx context.Context,
	send func(frame []byte) error,
	to *Port,
	frame, control []byte,
) (passed bool, err error) {
	if bytes.Equal(frame, control) {
		return false, fmt.Errorf("probe to %s: the control frame must differ from the frame", to.Netns)
	}
	frames, stop := to.listen()
	defer stop()
	p := probe{send: send, frames: frames, missed: to.missed, control: control}
	if passed, err = p.run(ctx, frame); err != nil {
		return false, fmt.Errorf("probe to %s: %w", to.Netns, err)
	}
	return passed, nil
}

// probe is one probe on its way.
type probe struct {
	// send sends a frame at one end, frames has the arrivals at the other, and missed counts those that were lost.
	send    func(frame []byte) error
	frames  <-chan []byte
	missed  func() (uint64, error)
	control []byte
}

func (p probe) run(ctx context.Context, frame []byte) (passed bool, err error) {
	if err := p.openPath(ctx); err != nil {
		return false, fmt.Errorf("before the frame was sent: %w", err)
	}
	before, err := p.missed()
	if err != nil {
		return false, err
	}
	if err := p.send(frame); err != nil {
		return false, err
	}
	passed, err = p.judge(ctx, frame)
	if err != nil {
		return false, fmt.Errorf("neither the frame arrived nor what was sent behind it: %w", err)
	}
	if passed {
		return true, nil
	}
	after, err := p.missed()
	if err != nil {
		return false, err
	}
	if after != before {
		return false, fmt.Errorf(
			"%d frames arrived that could not be read, and the frame may be one of them: probe again with less traffic",
			after-before,
		)
	}
	return false, nil
}

// openPath sends the control frame until it has arrived. When it returns no copy of it is on the way any more, so that
// the next one to arrive was sent later.
func (p probe) openPath(ctx context.Context) error {
	for copies := 1; ; copies++ {
		if err := p.send(p.control); err != nil {
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
					return p.drain(ctx, copies-1)
				}
			case <-again:
				waiting = false
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// drain waits until the rest of the copies of the control frame have arrived, or none has for so long that they are
// lost: the next one to arrive must not be mistaken for one that was sent later. Copies on the way are as far apart as
// they were sent, so the wait is longer than that.
func (p probe) drain(ctx context.Context, rest int) error {
	const lost = controlEvery + grace
	timer := time.NewTimer(lost)
	defer timer.Stop()
	for rest > 0 {
		select {
		case f := <-p.frames:
			if bytes.Equal(f, p.control) {
				rest--
				timer.Reset(lost)
			}
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// judge sends the control frame after the frame and reports which of the two arrives.
func (p probe) judge(ctx context.Context, frame []byte) (passed bool, err error) {
	if err := p.send(p.control); err != nil {
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
				if err := p.send(p.control); err != nil {
					return false, err
				}
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// Stream sends the same frame from one port at intervals until ctx ends, and returns how many were sent and how many of
// them arrived at another. The number of lost frames, times the interval, is how long the path was cut.
func Stream(ctx context.Context, from, to *Port, frame []byte, every time.Duration) (sent, arrived int, err error) {
	frames, stop := to.listen()
	defer stop()
	before, err := to.missed()
	if err != nil {
		return 0, 0, err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var late <-chan time.Time // set when sending has ended
	for {
		select {
		case <-tick.C:
			if late != nil {
				continue
			}
			if ctx.Err() != nil {
				late = time.After(grace)
				continue
			}
			if err := from.Send(frame); err != nil {
				return sent, arrived, err
			}
			sent++
		case f := <-frames:
			if bytes.Equal(f, frame) {
				arrived++
			}
		case <-late:
			after, err := to.missed()
			if err == nil && after != before {
				err = fmt.Errorf("%d frames arrived that could not be read", after-before)
			}
			return sent, arrived, err
		}
	}
}
