package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func parse(t *testing.T, pair Pair) *x509.Certificate {
	t.Helper()
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.Leaf
}

func TestAuthorityIsKeptUntilItIsTooOld(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadAuthority(dir, "ca"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
	first, err := EnsureAuthority(dir, "ca", now)
	if err != nil {
		t.Fatal(err)
	}
	second, err := EnsureAuthority(dir, "ca", now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.CertPEM(), second.CertPEM()) {
		t.Error("the authority was made again although it is good for years")
	}
	late, err := EnsureAuthority(dir, "ca", now.Add(authorityLife-leafLife))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first.CertPEM(), late.CertPEM()) {
		t.Error("an authority that ends before what it signs was kept")
	}
	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the key: %v", info.Mode())
	}
}

func TestDamagedAuthoritiesAreNamed(t *testing.T) {
	good, other := t.TempDir(), t.TempDir()
	for _, dir := range []string{good, other} {
		if _, err := EnsureAuthority(dir, "ca", now); err != nil {
			t.Fatal(err)
		}
	}
	read := func(dir, name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, test := range map[string]struct {
		key  []byte
		want string
	}{
		"no PEM":      {[]byte("x"), "holds no PEM"},
		"another key": {read(other, "ca.key"), "do not belong together"},
		"no key":      {read(good, "ca.crt"), "ca.key"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := (Pair{Cert: read(good, "ca.crt"), Key: test.key}).Write(dir, "ca"); err != nil {
				t.Fatal(err)
			}
			_, err := EnsureAuthority(dir, "ca", now)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got error %v, want one with %q and the directory", err, test.want)
			}
		})
	}
}

func TestServerCertificate(t *testing.T) {
	ca, err := EnsureAuthority(t.TempDir(), "ca", now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Server("lab", []string{"127.0.0.1", "localhost"}, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf := parse(t, pair)
	for host, want := range map[string]bool{
		"127.0.0.1": true, "localhost": true, "127.0.0.2": false, "example.org": false,
	} {
		_, err := leaf.Verify(x509.VerifyOptions{
			DNSName:     host,
			Roots:       ca.Pool(),
			CurrentTime: now,
			KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if (err == nil) != want {
			t.Errorf("%s: verified %v, want %v (%v)", host, err == nil, want, err)
		}
	}
}

func TestClientCertificate(t *testing.T) {
	ca, err := EnsureAuthority(t.TempDir(), "ca", now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Client("system:node:node1", []string{"system:nodes", "extra"}, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf := parse(t, pair)
	if leaf.Subject.CommonName != "system:node:node1" {
		t.Errorf("user %q", leaf.Subject.CommonName)
	}
	if diff := cmp.Diff(
		[]string{"extra", "system:nodes"},
		slices.Sorted(slices.Values(leaf.Subject.Organization)),
	); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	usage := func(u x509.ExtKeyUsage) error {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{u}})
		return err
	}
	if err := usage(x509.ExtKeyUsageClientAuth); err != nil {
		t.Error(err)
	}
	if err := usage(x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("a client certificate is good for a server")
	}
	if _, err := ca.Client("", nil, now); err == nil {
		t.Error("a certificate for nobody was signed")
	}
}

func TestServiceAccountKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	read := func() string {
		t.Helper()
		if err := EnsureKey(dir, "sa"); err != nil {
			t.Fatal(err)
		}
		key, err := os.ReadFile(filepath.Join(dir, "sa.key"))
		if err != nil {
			t.Fatal(err)
		}
		return string(key)
	}
	first := read()
	if read() != first {
		t.Error("the key changed although it was there")
	}
	if err := os.Remove(filepath.Join(dir, "sa.pub")); err != nil {
		t.Fatal(err)
	}
	if read() == first {
		t.Error("without its public half the key was kept")
	}
}
