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
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// countedConn counts the reads of a connection.
type countedConn struct {
	net.Conn
	reads *atomic.Int64
}

func (c countedConn) Read(p []byte) (int, error) {
	c.reads.Add(1)
	return c.Conn.Read(p)
}

// A watch that says much is read in few pieces, whole and in order, and when it has ended its connection reads as before.
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
			time.Sleep(200 * time.Microsecond)
		}
	}))
	t.Cleanup(server.Close)
	var reads atomic.Int64
	var dialed []*gatherer
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	dial := gathering(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return countedConn{conn, &reads}, err
	})
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
	reads.Store(0)
	var want bytes.Buffer
	for i := range changes {
		want.WriteString(change(i))
	}
	if got := get("/api/v1/pods?watch=true"); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the watch said %d bytes, want %d", len(got), want.Len())
	}
	if n := reads.Load(); n > changes/2 {
		t.Errorf("%d changes took %d reads", changes, n)
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
