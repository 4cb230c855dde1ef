package ovsdbserver

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A client's input from a server that sends the same hundred bytes to everybody, under each fault.
func TestProxyFaults(t *testing.T) {
	said := bytes.Repeat([]byte("0123456789"), 10)
	corrupted := bytes.Clone(said)
	corrupted[42] = 0
	for name, c := range map[string]struct {
		fault Fault
		want  []byte
		stays bool          // the connection is still open when nothing more comes
		takes time.Duration // at least
	}{
		"none":    {want: said},
		"cut":     {fault: Fault{CutAfter: 42}, want: said[:42]},
		"corrupt": {fault: Fault{CorruptAfter: 42}, want: corrupted},
		"stall":   {fault: Fault{StallAfter: 42}, want: said[:42], stays: true},
		"pieces":  {fault: Fault{Piece: 7, Delay: time.Millisecond}, want: said, takes: 15 * time.Millisecond},
		"all":     {fault: Fault{Piece: 3, CorruptAfter: 42, CutAfter: 50}, want: corrupted[:50]},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			got, open := throughProxy(t, c.fault, said, len(c.want), c.stays)
			if !bytes.Equal(got, c.want) || open != c.stays {
				t.Errorf("got %q, open %t; want %q, %t", got, open, c.want, c.stays)
			}
			if took := time.Since(begin); took < c.takes {
				t.Errorf("it took %v, want at least %v", took, c.takes)
			}
		})
	}
}

// throughProxy returns the arrived bytes, and whether the connection is open afterwards. The server keeps its end open
// if asked, and then that many bytes must come.
func throughProxy(t *testing.T, f Fault, said []byte, comes int, keep bool) (got []byte, open bool) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, err := net.Listen("unix", filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	go func() {
		c, err := server.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write(said) // the client sees the result
		if keep {
			_, _ = io.Copy(io.Discard, c)
		}
		_ = c.Close()
	}()
	p, err := NewProxy(filepath.Join(dir, "proxy"), filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Set(f)
	client, err := net.Dial("unix", filepath.Join(dir, "proxy"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	patience := time.Minute
	if err := client.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if keep { // comes bytes get all the time they need; only then does it wait for more in vain
		if got, err = io.ReadAll(io.LimitReader(client, int64(comes))); err != nil {
			t.Fatal(err)
		}
		patience = 300 * time.Millisecond
		if err := client.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(client)
	got = append(got, rest...)
	if p.Connections() != 1 {
		t.Errorf("%d connections were counted", p.Connections())
	}
	if n := p.Passed(); n < len(got) || n > len(said) {
		t.Errorf("%d bytes were counted, %d arrived of %d", n, len(got), len(said))
	}
	return got, errors.Is(err, os.ErrDeadlineExceeded)
}
