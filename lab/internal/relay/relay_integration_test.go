//go:build integration

package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/ovnguard/ovnguard/lab/internal/netns"
)

func namespace(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root: it makes a network namespace")
	}
	name := netns.Prefix(fmt.Sprintf("%06x", os.Getpid())) + "relay"
	if err := netns.Ensure(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Remove(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

func closing(t *testing.T, c io.Closer) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// echo answers each connection with what it sent, and ends it after the other side has ended.
func echo(t *testing.T, listener net.Listener) {
	t.Helper()
	closing(t, listener)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
}

// A server on the machine's loopback is reached from inside a namespace, and one inside from the machine.
func TestBothWays(t *testing.T) {
	name := namespace(t)
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, outside)
	in, err := Inside(name, "127.0.0.1:7000", To("tcp", outside.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	closing(t, in)

	socket := filepath.Join(t.TempDir(), "s")
	out, err := Connect(socket, func(host string) (string, error) {
		if host != "127.0.0.1" {
			return "", errors.New("no node has " + host)
		}
		return name, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, out)

	if c, status := connect(t, socket, "127.0.0.1:7000"); status != http.StatusOK {
		t.Errorf("status %d", status)
	} else if got := exchange(t, c, "there and back"); got != "there and back" {
		t.Errorf("got %q", got)
	}
	for _, address := range []string{"192.0.2.1:1", "127.0.0.1:7001", "nonsense"} {
		if _, status := connect(t, socket, address); status != http.StatusBadGateway {
			t.Errorf("%s: status %d, want %d", address, status, http.StatusBadGateway)
		}
	}
	idle, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, idle)
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("unix", socket); err == nil {
		t.Error("a closed relay accepts a connection")
	}
}

func connect(t *testing.T, socket, address string) (*net.UnixConn, int) {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, c)
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", address, address); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	status := response.StatusCode
	if status != http.StatusOK { // else what follows is the connection itself
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	return c, status
}

func exchange(t *testing.T, c *net.UnixConn, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}
