//go:build integration

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/webhook"
)

// A request to the webhook that is not a review of a pod's creation never gets the answer "allowed", and the webhook
// goes on.
func TestThreat34Rubbish(t *testing.T) {
	registration, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address, trust := *registration.Webhooks[0].ClientConfig.URL, x509.NewCertPool()
	if !trust.AppendCertsFromPEM(registration.Webhooks[0].ClientConfig.CABundle) {
		t.Fatal("no authority in the registration")
	}
	client := http.Client{
		Timeout:   waitTime,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}},
	}
	defer client.CloseIdleConnections()
	review := func(body string) string {
		return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":` + body + `}`
	}
	const pods = `"uid":"u","resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","namespace":"tenant"`
	before := reviews(t)
	for name, c := range map[string]struct {
		method, kind, body string
		code               int // 200 is a refusal
		want               string
	}{
		"GET": {method: http.MethodGet, code: http.StatusMethodNotAllowed, want: "POST"},
		"empty": {
			method: http.MethodPost, kind: "application/json", code: http.StatusBadRequest,
			want: "not an AdmissionReview",
		},
		"not JSON": {
			method: http.MethodPost, kind: "application/json", body: "\x00\xff{", code: http.StatusBadRequest,
			want: "not an AdmissionReview",
		},
		"another kind": {
			method: http.MethodPost, kind: "application/json", body: `{"apiVersion":"v1","kind":"Pod"}`,
			code: http.StatusBadRequest, want: "kind",
		},
		"no request": {
			method: http.MethodPost, kind: "application/json", body: review(`null`), code: http.StatusBadRequest,
			want: "request: missing",
		},
		"as a form": {
			method: http.MethodPost, kind: "application/x-www-form-urlencoded", body: "a=b",
			code: http.StatusUnsupportedMediaType, want: "application/json",
		},
		"more than 8 MiB": {
			method: http.MethodPost, kind: "application/json",
			body: review(`{"uid":"` + strings.Repeat("x", webhook.MaxBody) + `"}`),
			code: http.StatusRequestEntityTooLarge, want: "larger than",
		},
		"no object": {
			method: http.MethodPost, kind: "application/json", body: review(`{` + pods + `}`), code: http.StatusOK,
			want: "not a Pod",
		},
		"list for a pod": {
			method: http.MethodPost, kind: "application/json", body: review(`{` + pods + `,"object":[1,2]}`),
			code: http.StatusOK, want: "not a Pod",
		},
		"of something else": {
			method: http.MethodPost, kind: "application/json",
			body: review(`{` + strings.Replace(pods, "CREATE", "DELETE", 1) + `,"object":{}}`), code: http.StatusOK,
			want: "answers CREATE",
		},
		"very deep nesting": {
			method: http.MethodPost, kind: "application/json", code: http.StatusBadRequest,
			body: review(
				`{` + pods + `,"object":` + strings.Repeat(`{"metadata":`, 20000) + `1` + strings.Repeat("}", 20000) + `}`,
			),
			want: "not an AdmissionReview",
		},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, address, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", c.kind)
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
			if res.StatusCode != c.code || !strings.Contains(string(body), c.want) {
				t.Fatalf("answer %s %q, want %d with %q", res.Status, body, c.code, c.want)
			}
			if c.code != http.StatusOK {
				return // the API server takes that for a failed call
			}
			var answer admissionv1.AdmissionReview
			if err := json.Unmarshal(body, &answer); err != nil || answer.Response == nil {
				t.Fatalf("answer %q is no review: %v", body, err)
			}
			if answer.Response.Allowed || len(answer.Response.Patch) > 0 {
				t.Errorf("answer %s, want a refusal", body)
			}
		})
	}
	after := reviews(t)
	// The program's own self-test may come in between.
	if after["unchanged"] != before["unchanged"] || after["patched"] > before["patched"]+1 ||
		after["invalid"] <= before["invalid"] {
		t.Errorf("reviews before %v, after %v; want more that are invalid and no others", before, after)
	}
	if pod, err := tenant(
		t,
	).dryRun(t.Context(), tenantNamespace, nil); err != nil ||
		pod.Annotations[portSecurity] != "true" {
		t.Errorf("a pod after the rubbish: %v, %v", pod, err)
	}
}

// serves reports whether the webhook serves with this certificate.
func serves(t *testing.T, certPEM []byte) bool {
	t.Helper()
	registration, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(*registration.Webhooks[0].ClientConfig.URL)
	if err != nil {
		t.Fatal(err)
	}
	return servesAt(t, u.Host, certPEM)
}

// servesAt reports whether the webhook that listens at an address serves with this certificate.
func servesAt(t *testing.T, address string, certPEM []byte) bool {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // the certificate is checked below
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing was written
	block, _ := pem.Decode(certPEM)
	secured, ok := conn.(*tls.Conn)
	return ok && block != nil && bytes.Equal(secured.ConnectionState().PeerCertificates[0].Raw, block.Bytes)
}
