//go:build install

package install

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// Where cert-manager puts the webhooks' certificate, and from where its injector takes the authority.
const (
	webhookCertificate = "ovnguard-webhook"
	injectFrom         = "cert-manager.io/inject-ca-from"
)

// byCertManager are the values with which the chart registers the webhooks.
const byCertManager = "webhook.registration=chart,kubeOVN.accounts={system:serviceaccount:kube-system:ovn," +
	"system:serviceaccount:kube-system:kube-ovn-cni}"

// certManager does what cert-manager is documented to do with the chart's objects: it issues the certificate into its
// Secret, and has the API server trust the authority. $CAINJECTOR names cert-manager's own injector for the latter.
type certManager struct {
	authority *x509.Certificate
	key       *ecdsa.PrivateKey
	injector  *exec.Cmd
}

// issuer is the cert-manager of the way that is tried.
var issuer certManager

// managerDefinitions are those of cert-manager's resources, without their schemas.
const managerDefinitions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]ss.cert-manager.io}
spec:
  group: cert-manager.io
  scope: Namespaced
  names: {kind: %[2]s, listKind: %[2]sList, plural: %[1]ss, singular: %[1]s}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

func installByChart(ctx context.Context, image string) error {
	for singular, kind := range map[string]string{"certificate": "Certificate", "issuer": "Issuer"} {
		if err := world.Apply(ctx, fmt.Appendf(nil, managerDefinitions, singular, kind)); err != nil {
			return err
		}
	}
	if err := issuer.start(); err != nil {
		return err
	}
	if err := installFrom(ctx, chart, image, "--set", byCertManager); err != nil {
		return err
	}
	return issuer.issue(ctx)
}

func deleteByChart(ctx context.Context, binary string) error {
	err := deleteChart(ctx, binary)
	if issuer.injector != nil {
		err = errors.Join(err, issuer.injector.Process.Kill())
		_ = issuer.injector.Wait() // it was killed
		issuer.injector = nil
	}
	for _, name := range []string{"certificates.cert-manager.io", "issuers.cert-manager.io"} {
		cmd := world.Kube.CoreV1().
			RESTClient().
			Delete().
			AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", name)
		err = errors.Join(err, unlessGone(cmd.Do(ctx).Error()))
	}
	return err
}

// start makes the authority, and starts cert-manager's own injector where it is named.
func (m *certManager) start() error {
	var err error
	if m.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	m.authority = &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	m.authority.Raw, err = x509.CreateCertificate(rand.Reader, m.authority, m.authority, &m.key.PublicKey, m.key)
	if program := os.Getenv("CAINJECTOR"); program != "" && err == nil && m.injector == nil {
		m.injector = exec.Command(program, "--leader-elect=false", "--metrics-listen-address=0")
		m.injector.Env = append(os.Environ(), "KUBECONFIG="+world.Lab.Info().Kubeconfigs[controlplane.AdminIdentity])
		err = m.injector.Start()
	}
	return err
}

// issue puts a new certificate into the Secret, and has the API server trust its authority.
func (m *certManager) issue(ctx context.Context) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"ovnguard." + system + ".svc"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, m.authority, &key.PublicKey, m.key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.authority.Raw})
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:        webhookCertificate,
			Annotations: map[string]string{"cert-manager.io/certificate-name": webhookCertificate},
		},
		Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
			"ca.crt":                ca,
		},
	}
	secrets := world.Kube.CoreV1().Secrets(system)
	if _, err = secrets.Create(ctx, secret, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
	}
	if err != nil || m.injector != nil {
		return err
	}
	return inject(ctx, ca)
}

