package ovsdbserver

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Fault is what a proxy does to the bytes that a server sends. The zero value lets them through as they are.
type Fault struct {
	// Delay is how long each piece is held back.
	Delay time.Duration
	// Piece is the most bytes that are passed on at once; 0 means as they come.
	Piece int
	// CutAfter ends the connection after so many bytes; 0 means never.
	CutAfter int
	// CorruptAfter puts a zero byte in place of the one after so many bytes; 0 means never. JSON allows a zero byte
	// nowhere, so the receiver can always notice it.
	CorruptAfter int
	// StallAfter passes nothing on after so many bytes, and leaves the connection open; 0 means never.
	StallAfter int
}

// Proxy stands between a client and a server that listens at a unix socket.
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

// Set has connections that are made from now on suffer a fault.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Connections returns how many connections were made so far.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// Passed returns how many bytes of the server were taken on the newest connection.
func (p *Proxy) Passed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Cut ends all connections as they are.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close() // both ends learn of it, and that is all that is wanted
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
			return // closed
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

// keep takes note of a connection, and returns what it is to suffer and its number.
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

// pass passes bytes on until either end is gone, and takes the other with it. number is that of the connection where
// the bytes are to be counted, else 0.
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
			// What comes is read and thrown away, so that only the end of the connection ends this.
			piece = piece[:max(0, f.StallAfter-passed)]
		}
		passed += n
		if _, err := to.Write(piece); err != nil || end {
			return
		}
	}
}
