package review

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"
)

// maxPaced is how many sources are told apart at a time. More connections than these there are not.
const maxPaced = 1024

// pace bounds how often the API server is asked for rights: over all callers, and half as often for those of one
// source, so that whoever makes up reviews leaves something for the API server's own.
type pace struct {
	often rate.Limit
	many  int
	all   *rate.Limiter

	mu sync.Mutex
	of map[string]*rate.Limiter
}

// newPace returns a pace of so many questions a second, and so many at once.
func newPace(often rate.Limit, many int) *pace {
	return &pace{often: often, many: many, all: rate.NewLimiter(often, many), of: make(map[string]*rate.Limiter)}
}

// wait waits until a review that came from a source may ask one question. It returns an error where the time that ctx
// leaves is too short.
func (p *pace) wait(ctx context.Context, source string) error {
	if err := p.source(source).Wait(ctx); err != nil {
		return fmt.Errorf("too many rights are asked for from %s at a time: %w", source, err)
	}
	if err := p.all.Wait(ctx); err != nil {
		return fmt.Errorf("too many rights are asked for at a time: %w", err)
	}
	return nil
}

func (p *pace) source(source string) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	own, known := p.of[source]
	if !known {
		if len(p.of) == maxPaced {
			clear(p.of)
		}
		own = rate.NewLimiter(p.often/2, max(1, p.many/2))
		p.of[source] = own
	}
	return own
}
