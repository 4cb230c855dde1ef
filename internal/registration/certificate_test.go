package registration

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// made returns the Secret that ensureSecret makes in an empty cluster.
func made(t *testing.T, c client.Client) *corev1.Secret {
	t.Helper()
	if err := ensureSecret(t.Context(), c, newRotator(valid(), ""), nil); err != nil {
		t.Fatal(err)
	}
	var secret corev1.Secret
	if err := c.Get(
		t.Context(),
		client.ObjectKey{Namespace: "ovnguard-system", Name: SecretName},
		&secret,
	); err != nil {
		t.Fatal(err)
	}
	return &secret
}

func TestEnsureSecret(t *testing.T) {
	var writes int
	c := api(t, &writes, nil)
	own := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ovnguard-system"}}
	if err := c.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	first := made(t, c)
	if writes != 2 {
		t.Errorf("%d writes, want one for the namespace and one for the Secret", writes)
	}
	if again := made(t, c); again.ResourceVersion != first.ResourceVersion || writes != 2 {
		t.Errorf("a Secret that is there was written again: %d writes", writes)
	}
	block, _ := pem.Decode(first.Data[corev1.TLSCertKey])
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(first.Data[caFile])
	for name, at := range map[string]time.Time{
		"now": time.Now(), "by a clock that is behind": time.Now().Add(-50 * time.Minute),
	} {
		if _, err := leaf.Verify(
			x509.VerifyOptions{Roots: roots, DNSName: valid().serverName(), CurrentTime: at},
		); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := time.Until(leaf.NotAfter); left < serverLifetime-time.Hour || left > serverLifetime {
		t.Errorf("the certificate lasts for %s, want %s", left, serverLifetime)
	}
}

// Two replicas make the Secret at the same time: the first one's counts, and the other replica goes on.
func TestEnsureSecretRace(t *testing.T) {
	var writes int
	taken := func() error { return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "secrets"}, SecretName) }
	if err := ensureSecret(t.Context(), api(t, &writes, taken), newRotator(valid(), ""), nil); err != nil {
		t.Error(err)
	}
	forbidden := func() error { return apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "", nil) }
	err := ensureSecret(t.Context(), api(t, &writes, forbidden), newRotator(valid(), ""), nil)
	if err == nil || !strings.Contains(err.Error(), "ovnguard-system") {
		t.Errorf("got %v, want an error that names what could not be made", err)
	}
}

func TestTake(t *testing.T) {
	var writes int
	good, other := made(t, api(t, &writes, nil)), made(t, api(t, &writes, nil))
	c := &Certificate{mark: t.TempDir()}
	serves := func(want *corev1.Secret) {
		t.Helper()
		got, err := c.Get(nil)
		if want == nil {
			if err == nil {
				t.Error("serves before there is a certificate")
			}
			return
		}
		block, _ := pem.Decode(want.Data[corev1.TLSCertKey])
		if err != nil || string(got.Certificate[0]) != string(block.Bytes) {
			t.Errorf("serves with another certificate, %v", err)
		}
	}
	take := func(secret *corev1.Secret, ok bool) {
		t.Helper()
		err := c.take(secret)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), SecretName) {
			t.Errorf("take: %v, want success to be %v and an error to name the Secret", err, ok)
		}
	}
	serves(nil)
	take(&corev1.Secret{}, true) // the rotator has not filled it yet
	serves(nil)
	take(good, true)
	serves(good)

	mixed := good.DeepCopy()
	mixed.Data[corev1.TLSPrivateKeyKey] = other.Data[corev1.TLSPrivateKeyKey]
	take(mixed, false)
	invalid := good.DeepCopy()
	invalid.Data[corev1.TLSCertKey] = []byte("not a certificate")
	take(invalid, false)
	emptied := good.DeepCopy()
	delete(emptied.Data, corev1.TLSCertKey)
	take(emptied, true)
	serves(good) // whatever happens to the Secret, a working certificate stays

	take(other, true)
	serves(other)
	files, err := os.ReadDir(c.mark)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(c.mark, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "PRIVATE") || f.Name() != corev1.TLSCertKey {
			t.Errorf("%s is on the disk", f.Name())
		}
	}
}
