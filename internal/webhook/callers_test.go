package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{}
	a.cert, a.key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{
			CommonName: "authority",
		},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	})
	return a
}

func (a authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(
		time.Now().UnixNano(),
	), time.Now().
		Add(-time.Hour),
		time.Now().
			Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a authority) client(t *testing.T, name string, usage x509.ExtKeyUsage) *tls.Certificate {
	t.Helper()
	cert, key := a.sign(
		t,
		&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage}},
	)
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a authority) write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(
		file,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
}

// Callers without a certificate are refused, but not before the API server has shown that it has one.
func TestThreat34CallersWithoutCertificate(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	ours.write(t, file)
	callers, err := NewCallers(file, []string{"kube-apiserver"}, 0, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(
		&Handler{
			Answer:  handlerFunc(allow),
			Limit:   NewLimit(1),
			Budget:  NewBudget(MaxMemory),
			Timeout: time.Minute,
			Callers: callers,
			Log:     logr.Discard(),
		},
	)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	post := func(cert *tls.Certificate, object string) int {
		t.Helper()
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		config := &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
		if cert != nil {
			config.Certificates = []tls.Certificate{*cert}
		}
		transport := &http.Transport{TLSClientConfig: config}
		defer transport.CloseIdleConnections()
		body := strings.Replace(good, `"uid":"u1"`, `"uid":"u1","name":"`+object+`"`, 1)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	server, another := ours.client(
		t,
		"kube-apiserver",
		x509.ExtKeyUsageClientAuth,
	), ours.client(
		t,
		"tenant",
		x509.ExtKeyUsageClientAuth,
	)
	forged, wrongUse := others.client(
		t,
		"kube-apiserver",
		x509.ExtKeyUsageClientAuth,
	), ours.client(
		t,
		"kube-apiserver",
		x509.ExtKeyUsageServerAuth,
	)

	// None of this shows that the caller is the API server.
	callers.Expect("secret")
	for name, code := range map[string]int{
		"nobody, who knows the name": post(nil, "secret"), "another subject": post(another, "secret"), "another " +
			"authority": post(forged, "secret"),
		"a server's certificate": post(wrongUse, "secret"), "the certificate without the name": post(server, "guess"),
	} {
		if code != http.StatusOK || callers.Enforced() {
			t.Fatalf("%s: %d, enforced %v; want an answer, and nothing enforced", name, code, callers.Enforced())
		}
	}
	if got := callers.Missing(); got != 4 {
		t.Errorf("%d reviews without a certificate that counts, want 4", got)
	}
	if post(server, "secret"); !callers.Enforced() {
		t.Fatal("not enforced although the API server has presented its certificate")
	}
	for name, cert := range map[string]*tls.Certificate{
		"nobody": nil, "another subject": another, "another authority": forged, "a server's certificate": wrongUse,
	} {
		if code := post(cert, "any"); code != http.StatusForbidden {
			t.Errorf("%s: %d, want it turned away", name, code)
		}
	}
	if code := post(server, "any"); code != http.StatusOK {
		t.Errorf("the API server: %d", code)
	}

	// The file of the authority changes; an unreadable file changes nothing.
	again := func() {
		callers.mu.Lock()
		defer callers.mu.Unlock()
		callers.looked = time.Time{}
	}
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again(); post(server, "any") != http.StatusOK {
		t.Error("a file that cannot be read turns the API server away")
	}
	others.write(t, file)
	if again(); post(forged, "any") != http.StatusOK || post(server, "any") != http.StatusForbidden {
		t.Error("the file was not read again")
	}
}

// API servers that get their certificate later than others get answers until all have one; then it stays enforced.
func TestThreat34OneAPIServerOfSeveral(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	newAuthority(t).write(t, file)
	synctest.Test(t, func(t *testing.T) {
		const quiet = 10 * time.Minute
		var told []string
		callers, err := NewCallers(
			file,
			nil,
			quiet,
			funcr.New(func(_, args string) { told = append(told, args) }, funcr.Options{}),
		)
		if err != nil {
			t.Fatal(err)
		}
		expect := func(when string, want bool) {
			t.Helper()
			if got := callers.Enforced(); got != want {
				t.Errorf("%s: enforced %v, want %v", when, got, want)
			}
		}
		callers.Expect("secret")
		callers.note("secret")
		expect("at once, with the first API server's certificate", false)
		for range 5 {
			time.Sleep(quiet - time.Second)
			callers.miss("10.0.0.2:5000")
			expect("while another API server has none", false)
		}
		if got := strings.Join(told, "\n"); strings.Count(got, "10.0.0.2:5000") != 5 || callers.Missing() != 5 {
			t.Errorf("%d counted, told:\n%s", callers.Missing(), got)
		}
		time.Sleep(quiet - time.Second)
		expect("not long enough after the last", false)
		time.Sleep(time.Second)
		expect("when none has come for long enough", true)
		callers.miss("10.0.0.2:5000")
		expect("afterwards", true)
	})
	synctest.Test(t, func(t *testing.T) {
		callers, err := NewCallers(file, nil, time.Minute, logr.Discard())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if callers.Enforced() {
			t.Error("enforced although the API server has never presented a certificate")
		}
	})
}

// The error names a file of authorities without a certificate.
func TestNewCallersRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "text": "hello", "key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewCallers(file, nil, 0, logr.Discard()); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
	if _, err := NewCallers(filepath.Join(dir, "missing"), nil, 0, logr.Discard()); err == nil {
		t.Error("a file that is not there is taken")
	}
}

// Notes for the API server's audit log name what belongs to others: once the API server is known by its certificate,
// nobody else gets them.
func TestThreat45StrangersAreNotToldTheNotes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	newAuthority(t).write(t, file)
	callers, err := NewCallers(file, nil, time.Hour, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	noted := func(context.Context, ctrladmission.Request) ctrladmission.Response {
		r := ctrladmission.Denied("taken")
		r.AuditAnnotations = map[string]string{"violation": "that of port web-0.bank"}
		return r
	}
	s := httptest.NewServer(&Handler{
		Answer: handlerFunc(
			noted,
		),
		Limit:   NewLimit(1),
		Budget:  NewBudget(MaxMemory),
		Timeout: time.Minute,
		Callers: callers,
		Log:     logr.Discard(),
	})
	t.Cleanup(s.Close)
	for _, proven := range []bool{false, true} {
		callers.proven.Store(proven)
		_, response, _ := send(t, s, http.MethodPost, "application/json", strings.NewReader(good))
		if told := len(response.AuditAnnotations) > 0; told == proven {
			t.Errorf("the API server known by its certificate: %v; notes %v", proven, response.AuditAnnotations)
		}
	}
}

// A review that a stranger makes up leaves nothing in the cluster: once the API server is known by its certificate, who
// answers can tell.
func TestThreatT50MadeUpReviews(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	newAuthority(t).write(t, file)
	callers, err := NewCallers(file, nil, time.Hour, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	var strange bool
	s := httptest.NewServer(&Handler{
		Answer: handlerFunc(func(ctx context.Context, _ ctrladmission.Request) ctrladmission.Response {
			strange = Stranger(ctx)
			return ctrladmission.Denied("taken")
		}),
		Limit: NewLimit(1), Budget: NewBudget(MaxMemory), Timeout: time.Minute, Callers: callers, Log: logr.Discard(),
	})
	t.Cleanup(s.Close)
	for _, proven := range []bool{false, true} {
		callers.proven.Store(proven)
		send(t, s, http.MethodPost, "application/json", strings.NewReader(good))
		if strange != proven {
			t.Errorf("the API server known by its certificate: %v; a stranger: %v", proven, strange)
		}
	}
}
