package wire

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var (
	tested  = []byte("the frame that is judged")
	control = []byte("the frame that must pass")
)

// path is a path between two ports, in the clock of a synctest bubble.
type path struct {
	// delay returns how long a frame takes that is the n-th of its kind, counted from 1; a negative one loses it.
	delay func(frame []byte, n int) time.Duration
	// lost is the number of frames that the capture loses, by query.
	lost []uint64
	// broken is the error of each Send.
	broken error
}

// probe sends the tested frame down the path.
func (w path) probe(t *testing.T) (passed bool, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		frames := make(chan []byte, 100)
		sent := make(map[string]int)
		p := probe{
			control: control, frames: frames,
			send: func(f []byte) error {
				sent[string(f)]++
				if d := w.delay(f, sent[string(f)]); d >= 0 {
					time.AfterFunc(d, func() { frames <- f })
				}
				return w.broken
			},
			missed: func() (uint64, error) {
				n := w.lost[0]
				w.lost = w.lost[1:]
				return n, nil
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		passed, err = p.run(ctx, tested)
	})
	return passed, err
}

func TestProbeJudges(t *testing.T) {
	const never = -1
	isTested := func(f []byte) bool { return bytes.Equal(f, tested) }
	for name, c := range map[string]struct {
		delay func(frame []byte, n int) time.Duration
		lost  []uint64
		want  bool
		// fails means that there must be no verdict; with is the error to expect, where it matters.
		fails bool
		with  error
	}{
		"it arrives": {
			delay: func([]byte, int) time.Duration { return time.Millisecond },
			want:  true,
		},
		"it arrives a little after what was sent behind it": {
			delay: func(f []byte, _ int) time.Duration {
				if isTested(f) {
					return grace - time.Millisecond
				}
				return 0
			},
			want: true,
		},
		"it is dropped": {
			delay: func(f []byte, _ int) time.Duration {
				if isTested(f) {
					return never
				}
				return time.Millisecond
			},
		},
		"a path that must warm up": {
			delay: func(f []byte, n int) time.Duration {
				if !isTested(f) && n < 4 {
					return never
				}
				return time.Millisecond
			},
			want: true,
		},
		"a slow path, where copies of the control frame pile up and the frame is still on its way": {
			delay: func([]byte, int) time.Duration { return 3 * controlEvery },
			want:  true,
		},
		"the control frame behind it is lost once": {
			delay: func(f []byte, n int) time.Duration {
				if isTested(f) || n == 2 {
					return never
				}
				return time.Millisecond
			},
		},
		"a path that lets nothing through": {
			delay: func([]byte, int) time.Duration { return never },
			fails: true, with: context.DeadlineExceeded,
		},
		"a path that breaks with the frame": {
			delay: func(f []byte, n int) time.Duration {
				if isTested(f) || n > 1 {
					return never
				}
				return time.Millisecond
			},
			fails: true, with: context.DeadlineExceeded,
		},
		"a capture that lost something meanwhile": {
			delay: func(f []byte, _ int) time.Duration {
				if isTested(f) {
					return never
				}
				return time.Millisecond
			},
			lost:  []uint64{3, 4},
			fails: true,
		},
		"a capture that lost something before": {
			delay: func(f []byte, _ int) time.Duration {
				if isTested(f) {
					return never
				}
				return time.Millisecond
			},
			lost: []uint64{3, 3},
		},
		"a frame that arrives needs no whole capture": {
			delay: func([]byte, int) time.Duration { return time.Millisecond },
			lost:  []uint64{3, 4},
			want:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			lost := c.lost
			if lost == nil {
				lost = []uint64{0, 0}
			}
			got, err := path{delay: c.delay, lost: lost}.probe(t)
			if c.fails != (err != nil) || (c.with != nil && !errors.Is(err, c.with)) {
				t.Fatalf("error %v, want one: %v, %v", err, c.fails, c.with)
			}
			if got != c.want {
				t.Errorf("passed: %v, want %v", got, c.want)
			}
		})
	}
}

func TestProbeTellsThatItCannotSend(t *testing.T) {
	down := errors.New("network is down")
	_, err := path{delay: func([]byte, int) time.Duration { return 0 }, broken: down}.probe(t)
	if !errors.Is(err, down) {
		t.Errorf("error %v, want %v", err, down)
	}
}
