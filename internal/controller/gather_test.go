package controller

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
)

// socket is a connection that gives all that was written to it, as the kernel's do.
type socket struct {
	net.Conn

	wrote  sync.Cond
	bytes  bytes.Buffer
	closed bool
	reads  int
}

func newSocket() *socket { return &socket{wrote: sync.Cond{L: &sync.Mutex{}}} }

func (s *socket) Read(p []byte) (int, error) {
	s.wrote.L.Lock()
	defer s.wrote.L.Unlock()
	for s.bytes.Len() == 0 && !s.closed {
		s.wrote.Wait()
	}
	s.reads++
	return s.bytes.Read(p)
}

// write gives the reader something, or an end where there is nothing.
func (s *socket) write(text string) {
	s.wrote.L.Lock()
	defer s.wrote.L.Unlock()
	s.bytes.WriteString(text)
	s.closed = text == ""
	s.wrote.Broadcast()
}

// What comes after a silence is read at once, what comes in quick succession together, and much without a pause.
func TestGatherer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSocket()
		g := &gatherer{Conn: s}
		g.watches.Store(true)
		begin := time.Now()
		var got bytes.Buffer
		ended := make(chan struct{})
		const flood = 3 * gatherSize
		read := make(map[int]time.Duration) // when so many bytes had been read; looked at while nothing goes on
		go func() {
			defer close(ended)
			p := make([]byte, 100) // as small as who reads likes
			for {
				n, err := g.Read(p)
				got.Write(p[:n])
				read[got.Len()] = time.Since(begin)
				if err != nil {
					return
				}
			}
		}()
		late := func(bytes int, since time.Duration) time.Duration {
			time.Sleep(time.Hour)
			synctest.Wait()
			at, ok := read[bytes]
			if !ok {
				t.Fatalf("%d bytes are not what was read at any time", bytes)
			}
			return at - since
		}
		change := func() time.Duration { // in as many pieces as an API server makes of one
			at := time.Since(begin)
			for range gatherAfter {
				s.write("a")
				synctest.Wait()
			}
			return at
		}
		const piece = gatherAfter
		time.Sleep(time.Hour)
		if d := late(piece, change()); d != 0 {
			t.Errorf("what came after a silence was read %s late", d)
		}
		s.reads = 0
		for range 40 {
			s.write("b")
			time.Sleep(gatherSilence / 2)
		}
		late(piece+40, 0)
		if n := s.reads; n > gatherAfter+6 {
			t.Errorf("40 changes within %s were read in %d pieces", 20*gatherSilence, n)
		}
		if d := late(piece+40+piece, change()); d != 0 {
			t.Errorf("what came after a flood and a silence was read %s late", d)
		}
		at := time.Since(begin)
		s.write(strings.Repeat("c", flood))
		if d := late(piece+40+piece+flood, at); d > gatherFor {
			t.Errorf("%d bytes that were there were read %s late", flood, d)
		}
		s.write("")
		<-ended
		if want := "aaaa" + strings.Repeat("b", 40) + "aaaa" + strings.Repeat("c", flood); got.String() != want {
			t.Errorf("%d bytes were read, want %d", got.Len(), len(want))
		}
	})
}

// A watch gathers whatever is around its connection, and says what it says; when it has ended, its connection reads as before.
func TestGather(t *testing.T) {
	const changes = 400
	change := func(i int) string { return fmt.Sprintf("change %d\n", i) }
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		flush := http.NewResponseController(w).Flush
		if r.URL.Query().Get("watch") == "" {
			_, _ = io.WriteString(w, "a list")
			return
		}
		for i := range changes {
			_, _ = io.WriteString(w, change(i))
			if flush() != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	var dialed []*gatherer
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	dial := gathering((&net.Dialer{}).DialContext)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if g, ok := conn.(*gatherer); ok {
				dialed = append(dialed, g)
			}
			return conn, err
		},
	}
	w := newWatches(logr.Discard(), time.Now)
	c := &http.Client{Transport: w.wrap(transport)}
	get := func(path string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	if got := get("/api/v1/pods"); string(got) != "a list" {
		t.Errorf("the list is %q", got)
	}
	var want bytes.Buffer
	for i := range changes {
		want.WriteString(change(i))
	}
	if got := get("/api/v1/pods?watch=true"); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the watch said %d bytes, want %d", len(got), want.Len())
	}
	if len(dialed) != 1 || dialed[0].buffer == nil {
		t.Errorf("of %d connections the watch's did not gather", len(dialed))
	}
	if got := get("/api/v1/pods"); string(got) != "a list" {
		t.Errorf("the list after the watch is %q", got)
	}
	if len(dialed) != 1 {
		t.Fatalf("%d connections were made, want one for all", len(dialed))
	}
	if dialed[0].watches.Load() {
		t.Error("the connection that carried the watch still gathers")
	}
}
