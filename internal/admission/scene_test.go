package admission

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Users of the tests.
const (
	tenant     = "alice"
	kubeOVN    = "system:serviceaccount:kube-system:ovn"
	virtualize = "system:serviceaccount:kubevirt:kubevirt-controller"
	replicas   = "system:serviceaccount:kube-system:replicaset-controller"
)

// Keys of the tests.
const (
	ip       = "ovn.kubernetes.io/ip_address"
	hw       = "ovn.kubernetes.io/mac_address"
	vips     = "ovn.kubernetes.io/port_vips"
	lsp      = "ovn.kubernetes.io/logical_switch"
	groups   = "ovn.kubernetes.io/security_groups"
	networks = kubeovn.Networks
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// town returns a cluster with two tenants: namespace "t", the tenant's own, and "u", a neighbour's.
func town() *inventory.Inventory {
	inv := inventory.New()
	for _, s := range []inventory.Subnet{
		{Name: "ovn-default", Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")}},
		{Name: "ours", Namespaces: []string{"t"}, Gateways: []netip.Addr{netip.MustParseAddr("10.17.0.1")}},
		{Name: "theirs", Namespaces: []string{"u"}, Gateways: []netip.Addr{netip.MustParseAddr("10.18.0.1")}},
		{Name: "join"},
		{Name: "nodes"},
		{Name: "wide", MACs: []string{"0a:00:00:00:00:fb"}, Own: []netip.Addr{netip.MustParseAddr("10.19.0.3")}},
		{Name: "their-blue", Provider: "blue.u.ovn", Namespaces: []string{"u"}},
		{Name: "our-green", Provider: "green.u.ovn", Namespaces: []string{"u", "t"}},
		{Name: "island", VPC: "island", Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.9")}},
	} {
		inv.SetSubnet(s)
	}
	for _, p := range []inventory.Pool{
		{Name: "named-pool", Subnet: "ours"},
		{Name: "our-pool", Subnet: "ovn-default", Namespaces: []string{"t"}},
		{Name: "their-pool", Subnet: "ovn-default", Namespaces: []string{"u"}},
		{Name: "far-pool", Subnet: "theirs"},
	} {
		inv.SetPool(p)
	}
	inv.SetFixed(
		inventory.Fixed{
			Holder:    inventory.Holder{Kind: inventory.HeldByNode, Name: "node1"},
			Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.2")},
		},
	)
	inv.SetFixed(
		inventory.Fixed{
			Holder:    inventory.Holder{Kind: inventory.HeldByService, Name: "u/db"},
			Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.7")},
		},
	)
	inv.SetRecord(
		&inventory.Record{
			Name:   "victim.u",
			MAC:    "0a:00:00:00:00:05",
			IPs:    []string{"10.16.0.5"},
			Subnet: "ovn-default",
		},
	)
	inv.SetRecord(
		&inventory.Record{
			Name:   "vm1.t",
			MAC:    "0a:00:00:00:00:06",
			IPs:    []string{"10.16.0.6"},
			Subnet: "ovn-default",
			Keeper: "VirtualMachine",
		},
	)
	inv.SetRecord(
		&inventory.Record{
			Name:   "web-0.t",
			MAC:    "0a:00:00:00:00:07",
			IPs:    []string{"10.16.0.7"},
			Subnet: "ovn-default",
			Keeper: "StatefulSet",
		},
	)
	inv.SetRecord(
		&inventory.Record{Name: "node-node1", MAC: "0a:00:00:00:00:08", IPs: []string{"100.64.0.2"}, Subnet: "nodes"},
	)
	inv.SetFixed(
		inventory.Fixed{
			Holder:    inventory.Holder{Kind: inventory.HeldByExternal, Name: "u/db"},
			Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.7")},
		},
	)
	inv.SetFixed(
		inventory.Fixed{
			Holder:    inventory.Holder{Kind: inventory.HeldByBalancer, Name: "t/lb"},
			Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.8")},
		},
	)
	inv.SetRouterPort(inventory.RouterPort{UUID: "r1", Name: "ovn-cluster-ovn-default", MAC: "0a:00:00:00:00:fe"})
	inv.SetRouterPort(inventory.RouterPort{UUID: "r2", Name: "island-island", MAC: "0a:00:00:00:00:fd"})
	inv.SetRouterPort(inventory.RouterPort{UUID: "r3", Name: "somewhere", MAC: "0a:00:00:00:00:fc"})
	inv.SetVip(
		inventory.Vip{
			Name:      "balancer",
			Namespace: "t",
			Subnet:    "ovn-default",
			Type:      kubeovn.VipSwitchLB,
			MAC:       "0a:00:00:00:00:fe",
		},
	)
	inv.SetVip(
		inventory.Vip{
			Name:      "mine",
			Namespace: "t",
			Subnet:    "ovn-default",
			Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.100")},
		},
	)
	inv.SetVip(
		inventory.Vip{
			Name:      "foreign",
			Namespace: "u",
			Subnet:    "ovn-default",
			MAC:       "0a:00:00:00:00:99",
			Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.101")},
		},
	)
	inv.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{
			Namespace: "u",
			Name:      "victim",
		},
		Owner:       "victim",
		Attachments: []kubeovn.Attachment{{Namespace: "n", Name: "nad"}},
	})
	return inv
}

// scene is a cluster with the changes of one case.
type scene struct {
	inventory *inventory.Inventory
	namespace policy.Namespace
	pods      map[string]*Pod
	// definitions are the definitions of networks for which the API server's answer differs from the inventory.
	definitions map[string]Definition
	// withoutKubeVirt means that the cluster does not serve KubeVirt's API.
	withoutKubeVirt bool
	// repaired are changes of repair by their IDs, for the user who may take them back.
	repaired map[string]Repaired
	undoer   string
	user     string // who asked last
}

func newScene() *scene {
	// Kube-OVN writes the subnets for its pods on every namespace.
	return &scene{
		inventory: town(),
		namespace: policy.Namespace{Name: "t", Annotations: map[string]string{lsp: "ovn-default"}},
		pods:      map[string]*Pod{},
	}
}

// policy adds a strict policy, changed by the function.
func (s *scene) policy(change func(*policy.Policy)) *scene {
	p := policy.Policy{
		Name:   "test",
		Limits: policy.Limits{Pairs: 8, Prefix4: 24, Prefix6: 64, Lifetime: policy.DefaultLifetime, Level: policy.Open},
	}
	change(&p)
	s.inventory.SetPolicy(p)
	return s
}

func (s *scene) exception(change func(*policy.Exception)) *scene {
	e := policy.Exception{
		Namespace: "t",
		Name:      "grant",
		Pods:      func(l map[string]string) bool { return l["app"] == "router" },
		Asked: now.Add(
			-time.Hour,
		),
		Expires: now.Add(time.Hour),
		Pairs:   []portsec.AddressPair{{Prefix: netip.MustParsePrefix("192.0.2.0/24")}},
	}
	change(&e)
	s.inventory.SetException(e)
	return s.policy(func(p *policy.Policy) { p.ExceptionsIn = []string{"t"} })
}

func (s *scene) Look(_ context.Context, namespace, user string, look func(*View)) {
	ns := s.namespace
	if namespace != ns.Name {
		ns = policy.Namespace{Name: namespace}
	}
	accounts := DefaultAccounts()
	accounts.WithoutKubeVirt = s.withoutKubeVirt
	look(&View{Accounts: accounts, User: user, Namespace: ns, Inventory: s.inventory.Snapshot(), Now: now})
}

// Repaired answers from s.repaired.
func (s *scene) Repaired(_ context.Context, ids []string) (Repaired, error) {
	if s.user != s.undoer {
		return Repaired{}, ErrNoUndo
	}
	r, ok := s.repaired[strings.Join(ids, ",")]
	if !ok {
		return Repaired{}, errors.New("there is no such change")
	}
	return r, nil
}

// Definition answers from s.definitions, or else from the inventory.
func (s *scene) Definition(_ context.Context, a kubeovn.Attachment) Definition {
	if d, ok := s.definitions[a.Namespace+"/"+a.Name]; ok {
		return d
	}
	var d Definition
	d.Kind, d.Found = s.inventory.Kind(a)
	return d
}

func (s *scene) Pod(_ context.Context, namespace, name string) (*Pod, error) {
	if p, ok := s.pods[namespace+"/"+name]; ok {
		return p, nil
	}
	return nil, errors.New("no answer")
}

// ask sends a request to one webhook, as the API server does.
func ask(t testing.TB, s *scene, judge func(World) Judge, req admissionv1.AdmissionRequest) ctrladmission.Response {
	t.Helper()
	s.user = req.UserInfo.Username
	h := &Handler{
		Judge:   judge(s),
		Observe: func(Reviewed) {},
		Now:     func() time.Time { return now },
	}
	r := h.Handle(t.Context(), ctrladmission.Request{AdmissionRequest: req})
	tellsNothing(t, r, string(req.Object.Raw)+string(req.OldObject.Raw))
	return r
}

// foreign are the names and addresses of others in the town, as an answer might print them.
var foreign = []string{
	"victim",
	"u/db",
	"node1",
	"node-node1",
	"somewhere",
	"the gateway of",
	"router port",
	"the nodes' own subnet",
	"b/a-0",
}

// tellsNothing checks that the answer to the user names nothing of others, except what the user named.
func tellsNothing(t testing.TB, r ctrladmission.Response, asked string) {
	t.Helper()
	told := strings.Join(r.Warnings, "\n")
	if r.Result != nil {
		told += r.Result.Message
	}
	for _, name := range foreign {
		if strings.Contains(told, name) && !strings.Contains(asked, name) {
			t.Errorf("it tells of %q:\n%s", name, told)
		}
	}
}

func raw(t testing.TB, p *Pod) runtime.RawExtension {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: text}
}

