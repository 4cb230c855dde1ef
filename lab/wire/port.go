// Package wire sends raw frames from one network namespace and looks for them in another, to prove what OVN lets
// through and what it drops.
package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	labnetns "github.com/ovnguard/ovnguard/lab/internal/netns"
)

// maxFrame is the longest frame that is read, in bytes; a jumbo frame and a tag fit.
const maxFrame = 9100

// macSize is the length of a MAC, in bytes.
const macSize = 6

// readPause is how long to wait after a read that failed.
const readPause = 10 * time.Millisecond

// Port is a raw socket on one interface of one network namespace.
type Port struct {
	// Netns and Link name the interface.
	Netns string
	Link  string

	conn    *packet.Conn
	closing atomic.Bool
	ended   chan struct{}

	mu      sync.Mutex
	waiting map[chan []byte]bool
	// lost counts the frames that arrived and that a listener did not get.
	lost uint64
}

// Open opens a raw socket on the interface link of a namespace. Close must be called.
func Open(namespace, link string) (*Port, error) {
	p := &Port{Netns: namespace, Link: link, ended: make(chan struct{}), waiting: make(map[chan []byte]bool)}
	opened := make(chan error, 1)
	// The goroutine's thread changes its namespace and is never unlocked, so it ends with the goroutine. A socket stays
	// in the namespace where it was opened.
	go func() {
		runtime.LockOSThread()
		opened <- p.openHere()
	}()
	if err := <-opened; err != nil {
		return nil, fmt.Errorf("open %s in network namespace %s: %w", link, namespace, err)
	}
	go p.read()
	return p, nil
}

func (p *Port) openHere() (err error) {
	ns, err := netns.GetFromPath(labnetns.Path(p.Netns))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	if err := netns.Set(ns); err != nil {
		return err
	}
	link, err := net.InterfaceByName(p.Link)
	if err != nil {
		return err
	}
	if p.conn, err = packet.Listen(link, packet.Raw, unix.ETH_P_ALL, nil); err != nil {
		return err
	}
	// Frames for MACs other than the interface's own are of interest as well.
	return p.conn.SetPromiscuous(true)
}

// Close closes the socket.
func (p *Port) Close() error {
	p.closing.Store(true)
	err := p.conn.Close()
	<-p.ended
	return err
}

// Send sends one frame, from its destination MAC to the end of its payload.
func (p *Port) Send(frame []byte) error {
	if len(frame) < macSize {
		return fmt.Errorf("send from %s in %s: a frame of %d bytes has no destination", p.Link, p.Netns, len(frame))
	}
	if _, err := p.conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:macSize]}); err != nil {
		return fmt.Errorf("send from %s in %s: %w", p.Link, p.Netns, err)
	}
	return nil
}

// read hands each frame to all listeners, until the socket is closed.
func (p *Port) read() {
	defer close(p.ended)
	buffer := make([]byte, maxFrame)
	for {
		n, _, err := p.conn.ReadFrom(buffer)
		switch {
		case p.closing.Load():
			return
		case err != nil:
			time.Sleep(readPause) // for example, the link is down: it may come back
			continue
		}
		p.hand(append([]byte(nil), buffer[:n]...))
	}
}

func (p *Port) hand(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for listener := range p.waiting {
		select {
		case listener <- frame:
		default: // a listener that is behind by its whole buffer must not hold up the others
			p.lost++
		}
	}
}

// missed counts the frames that arrived and were lost since Open, because more came than could be read: an absent frame
// may be one of them if the count has grown meanwhile.
func (p *Port) missed() (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The kernel counts from the last query (packet(7), PACKET_STATISTICS).
	s, err := p.conn.Stats()
	if err != nil {
		return 0, fmt.Errorf("frames lost on %s in %s: %w", p.Link, p.Netns, err)
	}
	p.lost += uint64(s.Drops)
	return p.lost, nil
}

// listen returns every frame from now on, until stop is called.
func (p *Port) listen() (frames <-chan []byte, stop func()) {
	listener := make(chan []byte, 1024)
	p.mu.Lock()
	p.waiting[listener] = true
	p.mu.Unlock()
	return listener, func() {
		p.mu.Lock()
		delete(p.waiting, listener)
		p.mu.Unlock()
	}
}

// Expect waits until a frame arrives that match accepts, or ctx ends.
func (p *Port) Expect(ctx context.Context, match func(frame []byte) bool) error {
	frames, stop := p.listen()
	defer stop()
	for {
		select {
		case f := <-frames:
			if match(f) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
