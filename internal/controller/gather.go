package controller

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	// gatherFor is how long a watch that says much lets changes come together. Each would otherwise wake the program for itself, which
	// costs more than reading it.
	gatherFor = 50 * time.Millisecond
	// gatherSilence is how long nothing must come for what comes next to be read at once.
	gatherSilence = 10 * time.Millisecond
	// gatherAfter is how many reads after a silence are not put off: as many as the pieces that the server's buffers make of a pod.
	gatherAfter = 4
	// gatherSize is how much is read at once of what came together.
	gatherSize = 128 << 10
)

// gatherer is a connection to the API server that reads little by little, or what came together where it carries a watch.
type gatherer struct {
	net.Conn

	watches atomic.Bool
	// What follows belongs to the reader, of whom there is one. quick is how often it read of the connection since a silence, and full
	// whether it got as much as it asked for the last time, so that there may be more.
	buffer []byte
	rest   []byte
	quick  int
	full   bool
}

// gathering gives a dialer whose connections can be told to gather.
func gathering(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &gatherer{Conn: conn}, nil
	}
}

// Read implements io.Reader.
func (g *gatherer) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if !g.watches.Load() {
			return g.Conn.Read(p)
		}
		if g.quick >= gatherAfter && !g.full {
			time.Sleep(gatherFor)
		}
		if g.buffer == nil {
			g.buffer = make([]byte, gatherSize)
		}
		asked := time.Now()
		n, err := g.Conn.Read(g.buffer)
		if g.quick++; time.Since(asked) >= gatherSilence {
			g.quick = 1
		}
		g.full, g.rest = n == len(g.buffer), g.buffer[:n]
		if n == 0 {
			return 0, err // an error that comes with data comes again without
		}
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// gather has the connection gather, or read little by little again. It does nothing where the connection is of another kind, as it is where
// a kubeconfig names files of a client certificate: client-go has a connection of its own around it.
func (g *gatherer) gather(watches bool) {
	if g != nil {
		g.watches.Store(watches)
	}
}

// carrier tells over which connection a request goes.
func carrier(r *http.Request) (traced *http.Request, over func() *gatherer) {
	var conn atomic.Pointer[gatherer]
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		under := info.Conn
		if secured, ok := under.(*tls.Conn); ok {
			under = secured.NetConn()
		}
		g, _ := under.(*gatherer)
		conn.Store(g)
	}})
	return r.WithContext(ctx), conn.Load
}