func request(user string, op admissionv1.Operation, subresource string) admissionv1.AdmissionRequest {
	return admissionv1.AdmissionRequest{
		Operation:   op,
		Namespace:   "t",
		Resource:    metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		SubResource: subresource,
		UserInfo:    authenticationv1.UserInfo{Username: user},
	}
}

// create makes a pod as the API server does, by the mutating and then the validating webhook, and returns the stored
// pod.
func create(t testing.TB, s *scene, user string, p Pod) (stored *Pod, refused string) {
	t.Helper()
	if p.Metadata.Name == "" {
		p.Metadata.Name = "p"
	}
	req := request(user, admissionv1.Create, "")
	req.Object = raw(t, &p)
	r := ask(t, s, MutatePods, req)
	if !r.Allowed {
		return nil, r.Result.Message
	}
	stored = &p
	stored.Metadata.Annotations = patched(t, p.Metadata.Annotations, r)
	return stored, guard(t, s, user, stored)
}

// guard asks only the validating webhook about a new pod.
func guard(t testing.TB, s *scene, user string, p *Pod) (refused string) {
	t.Helper()
	req := request(user, admissionv1.Create, "")
	req.Object = raw(t, p)
	return refusal(ask(t, s, GuardPods, req))
}

// update asks whether a pod may be changed by a path: "" for pods, "status" for pods/status, "binding" for
// pods/binding.
func update(t testing.TB, s *scene, user, path string, old, p *Pod) (refused string) {
	t.Helper()
	req := request(user, admissionv1.Update, path)
	req.Object, req.OldObject = raw(t, p), raw(t, old)
	if path == "binding" {
		// A Binding can add and replace, and never takes away.
		binding := Pod{
			Metadata: Metadata{Name: old.Metadata.Name, Annotations: p.Metadata.Annotations, Labels: p.Metadata.Labels},
		}
		req.Operation, req.Object, req.OldObject = admissionv1.Create, raw(t, &binding), runtime.RawExtension{}
		s.pods["t/"+old.Metadata.Name] = old
	}
	return refusal(ask(t, s, GuardPods, req))
}

