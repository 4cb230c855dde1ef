// Package pki makes the lab's certificates: one authority for the cluster, one for the aggregation layer, and the
// certificates that they sign.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 365 * 24 * time.Hour
	// clockSlack is how far in the past certificates begin to be valid.
	clockSlack = time.Hour

	certificateType = "CERTIFICATE"
	keyType         = "EC PRIVATE KEY"
)

// Pair is a certificate with its private key, both as PEM.
type Pair struct{ Cert, Key []byte }

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// LoadAuthority reads NAME.crt and NAME.key in dir. The error wraps
// fs.ErrNotExist where one is missing.
func LoadAuthority(dir, name string) (*Authority, error) {
	certPEM, err := os.ReadFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return nil, fmt.Errorf("load certificate authority: %w", err)
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, fmt.Errorf("load certificate authority: %w", err)
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf(
			"load certificate authority: %s/%s.crt or .key holds no PEM: remove both to have them made again",
			dir,
			name,
		)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("load certificate authority %s/%s.crt: %w", dir, name, err)
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("load certificate authority %s/%s.key: %w", dir, name, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf(
			"load certificate authority: %s/%s.crt and .key do not belong together: remove both to have them made again",
			dir,
			name,
		)
	}
	return &Authority{cert: cert, key: key, pem: certPEM}, nil
}

// EnsureAuthority loads an authority. If there is none, or it ends within the life of the certificates that it would
// sign, it makes and stores a new one.
func EnsureAuthority(dir, name string, now time.Time) (*Authority, error) {
	a, err := LoadAuthority(dir, name)
	switch {
	case err == nil && now.Add(leafLife).Before(a.cert.NotAfter):
		return a, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	a, pair, err := newAuthority(name, now)
	if err != nil {
		return nil, err
	}
	if err := pair.Write(dir, name); err != nil {
		return nil, err
	}
	return a, nil
}

func newAuthority(name string, now time.Time) (*Authority, Pair, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, Pair{}, err
	}
	template, err := newTemplate(pkix.Name{CommonName: "ovnguard-lab " + name}, now, authorityLife)
	if err != nil {
		return nil, Pair{}, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, Pair{}, fmt.Errorf("make certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, Pair{}, fmt.Errorf("make certificate authority: %w", err)
	}
	pair := Pair{Cert: encode(certificateType, der), Key: keyPEM}
	return &Authority{cert: cert, key: key, pem: pair.Cert}, pair, nil
}

// CertPEM returns the authority's own certificate.
func (a *Authority) CertPEM() []byte { return a.pem }

// Pool returns a pool with only the authority's certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Server signs a certificate for a server with these names and addresses.
func (a *Authority) Server(name string, hosts []string, now time.Time) (Pair, error) {
	template, err := newTemplate(pkix.Name{CommonName: name}, now, leafLife)
	if err != nil {
		return Pair{}, err
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return a.sign(template)
}

// Client signs a client certificate that kube-apiserver accepts for the user in the groups.
func (a *Authority) Client(user string, groups []string, now time.Time) (Pair, error) {
	if user == "" {
		return Pair{}, errors.New("client certificate: the user is empty, give one with --user")
	}
	template, err := newTemplate(pkix.Name{CommonName: user, Organization: groups}, now, leafLife)
	if err != nil {
		return Pair{}, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(template)
}

func (a *Authority) sign(template *x509.Certificate) (Pair, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("sign certificate for %q: %w", template.Subject.CommonName, err)
	}
	return Pair{Cert: encode(certificateType, der), Key: keyPEM}, nil
}

func newTemplate(subject pkix.Name, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-clockSlack),
		NotAfter:     now.Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make private key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("make private key: %w", err)
	}
	return key, encode(keyType, der), nil
}

func encode(blockType string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
}
