package ovn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// conn speaks JSON-RPC as OVSDB does (RFC 7047, section 4) over one connection. A single goroutine reads it and calls
// whoever waits, in the order in which the server sent; whatever goes wrong there, a panic too, ends the connection
// with an error and nothing else.
type conn struct {
	net    net.Conn
	notify func(method string, params []byte) error
	heard  atomic.Int64 // when bytes came last, as sinceStart gives it
	whole  atomic.Int64 // when a message was complete last, likewise

	writing sync.Mutex

	mu      sync.Mutex
	calls   map[uint64]*call
	last    uint64
	failure error
	done    chan struct{}
}

// call is a request that waits for its reply.
type call struct {
	take  func(result []byte) error
	ended chan error
}

// writeTimeout is how long the server may take no bytes.
const writeTimeout = 10 * time.Second

// lastWords is how long a server that takes no bytes any more has for saying why.
const lastWords = 250 * time.Millisecond

// errLost is what calls give that wait when the connection ends. Whether the server did what was asked is not known
// then.
var errLost = errors.New("the connection was lost")

// serverError is an error that the server gave as a reply.
type serverError struct{ method, text string }

func (e *serverError) Error() string { return fmt.Sprintf("%s: the server says %s", e.method, e.text) }

// newConn begins to read. notify gets the server's notifications; an error of it ends the connection.
func newConn(c net.Conn, notify func(method string, params []byte) error) *conn {
	k := &conn{net: c, notify: notify, calls: make(map[uint64]*call), done: make(chan struct{})}
	k.hear()
	k.whole.Store(k.heard.Load())
	go k.read()
	return k
}

// begun is when the program began. What is measured from it does not follow when the clock is set: a server is neither
// given up because the clock jumped forward, nor trusted to live because it was put back.
var begun = time.Now()

// sinceStart returns the time of the program, in nanoseconds.
func sinceStart() int64 { return int64(time.Since(begun)) }

func (k *conn) hear() { k.heard.Store(sinceStart()) }

// silent tells for how long nothing came, and mute for how long no message was complete.
func (k *conn) silent() time.Duration { return time.Duration(sinceStart() - k.heard.Load()) }

func (k *conn) mute() time.Duration { return time.Duration(sinceStart() - k.whole.Load()) }

// close ends the connection, and waits until nothing of it runs any more.
func (k *conn) close(err error) {
	k.fail(err)
	<-k.done
}

// fail ends the connection without waiting.
func (k *conn) fail(err error) {
	k.mu.Lock()
	if k.failure == nil {
		k.failure = err
	}
	k.mu.Unlock()
	_ = k.net.Close() // reading and writing give an error now, which is what counts
}

// err says why the connection ended.
func (k *conn) err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failure
}

func (k *conn) read() {
	defer close(k.done)
	defer func() {
		if r := recover(); r != nil {
			k.fail(fmt.Errorf("what the server sent could not be handled: %v\n%s", r, debug.Stack()))
		}
		k.mu.Lock()
		calls := k.calls
		k.calls = nil
		reason := fmt.Errorf("%w: %w", errLost, k.failure)
		k.mu.Unlock()
		for _, c := range calls {
			c.ended <- reason
		}
	}()
	f := framer{from: k.net, limit: messageLimit, heard: k.hear}
	for {
		message, err := f.next()
		if err == nil {
			k.whole.Store(sinceStart())
			err = k.message(message)
		}
		if err != nil {
			k.fail(err)
			return
		}
	}
}

// message takes one message apart and hands it to whom it belongs.
func (k *conn) message(data []byte) error {
	var method string
	var id, params, result, failure []byte
	s := &scan{data: data}
	s.object(func(key []byte) {
		switch string(key) {
		case "method":
			if !s.null() {
				method = string(s.bytes())
			}
		case "id":
			id = s.skip()
		case "params":
			params = s.skip()
		case "result":
			result = s.skip()
		case "error":
			failure = s.skip()
		default:
			s.skip()
		}
	})
	if s.err != nil {
		return s.err
	}
	switch {
	case method == "echo":
		return k.write([]byte(fmt.Sprintf(`{"id":%s,"result":%s,"error":null}`, orNull(id), orNull(params))))
	case method != "":
		return k.notify(method, params)
	}
	number := &scan{data: id}
	n := uint64(number.integer())
	if number.err != nil {
		return fmt.Errorf("a reply to nothing that was asked: %w", errJSON)
	}
	k.mu.Lock()
	c := k.calls[n]
	delete(k.calls, n)
	k.mu.Unlock()
	if c == nil {
		return nil // whoever asked has given up
	}
	if len(failure) > 0 && string(failure) != "null" {
		c.ended <- &serverError{text: string(failure)}
		return nil
	}
	return c.deliver(result)
}

// deliver hands a result over. The waiting caller gets an answer even if this panics.
func (c *call) deliver(result []byte) (err error) {
	err = errLost
	defer func() { c.ended <- err }()
	err = c.take(result)
	return err
}

func orNull(b []byte) []byte {
	if len(b) == 0 {
		return []byte("null")
	}
	return b
}

func (k *conn) write(message []byte) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	if err := k.net.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if _, err := k.net.Write(message); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// ask sends a request and waits until take has had its result, or the server's error, the connection's end or that of
// ctx came first. take runs between the messages before and after the reply; an error of it ends the connection.
func (k *conn) ask(ctx context.Context, method string, params any, take func(result []byte) error) error {
	encoded, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	c := &call{take: take, ended: make(chan error, 1)}
	k.mu.Lock()
	if k.calls == nil || k.failure != nil {
		defer k.mu.Unlock()
		return fmt.Errorf("%s: %w: %w", method, errNotSent, k.failure)
	}
	k.last++
	id := k.last
	k.calls[id] = c
	k.mu.Unlock()
	if err := k.write([]byte(fmt.Sprintf(`{"id":%d,"method":%q,"params":%s}`, id, method, encoded))); err != nil {
		// A server that refused the client's certificate has said so and gone; its reason is worth more than that it is
		// gone.
		select {
		case <-k.done:
		case <-time.After(lastWords):
		}
		k.fail(err)
	}
	select {
	case err = <-c.ended:
	case <-ctx.Done():
		k.mu.Lock()
		_, waiting := k.calls[id]
		delete(k.calls, id)
		k.mu.Unlock()
		err = fmt.Errorf("%w: %w", errLost, ctx.Err())
		if !waiting {
			err = <-c.ended // the reply is being handed over now
		}
	}
	if refused, ok := errors.AsType[*serverError](err); ok {
		refused.method = method
		return refused
	}
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// errNotSent means that the server never saw the request.
var errNotSent = errors.New("there is no connection")
