//go:build integration

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/webhook"
)

// webhookEndpoint returns the facts for calling the webhook from outside: its address, and the authority to trust.
func webhookEndpoint(t *testing.T) (address *url.URL, trust *tls.Config) {
	t.Helper()
	registration, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := registration.Webhooks[0].ClientConfig
	if address, err = url.Parse(*config.URL); err != nil {
		t.Fatal(err)
	}
	trust = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !trust.RootCAs.AppendCertsFromPEM(config.CABundle) {
		t.Fatal("no authority in the registration")
	}
	return address, trust
}

// Many callers that begin a request and do not end it, in its head or in its body, delay nobody; and the connections of
// those in the body are closed.
func TestThreat33SlowCallers(t *testing.T) {
	const callers = 150 // of each kind; together they are more than the reviews that are answered at a time
	address, trust := webhookEndpoint(t)
	head := "POST " + address.Path + " HTTP/1.1\r\nHost: " + address.Host + "\r\nContent-Type: application/json\r\n"
	connections := make(map[string][]net.Conn)
	for sort, text := range map[string]string{"head": head + "X-Slow: ", "body": head + "Content-Length: " +
		"4096\r\n\r\n{"} {
		for range callers {
			conn, err := (&tls.Dialer{Config: trust}).DialContext(t.Context(), "tcp", address.Host)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() }) // the other side may have closed it
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			connections[sort] = append(connections[sort], conn)
		}
	}
	wish{
		name:        "meanwhile",
		annotations: map[string]string{portSecurity: "false"},
		keeps:       map[string]string{portSecurity: "true"},
	}.tryPod(
		t,
		tenant(t),
	)
	for _, conn := range connections["body"] {
		if err := conn.SetReadDeadline(time.Now().Add(waitTime)); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Fatal("a caller who does not end is waited for")
		}
		if bytes.Contains(answer, []byte("200 OK")) {
			t.Errorf("half a review was answered: %s", answer)
		}
	}
}

// endless returns blanks until nobody reads them any more, and counts them.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

// The webhook stops reading an endless body at a size that no review has.
func TestThreat33EndlessBody(t *testing.T) {
	address, trust := webhookEndpoint(t)
	transport := &http.Transport{TLSClientConfig: trust}
	defer transport.CloseIdleConnections()
	body := new(endless)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address.String(), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Transport: transport, Timeout: waitTime}).Do(req)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Fatal("a body without end is read on and on")
	}
	if err == nil { // otherwise the connection was closed before the answer could be read
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("answer %s", answer.Status)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	const buffers = 32 << 20 // the greatest amount in the kernel and the two ends
	if n := body.read.Load(); n > webhook.MaxBody+buffers {
		t.Errorf("%d bytes went out", n)
	}
}

// In a flood of more reviews than may be answered at a time, each is answered in full or refused; none is let through.
func TestThreat33Flood(t *testing.T) {
	const callers, each = 320, 3
	address, trust := webhookEndpoint(t)
	address.Path = "/mutate-pods"
	// Without this bound the client opens more connections than it has callers, and one source loses some of that many.
	transport := &http.Transport{TLSClientConfig: trust, MaxIdleConnsPerHost: callers, MaxConnsPerHost: callers}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: waitTime}
	pad := string(bytes.Repeat([]byte("x"), 16<<10))
	review, err := json.Marshal(
		map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
			"uid":       "u",
			"operation": "CREATE",
			"namespace": tenantNamespace,
			"resource":  map[string]any{"group": "", "version": "v1", "resource": "pods"},
			"kind": map[string]any{
				"group":   "",
				"version": "v1",
				"kind":    "Pod",
			},
			"userInfo": map[string]any{"username": "tenant"},
			"object": map[string]any{
				"metadata": map[string]any{
					"name":        "x",
					"annotations": map[string]string{portSecurity: "false", "example.org/pad": pad},
				},
				"spec": map[string]any{},
			},
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var patched, refused atomic.Int64
	for range callers {
		wg.Go(func() {
			for range each {
				req, err := http.NewRequestWithContext(
					t.Context(),
					http.MethodPost,
					address.String(),
					bytes.NewReader(review),
				)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				answer, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				var got admissionv1.AdmissionReview
				text, err := io.ReadAll(answer.Body)
				err = errors.Join(err, answer.Body.Close())
				switch {
				// The API server takes that for a failed call.
				case err == nil && answer.StatusCode == http.StatusServiceUnavailable:
					refused.Add(1)
				case err != nil || json.Unmarshal(text, &got) != nil || got.Response == nil:
					t.Errorf("answer %s: %v", answer.Status, err)
					return
				case got.Response.Allowed && bytes.Contains(got.Response.Patch, []byte(`"true"`)):
					patched.Add(1)
				default:
					t.Errorf("answer %+v", got.Response)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d answered, %d refused", patched.Load(), refused.Load())
	if patched.Load()+refused.Load() != callers*each || patched.Load() == 0 {
		t.Errorf("%d answered and %d refused of %d", patched.Load(), refused.Load(), callers*each)
	}
	wish{
		name:        "afterwards",
		annotations: map[string]string{portSecurity: "false"},
		keeps:       map[string]string{portSecurity: "true"},
	}.tryPod(
		t,
		tenant(t),
	)
}
