package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// freeBody is the part of a body that is read without asking the budget, in bytes: ordinary reviews are smaller, and
	// never wait for larger ones. The bound on connections bounds their number.
	freeBody = 64 << 10
	// perByte is the memory for a byte of a body until it is answered: its buffer, which doubles as it grows, the copy of
	// the object, and the decoded form of that.
	perByte = 4
	// MaxMemory bounds the memory of the bodies of large reviews together, in bytes. No source of connections gets more
	// than a quarter.
	MaxMemory = 256 << 20
)

// errBusy says that a body was not read to its end because others are being read and answered.
var errBusy = errors.New("too many large reviews at a time; try again")

// Budget bounds the memory of reviews that are larger than freeBody, over all handlers that share it. It is asked
// before more is read, so that a body that is half sent costs no more than the part that was sent.
type Budget struct {
	total, share int64

	mu    sync.Mutex
	held  int64
	of    map[string]int64
	freed chan struct{} // closed when memory is given back
}

// NewBudget returns a budget of total bytes.
func NewBudget(total int64) *Budget {
	return &Budget{total: total, share: total / 4, of: make(map[string]int64), freed: make(chan struct{})}
}

// hold is the part of a budget that one review has.
type hold struct {
	budget *Budget
	source string
	taken  int64
}

// take waits until n bytes more are free, and reports whether it got them in time.
func (h *hold) take(ctx context.Context, n int64) bool {
	b := h.budget
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	for {
		b.mu.Lock()
		if b.held+n <= b.total && b.of[h.source]+n <= b.share {
			b.held += n
			b.of[h.source] += n
			h.taken += n
			b.mu.Unlock()
			return true
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// give returns all of it back.
func (h *hold) give() {
	if h.taken == 0 {
		return
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= h.taken
	if b.of[h.source] -= h.taken; b.of[h.source] == 0 {
		delete(b.of, h.source)
	}
	h.taken = 0
	close(b.freed)
	b.freed = make(chan struct{})
}

// read reads all of a body. Before it reads more than freeBody, it takes the memory from the budget, in steps that
// double the buffer.
func (h *hold) read(ctx context.Context, buffer *bytes.Buffer, body io.Reader) error {
	for step := int64(freeBody); ; step = int64(buffer.Len()) {
		switch _, err := io.CopyN(buffer, body, step); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !h.take(ctx, perByte*int64(buffer.Len())) {
			return errBusy
		}
	}
}
