package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progressAfter is how long a command works before it says on a terminal what it does.
const progressAfter = time.Second

// progress says on a terminal what a command is doing, where that takes a while.
type progress struct {
	to    io.Writer
	mu    sync.Mutex
	text  string
	timer *time.Timer
	told  bool
}

// showProgress returns the progress of a command; on what is no terminal it says nothing.
func showProgress(to io.Writer) *progress {
	p := &progress{}
	if f, ok := to.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.begin(to, progressAfter)
	}
	return p
}

func (p *progress) begin(to io.Writer, after time.Duration) {
	p.mu.Lock() // before the timer is there, it does not count
	defer p.mu.Unlock()
	p.to = to
	p.timer = time.AfterFunc(after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.timer != nil {
			p.told = true
			p.print()
		}
	})
}

// say notes what the command does now.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	if p.told && p.timer != nil {
		p.print()
	}
}

func (p *progress) print() {
	_, _ = fmt.Fprintf(p.to, "ovnguard: %s ...\n", p.text) // nobody is left to tell
}

// end stops it.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
