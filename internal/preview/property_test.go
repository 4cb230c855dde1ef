package preview

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// world is what reviews look at: the same inventory.
type world struct{ inv *inventory.Inventory }

func (w world) Look(_ context.Context, namespace, user string, look func(*admission.View)) {
	look(&admission.View{
		Accounts: admission.DefaultAccounts(), User: user, Namespace: w.inv.Namespace(namespace),
		Inventory: w.inv.Snapshot(), Now: now,
	})
}

func (w world) Definition(_ context.Context, a kubeovn.Attachment) (d admission.Definition) {
	d.Kind, d.Found = w.inv.Kind(a)
	return d
}

func (world) Pod(context.Context, string, string) (*admission.Pod, error) {
	return nil, errors.New("not asked for")
}

func (world) Repaired(context.Context, []string) (admission.Repaired, error) {
	return admission.Repaired{}, admission.ErrNoUndo
}

// create has the webhooks judge a pod as the API server does, and returns what is stored of it, or why it is refused.
func (w world) create(t *rapid.T, user string, p *corev1.Pod) (stored *corev1.Pod, refused string) {
	stored = p.DeepCopy()
	for _, judge := range []admission.Judge{admission.MutatePods(w), admission.GuardPods(w)} {
		raw, err := json.Marshal(stored)
		if err != nil {
			t.Fatal(err)
		}
		h := admission.Handler{
			Judge: judge, Observe: func(admission.Reviewed) {}, Now: func() time.Time { return now },
		}
		r := h.Handle(context.Background(), ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Namespace: stored.Namespace,
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			UserInfo: authenticationv1.UserInfo{Username: user}, Object: runtime.RawExtension{Raw: raw},
		}})
		if !r.Allowed {
			return nil, r.Result.Message
		}
		for _, op := range r.Patches {
			key := strings.NewReplacer("~1", "/", "~0", "~").Replace(
				strings.TrimPrefix(op.Path, "/metadata/annotations/"),
			)
			switch value := op.Value.(type) {
			case map[string]string:
				stored.Annotations = value
			case string:
				stored.Annotations[key] = value
			default:
				delete(stored.Annotations, key)
			}
		}
	}
	return stored, ""
}

// wishes are annotations that a pod may have when it is made.
var wishes = map[string][]string{
	ps:   {"true", "false", "True", "", "tru"},
	l2:   {"true", "false", "yes", "2"},
	vips: {"10.16.0.100", "10.16.0.101", "192.0.2.7", "0.0.0.0/0"},
	"green.t.ovn.kubernetes.io/port_security": {"true", "false", "x"},
	"green.t.ovn.kubernetes.io/port_vips":     {"10.16.0.100", "10.16.0.101"},
	"green.t.ovn.kubernetes.io/ip_address":    {"10.16.0.5", "10.16.0.60"},
	"macvlan.t.kubernetes.io/logical_switch":  {"theirs", "ovn-default"},
	kubeovn.AAPs:                              {"mine", "none"},
	"ovn.kubernetes.io/vip":                   {"mine", "none"},
	ip:                                        {"10.16.0.5", "10.16.0.20", "10.16.0.1", "0.0.0.0/0"},
	hw:                                        {"0a-00-00-00-00-20", "0a:00:00:00:00:20", "0a:00:00:00:00:05"},
	lsp:                                       {"theirs", "join", "ovn-default", "none"},
	pool:                                      {"their-pool", "none", "10.16.0.5", "10.16.0.7,10.16.0.8"},
	eip:                                       {"203.0.113.7", ""},
	"ovn.kubernetes.io/snat":                  {"203.0.113.7"},
	"ovn.kubernetes.io/security_groups":       {"g"},
	"ovn.kubernetes.io/allow_live_migration":  {"true"},
	"ovn.kubernetes.io/activation_strategy":   {"rarp", ""},
	kubeovn.MigrationJob:                      {"job", ""},
	"ovn.kubernetes.io/logical_router":        {"other"},
	"ovn.eth0.kubernetes.io/ip_address":       {"", "10.16.0.9"},
	kubeovn.Networks: {
		"t/green", "u/blue", "t/macvlan", "green,macvlan", "green@ovn", "t/none", "[null]", "",
		`[{"name":"green","namespace":"t","ips":["10.16.0.5/16"]}]`, `[{"name":"green","mac":"0a:00:00:00:00:05"}]`,
	},
	kubeovn.DefaultNetwork: {"t/green", "macvlan", "", "u/blue"},
	"note":                 {"1"},
}

// drawPod returns a pod that somebody may make, who makes it, and what makes it.
func drawPod(t *rapid.T) (p *corev1.Pod, maker string) {
	p = pod("t", rapid.SampledFrom([]string{"p", "vm", "a.b", "victim.u.green.t", "web-0"}).Draw(t, "name"))
	keys := slices.Sorted(maps.Keys(wishes))
	for range rapid.IntRange(0, 3).Draw(t, "wishes") {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		p.Annotations[key] = rapid.SampledFrom(wishes[key]).Draw(t, "value")
	}
	p.Labels = map[string]string{"app": rapid.SampledFrom([]string{"router", "web"}).Draw(t, "app")}
	switch rapid.IntRange(0, 3).Draw(t, "made by") {
	case 1:
		return owned(p, "apps/v1", "ReplicaSet", "rs"), "system:serviceaccount:kube-system:replicaset-controller"
	case 2:
		return owned(p, "apps/v1", "StatefulSet", "web"), "system:serviceaccount:kube-system:statefulset-controller"
	case 3:
		return owned(p, "kubevirt.io/v1", "VirtualMachineInstance", "vm"), admission.DefaultAccounts().KubeVirt[0]
	}
	return p, "alice"
}

