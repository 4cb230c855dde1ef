package webhook

import (
	"context"
	"net"
	"sync"
	"time"
)

// connections is a listener with a bound. When one more comes than there may be, the source that has most of them loses
// the one that has waited longest: whoever opens many takes none from others.
type connections struct {
	net.Listener
	most int

	mu  sync.Mutex
	all map[*connection]bool
}

// connection is one that was accepted.
type connection struct {
	net.Conn
	bound  *connections
	source string
	once   sync.Once
	// since is when it was accepted, or its last review was answered; isBusy is set while one is.
	since  time.Time
	isBusy bool
}

// bound returns a listener that has at most so many connections at a time.
func bound(l net.Listener, most int) *connections {
	return &connections{Listener: l, most: most, all: make(map[*connection]bool)}
}

// Accept implements net.Listener.
func (b *connections) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, bound: b, source: hostOf(conn.RemoteAddr().String()), since: time.Now()}
	b.mu.Lock()
	b.all[c] = true
	var victim *connection
	if len(b.all) > b.most {
		victim = b.victim()
	}
	b.mu.Unlock()
	if victim != nil {
		_ = victim.Close() // the error is its sender's
	}
	return c, nil
}

// victim returns the connection to close, under the lock: the one that has waited longest of the source that has most
// of those that wait.
func (b *connections) victim() *connection {
	waiting := make(map[string]int)
	for c := range b.all {
		if !c.isBusy {
			waiting[c.source]++
		}
	}
	var victim *connection
	for c := range b.all {
		switch {
		case c.isBusy:
		case victim == nil, waiting[c.source] > waiting[victim.source],
			waiting[c.source] == waiting[victim.source] && c.since.Before(victim.since):
			victim = c
		}
	}
	return victim
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.once.Do(func() {
		c.bound.mu.Lock()
		defer c.bound.mu.Unlock()
		delete(c.bound.all, c)
	})
	return c.Conn.Close()
}

// busy says whether a review that came whole is being answered on the connection; such a one is not closed for others.
func (c *connection) busy(is bool) {
	c.bound.mu.Lock()
	defer c.bound.mu.Unlock()
	c.isBusy, c.since = is, time.Now()
}

type connectionKey struct{}

// busy marks the connection of a request as one that is being answered, until the function is called that it returns.
func busy(ctx context.Context) func() {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return func() {}
	}
	c.busy(true)
	return func() { c.busy(false) }
}

// Source returns the host from which the request came that ctx is of; "" where that is not known.
func Source(ctx context.Context) string {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		return c.source
	}
	return ""
}

// hostOf returns the host of an address with a port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
