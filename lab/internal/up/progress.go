package up

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress writes one line per step with the time since the start. It may be
// used from several goroutines.
type progress struct {
	begin time.Time

	mu  sync.Mutex
	out io.Writer
}

func newProgress(out io.Writer, begin time.Time) *progress {
	if out == nil {
		out = io.Discard
	}
	return &progress{begin: begin, out: out}
}

// say writes a line. A log that cannot be written is no reason to stop a lab.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.begin).Seconds(), fmt.Sprintf(format, args...))
}

// timed runs a step and writes how long it took.
func (p *progress) timed(what string, step func() error) error {
	begin := time.Now()
	if err := step(); err != nil {
		return err
	}
	p.say("%s (%.1fs)", what, time.Since(begin).Seconds())
	return nil
}
