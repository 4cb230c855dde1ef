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
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// maxReview is what the webhook reads of one request, in bytes.
const maxReview = 7 << 20

// Whatever reaches the webhook without being a review of a pod's creation gets an answer that is not "allowed", and the
// webhook goes on.
func TestRubbish(t *testing.T) {
	registration, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address, trust := *registration.Webhooks[0].ClientConfig.URL, x509.NewCertPool()
	if !trust.AppendCertsFromPEM(registration.Webhooks[0].ClientConfig.CABundle) {
		t.Fatal("no authority in the registration")
	}
	client := http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}},
	}
	defer client.CloseIdleConnections()
	review := func(body string) string {
		return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":` + body + `}`
	}
	const pods = `"uid":"u","resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","namespace":"tenant"`
	before := reviews(t)
	for name, c := range map[string]struct{ method, kind, body, want string }{
		"GET":               {method: http.MethodGet, want: "empty"},
		"empty":             {method: http.MethodPost, kind: "application/json", want: "empty"},
		"not JSON":          {method: http.MethodPost, kind: "application/json", body: "\x00\xff{", want: ""},
		"another kind":      {method: http.MethodPost, kind: "application/json", body: `{"apiVersion":"v1","kind":"Pod"}`, want: ""},
		"no request":        {method: http.MethodPost, kind: "application/json", body: review(`null`), want: ""},
		"no object":         {method: http.MethodPost, kind: "application/json", body: review(`{` + pods + `}`), want: "not a Pod"},
		"list for a pod":    {method: http.MethodPost, kind: "application/json", body: review(`{` + pods + `,"object":[1,2]}`), want: "not a Pod"},
		"update":            {method: http.MethodPost, kind: "application/json", body: review(`{` + strings.Replace(pods, "CREATE", "UPDATE", 1) + `,"object":{}}`), want: "answers CREATE of pods"},
		"as a form":         {method: http.MethodPost, kind: "application/x-www-form-urlencoded", body: "a=b", want: "contentType"},
		"more than 7 MiB":   {method: http.MethodPost, kind: "application/json", body: review(`{"uid":"` + strings.Repeat("x", maxReview) + `"}`), want: "too large"},
		"very deep nesting": {method: http.MethodPost, kind: "application/json", body: review(`{` + pods + `,"object":` + strings.Repeat(`{"metadata":`, 20000) + `1` + strings.Repeat("}", 20000) + `}`), want: ""},
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
			var answer admissionv1.AdmissionReview
			if err := json.Unmarshal(body, &answer); err != nil || answer.Response == nil {
				t.Fatalf("answer %s %q is no review: %v", res.Status, body, err)
			}
			if answer.Response.Allowed || len(answer.Response.Patch) > 0 || answer.Response.Result == nil || !strings.Contains(answer.Response.Result.Message, c.want) {
				t.Errorf("answer %s, want a refusal with %q", body, c.want)
			}
		})
	}
	after := reviews(t)
	if after["unchanged"] != before["unchanged"] || after["patched"] != before["patched"] || after["invalid"] <= before["invalid"] {
		t.Errorf("reviews before %v, after %v; want more that are invalid and no others", before, after)
	}
	if pod, err := tenant(t).dryRun(t.Context(), tenantNamespace, nil); err != nil || pod.Annotations[portSecurity] != "true" {
		t.Errorf("a pod after the rubbish: %v, %v", pod, err)
	}
}

// serves tells whether the webhook serves with this certificate.
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
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // which certificate it is, is looked at below
	conn, err := dialer.DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing was written
	block, _ := pem.Decode(certPEM)
	secured, ok := conn.(*tls.Conn)
	return ok && block != nil && bytes.Equal(secured.ConnectionState().PeerCertificates[0].Raw, block.Bytes)
}
