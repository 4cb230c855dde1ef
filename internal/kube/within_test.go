package kube

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// tenantClient returns a client that may read in namespace ns alone, with these kinds of objects there.
func tenantClient(t *testing.T, allowed ...string) client.Client {
	t.Helper()
	all := &apiServer{kubeovn: true, pods: 2}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		switch {
		case path == "/api/v1/namespaces/ns" && contains(allowed, "namespaces"):
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(corev1.Namespace{
				TypeMeta:   metav1.TypeMeta{Kind: "Namespace", APIVersion: "v1"},
				ObjectMeta: metav1.ObjectMeta{Name: "ns", Labels: map[string]string{"a": "b"}},
			})
		case path == "/api/v1/namespaces/ns/pods" && contains(allowed, "pods"):
			r.URL.Path = "/api/v1/pods"
			all.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/api/v1/"), strings.HasPrefix(path, "/apis/kubeovn.io/v1/"):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
				Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden, Message: path + " is forbidden",
			})
		default:
			all.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(web.Close)
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	config := &rest.Config{Host: web.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func contains(list []string, word string) bool {
	return strings.Contains(strings.Join(list, " "), word)
}

// Who may read one namespace alone gets what is in it, and is told what was left out.
func TestFillOneNamespace(t *testing.T) {
	inv := inventory.New()
	_, withheld, err := Fill(t.Context(), tenantClient(t, "namespaces", "pods"), inv, "ns")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, w := range withheld {
		if got[w.Kind.Kind] = w.Namespace; w.Err == nil {
			t.Errorf("%s: no error says why", w.Kind.Kind)
		}
	}
	if diff := cmp.Diff(map[string]string{"Namespace": "ns", "Pod": "ns", "IP": "", "Vip": ""}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if p := inv.Port("p1.ns", time.Time{}); p.Pod == nil || inv.Namespace("ns").Labels["a"] != "b" {
		t.Errorf("the namespace was not read: %+v", p)
	}
	if diff := cmp.Diff(
		[]inventory.Kind{inventory.Records, "Namespace", inventory.Pods, inventory.Vips}, inv.Unread(),
	); diff != "" {
		t.Errorf("what is not known as a whole: -want +got\n%s", diff)
	}
}

// Without the namespace's pods there is no answer, and without a namespace it is an error that a kind may not be
// listed.
func TestFillWithoutRights(t *testing.T) {
	if _, _, err := Fill(t.Context(), tenantClient(t, "namespaces"), inventory.New(), "ns"); err == nil ||
		!strings.Contains(err.Error(), "list Pod") {
		t.Errorf("without pods: %v", err)
	}
	if _, _, err := Fill(t.Context(), tenantClient(t, "namespaces", "pods"), inventory.New(), ""); err == nil ||
		!strings.Contains(err.Error(), "list Namespace") {
		t.Errorf("without a namespace: %v", err)
	}
	// A namespace that may not be read is called by its name alone.
	inv := inventory.New()
	_, withheld, err := Fill(t.Context(), tenantClient(t, "pods"), inv, "ns")
	if err != nil || withheld[0].Kind.Kind != "Namespace" || withheld[0].Namespace != "" {
		t.Errorf("without the namespace: %+v, %v", withheld, err)
	}
}
