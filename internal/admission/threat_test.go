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
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

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

// town is a cluster with two tenants: namespace "t", which is the tenant's own, and "u", a neighbour's.
func town() *inventory.Inventory {
	inv := inventory.New()
	for _, s := range []inventory.Subnet{
		{Name: "ovn-default", Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")}},
		{Name: "ours", Namespaces: []string{"t"}, Gateways: []netip.Addr{netip.MustParseAddr("10.17.0.1")}},
		{Name: "theirs", Namespaces: []string{"u"}, Gateways: []netip.Addr{netip.MustParseAddr("10.18.0.1")}},
		{Name: "island", VPC: "island", Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.9")}},
	} {
		inv.SetSubnet(s)
	}
	inv.SetFixed(inventory.Fixed{Holder: inventory.Holder{Kind: inventory.HeldByNode, Name: "node1"}, Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.2")}})
	inv.SetFixed(inventory.Fixed{Holder: inventory.Holder{Kind: inventory.HeldByService, Name: "u/db"}, Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.7")}})
	inv.SetRecord(&inventory.Record{Name: "victim.u", MAC: "0a:00:00:00:00:05", IPs: []string{"10.16.0.5"}, Subnet: "ovn-default"})
	inv.SetRecord(&inventory.Record{Name: "vm1.t", MAC: "0a:00:00:00:00:06", IPs: []string{"10.16.0.6"}, Subnet: "ovn-default", Keeper: "VirtualMachine"})
	inv.SetRecord(&inventory.Record{Name: "web-0.t", MAC: "0a:00:00:00:00:07", IPs: []string{"10.16.0.7"}, Subnet: "ovn-default", Keeper: "StatefulSet"})
	inv.SetVip(inventory.Vip{Name: "mine", Namespace: "t", Subnet: "ovn-default", Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.100")}})
	inv.SetVip(inventory.Vip{Name: "foreign", Namespace: "u", Subnet: "ovn-default", Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.101")}})
	inv.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{Namespace: "u", Name: "victim"}, Owner: "victim", Attachments: []kubeovn.Attachment{{Namespace: "n", Name: "nad"}},
	})
	return inv
}

// scene is a cluster as one case changes it.
type scene struct {
	inventory *inventory.Inventory
	namespace policy.Namespace
	pods      map[string]*Pod
}

func newScene() *scene {
	return &scene{inventory: town(), namespace: policy.Namespace{Name: "t"}, pods: map[string]*Pod{}}
}

// policy adds the policy of the tests: strict, with what the function changes.
func (s *scene) policy(change func(*policy.Policy)) *scene {
	p := policy.Policy{Name: "test", Limits: policy.Limits{Pairs: 8, Prefix4: 24, Prefix6: 64, Lifetime: policy.DefaultLifetime, Level: policy.Open}}
	change(&p)
	s.inventory.SetPolicy(p)
	return s
}

func (s *scene) exception(change func(*policy.Exception)) *scene {
	e := policy.Exception{
		Namespace: "t", Name: "grant", Pods: func(l map[string]string) bool { return l["app"] == "router" },
		Asked: now.Add(-time.Hour), Expires: now.Add(time.Hour), Pairs: []portsec.AddressPair{{Prefix: netip.MustParsePrefix("192.0.2.0/24")}},
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
	look(&View{Accounts: DefaultAccounts(), User: user, Namespace: ns, Inventory: s.inventory, Now: now})
}

func (s *scene) Pod(_ context.Context, namespace, name string) (*Pod, error) {
	if p, ok := s.pods[namespace+"/"+name]; ok {
		return p, nil
	}
	return nil, errors.New("no answer")
}

// ask has one webhook asked, as the API server asks.
func ask(t testing.TB, s *scene, make func(World, func(string, time.Duration), func() time.Time) *Handler, req admissionv1.AdmissionRequest) admission.Response {
	t.Helper()
	h := make(s, func(string, time.Duration) {}, func() time.Time { return now })
	return h.Handle(t.Context(), admission.Request{AdmissionRequest: req})
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
		Operation: op, Namespace: "t", Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, SubResource: subresource,
		UserInfo: authenticationv1.UserInfo{Username: user},
	}
}

// create makes a pod as the API server does, by the mutating and then the validating webhook, and gives what is stored of it.
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

// guard asks the validating webhook alone about a new pod.
func guard(t testing.TB, s *scene, user string, p *Pod) (refused string) {
	t.Helper()
	req := request(user, admissionv1.Create, "")
	req.Object = raw(t, p)
	return refusal(ask(t, s, GuardPods, req))
}

// update asks whether a pod may be changed by a path: "" for pods, "status" for pods/status, "binding" for pods/binding.
func update(t testing.TB, s *scene, user, path string, old, p *Pod) (refused string) {
	t.Helper()
	req := request(user, admissionv1.Update, path)
	req.Object, req.OldObject = raw(t, p), raw(t, old)
	if path == "binding" {
		// A Binding can add and replace, and never takes away.
		binding := Pod{Metadata: Metadata{Name: old.Metadata.Name, Annotations: p.Metadata.Annotations, Labels: p.Metadata.Labels}}
		req.Operation, req.Object, req.OldObject = admissionv1.Create, raw(t, &binding), runtime.RawExtension{}
		s.pods["t/"+old.Metadata.Name] = old
	}
	return refusal(ask(t, s, GuardPods, req))
}

func refusal(r admission.Response) string {
	if r.Allowed {
		return ""
	}
	return r.Result.Message
}

// patched gives the annotations after the response's patch.
func patched(t testing.TB, annotations map[string]string, r admission.Response) map[string]string {
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

// pod gives a pod with annotations, written as key, value, key, value.
func pod(keyValues ...string) Pod {
	p := Pod{Metadata: Metadata{Name: "p", Annotations: map[string]string{}}}
	for pair := range slices.Chunk(keyValues, 2) {
		p.Metadata.Annotations[pair[0]] = pair[1]
	}
	return p
}

// running gives a pod as Kube-OVN leaves it, changed by what follows.
func running(keyValues ...string) Pod {
	return pod(append([]string{
		ps, "true", ip, "10.16.0.20", hw, "0a:00:00:00:00:20", lsp, "ovn-default", "ovn.kubernetes.io/allocated", "true",
		"ovn.kubernetes.io/routed", "true", "ovn.kubernetes.io/cidr", "10.16.0.0/16", "ovn.kubernetes.io/gateway", "10.16.0.1",
		policy.RecordAnnotation, `{"ovn":{"level":"strict","from":"default","layer2Forward":"forbid","layer2ForwardFrom":"default"}}`,
	}, keyValues...)...)
}

// without gives the pod without some annotations.
func without(p Pod, keys ...string) Pod {
	p.Metadata.Annotations = maps.Clone(p.Metadata.Annotations)
	for _, key := range keys {
		delete(p.Metadata.Annotations, key)
	}
	return p
}

// mustRefuse checks that a message refuses, names what it is about, and says who or what would help.
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

func TestThreat01PodOptsOut(t *testing.T) {
	for _, value := range []string{"false", "False", "0", "off", "no"} {
		stored, refused := create(t, newScene(), tenant, pod(ps, value))
		if refused != "" || stored.Metadata.Annotations[ps] != "true" {
			t.Errorf("port_security %q: stored %v, refused %q", value, stored, refused)
		}
	}
	// Where another webhook has put it back, the last word refuses it.
	p := pod(ps, "false")
	mustRefuse(t, guard(t, newScene(), tenant, &p), ps, "PortSecurityException in namespace t")
}

func TestThreat02Truthiness(t *testing.T) {
	for _, value := range []string{"True", "1", " true", "true ", "TRUE", "yes", "\ttrue"} {
		stored, refused := create(t, newScene(), tenant, pod(ps, value))
		if refused != "" || stored.Metadata.Annotations[ps] != "true" {
			t.Errorf("port_security %q: stored %v, refused %q", value, stored, refused)
		}
		p := pod(ps, value)
		mustRefuse(t, guard(t, newScene(), tenant, &p), ps)
	}
	_, refused := create(t, newScene(), tenant, pod(ps, "tru"))
	mustRefuse(t, refused, ps, `"true"`)
}

// loosenings are changes of a running pod by which Kube-OVN would make its port looser.
var loosenings = map[string][2]string{
	"switched off":        {ps, "false"},
	"look-alike":          {ps, "True"},
	"emptied":             {ps, ""},
	"forwarding":          {l2, "true"},
	"victim's address":    {ip, "10.16.0.5"},
	"everybody's address": {ip, "0.0.0.0/0"},
	"victim's MAC":        {hw, "0a:00:00:00:00:05"},
	"MAC that OVN drops":  {hw, "0a-00-00-00-00-20"},
	"allocate again":      {"ovn.kubernetes.io/allocated", "false"},
	"route again":         {"ovn.kubernetes.io/routed", ""},
	"another switch":      {lsp, "theirs"},
	"another router":      {"ovn.kubernetes.io/logical_router", "island"},
	"whole range":         {"ovn.kubernetes.io/cidr", "0.0.0.0/0"},
	"VIP of nobody":       {vips, "10.16.0.5"},
	"poisoned VIP":        {vips, "10.16.0.100,::ffff:10.16.0.5"},
	"foreign Vip":         {kubeovn.AAPs, "foreign"},
	"take a Vip":          {"ovn.kubernetes.io/vip", "foreign"},
	"a machine's port":    {"ovn.kubernetes.io/virtualmachine", "vm1"},
	"migration":           {kubeovn.MigrationJob, "job"},
	"external address":    {"ovn.kubernetes.io/eip", "203.0.113.9"},
	"another network":     {networks, "n/nad"},
	"no default network":  {kubeovn.DefaultNetwork, "n/nad"},
	"interface's address": {"nad.n.kubernetes.io/ip_address.net1", "10.16.0.5"},
	"network to come":     {"nad.n.ovn.kubernetes.io/port_security", "false"},
	"address to come":     {"nad.n.ovn.kubernetes.io/ip_address", "10.16.0.5"},
	"pool":                {"ovn.kubernetes.io/ip_pool", "10.16.0.5"},
}

// everyPathRefuses checks that no path to a running pod's annotations takes the loosenings.
func everyPathRefuses(t *testing.T, path string) {
	t.Helper()
	for name, change := range loosenings {
		t.Run(name, func(t *testing.T) {
			old := running()
			p := running(change[0], change[1])
			mustRefuse(t, update(t, newScene(), tenant, path, &old, &p), change[0])
			if change[0] == ps || change[0] == l2 || kubeovn.ClassOf(change[0]) == kubeovn.EgressKey {
				mustRefuse(t, update(t, newScene(), virtualize, path, &old, &p), change[0]) // nor is it KubeVirt's to say
			}
		})
	}
}

func TestThreat03UpdateAfterCreate(t *testing.T) {
	everyPathRefuses(t, "")
	for _, key := range []string{ps, ip, hw, lsp, "ovn.kubernetes.io/allocated", "ovn.kubernetes.io/routed"} {
		old := running()
		p := without(old, key)
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
	}
}

func TestThreat04Status(t *testing.T)  { everyPathRefuses(t, "status") }
func TestThreat05Binding(t *testing.T) { everyPathRefuses(t, "binding") }

func TestThreatT25OtherPaths(t *testing.T) {
	// A scheduler that only binds is not in the way, and neither is a kubelet that reports.
	old := running()
	for _, path := range []string{"status", "binding"} {
		p := running("example.com/note", "x")
		mustAllow(t, update(t, newScene(), tenant, path, &old, &p))
	}
	// A pod that cannot be read is not bound with annotations.
	req := request(tenant, admissionv1.Create, "binding")
	binding := pod(ps, "false")
	req.Object = raw(t, &binding)
	mustRefuse(t, refusal(ask(t, newScene(), GuardPods, req)), "try again")
	// The old resource for bindings is the same path.
	req.SubResource, req.Resource.Resource = "", "bindings"
	s := newScene()
	s.pods["t/p"] = &old
	mustRefuse(t, refusal(ask(t, s, GuardPods, req)), ps)
}

func TestThreat07VIPInflation(t *testing.T) {
	for _, value := range []string{
		"10.16.0.5", "10.16.0.1", "172.18.0.2", "10.16.0.101", "192.0.2.1",
		"10.16.0.100,10.16.0.5", "::ffff:10.16.0.100", " 10.16.0.100", "10.16.0.100,", "10.16.0.100/16", "0.0.0.0/0", "junk", "10.16.0.100 10.16.0.5",
		"2001:DB8::1", "fe80::1%eth0", "010.16.0.100",
	} {
		_, refused := create(t, newScene(), tenant, pod(vips, value))
		mustRefuse(t, refused, vips)
	}
	_, refused := create(t, newScene(), tenant, pod(vips, "10.16.0.100"))
	mustAllow(t, refused) // a Vip of the namespace has it
	old, p := running(), running(vips, "10.16.0.100")
	mustAllow(t, update(t, newScene(), tenant, "", &old, &p))
	// What an exception grants may be shared by the pods that it is for, and by no others.
	s := newScene().exception(func(*policy.Exception) {})
	router := pod(vips, "192.0.2.7")
	router.Metadata.Labels = map[string]string{"app": "router"}
	_, refused = create(t, s, tenant, router)
	mustAllow(t, refused)
	_, refused = create(t, s, tenant, pod(vips, "192.0.2.7"))
	mustRefuse(t, refused, vips)
	// Nothing is granted in a namespace that cannot be read.
	s = newScene()
	s.namespace.Err = errors.New("timeout")
	_, refused = create(t, s, tenant, pod(vips, "10.16.0.100"))
	mustRefuse(t, refused, vips, "timeout")
}

func TestThreatT06PoisonToken(t *testing.T) {
	// OVN from 24.03.8 on drops the whole element for one bad token, and the port is open.
	for _, token := range []string{"::ffff:10.16.0.9", "x", "10.16.0.100/33", "10.16.0.100\n", "\u00a010.16.0.100"} {
		_, refused := create(t, newScene(), tenant, pod(vips, "10.16.0.100,"+token))
		mustRefuse(t, refused, vips)
	}
}

func TestThreatT07ForeignVips(t *testing.T) {
	for key, value := range map[string]string{kubeovn.AAPs: "foreign", "ovn.kubernetes.io/vip": "foreign"} {
		_, refused := create(t, newScene(), tenant, pod(key, value))
		mustRefuse(t, refused, key, "foreign", "namespace t")
		_, refused = create(t, newScene(), tenant, pod(key, "mine"))
		mustAllow(t, refused)
	}
	_, refused := create(t, newScene(), tenant, pod(kubeovn.AAPs, "mine, foreign"))
	mustRefuse(t, refused, "foreign")
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/vip", "mine,foreign"))
	mustRefuse(t, refused, "mine,foreign")
}

func TestThreat08AnnotationFedRebuild(t *testing.T) {
	// Kube-OVN's own accounts write what is frozen for everybody else; nobody else does, whatever group or name they have.
	old := running()
	for _, change := range [][2]string{{ip, "10.16.0.21"}, {hw, "0a:00:00:00:00:21"}, {"ovn.kubernetes.io/allocated", "false"}, {lsp, "ours"}} {
		p := running(change[0], change[1])
		for _, user := range []string{tenant, virtualize, replicas, "system:serviceaccount:t:ovn", "system:serviceaccount:kube-system:ovn2", "system:admin", ""} {
			mustRefuse(t, update(t, newScene(), user, "", &old, &p), change[0], "Kube-OVN")
		}
		for _, user := range DefaultAccounts().KubeOVN {
			mustAllow(t, update(t, newScene(), user, "", &old, &p))
		}
	}
}

func TestThreatT03ArbitraryIdentity(t *testing.T) {
	old := running()
	for _, key := range []string{ip, "nad.n.ovn.kubernetes.io/ip_address", "nad.n.ovn.net1.kubernetes.io/ip_address", "nad.n.kubernetes.io/ip_address.net1"} {
		p := running(key, "0.0.0.0/0", ps, "true")
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
	}
	// At creation it is read as well.
	for _, value := range []string{"0.0.0.0/0", "10.16.0.20/16", "10.16.0.20,0.0.0.0/0", "::ffff:10.16.0.20"} {
		_, refused := create(t, newScene(), tenant, pod(ip, value))
		mustRefuse(t, refused, ip)
		_, refused = create(t, newScene(), tenant, pod(networks, "n/nad@net1,n/nad@net2", "nad.n.kubernetes.io/ip_address.net1", value))
		mustRefuse(t, refused, "ip_address.net1")
	}
}

func TestThreatT12LabelsAndAddress(t *testing.T) {
	old := running()
	p := running(ip, "10.16.0.5")
	p.Metadata.Labels = map[string]string{"app": "victim"}
	mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), ip)
}

func TestThreat09ChosenAddress(t *testing.T) {
	for value, whose := range map[string]string{
		"10.16.0.5": "port victim.u", "10.16.0.1": "gateway of subnet ovn-default", "172.18.0.2": "node node1", "10.96.0.7": "service u/db",
		"10.16.0.101": "Vip foreign", "10.16.0.30,10.16.0.5": "port victim.u",
	} {
		_, refused := create(t, newScene(), tenant, pod(ip, value))
		mustRefuse(t, refused, ip, whose)
		first, _, _ := strings.Cut(value, ",")
		if first == value {
			_, refused = create(t, newScene(), tenant, pod(networks, `[{"name":"nad","namespace":"n","ips":["`+value+`/16"]}]`))
			mustRefuse(t, refused, networks, whose)
		}
	}
	for key, value := range map[string]string{hw: "0a:00:00:00:00:05", "nad.n.ovn.kubernetes.io/mac_address": "0A:00:00:00:00:05"} {
		_, refused := create(t, newScene(), tenant, pod(key, value, networks, "n/nad"))
		mustRefuse(t, refused, key, "port victim.u")
	}
	_, refused := create(t, newScene(), tenant, pod("ovn.kubernetes.io/ip_pool", "10.16.0.31;10.16.0.1"))
	mustRefuse(t, refused, "ip_pool", "gateway")
	// An address of a network that no router joins with the pod's is another one.
	_, refused = create(t, newScene(), tenant, pod(ip, "10.16.0.9", lsp, "ours"))
	mustAllow(t, refused)
	// The pods of one workload share a list, of which some are taken; and a StatefulSet's pod finds its own again.
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/ip_pool", "10.16.0.5,10.16.0.31"))
	mustAllow(t, refused)
	again := pod(ip, "10.16.0.7", hw, "0a:00:00:00:00:07")
	again.Metadata.Name = "web-0"
	_, refused = create(t, newScene(), tenant, again)
	mustAllow(t, refused)
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/ip_pool", "named-pool"))
	mustAllow(t, refused)
}

func TestThreat10Layer2Forward(t *testing.T) {
	for _, value := range []string{"true", "True", "1"} {
		stored, refused := create(t, newScene(), tenant, pod(l2, value))
		mustAllow(t, refused)
		if got, there := stored.Metadata.Annotations[l2]; there {
			t.Errorf("layer2_forward %q stays as %q", value, got)
		}
	}
	p := pod(ps, "true", l2, "true")
	mustRefuse(t, guard(t, newScene(), tenant, &p), l2, "layer2Forward: Allow")
	// An exception has it put in, since Kube-OVN reads it only when it makes the port.
	s := newScene().exception(func(e *policy.Exception) { e.Forwarding = policy.Require })
	for _, value := range []string{"", "false", "True", "true"} {
		router := pod(l2, value)
		router.Metadata.Labels = map[string]string{"app": "router"}
		stored, refused := create(t, s, tenant, router)
		mustAllow(t, refused)
		if got := stored.Metadata.Annotations[l2]; got != "true" {
			t.Errorf("layer2_forward %q under an exception becomes %q", value, got)
		}
	}
}

func TestThreat11SecondaryNIC(t *testing.T) {
	const key = "nad.n.ovn.kubernetes.io/port_security"
	for _, value := range []string{"", "false", "True"} {
		stored, refused := create(t, newScene(), tenant, pod(networks, "n/nad", key, value))
		mustAllow(t, refused)
		if got := stored.Metadata.Annotations[key]; got != "true" {
			t.Errorf("%q becomes %q", value, got)
		}
	}
	stored, refused := create(t, newScene(), tenant, pod(kubeovn.DefaultNetwork, "n/nad"))
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[key]; got != "true" {
		t.Errorf("instead of the default network: %q", got)
	}
	// The default network's key is no way around that of the attachment's.
	p := pod(networks, "n/nad", ps, "true")
	mustRefuse(t, guard(t, newScene(), tenant, &p), key)
	many := strings.TrimSuffix(strings.Repeat("n/nad,", maxAttachments+1), ",")
	_, refused = create(t, newScene(), tenant, pod(networks, many))
	mustRefuse(t, refused, networks)
	// KubeVirt plugs interfaces into running machines, but not unprotected ones.
	old, unprotected := running(), running(networks, "n/nad")
	mustRefuse(t, update(t, newScene(), virtualize, "", &old, &unprotected), key)
	protected := running(networks, "n/nad", key, "true")
	mustAllow(t, update(t, newScene(), virtualize, "", &old, &protected))
	mustRefuse(t, update(t, newScene(), tenant, "", &old, &protected), networks)
}

func TestThreatT08MACForms(t *testing.T) {
	for _, text := range []string{"0a-00-00-00-00-30", "0a00.0000.0030", "0a:00:00:00:00:30:00:01", "0a:00:00:00:00", "a:0:0:0:0:30", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", " 0a:00:00:00:00:30", "x"} {
		for _, key := range []string{hw, "nad.n.ovn.kubernetes.io/mac_address", "nad.n.kubernetes.io/mac_address.net1"} {
			_, refused := create(t, newScene(), tenant, pod(key, text))
			mustRefuse(t, refused, key)
		}
		entry, err := json.Marshal([]map[string]string{{"name": "nad", "namespace": "n", "mac": text}})
		if err != nil {
			t.Fatal(err)
		}
		_, refused := create(t, newScene(), tenant, pod(networks, string(entry)))
		mustRefuse(t, refused, networks)
	}
	for _, text := range []string{"0a:00:00:00:00:30", "0A:00:00:00:00:30"} {
		_, refused := create(t, newScene(), tenant, pod(hw, text))
		mustAllow(t, refused)
	}
}

func TestThreatT09ForeignSwitch(t *testing.T) {
	for _, key := range []string{lsp, "nad.n.ovn.kubernetes.io/logical_switch"} {
		for _, value := range []string{"theirs", "ours,theirs", "theirs,ours", "nowhere", " ours"} {
			_, refused := create(t, newScene(), tenant, pod(key, value))
			mustRefuse(t, refused, key)
		}
		for _, value := range []string{"ours", "ovn-default", "island"} {
			_, refused := create(t, newScene(), tenant, pod(key, value))
			mustAllow(t, refused)
		}
	}
	// Kube-OVN notes on the namespace which subnets are bound to it by label, and its own gateways need those of others.
	s := newScene()
	s.namespace.Annotations = map[string]string{lsp: "ovn-default,theirs"}
	_, refused := create(t, s, tenant, pod(lsp, "theirs"))
	mustAllow(t, refused)
	s = newScene()
	s.namespace.Name = "kube-system"
	req := request("system:serviceaccount:kube-system:statefulset-controller", admissionv1.Create, "")
	gateway := pod(ps, "true", lsp, "theirs", "ovn.kubernetes.io/vpc_nat_gw", "true")
	req.Namespace, req.Object = "kube-system", raw(t, &gateway)
	mustAllow(t, refusal(ask(t, s, GuardPods, req)))
}

func TestThreatT04ControllersOwnKeys(t *testing.T) {
	for _, suffix := range []string{"allocated", "routed", "logical_router", "cidr", "gateway", "vlan_id", "provider_network", "pod_nic_type"} {
		for _, provider := range []kubeovn.Provider{"ovn", "nad.n.ovn", "nad.n.ovn.net1"} {
			key := provider.Key(kubeovn.Suffix(suffix))
			for _, user := range []string{tenant, virtualize, replicas} {
				_, refused := create(t, newScene(), user, pod(key, "true"))
				mustRefuse(t, refused, key)
			}
		}
	}
}

func TestThreatT10MachineKey(t *testing.T) {
	// Not even KubeVirt writes it: it copies what the machine's owner put into the template.
	for _, user := range []string{tenant, virtualize} {
		_, refused := create(t, newScene(), user, pod("ovn.kubernetes.io/virtualmachine", "vm1"))
		mustRefuse(t, refused, "virtualmachine")
	}
	old, p := running(), running("ovn.kubernetes.io/virtualmachine", "vm1")
	mustAllow(t, update(t, newScene(), kubeOVN, "", &old, &p))
}

func TestThreatT11MigrationKey(t *testing.T) {
	for _, user := range []string{tenant, replicas} {
		_, refused := create(t, newScene(), user, pod(kubeovn.MigrationJob, "job"))
		mustRefuse(t, refused, kubeovn.MigrationJob)
	}
	_, refused := create(t, newScene(), virtualize, pod(kubeovn.MigrationJob, "job"))
	mustAllow(t, refused)
}

func TestThreatT16ExternalAddresses(t *testing.T) {
	for _, suffix := range []kubeovn.Suffix{"eip", "snat", "north_gateway"} {
		key := kubeovn.DefaultProvider.Key(suffix)
		_, refused := create(t, newScene(), tenant, pod(key, "203.0.113.9"))
		mustRefuse(t, refused, key, "externalAddresses: Allow")
		allowing := newScene().policy(func(p *policy.Policy) { p.ExternalAddresses = true })
		_, refused = create(t, allowing, tenant, pod(key, "203.0.113.9"))
		mustAllow(t, refused)
	}
}

func TestThreatT02RemovedKey(t *testing.T) {
	// A key by which a pod tightened itself stays, where its namespace is open.
	s := newScene()
	s.namespace.Annotations = map[string]string{ps: "false", l2: "true"}
	old, refused := create(t, s, tenant, pod(ps, "true", l2, "false"))
	mustAllow(t, refused)
	for _, key := range []string{ps, l2} {
		p := without(*old, key)
		mustRefuse(t, update(t, s, tenant, "", old, &p), "looser")
	}
	forged := *old
	forged.Metadata.Annotations = maps.Clone(old.Metadata.Annotations)
	forged.Metadata.Annotations[policy.RecordAnnotation] = `{"ovn":{"level":"open","from":"namespace"}}`
	mustRefuse(t, update(t, s, tenant, "", old, &forged), "looser")
}

func TestThreat21PortNameCollision(t *testing.T) {
	s := newScene()
	s.namespace.Name = "ovn"
	req := request(tenant, admissionv1.Create, "")
	for _, name := range []string{"victim.u.nad.n", "later.u.nad.n"} { // the second one's victim is still to come
		p := pod(ps, "true")
		p.Metadata.Name = name
		req.Namespace, req.Object = "ovn", raw(t, &p)
		mustRefuse(t, refusal(ask(t, s, GuardPods, req)), "metadata.name", name+".ovn")
	}
	// With attachments of dotted names there are more ways; a port that a running pod has is not given to another one.
	s = newScene()
	s.inventory.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{Namespace: "y", Name: "x"}, Owner: "x", Attachments: []kubeovn.Attachment{{Namespace: "q", Name: "t.p"}},
	})
	p := pod(networks, "q/p")
	p.Metadata.Name = "x.y"
	_, refused := create(t, s, tenant, p)
	mustRefuse(t, refused, "metadata.name", "x.y.t.p.q.ovn", "pod y/x")
}

func TestThreat22FakeOwner(t *testing.T) {
	for kind, apiVersion := range map[string]string{
		"VirtualMachineInstance": "kubevirt.io/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "ReplicationController": "v1",
	} {
		owned := pod()
		owned.Metadata.Owners = []OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "vm1", UID: "1", Controller: true}}
		_, refused := create(t, newScene(), tenant, owned)
		mustRefuse(t, refused, "metadata.ownerReferences", kind)
		_, refused = create(t, newScene(), "system:kube-controller-manager", owned)
		if kind == "VirtualMachineInstance" {
			mustRefuse(t, refused, "metadata.ownerReferences", kind)
			_, refused = create(t, newScene(), virtualize, owned)
		}
		mustAllow(t, refused)
		old := running()
		adopted := running()
		adopted.Metadata.Owners = owned.Metadata.Owners
		if kind == "VirtualMachineInstance" {
			mustRefuse(t, update(t, newScene(), tenant, "", &old, &adopted), "metadata.ownerReferences")
		}
	}
	// Operators of other kinds make pods themselves, and it need not be the controlling owner for Kube-OVN to believe it.
	owned := pod()
	owned.Metadata.Owners = []OwnerReference{{APIVersion: "kruise.io/v1", Kind: "StatefulSet", Name: "x", UID: "1", Controller: true}}
	_, refused := create(t, newScene(), "system:serviceaccount:kruise:manager", owned)
	mustAllow(t, refused)
	owned.Metadata.Owners = []OwnerReference{{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm1", UID: "1"}}
	_, refused = create(t, newScene(), tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences")
	// A plain pod named like a stopped machine would take its port.
	named := pod()
	named.Metadata.Name = "vm1"
	_, refused = create(t, newScene(), tenant, named)
	mustRefuse(t, refused, "metadata.name", "virtual machine")
}

// An exception for the pods of an owner counts for those that the owner's controller makes.
func TestThreat37OwnerByForgery(t *testing.T) {
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7"}
	s := newScene().exception(func(e *policy.Exception) { e.Pods, e.Owner, e.Pairs, e.Level = nil, &owner, nil, policy.Open })
	s.inventory.SetOwner(owner, nil)
	owned := pod()
	owned.Metadata.Owners = []OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7", Controller: true}}
	stored, refused := create(t, s, replicas, owned)
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "false" {
		t.Errorf("the exception's own pod has port_security %q", got)
	}
	_, refused = create(t, s, tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences", "replicaset-controller")
	// Nor can a running pod become one of the owner's, whoever adopts it.
	old, adopted := running(), running()
	adopted.Metadata.Owners = owned.Metadata.Owners
	for _, user := range []string{tenant, replicas} {
		mustRefuse(t, update(t, s, user, "", &old, &adopted), "metadata.ownerReferences", "looser")
	}
}

// Labels that an exception selects are the pod's from its beginning or not at all.
func TestThreat37LabelsAfterwards(t *testing.T) {
	s := newScene().exception(func(*policy.Exception) {})
	old, p := running(), running()
	p.Metadata.Labels = map[string]string{"app": "router"}
	for _, path := range []string{"", "status", "binding"} {
		mustRefuse(t, update(t, s, tenant, path, &old, &p), "metadata.labels", "looser")
	}
	mustAllow(t, update(t, s, tenant, "", &p, &old)) // and may be given up
}

func TestThreat26SelfExemptLabel(t *testing.T) {
	for _, label := range []string{"cozystack.io/system", "app", "app.kubernetes.io/name", policy.LevelLabel, "ovn.kubernetes.io/vpc-nat-gw"} {
		for _, value := range []string{"true", "kube-ovn-webhook", "open"} {
			p := pod(ps, "false")
			p.Metadata.Labels = map[string]string{label: value}
			stored, refused := create(t, newScene(), tenant, p)
			if refused != "" || stored.Metadata.Annotations[ps] != "true" {
				t.Errorf("label %s=%s: stored %v, refused %q", label, value, stored, refused)
			}
		}
	}
}

func TestThreatT19UpstreamsSelfExemptLabel(t *testing.T) {
	p := pod(ip, "10.16.0.5")
	p.Metadata.Labels = map[string]string{"app": "kube-ovn-webhook"}
	_, refused := create(t, newScene(), tenant, p)
	mustRefuse(t, refused, ip)
}

func TestThreatT20GatewayByLabel(t *testing.T) {
	p := pod(ps, "false", "ovn.kubernetes.io/vpc_nat_gw", "gw")
	p.Metadata.Labels = map[string]string{"ovn.kubernetes.io/vpc-nat-gw": "true", "ovn.kubernetes.io/vpc-egress-gateway": "true"}
	stored, refused := create(t, newScene(), tenant, p)
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security %q", got)
	}
}

func TestThreat28NamespaceNotSeenYet(t *testing.T) {
	s := newScene()
	s.namespace.Err = errors.New("not found")
	s.namespace.Annotations = map[string]string{ps: "false"} // nothing of it counts
	stored, refused := create(t, s, tenant, pod(ps, "false"))
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security %q", got)
	}
}

func TestThreat30FailOpen(t *testing.T) {
	s := newScene().policy(func(p *policy.Policy) { p.Level, p.ExternalAddresses, p.Mode = policy.Open, true, policy.Audit })
	s.namespace.Err = errors.New("forbidden")
	stored, refused := create(t, s, tenant, pod(ps, "false"))
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security %q", got)
	}
	for key, value := range map[string]string{vips: "10.16.0.100", kubeovn.AAPs: "mine", "ovn.kubernetes.io/eip": "203.0.113.9"} {
		_, refused := create(t, s, tenant, pod(key, value))
		mustRefuse(t, refused, key)
	}
	old := running()
	for _, change := range loosenings {
		p := running(change[0], change[1])
		mustRefuse(t, update(t, s, tenant, "", &old, &p), change[0])
	}
}

func TestThreat31LaterMutator(t *testing.T) {
	for name, undo := range map[string]func(map[string]string){
		"taken away":        func(a map[string]string) { delete(a, ps) },
		"off":               func(a map[string]string) { a[ps] = "false" },
		"empty":             func(a map[string]string) { a[ps] = "" },
		"forwarding":        func(a map[string]string) { a[l2] = "true" },
		"a further network": func(a map[string]string) { a[networks] = "n/nad" },
	} {
		t.Run(name, func(t *testing.T) {
			stored, refused := create(t, newScene(), tenant, pod())
			mustAllow(t, refused)
			undo(stored.Metadata.Annotations)
			mustRefuse(t, guard(t, newScene(), tenant, stored), "metadata.annotations")
		})
	}
}

// A group's address set is computed from port_security, so that what an exception grants would be in it.
func TestThreat41SecurityGroupAmplification(t *testing.T) {
	s := newScene().exception(func(*policy.Exception) {})
	router := pod(groups, "web")
	router.Metadata.Labels = map[string]string{"app": "router"}
	_, refused := create(t, s, tenant, router)
	mustRefuse(t, refused, groups)
	old, p := running(), running(groups, "web")
	old.Metadata.Labels, p.Metadata.Labels = router.Metadata.Labels, router.Metadata.Labels
	mustRefuse(t, update(t, s, tenant, "", &old, &p), groups)
	_, refused = create(t, s, tenant, pod(groups, "web"))
	mustAllow(t, refused) // a strict port
	_, refused = create(t, s, tenant, pod(groups, "web", vips, "10.16.0.100"))
	mustAllow(t, refused) // and one that shares a Vip of its namespace
}

// What is refused where a policy enforces is a warning, or a note in the audit log, where it does not.
func TestModes(t *testing.T) {
	for mode, want := range map[policy.Mode]int{policy.Warn: 1, policy.Audit: 0} {
		s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
		p := pod(ps, "false", vips, "10.16.0.5")
		req := request(tenant, admissionv1.Create, "")
		req.Object = raw(t, &p)
		r := ask(t, s, MutatePods, req)
		if !r.Allowed || len(r.Patches) > 0 || (len(r.Warnings) > 0) != (want > 0) || !strings.Contains(r.AuditAnnotations["violation"], ps) {
			t.Errorf("%s: mutating: %+v", mode, r)
		}
		r = ask(t, s, GuardPods, req)
		if !r.Allowed || (len(r.Warnings) > 0) != (want > 0) || !strings.Contains(r.AuditAnnotations["violation"], vips) || r.AuditAnnotations["policy"] != "PortSecurityPolicy test" {
			t.Errorf("%s: validating: %+v", mode, r)
		}
	}
}

// What is in nobody's way stays so: ordinary changes of a running pod by anybody.
func TestOrdinaryChanges(t *testing.T) {
	old := running(networks, "n/nad", "nad.n.ovn.kubernetes.io/port_security", "true")
	for name, change := range map[string]func(*Pod){
		"a note":             func(p *Pod) { p.Metadata.Annotations["example.com/note"] = "x" },
		"a label":            func(p *Pod) { p.Metadata.Labels = map[string]string{"app": "web"} },
		"Multus reports":     func(p *Pod) { p.Metadata.Annotations["k8s.v1.cni.cncf.io/network-status"] = "[]" },
		"shaping":            func(p *Pod) { p.Metadata.Annotations["ovn.kubernetes.io/ingress_rate"] = "3" },
		"a security group":   func(p *Pod) { p.Metadata.Annotations[groups] = "web" },
		"a Vip of its own":   func(p *Pod) { p.Metadata.Annotations[kubeovn.AAPs] = "mine" },
		"forwarding refused": func(p *Pod) { p.Metadata.Annotations[l2] = "false" },
		"nothing":            func(*Pod) {},
	} {
		t.Run(name, func(t *testing.T) {
			p := old
			p.Metadata.Annotations = maps.Clone(old.Metadata.Annotations)
			change(&p)
			mustAllow(t, update(t, newScene(), tenant, "", &old, &p))
		})
	}
	// Pods from before can be put right by whoever may write to them.
	before := without(running(), ps, policy.RecordAnnotation)
	right := running()
	mustAllow(t, update(t, newScene(), tenant, "", &before, &right))
	noted := without(running("example.com/note", "x"), ps, policy.RecordAnnotation)
	mustAllow(t, update(t, newScene(), tenant, "", &before, &noted))
	// And what they share without a grant can be taken away.
	sharing := running(vips, "10.16.0.5")
	mustAllow(t, update(t, newScene(), tenant, "", &sharing, &right))
}