// refusal returns the text of a refusal: for the user, and for the audit log.
func refusal(r ctrladmission.Response) string {
	if r.Allowed {
		return ""
	}
	return r.Result.Message + "\n(audit log: " + r.AuditAnnotations[NoteViolation] + ")"
}

// patched returns the annotations after the response's patch.
func patched(t testing.TB, annotations map[string]string, r ctrladmission.Response) map[string]string {
	t.Helper()
	out := maps.Clone(annotations)
	if out == nil {
		out = map[string]string{}
	}
	for _, op := range r.Patches {
		key := strings.NewReplacer("~1", "/", "~0", "~").Replace(strings.TrimPrefix(op.Path, annotationsPath+"/"))
		switch {
		case op.Path == annotationsPath:
			out = maps.Clone(op.Value.(map[string]string))
		case op.Operation == "remove":
			delete(out, key)
		default:
			out[key] = op.Value.(string)
		}
	}
	return out
}

// pod returns a pod with annotations, written as key, value, key, value.
func pod(keyValues ...string) Pod {
	p := Pod{Metadata: Metadata{Name: "p", Annotations: map[string]string{}}}
	for pair := range slices.Chunk(keyValues, 2) {
		p.Metadata.Annotations[pair[0]] = pair[1]
	}
	return p
}

// running returns a pod as Kube-OVN leaves it, changed by the pairs that follow.
func running(keyValues ...string) Pod {
	return pod(append([]string{
		ps,
		"true",
		ip,
		"10.16.0.20",
		hw,
		"0a:00:00:00:00:20",
		lsp,
		"ovn-default",
		"ovn.kubernetes.io/allocated",
		"true",
		"ovn.kubernetes.io/routed",
		"true",
		"ovn.kubernetes.io/cidr",
		"10.16.0.0/16",
		"ovn.kubernetes.io/gateway",
		"10.16.0.1",
		policy.RecordAnnotation,
		`{"ovn":{"level":"strict","from":"default","layer2Forward":"forbid","layer2ForwardFrom":"default"}}`,
	}, keyValues...)...)
}

// without returns the pod without some annotations.
func without(p Pod, keys ...string) Pod {
	p.Metadata.Annotations = maps.Clone(p.Metadata.Annotations)
	for _, key := range keys {
		delete(p.Metadata.Annotations, key)
	}
	return p
}

// mustRefuse checks that a message refuses, names its subject, and says who or what would help.
func mustRefuse(t *testing.T, refused string, about ...string) {
	t.Helper()
	if refused == "" {
		t.Error("allowed")
		return
	}
	for _, text := range about {
		if !strings.Contains(refused, text) {
			t.Errorf("%q does not name %s", refused, text)
		}
	}
	if !strings.Contains(refused, ";") {
		t.Errorf("%q says not what would help", refused)
	}
}

func mustAllow(t *testing.T, refused string) {
	t.Helper()
	if refused != "" {
		t.Errorf("refused: %s", refused)
	}
}
