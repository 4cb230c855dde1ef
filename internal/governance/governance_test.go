package governance

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

const (
	ps = "ovn.kubernetes.io/port_security"
	l2 = "ovn.kubernetes.io/layer2_forward"
)

// noon is the time in all tests.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// tableCluster answers from tables.
type tableCluster struct {
	// rights holds "user verb resource namespace/name".
	rights     []string
	rightsErr  error
	policies   []policy.Policy
	policyErr  error
	namespaces map[string]policy.Namespace
	owners     map[string]string // "kind namespace/name" to UID
	asked      []string
}

func (c *tableCluster) May(
	_ context.Context,
	user authenticationv1.UserInfo,
	what authorizationv1.ResourceAttributes,
) (bool, error) {
	question := strings.Join(
		[]string{user.Username, what.Verb, what.Resource + "." + what.Group, what.Namespace + "/" + what.Name},
		" ",
	)
	c.asked = append(c.asked, question)
	return slices.Contains(c.rights, question), c.rightsErr
}

func (c *tableCluster) Policies(context.Context) ([]policy.Policy, error) {
	policy.SortPolicies(c.policies)
	return c.policies, c.policyErr
}

func (c *tableCluster) Namespace(_ context.Context, name string) policy.Namespace {
	if ns, ok := c.namespaces[name]; ok {
		return ns
	}
	return policy.Namespace{Name: name, Err: errors.New("no answer")}
}

func (c *tableCluster) OwnerUID(_ context.Context, namespace string, o v1alpha1.Owner) (string, bool, error) {
	uid, ok := c.owners[o.Kind+" "+namespace+"/"+o.Name]
	return uid, ok, nil
}

// guardOf returns a guard with a small inventory: a pod of the shop, one of the bank, a gateway, a node and a Service.
func guardOf(c *tableCluster) *fedGuard {
	inv := inventory.New()
	for _, p := range c.policies {
		inv.SetPolicy(p)
	}
	for _, ns := range []string{"shop", "bank"} {
		inv.SetNamespace(policy.Namespace{Name: ns, Labels: map[string]string{labelName: ns}})
		inv.SetPod(&inventory.Pod{
			PodKey: inventory.PodKey{
				Namespace: ns,
				Name:      "web-0",
			},
			Owner:       "web-0",
			Labels:      map[string]string{"app": "web"},
			Annotations: map[string]string{ps: "true"},
			Inherited:   []kubeovn.Provider{kubeovn.DefaultProvider},
		})
	}
	inv.SetRecord(
		&inventory.Record{
			Name:   "web-0.shop",
			Of:     inventory.PodKey{Namespace: "shop", Name: "p"},
			Subnet: "ovn-default",
			MAC:    "00:00:00:00:00:01",
			IPs:    []string{"10.16.0.10"},
		},
	)
	inv.SetRecord(&inventory.Record{
		Name:   "web-0.bank",
		Of:     inventory.PodKey{Namespace: "bank", Name: "p"},
		Subnet: "ovn-default",
		MAC:    "00:00:00:00:00:02",
		IPs:    []string{"10.16.0.20", "fd00:16::20"},
	})
	inv.SetSubnet(inventory.Subnet{
		Name:     "ovn-default",
		CIDRs:    prefixes("10.16.0.0/16", "fd00:16::/64"),
		Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")},
		Shared:   []netip.Addr{netip.MustParseAddr("10.16.0.70")},
	})
	inv.SetSubnet(inventory.Subnet{Name: "join", CIDRs: prefixes("100.64.0.0/16", "fd00:100:64::/112")})
	inv.SetSubnet(inventory.Subnet{
		Name:       "bank-net",
		Namespaces: []string{"bank"},
		CIDRs:      prefixes("10.17.0.0/16"),
		Gateways:   []netip.Addr{netip.MustParseAddr("10.17.0.1")},
		Shared:     []netip.Addr{netip.MustParseAddr("10.17.0.70")},
	})
	inv.SetFixed(inventory.Fixed{
		Holder: inventory.Holder{
			Kind: inventory.HeldByNode,
			Name: "node-1",
		},
		Addresses: []netip.Addr{netip.MustParseAddr("192.168.7.1")},
	})
	inv.SetFixed(inventory.Fixed{
		Holder: inventory.Holder{
			Kind: inventory.HeldByService,
			Name: "bank/ledger",
		},
		Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.7")},
	})
	inv.SetFixed(inventory.Fixed{
		Holder: inventory.Holder{
			Kind: inventory.HeldByExternal,
			Name: "bank/ledger",
		},
		Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.7")},
	})
	inv.SetFixed(inventory.Fixed{
		Holder: inventory.Holder{
			Kind: inventory.HeldByExternal,
			Name: "shop/till",
		},
		Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.8")},
	})
	inv.SetRouterPort(inventory.RouterPort{UUID: "r", Name: "ovn-cluster-ovn-default", MAC: "00:00:00:00:00:fe"})
	for _, r := range []*inventory.Row{
		{Name: "eth", Switch: "ovn-default"},
		{Name: "worker", Switch: "join"},
		{Name: "was-vip", Switch: "ovn-default", Type: "virtual", ExternalIDs: map[string]string{"vendor": "kube-ovn"}},
		{Name: "float", Switch: "ovn-default", Type: "virtual"},
	} {
		inv.SetRow(r)
	}
	inv.SetVip(inventory.Vip{
		Name:      "shop-vip",
		Namespace: "shop",
		Subnet:    "ovn-default",
		MAC:       "00:00:00:00:00:aa",
		Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.100")},
	})
	inv.SetVip(inventory.Vip{
		Name:      "bank-vip",
		Namespace: "bank",
		Subnet:    "ovn-default",
		MAC:       "00:00:00:00:00:bb",
		Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.200")},
	})
	look := func(look func(*inventory.State)) { look(inv.Snapshot()) }
	return &fedGuard{
		&Guard{
			Cluster:  c,
			Accounts: admission.DefaultAccounts(),
			Look:     look,
			Rewrites: unannotated,
			Now:      func() time.Time { return noon },
		},
		inv,
	}
}

