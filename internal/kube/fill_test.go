package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// apiServer is a fake API server for listing. It serves namespaces, pods in pages, and, on request, Kube-OVN's kinds.
type apiServer struct {
	kubeovn bool
	pods    int
	// expireAt is the number of the page of pods at which the list is too old to continue; 0 for never.
	expireAt int
	// pages counts the requested pages of pods.
	pages int
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch path := r.URL.Path; {
	case path == "/api":
		answer = metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	case path == "/apis":
		groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		if s.kubeovn {
			v := metav1.GroupVersionForDiscovery{GroupVersion: "kubeovn.io/v1", Version: "v1"}
			groups.Groups = append(
				groups.Groups,
				metav1.APIGroup{
					Name:             "kubeovn.io",
					Versions:         []metav1.GroupVersionForDiscovery{v},
					PreferredVersion: v,
				},
			)
		}
		answer = groups
	case path == "/api/v1":
		answer = metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList"},
			GroupVersion: "v1",
			APIResources: []metav1.APIResource{
				{
					Name:  "namespaces",
					Kind:  "Namespace",
					Verbs: metav1.Verbs{"list"},
				},
				{Name: "pods", Kind: "Pod", Namespaced: true, Verbs: metav1.Verbs{"list"}},
			},
		}
	case path == "/apis/kubeovn.io/v1" && s.kubeovn:
		answer = metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList"},
			GroupVersion: "kubeovn.io/v1",
			APIResources: []metav1.APIResource{
				{
					Name:  "ips",
					Kind:  "IP",
					Verbs: metav1.Verbs{"list"},
				},
				{Name: "vips", Kind: "Vip", Verbs: metav1.Verbs{"list"}},
			},
		}
	case path == "/api/v1/namespaces":
		answer = corev1.NamespaceList{
			TypeMeta: metav1.TypeMeta{Kind: "NamespaceList", APIVersion: "v1"},
			Items:    []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "ns"}}},
		}
	case path == "/api/v1/pods":
		answer = s.page(w, r)
	case strings.HasPrefix(path, "/apis/kubeovn.io/v1/") && s.kubeovn:
		kind := map[string]string{"ips": "IP", "vips": "Vip"}[strings.TrimPrefix(path, "/apis/kubeovn.io/v1/")]
		answer = map[string]any{
			"kind":       kind + "List",
			"apiVersion": "kubeovn.io/v1",
			"metadata":   map[string]any{},
			"items": []any{
				map[string]any{
					"kind":       kind,
					"apiVersion": "kubeovn.io/v1",
					"metadata":   map[string]any{"name": "p0.ns"},
					"spec":       map[string]any{"macAddress": "m", "namespace": "ns"},
				},
			},
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if answer == nil {
		w.WriteHeader(http.StatusNotFound)
		answer = metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure,
			Reason:   metav1.StatusReasonNotFound,
			Code:     http.StatusNotFound,
		}
	}
	_ = json.NewEncoder(w).Encode(answer) // a client that is gone ends the test anyway
}

// page returns one page of pods, as many as the client asks for.
func (s *apiServer) page(w http.ResponseWriter, r *http.Request) any {
	s.pages++
	if s.pages == s.expireAt {
		w.WriteHeader(http.StatusGone)
		return metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure,
			Reason:   metav1.StatusReasonExpired,
			Code:     http.StatusGone,
			Message:  "too old",
		}
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	for i := from; i < min(from+limit, s.pods); i++ {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: fmt.Sprintf("p%d", i), Labels: map[string]string{"number": strconv.Itoa(i)},
		}})
	}
	if from+limit < s.pods {
		list.Continue = strconv.Itoa(from + limit)
	}
	return list
}

func (s *apiServer) client(t *testing.T) client.Client {
	t.Helper()
	web := httptest.NewServer(s)
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

// A real client lists from a server with none of the optional kinds, or with some of them.
func TestFillWithMissingKinds(t *testing.T) {
	for name, c := range map[string]struct {
		kubeovn bool
		missing []string
	}{
		"a cluster without Kube-OVN and Multus": {
			false, []string{"PortSecurityPolicy", "PortSecurityException", "NetworkAttachmentDefinition", "IP", "Vip"},
		},
		"a cluster without Multus": {
			true, []string{"PortSecurityPolicy", "PortSecurityException", "NetworkAttachmentDefinition"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := inventory.New()
			missing, _, err := Fill(t.Context(), (&apiServer{kubeovn: c.kubeovn, pods: 1}).client(t), inv, "")
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, s := range missing {
				kinds = append(kinds, s.Kind.Kind)
			}
			if diff := cmp.Diff(c.missing, kinds); diff != "" {
				t.Errorf("missing: -want +got\n%s", diff)
			}
			if p := inv.Port("p0.ns", time.Time{}); p.Pod == nil || (p.Record != nil) != c.kubeovn {
				t.Errorf("port %+v", p)
			}
		})
	}
}

// Every page is read, and no pod is mixed up with one of another page.
func TestFillPages(t *testing.T) {
	const pods = 2*pageSize + 1
	s := &apiServer{pods: pods}
	inv := inventory.New()
	if _, _, err := Fill(t.Context(), s.client(t), inv, ""); err != nil {
		t.Fatal(err)
	}
	if n := len(inv.Names()); n != pods || s.pages != 3 {
		t.Errorf("%d ports from %d pages, want %d from 3", n, s.pages, pods)
	}
	for i := range pods {
		if p := inv.Port(
			fmt.Sprintf("p%d.ns", i),
			time.Time{},
		); p.Pod == nil ||
			p.Pod.Labels["number"] != strconv.Itoa(i) {
			t.Fatalf("pod %d: %+v", i, p.Pod)
		}
	}
}

// An incomplete list is an error.
func TestFillExpires(t *testing.T) {
	_, _, err := Fill(t.Context(), (&apiServer{pods: 2 * pageSize, expireAt: 2}).client(t), inventory.New(), "")
	if err == nil || !strings.Contains(err.Error(), "Pod") {
		t.Errorf("got %v, want an error that names the kind", err)
	}
}
