package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// patience is how long a command may take before it says what it does.
const patience = time.Second

// progress says on standard error what a command waits for: one line that is taken away again on a terminal, and else,
// where it is asked for, a line for each stage.
type progress struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	on    bool
	stage string
	since time.Time
	timer *time.Timer
	// shown means that the terminal shows the line.
	shown bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, terminal: isTerminal(out)}
	p.on = p.terminal
	return p
}

// isTerminal reports whether a stream is that of a terminal, where somebody can read and answer.
func isTerminal(stream any) bool {
	if q, ok := stream.(quietWriter); ok {
		stream = q.Writer
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

type progressKey struct{}

// stage notes what the command does now.
func stage(ctx context.Context, text string) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.at(text)
	}
}

func (p *progress) at(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on {
		return
	}
	p.stage, p.since = text, time.Now()
	if p.timer == nil {
		p.timer = time.AfterFunc(patience, p.tell)
	} else {
		p.timer.Reset(patience)
	}
}

// tell shows the stage, and how long it has lasted.
func (p *progress) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == "" {
		return
	}
	if !p.terminal {
		_, _ = fmt.Fprintf(p.out, "ovnguard: %s\n", p.stage) // it matters to nobody if this fails
		return
	}
	_, _ = fmt.Fprintf(p.out, "\r\x1b[Kovnguard: %s (%s)", p.stage, time.Since(p.since).Round(time.Second))
	p.shown = true
	p.timer.Reset(patience)
}

// hide takes the line away, and tells nothing until the next stage.
func (p *progress) hide() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = ""
	if p.shown {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// quietWriter has the progress hide before it writes.
type quietWriter struct {
	io.Writer

	progress *progress
}

// Write implements io.Writer.
func (q quietWriter) Write(data []byte) (int, error) {
	q.progress.hide()
	return q.Writer.Write(data)
}
