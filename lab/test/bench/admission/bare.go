package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/test/bench/child"
)

// bareCommand is the argument that makes this program the bare webhook, so that peer and product both run in a process
// of their own.
const bareCommand = "serve-bare"

// bareName is the name of its registration.
const bareName = "bare"

// Paths of the bare webhook.
const (
	// allowPath decodes the review and its pod and allows it.
	allowPath = "/allow"
	// patchPath answers with the patch for an ordinary pod.
	patchPath = "/patch"
)

// bare is the running peer.
type bare struct {
	*child.Process
	at listening
}

// listening is the peer's message when it is ready: its address, and the certificate of the authority of its own.
type listening struct {
	URL string
	CA  []byte
}

// startBare starts the peer.
func startBare(ctx context.Context) (*bare, error) {
	p, err := child.Start(ctx, bareCommand)
	if err != nil {
		return nil, err
	}
	b := &bare{Process: p}
	if err := p.Hear(&b.at); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return b, nil
}

// registerBare starts the peer and registers it for pods, as ovnguard registers itself.
func (p *place) registerBare(ctx context.Context, _ string) error {
	var err error
	if p.bare, err = startBare(ctx); err != nil {
		return err
	}
	fail, none, timeout := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, int32(3)
	url := p.bare.at.URL + patchPath
	_, err = p.scene.Kube.AdmissionregistrationV1().
		MutatingWebhookConfigurations().
		Create(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: bareName},
			Webhooks: []admissionregistrationv1.MutatingWebhook{
				{
					Name: "pods.bare.example.org",
					ClientConfig: admissionregistrationv1.WebhookClientConfig{
						URL:      &url,
						CABundle: p.bare.at.CA,
					},
					FailurePolicy:           &fail,
					SideEffects:             &none,
					TimeoutSeconds:          &timeout,
					AdmissionReviewVersions: []string{"v1"},
					Rules: []admissionregistrationv1.RuleWithOperations{
						{
							Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
							Rule: admissionregistrationv1.Rule{
								APIGroups:   []string{""},
								APIVersions: []string{"v1"},
								Resources:   []string{"pods"},
							},
						},
					},
				},
			},
		}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return p.settled(ctx)
}

// serveBare serves the minimum for a webhook: it decodes the review and its pod with the standard library, and answers.
func serveBare(context.Context) error {
	certificate, ca, err := certificateFor("localhost")
	if err != nil {
		return err
	}
	listener, err := tls.Listen(
		"tcp",
		"127.0.0.1:0",
		&tls.Config{
			Certificates: []tls.Certificate{certificate},
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"http/1.1"},
		},
	)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	parent := child.NewParent()
	if err := parent.Say(listening{"https://localhost:" + port, ca}); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc(allowPath, answer(nil))
	mux.HandleFunc(
		patchPath,
		answer([]byte(`[{"op":"add","path":"/metadata/annotations/ovn.kubernetes.io~1port_security","value":"true"},`+
			`{"op":"add","path":"/metadata/annotations/ovnguard.io~1decision","value":"{\"ovn\":{\"level\":\"strict\",\"from\":\"default\",\"layer2Forward\":\"forbid\",\"layer2ForwardFrom\":\"default\"}}"}]`)),
	)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if _, err := parent.Next(new(any)); err != nil { // the parent sends nothing; this returns when it has ended
			fmt.Fprintln(os.Stderr, err)
		}
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answer(patch []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in admissionv1.AdmissionReview
		if err == nil {
			err = json.Unmarshal(body, &in)
		}
		var pod corev1.Pod
		if err == nil {
			err = json.Unmarshal(in.Request.Object.Raw, &pod)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out := admissionv1.AdmissionReview{
			TypeMeta: in.TypeMeta,
			Response: &admissionv1.AdmissionResponse{UID: in.Request.UID, Allowed: true},
		}
		if patch != nil {
			kind := admissionv1.PatchTypeJSONPatch
			out.Response.Patch, out.Response.PatchType = patch, &kind
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// certificateFor returns a certificate that signs itself.
func certificateFor(name string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{name},
		NotBefore:             now.Add(-time.Minute),
		NotAfter:              now.Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca, nil
}

// address returns the address in a URL of this machine.
func address(url string) string {
	host := strings.TrimPrefix(url, "https://")
	if i := strings.IndexByte(host, '/'); i >= 0 {
		host = host[:i]
	}
	return strings.Replace(host, "localhost", "127.0.0.1", 1)
}
