package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// statedMemory is the greatest additional memory of the webhook under any load: the bound for large bodies, and the
// memory of the connections.
const statedMemory = MaxMemory + MaxConnections*(4*freeBody+128<<10)

// floodedServer is a server with callers of two sources: the ordinary one, and the source that floods it.
type floodedServer struct {
	address string
	client  *http.Client
	roots   *x509.CertPool
	// end ends the server as a signal to the program does.
	end context.CancelFunc
}

// served runs a server as the controller does, with this handler for reviews.
func served(t *testing.T, answer handlerFunc) *floodedServer {
	t.Helper()
	authority := newAuthority(t)
	cert, key := authority.sign(t, &x509.Certificate{
		Subject: pkix.Name{
			CommonName: "webhook",
		},
		DNSNames:    []string{"webhook"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	serving := &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	s := &Server{Log: logr.Discard(), TLS: &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return serving, nil },
	}}
	s.Register("/review", &Handler{
		Answer: answer, Limit: NewLimit(64), Budget: NewBudget(MaxMemory), Timeout: time.Minute, Log: logr.Discard(),
	})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, listener) }()
	f := &floodedServer{address: listener.Addr().String(), roots: x509.NewCertPool(), end: cancel}
	f.roots.AddCert(authority.cert)
	f.client = &http.Client{Transport: &http.Transport{TLSClientConfig: f.config()}, Timeout: time.Minute}
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *floodedServer) config() *tls.Config {
	return &tls.Config{RootCAs: f.roots, ServerName: "webhook", MinVersion: tls.VersionTLS12}
}

// dial opens a connection from another address than the ordinary caller's; it is closed at the end of the test.
func (f *floodedServer) dial(t *testing.T, source string) *tls.Conn {
	t.Helper()
	dialer := &tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: time.Minute},
		Config:    f.config(),
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", f.address)
	if err != nil {
		return nil // the server may take others instead
	}
	t.Cleanup(func() { _ = conn.Close() })
	secure, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatalf("%T is no TLS connection", conn)
	}
	return secure
}

// review sends an ordinary review of that size, and returns an error if it is not answered.
func (f *floodedServer) review(ctx context.Context, size int) error {
	body := strings.Replace(good, `"a":1`, `"a":"`+strings.Repeat("x", size)+`"`, 1)
	req, err := http.NewRequestWithContext(
		ctx,
		http.MethodPost,
		"https://"+f.address+"/review",
		strings.NewReader(body),
	)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, text)
	}
	return nil
}

// memory returns the memory that the process uses, callers included.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// halfBody returns the beginning of a review with a stated length of 7 MiB.
func halfBody(sent int) []byte {
	head := fmt.Sprintf(
		"POST /review HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		7<<20,
	)
	return append([]byte(head), bytes.Repeat([]byte(" "), sent)...)
}

// Bodies that are half sent hold no more memory than stated, however many there are, and ordinary reviews are answered
// meanwhile.
func TestThreat33HalfSentBodies(t *testing.T) {
	f := served(t, allow)
	before := memory()
	var sending sync.WaitGroup
	text := halfBody(6 << 20)
	for i := range 128 {
		conn := f.dial(t, fmt.Sprintf("127.0.1.%d", 1+i%8))
		if conn == nil {
			t.Fatal("no connection")
		}
		sending.Go(func() { _, _ = conn.Write(text) }) // it blocks when the server stops reading
	}
	most := uint64(0)
	for range 40 {
		for _, size := range []int{200, 20_000, 60_000} {
			if err := f.review(t.Context(), size); err != nil {
				t.Fatalf("an ordinary review of %d bytes: %v", size, err)
			}
		}
		most = max(most, memory())
	}
	if grown := int64(most) - int64(before); grown > statedMemory {
		t.Errorf(
			"128 half-sent bodies take %d MiB, more than the %d MiB that are stated",
			grown>>20,
			int64(statedMemory)>>20,
		)
	} else {
		t.Logf("128 half-sent bodies of 6 MiB took %d MiB", grown>>20)
	}
	f.client.CloseIdleConnections()
}

