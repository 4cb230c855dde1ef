//go:build integration

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/pki"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Callers without the API server's certificate are refused once a self-test saw that the API server presents it, and
// none came without one for a while; if it presents another one, everybody still gets answers.
func TestThreat34Callers(t *testing.T) {
	t.Cleanup(func() {
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
	})
	const enforced = "ovnguard_client_certificates_enforced"
	dir, err := state.FindDir(world.Lab.Info().StateDir)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := pki.LoadAuthority(dir.PKI(), controlplane.Authority)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.EnsureAuthority(t.TempDir(), "other", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "callers.crt")
	if err := os.WriteFile(file, other.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{
		"--selftest-interval=1s",
		"--client-quiet=2s",
		"--client-ca=" + file,
		"--client-names=" + controlplane.WebhookCaller,
	}
	if err := guard.Restart(t.Context(), flags...); err != nil {
		t.Fatal(err)
	}
	awaitSelfTest(t, true)
	since := metrics(t)["ovnguard_selftest_timestamp_seconds"]
	eventually(t, "another self-test to pass", func() (bool, error) {
		values, err := readMetrics(t.Context())
		return values["ovnguard_selftest_timestamp_seconds"] > since, err
	})
	if got, there := metrics(t)[enforced]; !there || got != 0 {
		t.Fatalf("%s is %v, although the API server has no such certificate", enforced, got)
	}
	if got := call(t, nil); got != http.StatusOK {
		t.Errorf("a caller without certificate gets %d while nothing is enforced", got)
	}

	// The file changes under the running program.
	if err := os.WriteFile(file, authority.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "certificates to be enforced", func() (bool, error) {
		values, err := readMetrics(t.Context())
		return values[enforced] == 1, err
	})
	for user, want := range map[string]int{
		"": http.StatusForbidden, "tenant": http.StatusForbidden, controlplane.WebhookCaller: http.StatusOK,
	} {
		var pair *pki.Pair
		if user != "" {
			made, err := authority.Client(user, nil, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			pair = &made
		}
		if got := call(t, pair); got != want {
			t.Errorf("a caller with the certificate of %q gets %d, want %d", user, got, want)
		}
	}
	pod, err := tenant(t).dryRun(t.Context(), tenantNamespace, nil)
	if err != nil || pod.Annotations[portSecurity] != "true" {
		t.Errorf("the API server's own reviews: %v, %v", pod, err)
	}
}

// call sends the webhook a review, with a client certificate if there is one, and returns the HTTP status.
func call(t *testing.T, pair *pki.Pair) int {
	t.Helper()
	registration, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	config.RootCAs.AppendCertsFromPEM(registration.Webhooks[0].ClientConfig.CABundle)
	if pair != nil {
		cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	body := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u"}}`
	req, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		*registration.Webhooks[0].ClientConfig.URL,
		bytes.NewBufferString(body),
	)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Transport: transport, Timeout: waitTime}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}