// drawTown returns a cluster with policies and exceptions.
func drawTown(t *rapid.T) *inventory.Inventory {
	inv := town()
	inv.SetRecord(&inventory.Record{
		Name: "vm.t", Subnet: "ovn-default", Keeper: "VirtualMachine", Of: inventory.PodKey{Namespace: "t", Name: "vm"},
	})
	exists(inv, "ReplicaSet", "rs", nil)
	router := func(l map[string]string) bool { return l["app"] == "router" }
	for i := range rapid.IntRange(0, 2).Draw(t, "policies") {
		inv.SetPolicy(strict(func(p *policy.Policy) {
			p.Name, p.Priority = string(rune('a'+i)), int32(i)
			p.Level = rapid.SampledFrom([]policy.Level{policy.Strict, policy.MAC, policy.Open}).Draw(t, "level")
			p.Forwarding = rapid.SampledFrom([]policy.Forwarding{policy.Forbid, policy.Allow}).Draw(t, "forwarding")
			p.ExternalAddresses = rapid.Bool().Draw(t, "external")
			p.ForbidsOthers = rapid.Bool().Draw(t, "forbids others")
			p.ExceptionsIn = []string{"t"}
			p.Mode = rapid.SampledFrom([]policy.Mode{policy.Enforce, policy.Enforce, policy.Warn, policy.Audit}).
				Draw(t, "mode")
			if rapid.Bool().Draw(t, "for routers") {
				p.Pods = router
			}
			if rapid.Bool().Draw(t, "for the default NIC alone") {
				p.Providers = policy.Providers{"ovn"}
			}
		}))
	}
	if rapid.Bool().Draw(t, "exception") {
		e := exceptionFor(&policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "uid-rs"})
		if rapid.Bool().Draw(t, "for routers") {
			e.Owner, e.Pods = nil, router
		}
		inv.SetException(e)
	}
	return inv
}

// enforced returns what would be refused now.
func enforced(all []inventory.Foresight) (out []string) {
	for _, f := range all {
		if f.Mode == policy.Enforce {
			out = append(out, f.Text)
		}
	}
	return out
}

// Of a pod it is foreseen that it would be refused if, and only if, the webhooks refuse it.
func TestForeseenAsRefused(t *testing.T) {
	refusals, skipped, judged := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		inv := drawTown(r)
		p, maker := drawPod(r)
		_, refused := world{inv}.create(r, maker, p)
		enters(inv, p)
		c := Cluster{Inventory: inv.Snapshot(), Accounts: admission.DefaultAccounts(), Now: now}
		var foreseen []string
		for _, f := range c.Foresee(nil) {
			foreseen = append(foreseen, enforced(f.Refused)...)
		}
		if (len(foreseen) > 0) != (refused != "") {
			r.Fatalf("%+v by %s: foreseen are %q, and it is refused with %q", p.ObjectMeta, maker, foreseen, refused)
		}
		if refused != "" {
			refusals++
		}
		if c.mayBeRefused(c.podOf("t", p.Name)) {
			judged++
		} else {
			skipped++
		}
	})
	if refusals < 20 || skipped < 5 || judged < 20 {
		t.Errorf("%d were refused, %d skipped and %d judged: the draw shows nothing", refusals, skipped, judged)
	}
}

// A pod that the webhooks let in, and that runs as Kube-OVN leaves it, is not foreseen to be refused.
func TestNothingIsForeseenOfWhatWasLetIn(t *testing.T) {
	let := 0
	rapid.Check(t, func(r *rapid.T) {
		inv := drawTown(r)
		p, maker := drawPod(r)
		stored, refused := world{inv}.create(r, maker, p)
		if refused != "" {
			return
		}
		let++
		starts(inv, stored, "10.16.0.77", "0a:00:00:00:00:77")
		c := Cluster{Inventory: inv.Snapshot(), Accounts: admission.DefaultAccounts(), Now: now}
		for _, f := range c.Foresee(nil) {
			if texts := enforced(f.Refused); len(texts) > 0 {
				r.Fatalf("%+v by %s: foreseen are %q", stored.ObjectMeta, maker, texts)
			}
		}
	})
	if let < 20 {
		t.Errorf("%d were let in: the draw shows nothing", let)
	}
}

// Of a template it is foreseen that its pods would be refused if, and only if, the webhooks refuse them.
func TestForeseenOfATemplateAsRefused(t *testing.T) {
	refusals := 0
	rapid.Check(t, func(r *rapid.T) {
		inv := drawTown(r)
		p, _ := drawPod(r)
		p.Name, p.OwnerReferences = "rs-xxxxx", nil
		owned(p, "apps/v1", "ReplicaSet", "rs")
		_, refused := world{inv}.create(r, "system:serviceaccount:kube-system:replicaset-controller", p)
		o := workload("apps/v1", "ReplicaSet", "rs", p.Annotations)
		o["spec"].(js)["template"].(js)["metadata"].(js)["labels"] = p.Labels
		foreseen := enforced(foresee(t, inv, o)["ReplicaSet.apps/rs"].Refused)
		if (len(foreseen) > 0) != (refused != "") {
			r.Fatalf("%+v: foreseen are %q, and it is refused with %q", p.ObjectMeta, foreseen, refused)
		}
		if refused != "" {
			refusals++
		}
	})
	if refusals < 20 {
		t.Errorf("%d were refused: the draw shows nothing", refusals)
	}
}

// podOf returns a pod as the inventory has it.
func (c *Cluster) podOf(namespace, name string) *inventory.Pod {
	for p := range c.Inventory.EachPod() {
		if p.Namespace == namespace && p.Name == name {
			return p
		}
	}
	return nil
}
