package ovsdbserver

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Fault is a fault in the bytes from a server. The zero value passes them unchanged.
type Fault struct {
	// Delay is how long each piece is held back.
	Delay time.Duration
	// Piece is the largest number of bytes that are passed on at once; 0 means unchanged.
	Piece int
	// CutAfter ends the connection after that many bytes; 0 means never.
	CutAfter int
	// CorruptAfter replaces the next byte after that many by a zero byte; 0 means never. JSON never allows a zero byte, so
	// the receiver can always notice it.
	CorruptAfter int
	// StallAfter passes nothing on after that many bytes, and leaves the connection open; 0 means never.
	StallAfter int
}

// Proxy is a proxy between a client and a server that listens at a unix socket.
type Proxy struct {
	path     string
	server   string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	fault  Fault
	open   map[net.Conn]bool
	made   int
	passed int
	closed bool
}

// NewProxy makes a proxy that listens at the unix socket path and passes everything on to the unix socket server.
func NewProxy(path, server string) (*Proxy, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the proxy's clients: %w", err)
	}
	p := &Proxy{path: path, server: server, listener: listener, open: make(map[net.Conn]bool)}
	p.running.Go(p.accept)
	return p, nil
}

// Endpoint returns the proxy's socket as an endpoint.
func (p *Proxy) Endpoint() string { return "unix:" + p.path }

// Set sets the fault for new connections.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Connections returns the number of connections so far.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// Passed returns the number of bytes that were read from the server on the newest connection.
func (p *Proxy) Passed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close() // both ends notice it, and nothing more is needed
	}
}

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close() // nobody can connect any more either way
	p.Cut()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // the listener is closed
		}
		var dialer net.Dialer
		server, err := dialer.DialContext(context.Background(), "unix", p.server)
		if err != nil {
			_ = client.Close() // as it would be without a proxy
			continue
		}
		fault, number, ok := p.keep(client, server)
		if !ok {
			return
		}
		p.running.Go(func() { p.pass(server, client, Fault{}, 0) })
		p.running.Go(func() { p.pass(client, server, fault, number) })
	}
}

// keep records a connection, and returns its fault and its number.
func (p *Proxy) keep(client, server net.Conn) (fault Fault, number int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = client.Close() // nobody is there to use them
		_ = server.Close()
		return Fault{}, 0, false
	}
	p.open[client], p.open[server] = true, true
	p.made++
	p.passed = 0
	return p.fault, p.made, true
}

// count counts bytes of the connection of that number, if it is still the newest.
func (p *Proxy) count(number, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number == p.made {
		p.passed += bytes
	}
}

// pass passes bytes on until either end is gone, and then closes the other. number is the connection for which the
// bytes are counted, or 0.
func (p *Proxy) pass(to, from net.Conn, f Fault, number int) {
	defer func() {
		p.mu.Lock()
		delete(p.open, to)
		delete(p.open, from)
		p.mu.Unlock()
		_ = to.Close() // one end is gone, so the other has to go
		_ = from.Close()
	}()
	buffer, passed := make([]byte, 64<<10), 0
	for {
		piece := buffer
		if f.Piece > 0 {
			piece = buffer[:min(f.Piece, len(buffer))]
		}
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		piece = piece[:n]
		p.count(number, n)
		time.Sleep(f.Delay)
		if at := f.CorruptAfter - passed; f.CorruptAfter > 0 && at >= 0 && at < n {
			piece[at] = 0
		}
		end := f.CutAfter > 0 && passed+n > f.CutAfter
		if end {
			piece = piece[:f.CutAfter-passed]
		}
		if f.StallAfter > 0 && passed+n > f.StallAfter {
			// Input is read and discarded, so that only the end of the connection ends this.
			piece = piece[:max(0, f.StallAfter-passed)]
		}
		passed += n
		if _, err := to.Write(piece); err != nil || end {
			return
		}
	}
}
