//go:build integration

package ovn

import (
	"os"
	"strings"
	"testing"
	"time"
)

// later returns a time until which a certificate of a test is valid.
func later() time.Time { return time.Now().Add(time.Hour) }

// Certificates and the authority are replaced while the mirror is connected: the connection goes on, and the next one
// uses the files as they are then. A file that is half written in between costs one attempt and no more.
func TestCertificatesReplaced(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	ofServer, ofClient := newSecret(t).fill(first, first, later()), newSecret(t).fill(first, first, later())
	s, endpoint := newTLS(t, ofServer)
	s.nbctl("ls-add", "sw", "--", "lsp-add", "sw", "p0")
	f := follow(t, Config{Endpoints: endpoint, TLS: ofClient.TLSFiles, Probe: time.Second})
	f.settle(s.Server)
	if st := f.State(); st.Endpoint != endpoint {
		t.Errorf("state %+v", st)
	}

	ofServer.fill(second, second, later())
	if err := os.WriteFile(ofClient.Certificate, []byte("-----BEGIN CERT"), 0o600); err != nil {
		t.Fatal(err)
	}
	since := f.State().Since
	s.nbctl("lsp-add", "sw", "p1")
	f.settle(s.Server)
	if st := f.State(); !st.Synced() || st.Since != since {
		t.Errorf("the connection did not go on: %+v", st)
	}

	s.Kill()
	s.start()
	until(t, "an error that names the certificate", func() bool {
		err := f.State().Err
		return err != nil && strings.Contains(err.Error(), "client certificate")
	})
	ofClient.fill(second, second, later())
	s.nbctl("lsp-add", "sw", "p2")
	f.settle(s.Server)
}

// Whatever is wrong with certificates, the error says so and nothing is read; after the fault is fixed the mirror
// follows.
func TestCertificatesThatDoNotFit(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	past := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		spoil func(server, client *secret)
		says  []string // all of them
	}{
		"server of another authority": {
			func(server, _ *secret) { server.fill(foreign, ours, later()) },
			[]string{"server's certificate", "unknown authority"},
		},
		"server whose certificate expired": {
			func(server, _ *secret) { server.fill(ours, ours, past) }, []string{"server's certificate", "expired"},
		},
		"client of another authority": {
			func(_, client *secret) { client.fill(foreign, ours, later()) }, []string{"tls: unknown certificate " +
				"authority"},
		},
		"client whose certificate expired": {
			func(_, client *secret) { client.fill(ours, ours, past) }, []string{"tls: expired certificate"},
		},
		"client without certificate": {
			func(_, client *secret) {
				if err := os.Remove(client.Certificate); err != nil {
					t.Fatal(err)
				}
			}, []string{"client certificate", "no such file"},
		},
		"key of another certificate": {
			func(_, client *secret) {
				other := newSecret(t).fill(ours, ours, later())
				if err := os.Rename(other.Key, client.Key); err != nil {
					t.Fatal(err)
				}
			}, []string{"client certificate", "private key does not match"},
		},
		"authority that is none": {
			func(_, client *secret) {
				if err := os.WriteFile(client.CA, []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}, []string{"authority", "holds no certificate"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newSecret(t).fill(ours, ours, later()), newSecret(t).fill(ours, ours, later())
			c.spoil(server, client)
			s, endpoint := newTLS(t, server)
			if _, err := Open(Config{Endpoints: endpoint, TLS: client.TLSFiles}); err != nil {
				mustSay(t, err, c.says) // an error that needs no server comes at once
				return
			}
			f := start(t, Config{Endpoints: endpoint, TLS: client.TLSFiles, Probe: time.Second})
			until(t, "an error", func() bool { return f.State().Err != nil })
			mustSay(t, f.State().Err, c.says)
			if f.State().Revision != 0 {
				t.Errorf("something was read: %+v", f.State())
			}
			server.fill(ours, ours, later())
			client.fill(ours, ours, later())
			s.nbctl("ls-add", "sw")
			f.settle(s.Server)
		})
	}
}

func mustSay(t *testing.T, err error, says []string) {
	t.Helper()
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}
