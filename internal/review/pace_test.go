package review

import (
	"context"
	"strconv"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// A sender of invented reviews that need rights leaves half of the questions to others.
func TestThreat33OneSourceLeavesQuestions(t *testing.T) {
	p := newPace(rate.Every(time.Hour), 8)
	ask := func(source string) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return p.wait(ctx, source)
	}
	count := func(source string) (allowed int) {
		for range 20 {
			if ask(source) == nil {
				allowed++
			}
		}
		return allowed
	}
	if got := count("10.16.0.66"); got != 4 {
		t.Errorf("one source asks %d questions, want half of 8", got)
	}
	if got := count("10.0.0.1"); got != 4 {
		t.Errorf("another one asks %d questions, want the other half", got)
	}
	for i := range 3 * maxPaced {
		_ = p.source(strconv.Itoa(i))
	}
	if len(p.of) > maxPaced {
		t.Errorf("%d sources are kept, want no more than %d", len(p.of), maxPaced)
	}
}
