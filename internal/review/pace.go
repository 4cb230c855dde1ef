package review

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"
)

// maxPaced is the number of sources that are distinguished at a time. There are never more connections than that.
const maxPaced = 1024

// pace bounds how often the API server is asked for rights: over all callers, and half as often for one source, so that
// a sender of invented reviews leaves something for the API server's own.
type pace struct {
	often rate.Limit
	many  int
	all   *rate.Limiter

	mu sync.Mutex
	of map[string]*rate.Limiter
}

// newPace returns a pace of that many questions a second, and that many at once.
func newPace(often rate.Limit, many int) *pace {
	return &pace{often: often, many: many, all: rate.NewLimiter(often, many), of: make(map[string]*rate.Limiter)}
}

// wait waits until a review from a source may ask one question. It returns an error if the time that ctx leaves is too
// short.
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