// Connections that do nothing, or begin a head that never ends, are closed for others when there are too many; never
// the connections of a caller that has few.
func TestThreat33ManyConnections(t *testing.T) {
	f := served(t, allow)
	before := memory()
	for name, send := range map[string]string{
		"idle": "", "a head that does not end": "POST /review HTTP/1.1\r\nHost: webhook\r\nX-A: ", "a body that does " +
			"not come": string(halfBody(0)),
	} {
		t.Run(name, func(t *testing.T) {
			most := uint64(0)
			for i := range 2 * MaxConnections {
				conn := f.dial(t, fmt.Sprintf("127.0.2.%d", 1+i%3))
				if conn != nil {
					_, _ = conn.Write([]byte(send))
				}
				if i%64 != 0 {
					continue
				}
				if err := f.review(t.Context(), 20_000); err != nil {
					t.Fatalf("an ordinary review beside %d connections: %v", i, err)
				}
				most = max(most, memory())
			}
			if grown := int64(most) - int64(before); grown > statedMemory {
				t.Errorf("they take %d MiB, more than the %d MiB that are stated", grown>>20, int64(statedMemory)>>20)
			} else {
				t.Logf("%d connections took %d MiB, their callers included", 2*MaxConnections, grown>>20)
			}
		})
	}
}

// A head that is longer than any API server's is refused, and an unfinished head costs its connection after a time.
func TestThreat33Heads(t *testing.T) {
	t.Parallel()
	f := served(t, allow)
	long := f.dial(t, "127.0.0.1")
	if _, err := fmt.Fprintf(
		long,
		"POST /review HTTP/1.1\r\nHost: webhook\r\nX-A: %s\r\n\r\n",
		strings.Repeat("x", 2*maxHead),
	); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(long), nil)
	if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long head: %v, %v", res, err)
	}
	if res != nil {
		_ = res.Body.Close()
	}
	slow := f.dial(t, "127.0.0.1")
	if _, err := io.WriteString(slow, "POST /review HTTP/1.1\r\nHost: "); err != nil {
		t.Fatal(err)
	}
	if err := slow.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Errorf("a head that does not end: %v, want the connection closed", err)
	}
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

// Many streams of one connection would get past the bound on connections: the server does not use HTTP/2, neither
// negotiated nor with prior knowledge.
func TestThreat33NoStreams(t *testing.T) {
	f := served(t, allow)
	config := f.config()
	config.NextProtos = []string{"h2", "http/1.1"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	secure, ok := conn.(*tls.Conn)
	if got := secure.ConnectionState().NegotiatedProtocol; !ok || got != "http/1.1" {
		t.Errorf("%q was agreed on", got)
	}
	if _, err := io.WriteString(
		conn,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && !strings.HasPrefix(line, "HTTP/1.1 ") {
		t.Errorf("it answers %q to who begins with HTTP/2", line)
	}
}

// For a new connection, the server closes one that waits, of the source that has most; it closes none with a review
// that is being answered.
func TestVictim(t *testing.T) {
	now := time.Now()
	b := bound(nil, 3)
	add := func(source string, age time.Duration, isBusy bool) *connection {
		c := &connection{bound: b, source: source, since: now.Add(-age), isBusy: isBusy}
		b.all[c] = true
		return c
	}
	add("api", time.Hour, false)
	add("flood", time.Second, false)
	oldest := add("flood", time.Minute, false)
	for range 3 {
		add("busy", 2*time.Hour, true)
	}
	if got := b.victim(); got != oldest {
		t.Errorf("%v is closed, want the one that has waited longest of the source that has most", got)
	}
	for c := range b.all {
		c.isBusy = true
	}
	if got := b.victim(); got != nil {
		t.Errorf("%v is closed although a review is being answered on it", got)
	}
}
