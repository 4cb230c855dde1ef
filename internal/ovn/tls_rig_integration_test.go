//go:build integration

package ovn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// authority signs certificates as Kube-OVN does: for the common name "ovn", without any other name.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(
			time.Now().UnixNano(),
		),
		Subject:               pkix.Name{CommonName: "OVN CA"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
	}
	a.cert = a.sign(template, template, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(template, parent *x509.Certificate, of *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &of.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// secret is a directory with the files of Kube-OVN's Secret: cacert, cert and key.
type secret struct {
	TLSFiles
	t *testing.T
}

func newSecret(t *testing.T) *secret {
	t.Helper()
	dir := t.TempDir()
	return &secret{
		TLSFiles{
			CA:          filepath.Join(dir, "cacert"),
			Certificate: filepath.Join(dir, "cert"),
			Key:         filepath.Join(dir, "key"),
		},
		t,
	}
}

// fill writes a new certificate of one authority that is valid until then, and the trusted authority. Each file is
// replaced as a whole, as in a mounted Secret.
func (s *secret) fill(by, trusted *authority, until time.Time) *secret {
	s.t.Helper()
	key := newKey(s.t)
	cert := by.sign(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "ovn"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
	}, by.cert, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		s.CA:          {Type: "CERTIFICATE", Bytes: trusted.cert.Raw},
		s.Certificate: {Type: "CERTIFICATE", Bytes: cert.Raw},
		s.Key:         {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			s.t.Fatal(err)
		}
	}
	return s
}

// newTLS starts a server that listens with TLS on a port of the loopback interface, and returns the endpoint.
func newTLS(t *testing.T, files *secret) (*nb, string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	srv, err := ovsdbserver.Create(t.Context(), tempDir(t), "nb", ovsdbserver.NorthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	srv.Remotes = []string{"pssl:" + port + ":127.0.0.1"}
	srv.Options = []string{"--ca-cert=" + files.CA, "--certificate=" + files.Certificate, "--private-key=" + files.Key}
	s := &nb{srv, t}
	s.start()
	return s, "ssl:127.0.0.1:" + port
}
