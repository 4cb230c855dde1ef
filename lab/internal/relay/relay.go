// Package relay carries connections between the machine's own network, where the lab's servers listen on loopback, and
// the nodes' network namespaces, which have no other way there.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/vishvananda/netns"

	labnetns "github.com/ovnguard/ovnguard/lab/internal/netns"
)

// dialTimeout bounds the wait for the far end of one connection.
const dialTimeout = 5 * time.Second

// Dial opens a connection for one that was accepted.
type Dial func(context.Context) (net.Conn, error)

// Relay accepts connections and carries each to its far end, until Close.
type Relay struct {
	listener net.Listener
	cancel   context.CancelFunc
	serving  sync.WaitGroup
}

// Inside listens on a TCP address in a network namespace, and carries each connection to where dial opens one.
func Inside(namespace, address string, dial Dial) (*Relay, error) {
	var listener net.Listener
	err := within(namespace, func() (err error) {
		listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("relay at %s in %s: %w", address, namespace, err)
	}
	return serve(listener, func(ctx context.Context, c net.Conn) error {
		far, err := dial(ctx)
		if err != nil {
			return err
		}
		return carry(ctx, c, c, far)
	}), nil
}

// To returns a Dial for one address of the machine.
func To(network, address string) Dial {
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	}
}

// serve runs handle for each connection that listener accepts.
func serve(listener net.Listener, handle func(context.Context, net.Conn) error) *Relay {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Relay{listener: listener, cancel: cancel}
	r.serving.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed
			}
			r.serving.Go(func() {
				stop := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer stop()
				// Both ends see a connection that fails; there is nobody else to tell.
				_ = errors.Join(handle(ctx, c), c.Close())
			})
		}
	})
	return r
}

// Close ends the relay with all its connections.
func (r *Relay) Close() error {
	r.cancel()
	err := r.listener.Close()
	r.serving.Wait()
	return err
}

// carry copies both ways until both sides have ended or ctx ends. near is read by way of from.
func carry(ctx context.Context, near net.Conn, from io.Reader, far net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = far.Close() })
	defer stop()
	var copies sync.WaitGroup
	oneWay := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from) // the other side hears of it by the end of the connection
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}
	copies.Go(func() { oneWay(far, from) })
	copies.Go(func() { oneWay(near, far) })
	copies.Wait()
	return far.Close()
}

// dialIn dials an address from inside a network namespace.
func dialIn(ctx context.Context, namespace, address string) (c net.Conn, err error) {
	err = within(namespace, func() (err error) {
		// One address of one family: the socket is made on this thread.
		c, err = (&net.Dialer{Timeout: dialTimeout, FallbackDelay: -1}).DialContext(ctx, "tcp", address)
		return err
	})
	return c, err
}

// within runs f on a thread that is in the namespace. Sockets stay where they were made.
func within(namespace string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- func() (err error) {
			ns, err := netns.GetFromPath(labnetns.Path(namespace))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, ns.Close()) }()
			if err := netns.Set(ns); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-done
}
