package governance

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// nics are NICs of pods in the shop: the default one, attachments in policies and annotations, and one that none of
// them mentions.
var nics = []kubeovn.Provider{kubeovn.DefaultProvider, "blue.shop.ovn", "blue.net.ovn", "red.shop.ovn"}

// drawGovernor returns a policy that may match namespaces by their label, NICs by name and pods by theirs.
func drawGovernor(t *rapid.T, name string) policy.Policy {
	p := policy.Policy{
		Name:       name,
		Priority:   int32(rapid.IntRange(0, 2).Draw(t, "priority")),
		Level:      rapid.SampledFrom([]policy.Level{policy.Strict, policy.MAC, policy.Open}).Draw(t, "level"),
		Forwarding: rapid.SampledFrom([]policy.Forwarding{policy.Forbid, policy.Allow}).Draw(t, "forwarding"),
		Mode:       rapid.SampledFrom([]policy.Mode{policy.Enforce, policy.Warn, policy.Audit}).Draw(t, "mode"),
		Repair: rapid.SampledFrom([]policy.Repair{policy.RepairOff, policy.RepairLog, policy.RepairOn}).
			Draw(t, "repair"),
		ExternalAddresses: rapid.Bool().Draw(t, "external"),
		ForbidsOthers:     rapid.Bool().Draw(t, "forbids others"),
		Approval:          rapid.Bool().Draw(t, "approval"),
		Limits: policy.Limits{
			Pairs: rapid.IntRange(0, 2).
				Draw(t, "pairs"),
			Prefix4:  rapid.SampledFrom([]int{24, 28}).Draw(t, "prefix"),
			Prefix6:  64,
			Lifetime: 48 * time.Hour,
			Level:    rapid.SampledFrom([]policy.Level{policy.Strict, policy.MAC, policy.Open}).Draw(t, "loosest"),
		},
	}
	if tier := rapid.SampledFrom([]string{"", "edge", "core"}).Draw(t, "for tier"); tier != "" {
		p.Namespaces = labelled("tier", tier)
	}
	if app := rapid.SampledFrom([]string{"", "", "web", "db"}).Draw(t, "for app"); app != "" {
		p.Pods = labelled("app", app)
	}
	p.Providers = rapid.SampledFrom([]policy.Providers{nil, nil, {"ovn"}, {"blue.*"}, {"*.shop.ovn"}, {
		"blue.shop.ovn",
		"ovn",
	}}).
		Draw(t, "for NICs")
	if rapid.Bool().Draw(t, "honours") {
		p.ExceptionsIn = []string{"shop"}
	}
	return p
}

// drawNamespace returns the shop's namespace with random labels and annotations.
func drawNamespace(t *rapid.T, what string) *corev1.Namespace {
	keys := make(map[string]string)
	set := func(key string, values ...string) {
		if v := rapid.SampledFrom(append(values, "")).Draw(t, what+" "+key); v != "" {
			keys[key] = v
		}
	}
	set("label:tier", "edge", "core")
	set("label:"+policy.LevelLabel, "strict", "mac", "open")
	for _, nic := range nics[:3] {
		set(nic.Key(kubeovn.PortSecurity), "true", "false", "True", "0")
		set(nic.Key(kubeovn.Layer2Forward), "true", "false", "on")
	}
	return namespace("shop", keys)
}

// rapidRequest returns alice's edit of the namespace.
func rapidRequest(t *rapid.T, now, old *corev1.Namespace) *admissionv1.AdmissionRequest {
	raw := func(ns *corev1.Namespace) runtime.RawExtension {
		text, err := json.Marshal(ns)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: text}
	}
	return &admissionv1.AdmissionRequest{
		Operation: admissionv1.Update,
		Name:      now.Name,
		Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "namespaces"},
		UserInfo:  authenticationv1.UserInfo{Username: "alice"},
		Object:    raw(now),
		OldObject: raw(old),
	}
}

// A user without the verb "exempt" makes no port of any pod looser by any edit of its namespace, and moves no port to a
// policy that enforces less.
func TestANamespaceEditNeverLoosensWithoutTheRight(t *testing.T) {
	accepted, tightened := 0, 0
	check := func(t *rapid.T) {
		cluster := &tableCluster{}
		for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
			cluster.policies = append(cluster.policies, drawGovernor(t, string(rune('a'+i))))
		}
		policy.SortPolicies(cluster.policies)
		old, now := drawNamespace(t, "old"), drawNamespace(t, "new")
		if rapid.Bool().Draw(t, "little changes") {
			now.Labels = old.Labels
		}
		req := rapidRequest(t, now, old)
		a, err := guardOf(cluster).Namespace(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Denials()) > 0 {
			return
		}
		accepted++
		grant := policy.Exception{
			Namespace:   "shop",
			Name:        "grant",
			Pods:        labelled("app", "web"),
			RequestedBy: "alice",
			Asked:       noon.Add(-time.Hour),
			Expires:     noon.Add(time.Hour),
			Level:       rapid.SampledFrom([]policy.Level{policy.Strict, policy.MAC, policy.Open}).Draw(t, "granted"),
			Pairs:       []portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.30.0.0/26")}},
		}
		if rapid.Bool().Draw(t, "approved") {
			grant.ApprovedBy = "bob"
		}
		for _, nic := range nics {
			for _, app := range []string{"web", "db", "other"} {
				for _, wish := range []string{"", "true", "false"} {
					decide := func(ns *corev1.Namespace) policy.Decision {
						return policy.Decide(policy.Query{
							Provider:  nic,
							Namespace: policy.Namespace{Name: "shop", Labels: ns.Labels, Annotations: ns.Annotations},
							Pod: policy.Pod{
								Labels:      map[string]string{"app": app},
								Annotations: map[string]string{nic.Key(kubeovn.PortSecurity): wish},
							},
							Policies:   cluster.policies,
							Exceptions: []policy.Exception{grant},
							Now:        noon,
						})
					}
					was, is := decide(old), decide(now)
					if is.Looser(was) || is.Mode > was.Mode {
						t.Fatalf(
							"a pod of %s that says %q is decided on %s\n%+v\nand was\n%+v",
							app,
							wish,
							nic,
							is,
							was,
						)
					}
					if was.Looser(is) {
						tightened++
					}
				}
			}
		}
	}
	for range 10 { // faults may be rare
		rapid.Check(t, check)
	}
	if accepted < 50 || tightened == 0 {
		t.Errorf("%d edits were accepted, %d ports tightened: the draw shows nothing", accepted, tightened)
	}
}

// A user with the verb may do all that, so that the property does not hold only because the judge refuses everything.
func TestANamespaceEditMayLoosenWithTheRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cluster := &tableCluster{rights: []string{"alice exempt namespaces.ovnguard.io /shop"}}
		for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
			cluster.policies = append(cluster.policies, drawGovernor(t, string(rune('a'+i))))
		}
		a, err := guardOf(
			cluster,
		).Namespace(t.Context(), rapidRequest(t, drawNamespace(t, "new"), drawNamespace(t, "old")))
		if err != nil || len(a.Denials()) > 0 {
			t.Fatalf("%v, %q", err, a.Denials())
		}
		if questions := slices.Compact(slices.Sorted(slices.Values(cluster.asked))); len(questions) > 1 {
			t.Fatalf("asked for %q", questions)
		}
	})
}
