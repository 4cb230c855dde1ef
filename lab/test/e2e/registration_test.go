//go:build integration

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/deploy"
)

// putBackWithin is how soon a spoiled registration must be whole again: the program waits ten seconds if somebody
// spoils it again and again.
const putBackWithin = 15 * time.Second

// A webhook registration that somebody deletes or weakens is restored.
func TestRegistrationIsPutBack(t *testing.T) {
	configurations := world.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
	before, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	patch := func(body string) func() error {
		return func() error {
			_, err := configurations.Patch(
				t.Context(),
				before.Name,
				types.JSONPatchType,
				[]byte(body),
				metav1.PatchOptions{},
			)
			return err
		}
	}
	for name, spoil := range map[string]func() error{
		"deleted":    func() error { return configurations.Delete(t.Context(), before.Name, metav1.DeleteOptions{}) },
		"emptied":    patch(`[{"op":"replace","path":"/webhooks","value":[]}]`),
		"fails open": patch(`[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`),
		"spares a namespace": patch(`[{"op":"replace","path":"/webhooks/0/namespaceSelector","value":
			{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["tenant"]}]}}]`),
		"trusts somebody else": patch(
			`[{"op":"replace","path":"/webhooks/0/clientConfig/url","value":"https://localhost:1/mutate-pods"}]`,
		),
		"asks on a condition": patch(
			`[{"op":"add","path":"/webhooks/0/matchConditions/-","value":{"name":"never","expression":"false"}}]`,
		),
	} {
		t.Run(name, func(t *testing.T) {
			was, err := guard.Registration(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			took := eventually(t, "the registration to be put back", func() (bool, error) {
				now, err := guard.Registration(t.Context())
				// Deleted or changed, the object has another version when it is whole again.
				return err == nil && now.ResourceVersion != was.ResourceVersion &&
					cmp.Equal(before.Webhooks, now.Webhooks), nil
			})
			t.Logf("put back after %s", took.Round(time.Millisecond))
			if took > putBackWithin {
				t.Errorf("it took %s, want at most %s", took, putBackWithin)
			}
		})
	}
	awaitWebhook(t)
}

// A deleted certificate is made again, registered and served without a restart.
func TestCertificateIsMadeAgain(t *testing.T) {
	before, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secrets, name := world.Kube.CoreV1().Secrets("ovnguard-system"), "ovnguard-webhook-certificate"
	old, err := secrets.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := secrets.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var fresh *corev1.Secret
	took := eventually(t, "another certificate to be registered", func() (bool, error) {
		if fresh, err = secrets.Get(t.Context(), name, metav1.GetOptions{}); err != nil || fresh.UID == old.UID {
			return false, nil //nolint:nilerr // it is not there yet
		}
		now, err := guard.Registration(t.Context())
		if err != nil || len(now.Webhooks) == 0 {
			return false, err
		}
		return len(fresh.Data["ca.crt"]) > 0 &&
			strings.Contains(string(now.Webhooks[0].ClientConfig.CABundle), string(fresh.Data["ca.crt"])), nil
	})
	t.Logf("another certificate was registered after %s", took.Round(time.Millisecond))
	if cmp.Equal(old.Data, fresh.Data) || cmp.Equal(before.Webhooks[0].ClientConfig.CABundle, fresh.Data["ca.crt"]) {
		t.Error("the certificate is the old one")
	}
	eventually(t, "the new certificate to be served", func() (bool, error) {
		return serves(t, fresh.Data[corev1.TLSCertKey]), nil
	})
	awaitWebhook(t)
}

// While the program is dead no pod gets past it; a pod without an OVN port starts all the same, so that the cluster can
// recover. When the program is back, it serves with the same certificate.
func TestThreat36Crash(t *testing.T) {
	before, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	running := false
	t.Cleanup(func() {
		if running {
			return
		}
		if err := guard.Start(cleanup(t)); err != nil {
			t.Error(err)
		}
	})
	p := tenant(t)
	if pod, err := p.dryRun(
		t.Context(),
		tenantNamespace,
		nil,
	); err == nil ||
		!strings.Contains(err.Error(), "pods.ovnguard.io") {
		t.Errorf("a pod while ovnguard is dead: %v, %v; want it refused, with the name of the webhook", pod, err)
	}
	onHost := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: unique("host")}, Spec: podSpec()}
	onHost.Spec.HostNetwork = true
	if _, err := p.CoreV1().Pods(tenantNamespace).Create(t.Context(), onHost, metav1.CreateOptions{}); err != nil {
		t.Errorf("a pod on the host's network: %v", err)
	}
	if _, err := world.Running(t.Context(), tenantNamespace, onHost.Name); err != nil {
		t.Error(err)
	}
	onHost.Namespace = tenantNamespace
	deletePod(t, onHost)
	// So do the pods of the program's own namespace: another replica would bring the cluster back.
	own := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: unique("own")}, Spec: restrictedSpec()}
	if own, err = admin(
		t,
	).CoreV1().
		Pods("ovnguard-system").
		Create(t.Context(), own, metav1.CreateOptions{}); err != nil {
		t.Fatalf("a pod in the program's own namespace: %v", err)
	}
	t.Cleanup(func() { deletePod(t, own) })
	eventually(t, "the pod in the program's own namespace to run", func() (bool, error) {
		now, err := world.Kube.CoreV1().Pods(own.Namespace).Get(t.Context(), own.Name, metav1.GetOptions{})
		return err == nil && now.Status.Phase == corev1.PodRunning, err
	})
	deletePod(t, own)

	begin := time.Now()
	if err := guard.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	running = true
	t.Logf("ready again after %s", time.Since(begin).Round(time.Millisecond))
	if pod, err := p.dryRun(t.Context(), tenantNamespace, nil); err != nil || pod.Annotations[portSecurity] != "true" {
		t.Errorf("a pod after ovnguard came back: %v, %v", pod, err)
	}
	after, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ca := string(after.Webhooks[0].ClientConfig.CABundle)
	if ca == "" || !strings.HasPrefix(string(before.Webhooks[0].ClientConfig.CABundle), ca) {
		t.Error("after a restart another authority is registered")
	}
}

