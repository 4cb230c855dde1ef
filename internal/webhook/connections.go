package webhook

import (
	"context"
	"net"
	"sync"
	"time"
)

// connections is a listener with a bound. When a connection exceeds it, the source that has most connections loses the
// one that has waited longest: a source that opens many takes none from others.
type connections struct {
	net.Listener
	most int

	mu  sync.Mutex
	all map[*connection]bool
}

// connection is an accepted connection.
type connection struct {
	net.Conn
	bound  *connections
	source string
	once   sync.Once
	// since is when it was accepted, or its last review was answered; isBusy is set while a review is being answered.
	since  time.Time
	isBusy bool
}

// bound returns a listener that has at most that many connections at a time.
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
		_ = victim.Close() // the error is the sender's problem
	}
	return c, nil
}

// victim returns the connection to close, under the lock: among the connections that wait, the one that has waited
// longest at the source that has most of them.
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

// busy sets whether a complete review is being answered on the connection; such a connection is not closed for others.
func (c *connection) busy(is bool) {
	c.bound.mu.Lock()
	defer c.bound.mu.Unlock()
	c.isBusy, c.since = is, time.Now()
}

type connectionKey struct{}

// busy marks the connection of a request as busy, until the returned function is called.
func busy(ctx context.Context) func() {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return func() {}
	}
	c.busy(true)
	return func() { c.busy(false) }
}

// Source returns the host that sent the request of ctx; "" where that is not known.
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
