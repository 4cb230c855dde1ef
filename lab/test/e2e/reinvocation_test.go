//go:build integration

package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/lab/internal/pki"
)

// A webhook that comes later and writes into the pod makes the API server ask ours again. Ours then finds nothing to do
// if the other one left its keys alone, and restores its own keys if it did not.
func TestAskedAgain(t *testing.T) {
	ns := namespace(t, nil)
	for name, c := range map[string]struct {
		patch string
		// again is the result of the second review.
		again string
	}{
		"harmless": {
			patch: `[{"op":"add","path":"/metadata/labels","value":{"later":"webhook"}}]`,
			again: admission.ResultUnchanged,
		},
		"undoing": {
			patch: `[{"op":"replace","path":"/metadata/annotations/ovn.kubernetes.io~1port_security","value":"false"}]`,
			again: admission.ResultPatched,
		},
	} {
		t.Run(name, func(t *testing.T) {
			laterWebhook(t, ns, c.patch)
			before := reviews(t)
			pod, err := admin(t).dryRun(t.Context(), ns, nil)
			if err != nil {
				t.Fatal(err)
			}
			after := reviews(t)
			if got := pod.Annotations[portSecurity]; got != "true" {
				t.Errorf("port_security %q, want true", got)
			}
			want := map[string]float64{admission.ResultPatched: 1}
			want[c.again]++
			for _, result := range []string{admission.ResultPatched, admission.ResultUnchanged} {
				if got := after[result] - before[result]; got != want[result] {
					t.Errorf("%v reviews with result %s, want %v", got, result, want[result])
				}
			}
		})
	}
}

// reviews returns how many reviews of the webhook that changes pods ended with each result.
func reviews(t *testing.T) map[string]float64 {
	t.Helper()
	out := make(map[string]float64)
	for name, value := range metrics(t) {
		rest, ok := strings.CutPrefix(name, `ovnguard_admission_duration_seconds_count{result="`)
		if result, ours := strings.CutSuffix(rest, `",webhook="mutate-pods"}`); ok && ours {
			out[result] = value
		}
	}
	return out
}

// patching serves a mutating webhook of a test until the test ends, and returns how the API server reaches it. patch
// returns the JSON patch for a request; none where it changes nothing.
func patching(
	t *testing.T,
	patch func(*admissionv1.AdmissionRequest) []byte,
) admissionregistrationv1.WebhookClientConfig {
	t.Helper()
	authority, err := pki.EnsureAuthority(t.TempDir(), "later", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Server("later", []string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, fmt.Sprint("no review: ", err), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if operations := patch(review.Request); len(operations) > 0 {
			review.Response.Patch, review.Response.PatchType = operations, new(admissionv1.PatchTypeJSONPatch)
		}
		review.Request = nil
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return admissionregistrationv1.WebhookClientConfig{URL: &server.URL, CABundle: authority.CertPEM()}
}

// ofNewPods are the rules of a webhook that is asked about new pods.
func ofNewPods() []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule: admissionregistrationv1.Rule{
			APIGroups:   []string{""},
			APIVersions: []string{"v1"},
			Resources:   []string{"pods"},
		},
	}}
}

// laterWebhook registers a webhook that is asked after ours and patches every new pod of a namespace, until the test
// ends. Edits change its registration.
func laterWebhook(t *testing.T, ns, patch string, edits ...func(*admissionregistrationv1.MutatingWebhook)) {
	t.Helper()
	asked := make(chan struct{}, 1)
	reached := patching(t, func(*admissionv1.AdmissionRequest) []byte {
		select {
		case asked <- struct{}{}:
		default:
		}
		return []byte(patch)
	})

	configurations := world.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
	none, fail := admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.Fail
	config := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "zz-later"}, // webhooks are asked in the order of their names
		Webhooks: []admissionregistrationv1.MutatingWebhook{
			{
				Name:                    "later.example.org",
				SideEffects:             &none,
				FailurePolicy:           &fail,
				AdmissionReviewVersions: []string{"v1"},
				ClientConfig:            reached,
				NamespaceSelector: &metav1.LabelSelector{
					MatchLabels: map[string]string{corev1.LabelMetadataName: ns},
				},
				Rules: ofNewPods(),
			},
		},
	}
	for _, edit := range edits {
		edit(&config.Webhooks[0])
	}
	if _, err := configurations.Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := configurations.Delete(cleanup(t), config.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the API server to ask the later webhook", func() (bool, error) {
		if _, err := admin(
			t,
		).dryRun(t.Context(), ns, nil); err != nil &&
			!strings.Contains(err.Error(), "denied the request") {
			return false, err
		}
		return len(asked) > 0, nil
	})
}
