package registration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// SecretName is the Secret that holds the webhook's certificate authority and certificate.
	SecretName = "ovnguard-webhook-certificate" //nolint:gosec // a name, not a secret
	caFile     = "ca.crt"
	caKeyFile  = "ca.key"

	caLifetime     = 2 * 365 * 24 * time.Hour
	serverLifetime = 90 * 24 * time.Hour
	renewBefore    = 30 * 24 * time.Hour
	checkEvery     = time.Hour
)

// Certificate is what the webhooks are served with. It comes from a Secret, so that all replicas serve with the same.
type Certificate struct {
	current atomic.Pointer[tls.Certificate]
	// mark is a directory with the public certificate only: the rotator waits for the file that a mounted Secret would
	// show. The private key never touches the disk.
	mark string
}

var errNoCertificate = errors.New("the webhook's certificate has not been read yet")

// NewCertificate returns one that has not been read yet. Close removes what it leaves on the disk.
func NewCertificate() (*Certificate, error) {
	mark, err := os.MkdirTemp("", "ovnguard-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the public certificate: %w", err)
	}
	return &Certificate{mark: mark}, nil
}

// Close removes the directory of the public certificate.
func (c *Certificate) Close() error { return os.RemoveAll(c.mark) }

// Get serves tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := c.current.Load(); cert != nil {
		return cert, nil
	}
	return nil, errNoCertificate
}

// trusted reports whether there is a certificate to serve with that one of these authorities has signed, in PEM form.
func (c *Certificate) trusted(authorities []byte) bool {
	cert, roots := c.current.Load(), x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities)
	if cert == nil || cert.Leaf == nil {
		return false
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots})
	return err == nil
}

// take reads the certificate out of the Secret. A Secret that is still empty is not an error: the rotator fills it.
func (c *Certificate) take(secret *corev1.Secret) error {
	certPEM, keyPEM := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	if len(certPEM) == 0 || len(keyPEM) == 0 {
		return nil
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return fmt.Errorf("secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	if err := os.WriteFile(filepath.Join(c.mark, corev1.TLSCertKey), certPEM, 0o600); err != nil {
		return fmt.Errorf("write the public certificate: %w", err)
	}
	c.current.Store(&cert)
	return nil
}

// newRotator returns the rotator that makes and renews the certificate for the name that the API server uses to reach
// the webhook. It waits for the public one in dir.
func newRotator(o Options, dir string) *rotator.CertRotator {
	return &rotator.CertRotator{
		SecretKey:              types.NamespacedName{Namespace: o.Namespace, Name: SecretName},
		CertDir:                dir,
		CAName:                 "ovnguard-webhook-ca",
		CAOrganization:         "ovnguard",
		DNSName:                o.serverName(),
		IsReady:                make(chan struct{}),
		ExtKeyUsages:           &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		CaCertDuration:         caLifetime,
		ServerCertDuration:     serverLifetime,
		LookaheadInterval:      renewBefore,
		RotationCheckFrequency: checkEvery,
	}
}

// ensureSecret makes the Secret, with a first certificate in it, and its namespace, where they are missing. Another
// replica may do the same at the same time: the first one's counts. Authorities that are still trusted are noted in it.
func ensureSecret(ctx context.Context, c client.Client, r *rotator.CertRotator, trusted []byte) error {
	err := ensure(ctx, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.SecretKey.Namespace}}, nil)
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.SecretKey.Namespace,
			Name:      r.SecretKey.Name,
		},
		Type: corev1.SecretTypeOpaque,
	}
	return ensure(ctx, c, secret, func() error {
		// Certificates begin an hour ago, for clocks that are behind.
		begin, end := time.Now().Add(-time.Hour), time.Now()
		ca, err := r.CreateCACert(begin, end.Add(caLifetime))
		if err != nil {
			return err
		}
		cert, key, err := r.CreateCertPEM(ca, begin, end.Add(serverLifetime))
		if err != nil {
			return err
		}
		secret.Data = map[string][]byte{
			caFile:                  ca.CertPEM,
			caKeyFile:               ca.KeyPEM,
			corev1.TLSCertKey:       cert,
			corev1.TLSPrivateKeyKey: key,
		}
		secret.Data[trustedFile] = slices.Concat(ca.CertPEM, firstOf(trusted))
		return nil
	})
}

// ensure makes an object where it is missing; fill is called before that.
func ensure(ctx context.Context, c client.Client, object client.Object, fill func() error) error {
	key := client.ObjectKeyFromObject(object)
	err := c.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		err = nil
		if fill != nil {
			err = fill()
		}
		if err == nil {
			err = c.Create(ctx, object)
		}
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make %T %s: %w", object, key, err)
	}
	return nil
}
