package webhook

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// slotWait is how long a review waits for its turn while too many are being answered.
const slotWait = 500 * time.Millisecond

// stuckAfter is how long reviews may be under way while none ends. Each ends by itself within three seconds, whatever
// its content.
const stuckAfter = 10 * time.Second

// Limit bounds the number of reviews that are answered at a time, over all handlers that share it. No namespace gets
// more than a quarter, so that many reviews of one namespace do not hold up those of others.
type Limit struct {
	total, share int

	mu    sync.Mutex
	held  int
	of    map[string]int
	queue []*turn
	// moved is when the last review ended, or when the first of those that are under way began.
	moved time.Time
}

// turn is a review that waits; granted is closed when it may go on.
type turn struct {
	key     string
	granted chan struct{}
}

// NewLimit returns a limit of n reviews.
func NewLimit(n int) *Limit { return &Limit{total: n, share: max(1, n/4), of: make(map[string]int)} }

// shareOf returns the key that a review counts under: its namespace, or its resource if that has no namespace. Reviews
// in a namespace come from its own users; there are few reviews of resources without a namespace.
func shareOf(r *admissionv1.AdmissionRequest) string {
	if r.Namespace != "" {
		return "namespace " + r.Namespace
	}
	return "resource " + r.Resource.Resource + "." + r.Resource.Group
}

// take waits for a turn, and reports whether one came in time. The caller must then call give.
func (l *Limit) take(ctx context.Context, key string) bool {
	l.mu.Lock()
	if l.free(key) {
		l.grant(key)
		l.mu.Unlock()
		return true
	}
	t := &turn{key, make(chan struct{})}
	l.queue = append(l.queue, t)
	l.mu.Unlock()
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case <-t.granted:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue, t); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
		return false
	}
	return true // it was granted at the last moment
}

func (l *Limit) free(key string) bool { return l.held < l.total && l.of[key] < l.share }

func (l *Limit) grant(key string) {
	if l.held == 0 {
		l.moved = time.Now()
	}
	l.held++
	l.of[key]++
}

// give returns a turn, and passes it on to the review that has waited longest among those that may have one.
func (l *Limit) give(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved = time.Now()
	l.held--
	if l.of[key]--; l.of[key] == 0 {
		delete(l.of, key)
	}
	for i, t := range l.queue {
		if l.free(t.key) {
			l.grant(t.key)
			l.queue = slices.Delete(l.queue, i, i+1)
			close(t.granted)
			return
		}
	}
}

// Stuck returns an error if reviews are under way and none has ended for too long: the process will not recover by
// itself.
func (l *Limit) Stuck() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == 0 {
		return nil
	}
	if since := time.Since(l.moved); since > stuckAfter {
		return fmt.Errorf(
			"%d reviews are being answered, %d wait, and none has ended for %s",
			l.held,
			len(l.queue),
			since.Round(time.Second),
		)
	}
	return nil
}
