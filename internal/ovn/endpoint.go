package ovn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// TLSFiles names the files of a TLS client. Kube-OVN keeps them in Secret kube-ovn-tls as cacert, cert and key.
type TLSFiles struct {
	CA          string
	Certificate string
	Key         string
}

// errEndpoint says what an endpoint looks like.
var errEndpoint = errors.New("want unix:/PATH, tcp:HOST:PORT or ssl:HOST:PORT, several separated by commas")

// ParseEndpoints takes a comma list of OVSDB endpoints apart. The error quotes the one that is wrong.
func ParseEndpoints(text string) ([]string, error) {
	var endpoints []string
	for e := range strings.SplitSeq(text, ",") {
		e = strings.TrimSpace(e)
		kind, rest, found := strings.Cut(e, ":")
		switch {
		case !found || rest == "":
			return nil, fmt.Errorf("%q: %w", e, errEndpoint)
		case kind == "unix":
			if !filepath.IsAbs(rest) {
				return nil, fmt.Errorf("%q: the path of a socket must be absolute: %w", e, errEndpoint)
			}
		case kind == "tcp" || kind == "ssl":
			if _, port, err := net.SplitHostPort(rest); err != nil || port == "" {
				return nil, fmt.Errorf("%q: %w", e, errEndpoint)
			}
		default:
			return nil, fmt.Errorf("%q: %w", e, errEndpoint)
		}
		endpoints = append(endpoints, e)
	}
	return endpoints, nil
}

func isTLS(endpoint string) bool { return strings.HasPrefix(endpoint, "ssl:") }

// Plaintext reports whether what is said over an endpoint can be read and changed on its way: it is tcp: and does not
// stay on this machine. Whoever can do that can switch off the protection of any port.
func Plaintext(endpoint string) bool {
	address, ok := strings.CutPrefix(endpoint, "tcp:")
	if !ok {
		return false
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return err != nil
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.IsLoopback()
}

// PlaintextEndpoints returns the endpoints of a comma list that are Plaintext; none where the list cannot be parsed.
func PlaintextEndpoints(text string) []string {
	endpoints, err := ParseEndpoints(text)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(endpoints, func(e string) bool { return !Plaintext(e) })
}

// clientConfig returns the TLS configuration for ssl: endpoints. It is read again for each connection, so that renewed
// certificates are taken over.
//
// Kube-OVN's certificates name no host: one certificate with the common name "ovn" and no alternative names serves
// every role. The chain is therefore verified against the authority, and the host name is not.
func (f TLSFiles) clientConfig() (*tls.Config, error) {
	if f.CA == "" || f.Certificate == "" || f.Key == "" {
		return nil, errors.New("an ssl: endpoint needs the authority, the client certificate and the client key")
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authority: %s holds no certificate", f.CA)
	}
	own, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Certificates:       []tls.Certificate{own},
		InsecureSkipVerify: true, //nolint:gosec // the chain is verified by VerifyConnection; only the host name is not
		VerifyConnection:   func(s tls.ConnectionState) error { return verifyChain(s, pool) },
	}, nil
}

func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server presented no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("the server's certificate: %w", err)
	}
	return nil
}
