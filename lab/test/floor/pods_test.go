package floor_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

const (
	tenant       = "alice"
	kubeOVN      = kubeovn.ControllerAccount
	kubeVirt     = "system:serviceaccount:kubevirt:kubevirt-controller"
	self         = "system:serviceaccount:ovnguard-system:ovnguard"
	replicas     = "system:serviceaccount:kube-system:replicaset-controller"
	portSecurity = "ovn.kubernetes.io/port_security"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func accounts() admission.Accounts {
	a := admission.DefaultAccounts()
	a.Self = []string{self}
	return a
}

// strictCluster is a cluster with a strict namespace "t", although policies loosen others.
type strictCluster struct{ pod *admission.Pod }

func (s *strictCluster) Look(_ context.Context, namespace, user string, look func(*admission.View)) {
	inv := inventory.New()
	inv.SetSubnet(inventory.Subnet{Name: "ovn-default"})
	inv.SetPolicy(
		policy.Policy{
			Name:       "elsewhere",
			Level:      policy.Open,
			Namespaces: func(l map[string]string) bool { return l["team"] == "open" },
		},
	)
	look(&admission.View{
		Accounts:  accounts(),
		User:      user,
		Inventory: inv.Snapshot(),
		Now:       now,
		Namespace: policy.Namespace{
			Name:   namespace,
			Labels: map[string]string{"kubernetes.io/metadata.name": namespace},
		},
	})
}

func (s *strictCluster) Pod(context.Context, string, string) (*admission.Pod, error) {
	if s.pod == nil {
		return nil, errors.New("there is none")
	}
	return s.pod, nil
}

// Repaired implements admission.World: nobody here takes back repair's changes.
func (s *strictCluster) Repaired(context.Context, []string) (admission.Repaired, error) {
	return admission.Repaired{}, admission.ErrNoUndo
}

// Definition implements admission.World: no policy here asks for it.
func (s *strictCluster) Definition(context.Context, kubeovn.Attachment) admission.Definition {
	return admission.Definition{}
}

// attempt is a request about a pod: its path, its user, and the pod before and after.
type attempt struct {
	user, path string // path is "create", "update", "status" or "binding"
	old, now   *admission.Pod
}

func (a attempt) String() string {
	text, err := json.Marshal([]*admission.Pod{a.old, a.now})
	if err != nil {
		return err.Error()
	}
	return a.user + " " + a.path + " " + string(text)
}

// judges asks both sides.
type judges struct {
	*expressions
	floor admissionregistrationv1.ValidatingAdmissionPolicy
}

func newJudges(t *testing.T) *judges {
	t.Helper()
	set, err := admissionpolicy.Make(admissionpolicy.Input{
		Accounts:  accounts(),
		Namespace: "ovnguard-system",
		Policies: []v1alpha1.PortSecurityPolicy{
			{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"}, Spec: v1alpha1.PortSecurityPolicySpec{
				Level:             v1alpha1.LevelOpen,
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "open"}},
				Exceptions:        &v1alpha1.ExceptionRules{Namespaces: []string{"edge"}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &judges{newExpressions(t), set.Validating[0]}
}

// webhook returns the webhooks' answer to an attempt, with the pod after the webhook that changes it.
func (j *judges) webhook(t *testing.T, a attempt) (stored *admission.Pod, refused string) {
	t.Helper()
	ask := func(judge func(admission.World) admission.Judge, p *admission.Pod) ctrladmission.Response {
		req := admissionv1.AdmissionRequest{
			Operation: admissionv1.Update,
			Namespace: "t",
			Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			UserInfo:  authenticationv1.UserInfo{Username: a.user},
			Object:    raw(t, p),
		}
		world := &strictCluster{}
		switch a.path {
		case "create":
			req.Operation = admissionv1.Create
		case "binding":
			req.Operation, req.SubResource, world.pod = admissionv1.Create, "binding", a.old
		case "status":
			req.SubResource = "status"
		}
		if req.Operation == admissionv1.Update {
			req.OldObject = raw(t, a.old)
		}
		h := &admission.Handler{
			Judge:   judge(world),
			Observe: func(admission.Reviewed) {},
			Now:     func() time.Time { return now },
		}
		return h.Handle(t.Context(), ctrladmission.Request{AdmissionRequest: req})
	}
	p := *a.now
	if a.path == "create" {
		r := ask(admission.MutatePods, &p)
		if !r.Allowed {
			return &p, r.Result.Message
		}
		p.Metadata.Annotations = maps.Clone(p.Metadata.Annotations)
		for _, op := range r.Patches {
			key := strings.NewReplacer("~1", "/", "~0", "~").
				Replace(strings.TrimPrefix(op.Path, "/metadata/annotations/"))
			switch value := op.Value.(type) {
			case nil:
				delete(p.Metadata.Annotations, key)
			case string:
				p.Metadata.Annotations[key] = value
			case map[string]string:
				p.Metadata.Annotations = value
			default:
				t.Fatalf("patch %v", op)
			}
		}
	} else if a.path != "binding" && (slices.Contains(accounts().KubeOVN, a.user) || slices.Contains(accounts().Self,
		a.user) ||
		!j.holds(t, admissionpolicy.Touches(), j.request(t, a, &p))) {
		return &p, "" // the webhook is not called
	}
	if r := ask(admission.GuardPods, &p); !r.Allowed {
		refused = r.Result.Message
	}
	return &p, refused
}

// request returns the request as expressions see it.
func (j *judges) request(t *testing.T, a attempt, p *admission.Pod) map[string]any {
	t.Helper()
	operation, kind := "UPDATE", "Pod"
	var old any
	switch a.path {
	case "create":
		operation = "CREATE"
	case "binding":
		operation, kind = "CREATE", "Binding"
	default:
		old = object(t, a.old)
	}
	is := object(t, p)
	is["kind"] = kind
	return map[string]any{
		"object":    is,
		"oldObject": old,
		"request": map[string]any{
			"operation": operation,
			"namespace": "t",
			"kind":      map[string]any{"kind": kind},
			"userInfo":  map[string]any{"username": a.user, "groups": []any{}},
		},
		"namespaceObject": map[string]any{
			"metadata": map[string]any{"name": "t", "labels": map[string]any{"kubernetes.io/metadata.name": "t"}},
		},
	}
}

// object returns a pod as the API server has it, without empty fields.
func object(t *testing.T, p *admission.Pod) map[string]any {
	t.Helper()
	o, isObject := plain(t, p).(map[string]any)
	metadata, hasMetadata := o["metadata"].(map[string]any)
	if !isObject || !hasMetadata {
		t.Fatal("no object")
	}
	for key, value := range metadata {
		switch v := value.(type) {
		case nil:
			delete(metadata, key)
		case map[string]any:
			if len(v) == 0 {
				delete(metadata, key)
			}
		}
	}
	return o
}

func raw(t *testing.T, p *admission.Pod) runtime.RawExtension {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: text}
}

// wishes are values of keys of every class. certain are those that the floor can judge completely.
var (
	wishes = map[string][]string{
		portSecurity: {
			"true",
			"false",
			"True",
			"",
			"1",
		},
		"ovn.kubernetes.io/layer2_forward": {"true", "false", "", "on"},
		"blue.t.ovn.kubernetes.io/port_security": {
			"true",
			"false",
			"",
		},
		"blue.t.ovn.kubernetes.io/layer2_forward": {"true", "false"},
		"ovn.kubernetes.io/port_vips": {
			"10.16.0.9",
			"",
		},
		kubeovn.AAPs:                   {"mine"},
		"ovn.kubernetes.io/ip_address": {"10.16.0.20", "10.16.0.21", ""},
		"ovn.kubernetes.io/mac_address": {
			"0a:00:00:00:00:20",
			"",
		},
		"ovn.kubernetes.io/logical_switch": {"ovn-default", "none"},
		"blue.t.kubernetes.io/ip_address.net1": {
			"10.16.0.30",
		},
		"ovn.kubernetes.io/security_groups": {"g", ""},
		policy.RecordAnnotation:             {policy.OrdinaryRecord, "{}"},
		kubeovn.Networks:                    {"blue", "", "[{"},
		kubeovn.DefaultNetwork:              {"", "t/blue"},
		"example.org/note":                  {"1", ""},
	}
	certain = map[string][]string{
		"ovn.kubernetes.io/allocated": {
			"true",
			"false",
			"",
		},
		"ovn.kubernetes.io/virtualmachine": {"vm", ""},
		"blue.t.ovn.kubernetes.io/gateway": {"10.0.0.1"},
		kubeovn.MigrationJob: {
			"job",
			"",
		},
		"ovn.kubernetes.io/allow_live_migration": {"true", ""},
		"ovn.kubernetes.io/activation_strategy":  {"rarp", ""},
		"ovn.kubernetes.io/logical_router": {
			"vpc",
			"",
		},
		"blue.t.ovn.kubernetes.io/pod_nic_type": {"dpdk", ""},
		"ovn.kubernetes.io/eip":                 {"203.0.113.7", ""},
		"ovn.kubernetes.io/snat": {
			"203.0.113.7",
		},
		"ovn.kubernetes.io/north_gateway": {"10.16.0.1", ""},
		kubeovn.DefaultNetwork:            {""},
	}
	owners = []admission.OwnerReference{
		{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm", UID: "1", Controller: true},
		{APIVersion: "kubevirt.io.example.org/v1", Kind: "VirtualMachineInstance", Name: "vm", UID: "2"},
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "r", UID: "3", Controller: true},
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "r", UID: "3"},
		{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "s", UID: "4"},
		{APIVersion: "v1", Kind: "ReplicationController", Name: "c", UID: "5", Controller: true},
		{APIVersion: "kruise.io/v1", Kind: "StatefulSet", Name: "k", UID: "6", Controller: true},
		{APIVersion: "v1", Kind: "Node", Name: "n", UID: "7"},
	}
)

// draw returns an attempt with some of these keys.
func draw(r *rand.Rand, keys map[string][]string) attempt {
	names := slices.Sorted(maps.Keys(keys))
	some := func(into map[string]string, n int) map[string]string {
		out := maps.Clone(into)
		for range r.IntN(n + 1) {
			key := names[r.IntN(len(names))]
			if r.IntN(3) == 0 {
				delete(out, key)
			} else {
				out[key] = keys[key][r.IntN(len(keys[key]))]
			}
		}
		return out
	}
	owned := func(by []admission.OwnerReference) []admission.OwnerReference {
		switch r.IntN(4) {
		case 0:
			return append(slices.Clone(by), owners[r.IntN(len(owners))])
		case 1:
			return nil
		}
		return by
	}
	a := attempt{
		user: []string{tenant, tenant, kubeOVN, kubeVirt, self, replicas, "system:kube-controller-manager"}[r.IntN(7)],
		path: []string{"create", "update", "status", "binding"}[r.IntN(4)],
		old:  &admission.Pod{},
		now:  &admission.Pod{},
	}
	a.old.Metadata = admission.Metadata{
		Name:        "p",
		Annotations: some(map[string]string{portSecurity: "true"}, 6),
		Owners:      owned(nil),
	}
	a.now.Metadata = admission.Metadata{
		Name:        "p",
		Annotations: some(a.old.Metadata.Annotations, 3),
		Owners:      owned(a.old.Metadata.Owners),
	}
	switch a.path {
	case "create":
		a.old = nil
	case "binding": // a Binding need not repeat what the pod has already; the floor does not see that
		a.now.Metadata.Owners = nil
		maps.DeleteFunc(
			a.now.Metadata.Annotations,
			func(key, value string) bool { return value == "" || a.old.Metadata.Annotations[key] == value },
		)
	}
	return a
}

// The floor never refuses what the webhooks allow: where they answer, it has no effect.
func TestFloorRefusesNothingThatTheWebhooksAllow(t *testing.T) {
	j := newJudges(t)
	all := maps.Clone(wishes)
	for key, values := range certain {
		all[key] = append(slices.Clone(all[key]), values...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	allowed := map[string]int{}
	for range 3000 {
		a := draw(r, all)
		stored, refused := j.webhook(t, a)
		if refused != "" {
			continue
		}
		allowed[a.path]++
		if text := j.refusal(t, &j.floor, j.request(t, a, stored)); text != "" {
			t.Errorf("%s: the webhooks allow it, the floor: %s", a, text)
		}
	}
	for _, path := range []string{"create", "update", "status", "binding"} {
		if allowed[path] < 200 {
			t.Errorf("%d of %s were allowed: the draw shows nothing", allowed[path], path)
		}
	}
}

// The floor refuses everything that the webhooks refuse without knowledge of the cluster, so that it protects while
// they are gone.
func TestThreat32FloorRefusesWhatIsCertain(t *testing.T) {
	j := newJudges(t)
	r := rand.New(rand.NewPCG(3, 4))
	refusals := 0
	for range 3000 {
		a := draw(r, certain)
		_, refused := j.webhook(t, a)
		if refused == "" {
			continue
		}
		refusals++
		// Without webhooks nothing changes the pod.
		if j.refusal(t, &j.floor, j.request(t, a, a.now)) == "" {
			t.Errorf("%s: the floor allows what the webhooks refuse: %s", a, refused)
		}
	}
	if refusals < 1000 {
		t.Errorf("%d were refused: the draw shows nothing", refusals)
	}
}

// One case for each request that one side refused, or a condition hid, in the past.
func TestFloorByAccount(t *testing.T) {
	j := newJudges(t)
	base := map[string]string{portSecurity: "true"}
	with := func(keyValues ...string) *admission.Pod {
		p := &admission.Pod{Metadata: admission.Metadata{Name: "p", Annotations: maps.Clone(base)}}
		for pair := range slices.Chunk(keyValues, 2) {
			p.Metadata.Annotations[pair[0]] = pair[1]
		}
		return p
	}
	owned := func(o admission.OwnerReference) *admission.Pod {
		p := with()
		p.Metadata.Owners = []admission.OwnerReference{o}
		return p
	}
	const blue = "blue.t.ovn.kubernetes.io/port_security"
	for name, c := range map[string]struct {
		a       attempt
		refused string // words of the floor's message; "" where it passes
	}{
		"Kube-OVN takes away what was about a NIC": {
			attempt{kubeOVN, "update", with(kubeovn.Networks, "blue", blue, "true"), with(kubeovn.Networks, "blue")},
			"",
		},
		"a tenant takes it away": {
			attempt{tenant, "update", with(kubeovn.Networks, "blue", blue, "true"), with(kubeovn.Networks, "blue")},
			blue,
		},
		"what is about no NIC": {attempt{tenant, "create", nil, with(blue, "false")}, ""},
		"an empty migration, made": {
			attempt{tenant, "create", nil, with(kubeovn.MigrationJob, "")}, kubeovn.MigrationJob,
		},
		"an empty migration, later": {
			attempt{tenant, "status", with(), with(kubeovn.MigrationJob, "")}, kubeovn.MigrationJob,
		},
		"an empty migration, bound": {
			attempt{tenant, "binding", with(), with(kubeovn.MigrationJob, "")}, kubeovn.MigrationJob,
		},
		"an empty migration, taken away": {
			attempt{tenant, "update", with(kubeovn.MigrationJob, ""), with()}, kubeovn.MigrationJob,
		},
		"an empty default network, later": {
			attempt{tenant, "update", with(), with(kubeovn.DefaultNetwork, "")}, kubeovn.DefaultNetwork,
		},
		"an address that is emptied": {
			attempt{
				tenant, "update", with("ovn.kubernetes.io/ip_address", "10.16.0.20"),
				with("ovn.kubernetes.io/ip_address", ""),
			},
			"ip_address",
		},
		"KubeVirt plugs a NIC in": {
			attempt{kubeVirt, "update", with(), with(kubeovn.Networks, "blue", blue, "true")}, "",
		},
		"KubeVirt copies the machine's key": {
			attempt{kubeVirt, "create", nil, with("ovn.kubernetes.io/virtualmachine", "vm")}, "virtualmachine",
		},
		"an external address": {
			attempt{tenant, "create", nil, with("ovn.kubernetes.io/eip", "203.0.113.7")}, "eip",
		},
		"an external address, later": {
			attempt{tenant, "update", with(), with("ovn.kubernetes.io/snat", "203.0.113.7")}, "snat",
		},
		"a launcher": {
			attempt{tenant, "create", nil, owned(owners[0])}, "VirtualMachineInstance",
		},
		"a launcher, later": {
			attempt{tenant, "update", with(), owned(owners[0])}, "VirtualMachineInstance",
		},
		"a launcher by KubeVirt": {attempt{kubeVirt, "create", nil, owned(owners[0])}, ""},
		"adoption":               {attempt{replicas, "update", with(), owned(owners[2])}, ""},
		"adoption by a tenant":   {attempt{tenant, "update", with(), owned(owners[2])}, "ReplicaSet"},
	} {
		t.Run(name, func(t *testing.T) {
			got := j.refusal(t, &j.floor, j.request(t, c.a, c.a.now))
			if (got == "") != (c.refused == "") || !strings.Contains(got, c.refused) {
				t.Errorf("the floor says %q, want it about %q", got, c.refused)
			}
			if _, refused := j.webhook(t, c.a); (refused == "") != (c.refused == "") {
				t.Errorf("the webhooks say %q", refused)
			}
		})
	}
}
