package controller

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// secretName is the Secret that holds the webhook's certificate authority and certificate.
	secretName = "ovnguard-webhook-certificate"
	caFile     = "ca.crt"

	caLifetime     = 2 * 365 * 24 * time.Hour
	serverLifetime = 90 * 24 * time.Hour
	renewBefore    = 30 * 24 * time.Hour
	checkEvery     = time.Hour
)

// certificate holds what the webhook serves with. It comes from a Secret, so that all replicas serve with the same.
type certificate struct {
	current atomic.Pointer[tls.Certificate]
	// ready is closed when there is a first certificate.
	ready chan struct{}
	// mark is a directory with the public certificate only: the rotator waits for the file that a mounted Secret would
	// show. The private key never touches the disk.
	mark string
}

var errNoCertificate = errors.New("the webhook's certificate has not been read yet")

// get serves tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := c.current.Load(); cert != nil {
		return cert, nil
	}
	return nil, errNoCertificate
}

// take reads the certificate out of the Secret. A Secret that is still empty is not an error: the rotator fills it.
func (c *certificate) take(secret *corev1.Secret) error {
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
	if c.current.Swap(&cert) == nil {
		close(c.ready)
	}
	return nil
}

// addRotator has the certificate made and renewed in its Secret, for the given server name.
func addRotator(mgr ctrl.Manager, o Options, c *certificate) error {
	err := rotator.AddRotator(mgr, &rotator.CertRotator{
		SecretKey:              types.NamespacedName{Namespace: o.Namespace, Name: secretName},
		CertDir:                c.mark,
		CAName:                 "ovnguard-webhook-ca",
		CAOrganization:         "ovnguard",
		DNSName:                o.serverName(),
		IsReady:                make(chan struct{}),
		CaCertDuration:         caLifetime,
		ServerCertDuration:     serverLifetime,
		LookaheadInterval:      renewBefore,
		RotationCheckFrequency: checkEvery,
	})
	if err != nil {
		return fmt.Errorf("set up certificate rotation: %w", err)
	}
	return nil
}

// ensureSecret makes the empty Secret that the rotator fills, and its namespace, where they are missing.
func ensureSecret(ctx context.Context, c client.Client, namespace string) error {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secretName}, Type: corev1.SecretTypeOpaque},
	}
	for _, object := range objects {
		err := c.Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			err = c.Create(ctx, object)
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("make %T %s: %w", object, client.ObjectKeyFromObject(object), err)
		}
	}
	return nil
}