// fedGuard is a guard with its inventory.
type fedGuard struct {
	*Guard
	inv *inventory.Inventory
}

// feed changes the inventory.
func (g *fedGuard) feed(change func(*inventory.Inventory)) { change(g.inv) }

// request returns a request of alice. A nil old makes it a creation, a nil object a deletion.
func request(t testing.TB, resource string, object, old any) *admissionv1.AdmissionRequest {
	t.Helper()
	name, apiGroup, _ := strings.Cut(resource, ".")
	req := &admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Namespace: "shop", Name: "x",
		Resource: metav1.GroupVersionResource{Group: apiGroup, Resource: name},
		Kind:     metav1.GroupVersionKind{Kind: name},
		UserInfo: authenticationv1.UserInfo{Username: "alice", Groups: []string{"team-a"}},
	}
	raw := func(o any) runtime.RawExtension {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: text}
	}
	if object != nil {
		req.Object = raw(object)
	}
	switch {
	case object == nil:
		req.Operation, req.OldObject = admissionv1.Delete, raw(old)
	case old != nil:
		req.Operation, req.OldObject = admissionv1.Update, raw(old)
	}
	return req
}

// foreign are the names and addresses of namespaces other than the shop, as an answer might print them.
var foreign = []string{
	"port web-0.bank",
	"bank/web-0",
	"bank-vip",
	"bank/ledger",
	"bank/a",
	"bank/user",
	"node node-1",
	"the gateway of",
	"on switch",
}

// expect checks that the answer refuses with each of the words, or allows if there are none.
func expect(t *testing.T, a Answer, err error, words ...string) {
	t.Helper()
	texts := a.Denials()
	for _, r := range a.Refusals {
		if r.Mode == policy.Enforce && r.Note() != r.String() {
			texts = append(texts, "(audit log: "+r.Note()+")")
		}
	}
	said := strings.Join(texts, "\n")
	if err != nil {
		said += "\nerror: " + err.Error()
	}
	for _, told := range a.Denials() {
		for _, name := range foreign {
			if strings.Contains(told, name) {
				t.Errorf("it tells of %q: %s", name, told)
			}
		}
	}
	if len(words) == 0 && strings.TrimSpace(said) != "" {
		t.Errorf("refused: %s", said)
	}
	if len(words) > 0 && strings.TrimSpace(said) == "" {
		t.Errorf("allowed, want it refused with %q; warnings %q", words, a.Warnings)
		return
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("refused with %s\nwhich lacks %q", said, w)
		}
	}
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func labelled(key, value string) policy.Selector {
	return func(l map[string]string) bool { return l[key] == value }
}

func pattern(text string) *regexp.Regexp { return regexp.MustCompile(text) }

func uidOf(text string) types.UID { return types.UID(text) }

// unannotated reports whether a repair would write the port: only those of pods without the annotation.
func unannotated(p inventory.Port) bool {
	return p.Pod.Annotations["ovn.kubernetes.io/port_security"] != "true"
}