// The controller can do what its role allows and no more.
func TestRights(t *testing.T) {
	p := as(t, deploy.Account, "system:serviceaccounts", "system:serviceaccounts:ovnguard-system")
	if _, err := p.CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("ovnguard may read the Secrets of other namespaces")
	}
	if err := p.CoreV1().
		Pods(tenantNamespace).
		Delete(t.Context(), "any", metav1.DeleteOptions{}); err == nil ||
		!strings.Contains(err.Error(), "forbidden") {
		t.Errorf("ovnguard deletes pods: %v", err)
	}
	other := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if _, err := p.AdmissionregistrationV1().
		MutatingWebhookConfigurations().
		Update(t.Context(), other, metav1.UpdateOptions{}); err == nil ||
		!strings.Contains(err.Error(), "forbidden") {
		t.Errorf("ovnguard changes other webhooks: %v", err)
	}
}

// awaitWebhook waits until the API server asks the webhook again, which it does after it has seen the registration. An
// earlier registration with another address does not count.
func awaitWebhook(t *testing.T) {
	t.Helper()
	own := guard.URL() + "/"
	eventually(t, "the webhook to be registered where it is", func() (bool, error) {
		now, err := guard.Registration(cleanup(t))
		return err == nil && len(now.Webhooks) > 0 && strings.HasPrefix(*now.Webhooks[0].ClientConfig.URL, own), nil
	})
	p, root := tenant(t), admin(t)
	eventually(t, "pods to be created as before", func() (bool, error) {
		pod, err := p.dryRun(cleanup(t), tenantNamespace, nil)
		return err == nil && pod.Annotations[portSecurity] == "true", nil
	})
	// The webhooks that only refuse are not asked about pods that became strict.
	eventually(t, "policies to be judged as before", func() (bool, error) {
		_, err := root.do(cleanup(t), http.MethodPost, policiesPath+dryRun, &v1alpha1.PortSecurityPolicy{
			TypeMeta: metav1.TypeMeta{
				APIVersion: v1alpha1.GroupVersion.String(),
				Kind:       "PortSecurityPolicy",
			},
			ObjectMeta: metav1.ObjectMeta{Name: unique("tried")},
		})
		return err == nil, nil
	})
}
