package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// With --watch a command answers again and again; the exit code is that of its last answer.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		w := watching{on: true, every: time.Minute}
		var out, errs strings.Builder
		times := 0
		err := w.run(ctx, &out, &errs, func(_ context.Context, out io.Writer) error {
			times++
			_, _ = fmt.Fprintf(out, "answer %d\n", times)
			switch times {
			case 1:
				return unreachable(errors.New("away"))
			case 3:
				time.AfterFunc(time.Second, interrupt)
				return &exitError{code: exitFindings}
			}
			return nil
		})
		state, last := errors.AsType[lastState](err)
		exit, ok := errors.AsType[*exitError](err)
		if !last || !ok || exit.code != exitFindings || state.Error() != "" {
			t.Errorf("state %v", err)
		}
		if out.String() != "answer 1\n\nanswer 2\n\nanswer 3\n" || errs.String() != "ovnguard: away\n" {
			t.Errorf("out %q, errors %q", &out, &errs)
		}
	})
}

// Wrong usage ends it at once, and what is interrupted before it answered has no state.
func TestWatchEnds(t *testing.T) {
	w := watching{on: true, every: time.Minute}
	wrong := usage(errors.New("--x"))
	if err := w.run(t.Context(), io.Discard, io.Discard, func(context.Context, io.Writer) error {
		return wrong
	}); !errors.Is(err, wrong) {
		t.Errorf("wrong usage: %v", err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	if err := w.run(ctx, io.Discard, io.Discard, func(context.Context, io.Writer) error {
		interrupt()
		return unreachable(ctx.Err())
	}); err != nil {
		t.Errorf("interrupted: %v", err)
	}
	w.every = 0
	if err := w.run(
		t.Context(),
		io.Discard,
		io.Discard,
		nil,
	); err == nil ||
		!strings.Contains(err.Error(), "--interval") {
		t.Errorf("--interval 0: %v", err)
	}
}

// safeBuilder is written by several goroutines.
type safeBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuilder) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *safeBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// What takes over a second is told on standard error: on a terminal by a line that is taken away before the answer.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuilder
		p := &progress{out: &out, on: true, terminal: true}
		ctx := context.WithValue(t.Context(), progressKey{}, p)
		answer := quietWriter{&out, p}
		stage(ctx, "reading x")
		time.Sleep(patience / 2)
		stage(ctx, "reading y") // x was quick
		time.Sleep(2*patience + patience/2)
		_, _ = answer.Write([]byte("answer"))
		time.Sleep(time.Minute)
		if want := "\r\x1b[Kovnguard: reading y (1s)\r\x1b[Kovnguard: reading y (2s)\r\x1b[Kanswer"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var out safeBuilder
		p := &progress{out: &out, on: true}
		stage(context.WithValue(t.Context(), progressKey{}, p), "reading x")
		time.Sleep(time.Minute)
		p.hide()
		if out.String() != "ovnguard: reading x\n" {
			t.Errorf("asked for: %q", out.String())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var out safeBuilder
		stage(context.WithValue(t.Context(), progressKey{}, &progress{out: &out}), "reading x")
		time.Sleep(time.Minute)
		if out.String() != "" {
			t.Errorf("not asked for: %q", out.String())
		}
	})
}
