package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/registration"
	"github.com/ovnguard/ovnguard/portsec"
)

// reviewer answers as an API server does about tokens and rights.
type reviewer struct {
	mu sync.Mutex
	// tokens has the user of each token; users has the namespaces in which each may list pods, "" for all.
	tokens map[string]string
	users  map[string][]string
	// asked counts reviews by kind.
	asked map[string]int
	// fails is what asking gives; nil where it works.
	fails error
}

func (r *reviewer) create(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		return r.fails
	}
	switch review := o.(type) {
	case *authenticationv1.TokenReview:
		r.asked["token"]++
		name, ok := r.tokens[review.Spec.Token]
		review.Status.Authenticated, review.Status.User.Username = ok, name
	case *authorizationv1.SubjectAccessReview:
		r.asked["right"]++
		at := review.Spec.ResourceAttributes
		for _, namespace := range r.users[review.Spec.User] {
			if (namespace == "" || namespace == at.Namespace) && at.Verb == "list" && at.Resource == "pods" &&
				at.Group == "" && at.Subresource == "" {
				review.Status.Allowed = true
			}
		}
	default:
		return fmt.Errorf("a %T is made", o)
	}
	return nil
}

func (r *reviewer) count(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[kind]
}

// rig is a server with a town of two tenants: shop's web-0 and bank's vault-0 have one address, and there is more of
// bank's that shop's people must not see.
type rig struct {
	*Server
	reviews *reviewer
	logged  *strings.Builder
}

const (
	byAdmin   = "token-of-admin"
	byShop    = "token-of-shop"
	byNobody  = "token-of-nobody"
	byExpired = "token-that-has-expired"
)

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{reviews: &reviewer{
		tokens: map[string]string{byAdmin: "ann", byShop: "sam", byNobody: "nick"},
		users:  map[string][]string{"ann": {""}, "sam": {"shop", "ovn"}},
		asked:  make(map[string]int),
	}, logged: new(strings.Builder)}
	m := monitor.New(monitor.SystemClock{}, monitor.Observers{})
	m.Change(func(inv *inventory.Inventory) []string { town(inv); return nil })
	m.SetEras(portsec.OVN{Version: "24.03.2"}.Eras())
	m.Start()
	var mu sync.Mutex
	r.Server = New(Config{
		Monitor: m,
		Judging: func() error { return nil },
		Health: func(context.Context) Health {
			return Health{
				Northbound: Database{
					Reached:  true,
					Endpoint: "tcp:192.0.2.66:6641",
					From:     "bank-config",
					Read:     "server",
				},
				Webhooks:  &Webhooks{Standing: registration.Standing{At: "bank-system/ovnguard"}},
				Layout:    &layout.Layout{Namespace: layout.Value[string]{Is: "bank-system"}},
				APIServer: &KubernetesServer{Address: "https://192.0.2.66"},
			}
		},
		Stale: func() string { return "the database at 192.0.2.66 is not followed" },
		Reviews: fake.NewClientBuilder().
			WithScheme(clientgoscheme.Scheme).
			WithInterceptorFuncs(interceptor.Funcs{Create: r.reviews.create}).
			Build(),
		Version: "v0",
		Now:     time.Now,
		Log: funcr.New(func(_, args string) {
			mu.Lock()
			defer mu.Unlock()
			r.logged.WriteString(args + "\n")
		}, funcr.Options{Verbosity: 5}),
	})
	return r
}

// pod enters a pod with its port and its IP resource.
func pod(inv *inventory.Inventory, namespace, name, mac, ip string) (row *inventory.Row) {
	port := kubeovn.PortName(name, namespace, kubeovn.DefaultProvider)
	key := kubeovn.DefaultProvider.Key
	identity := mac + " " + ip
	inv.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{Namespace: namespace, Name: name}, UID: namespace + name, Owner: name,
		Annotations: map[string]string{
			key(kubeovn.PortSecurity): kubeovn.True, key(kubeovn.Allocated): kubeovn.True, key(kubeovn.MACAddress): mac,
			key(kubeovn.IPAddress): ip, key(kubeovn.LogicalSwitch): "net",
		},
		Inherited: []kubeovn.Provider{kubeovn.DefaultProvider},
	})
	inv.SetRecord(&inventory.Record{
		Name: port, MAC: mac, IPs: []string{ip}, Subnet: "net",
		Of: inventory.PodKey{Namespace: namespace, Name: name},
	})
	row = &inventory.Row{
		UUID: port, Name: port, Switch: "net", Addresses: []string{identity}, PortSecurity: []string{identity},
		ExternalIDs: map[string]string{
			kubeovn.ExternalIDVendor: kubeovn.Vendor, kubeovn.ExternalIDPod: namespace + "/" + name,
			kubeovn.ExternalIDSwitch: "net",
		},
	}
	inv.SetRow(row)
	return row
}

const (
	sharedIP = "10.16.0.7"
	bankMAC  = "0a:00:00:00:ba:bb"
	bankIP   = "10.16.99.99"
)

func town(inv *inventory.Inventory) {
	for _, name := range []string{"shop", "bank", "ovn"} {
		inv.SetNamespace(policy.Namespace{Name: name})
	}
	inv.SetOVN(portsec.OVN{Version: "24.03.2"})
	open := *pod(inv, "shop", "web-0", "0a:00:00:00:00:01", sharedIP)
	open.PortSecurity = nil // OVG001
	inv.SetRow(&open)
	pod(inv, "shop", "web-1", "0a:00:00:00:00:02", "10.16.0.8")
	pod(inv, "bank", "vault-0", bankMAC, sharedIP) // OVG013 at both
	pod(inv, "bank", "vault-1", "0a:00:00:00:ba:bc", bankIP)
	inv.SetException(policy.Exception{
		Namespace: "bank", Name: "router", Expires: time.Now().Add(-time.Hour), // OVG015
	})
	inv.SetChassis(inventory.Chassis{UUID: "c", Name: "bank-node", Host: "bank-node"})

	// A pod in namespace ovn has the name of the port of another NIC of vault-0, and so its row.
	const stolen = "vault-0.bank.net2.bank"
	row := *pod(inv, "ovn", stolen, "0a:00:00:00:00:03", "10.16.0.9")
	row.Addresses, row.PortSecurity = []string{bankMAC + " " + bankIP}, nil
	row.ExternalIDs = map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor, kubeovn.ExternalIDPod: "bank/vault-0"}
	inv.SetRow(&row)
	inv.SetRecord(&inventory.Record{
		Name: row.Name, MAC: bankMAC, IPs: []string{bankIP}, Subnet: "net",
		Of: inventory.PodKey{Namespace: "bank", Name: "vault-0"},
	})
}

// get asks as the owner of a token, from a host.
func (r *rig) get(t *testing.T, token, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Prefix+path, http.NoBody)
	request.RemoteAddr = "192.0.2.1:1234"
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for _, c := range change {
		c(request)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w
}

// said returns the error of an answer; a test fails where it is not the JSON of one.
func said(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body errorBody
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error == "" {
		t.Fatalf("no error in %q: %v", w.Body, err)
	}
	return body.Error
}

var errAway = errors.New("connection refused")