// inject writes the authority where the annotation asks for it.
func inject(ctx context.Context, ca []byte) error {
	mutating := world.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
	m, err := mutating.Get(ctx, "ovnguard", metav1.GetOptions{})
	if err != nil {
		return err
	}
	validating := world.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	v, err := validating.Get(ctx, "ovnguard", metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, o := range []metav1.Object{m, v} {
		if from := o.GetAnnotations()[injectFrom]; from != system+"/"+webhookCertificate {
			return fmt.Errorf("the authority is to come from %q", from)
		}
	}
	for i := range m.Webhooks {
		m.Webhooks[i].ClientConfig.CABundle = ca
	}
	for i := range v.Webhooks {
		v.Webhooks[i].ClientConfig.CABundle = ca
	}
	_, err = mutating.Update(ctx, m, metav1.UpdateOptions{})
	_, errValidating := validating.Update(ctx, v, metav1.UpdateOptions{})
	return errors.Join(err, errValidating)
}

// testByChart tries what is another way round where the chart registers the webhooks.
func testByChart(t *testing.T) {
	t.Run("the program sees that all is right", func(t *testing.T) {
		saidByAll(t, "the webhooks are registered as this version wants it", 1)
	})
	t.Run("the program may not register", testMayNotRegister)
	t.Run("the certificate is renewed", func(t *testing.T) {
		end := stream(t, "renewed", map[string]string{portSecurity: "false"})
		begin := time.Now()
		if err := issuer.issue(t.Context()); err != nil {
			t.Fatal(err)
		}
		saidByAll(t, "updated current TLS certificate", 2) // the first time when it started
		t.Logf("all replicas serve with the new certificate after %s", time.Since(begin).Round(time.Second))
		time.Sleep(time.Second) // reviews with it
		checkStrict(t, end())
	})
	t.Run("an upgrade keeps the authority", func(t *testing.T) {
		end := stream(t, "upgraded", map[string]string{portSecurity: "false"})
		err := helm(
			t.Context(),
			"upgrade",
			release,
			chart,
			"--reuse-values",
			"--set",
			"podLabels.upgraded=yes",
			"--wait",
			"--timeout",
			waitTime.String(),
		)
		if err != nil {
			t.Error(err)
		}
		checkStrict(t, end())
	})
	t.Run("helm test passes", func(t *testing.T) {
		if err := helm(t.Context(), "test", release); err != nil {
			t.Error(err)
		}
	})
	t.Run("helm uninstall", func(t *testing.T) {
		end := stream(t, "left", nil)
		err := helm(t.Context(), "uninstall", release, "--wait", "--timeout", waitTime.String())
		end()
		if err != nil {
			t.Fatal(err)
		}
		checkUnguarded(t)
	})
	t.Run("the namespace is deleted", testByChartNamespaceDeleted)
}

// saidByAll waits until each replica has said a text in its log, this many times.
func saidByAll(t *testing.T, text string, times int) {
	t.Helper()
	eventually(t, "each replica to say "+text, func() (bool, error) {
		replicas, said := pods(t, system, appLabel), 0
		for _, pod := range replicas {
			data, err := world.Kube.CoreV1().Pods(system).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
			if err == nil && bytes.Count(bytes.ToLower(data), []byte(strings.ToLower(text))) >= times {
				said++
			}
		}
		return said == 2, nil
	})
}

// checkStrict checks that pods which asked to be open were made strict.
func checkStrict(t *testing.T, made []*corev1.Pod) {
	t.Helper()
	t.Logf("%d pods were made meanwhile", len(made))
	for _, pod := range made {
		if got := pod.Annotations[portSecurity]; got != kubeovn.True {
			t.Errorf("pod %s asks for port_security %q", pod.Name, got)
		}
	}
}

// testMayNotRegister shows that the program's account can neither write what is registered nor read a Secret.
func testMayNotRegister(t *testing.T) {
	may := func(verb, group, resource, namespace, name string) bool {
		t.Helper()
		review, err := world.Kube.AuthorizationV1().SubjectAccessReviews().Create(t.Context(),
			&authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: deploy.Account,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: verb, Group: group, Resource: resource, Namespace: namespace, Name: name,
				},
			}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return review.Status.Allowed
	}
	const group = "admissionregistration.k8s.io"
	for _, resource := range []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} {
		for _, verb := range []string{"create", "update", "patch", "delete", "deletecollection"} {
			if may(verb, group, resource, "", "ovnguard") {
				t.Errorf("the program may %s %s", verb, resource)
			}
		}
		if !may("get", group, resource, "", "ovnguard") {
			t.Errorf("the program may not get %s", resource)
		}
	}
	for _, verb := range []string{"get", "list", "watch", "create", "update"} {
		if may(verb, "", "secrets", system, webhookCertificate) {
			t.Errorf("the program may %s Secrets", verb)
		}
	}
}

// testByChartNamespaceDeleted shows that webhooks which nobody deletes keep no pod from being made when the namespace
// is gone: they are not called any more.
func testByChartNamespaceDeleted(t *testing.T) {
	installReady(t, installByChart)
	testSelfTestPasses(t)
	deleteNamespace(t)
	checkUnguarded(t)
	if _, err := world.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "ovnguard",
		metav1.GetOptions{}); err != nil {
		t.Errorf("nobody deletes the registration, and still: %v", err)
	}
	if output, code, err := world.Run(t.Context(), program(t), "uninstall", "--yes"); err != nil || code != 0 {
		t.Fatalf("ovnguard uninstall ends with code %d, %v: %s", code, err, output)
	}
	checkUnguarded(t)
}
