package floor_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// manyAnnotations returns as many annotations about NICs as an object can have: 256 KiB of them.
func manyAnnotations(value string) map[string]string {
	out := make(map[string]string)
	for size := 0; size < 250<<10; {
		key := fmt.Sprintf("n%d.kubernetes.io/port_security", len(out))
		out[key] = value
		size += len(key) + len(value)
	}
	return out
}

// A namespace may have thousands of annotations about NICs: Kubernetes ends it, and Kube-OVN and others write to it, at
// no cost; and the annotations about NICs can still be changed a few at a time.
func TestThreat33FloorOfManyAnnotations(t *testing.T) {
	e := newExpressions(t)
	set, err := admissionpolicy.Make(admissionpolicy.Input{Accounts: accounts(), Namespace: "ovnguard-system"})
	if err != nil {
		t.Fatal(err)
	}
	floor := &set.Validating[1]
	for _, value := range []string{"", "true", "0"} {
		heavy := manyAnnotations(value)
		if len(heavy) < 4200 {
			t.Fatalf("%d annotations are not many", len(heavy))
		}
		for name, c := range map[string]struct {
			user   string
			change func(ns *corev1.Namespace)
			judged bool
		}{
			"the namespace controller ends it": {
				"system:serviceaccount:kube-system:namespace-controller",
				func(ns *corev1.Namespace) {
					ns.Spec.Finalizers, ns.Status.Phase = nil, corev1.NamespaceTerminating
				}, false,
			},
			"Kube-OVN writes to it": {kubeOVN, func(ns *corev1.Namespace) {
				ns.Annotations["ovn.kubernetes.io/logical_switch"] = "ovn-default"
			}, false},
			"somebody writes to it": {
				tenant, func(ns *corev1.Namespace) { ns.Annotations["example.org/note"] = "1" }, false,
			},
			"somebody labels it": {tenant, func(ns *corev1.Namespace) { ns.Labels["team"] = "x" }, false},
			"a level is asked for": {
				tenant, func(ns *corev1.Namespace) { ns.Labels[policy.LevelLabel] = "strict" }, true,
			},
			"one NIC is tightened": {
				tenant, func(ns *corev1.Namespace) { ns.Annotations["n7.kubernetes.io/port_security"] = "yes" }, true,
			},
			"as many as are judged": {tenant, func(ns *corev1.Namespace) {
				for i := range kubeovn.MaxChanged {
					ns.Annotations[fmt.Sprintf("n%d.kubernetes.io/port_security", i)] = "yes"
				}
			}, true},
			"a NIC is added": {tenant, func(ns *corev1.Namespace) { ns.Annotations[portSecurity] = "true" }, true},
		} {
			t.Run(name+", "+value, func(t *testing.T) {
				old := nsWith()
				maps.Copy(old.Annotations, heavy)
				now := old.DeepCopy()
				c.change(now)
				e.dearest = 0
				in := map[string]any{
					"object": plain(
						t,
						now,
					),
					"oldObject": plain(t, old),
					"request":   map[string]any{"userInfo": map[string]any{"username": c.user}},
				}
				_, known, judged := e.variables(t, floor, in) // an expression that costs too much fails the test
				if judged != c.judged || judged && known["loosens"] != false {
					t.Errorf(
						"judged %v, found %v; want %v, and nothing that loosens",
						judged,
						known["loosens"],
						c.judged,
					)
				}
				if c.user == kubeOVN && e.dearest > 100 {
					t.Errorf("Kube-OVN pays %d", e.dearest)
				}
			})
		}
	}
	// Changing all at once needs the right, in the webhook and in the floor.
	old, now := nsWith(), nsWith()
	maps.Copy(old.Annotations, manyAnnotations("true"))
	webhook, found := namespaceJudges(t, e, nil, old, now)
	if !strings.Contains(webhook, "change at once") || found != "" {
		t.Errorf("the webhook says %q, the floor %q", webhook, found)
	}
}

// A pod may have as many, in a namespace that has, too: the cost is on the user who changes a few.
func TestThreat33FloorOfManyPodAnnotations(t *testing.T) {
	j := newJudges(t)
	old := &admission.Pod{Metadata: admission.Metadata{Name: "p", Annotations: manyAnnotations("true")}}
	now := &admission.Pod{Metadata: admission.Metadata{Name: "p", Annotations: maps.Clone(old.Metadata.Annotations)}}
	now.Metadata.Annotations["ovn.kubernetes.io/allocated"] = "true"
	in := j.request(t, attempt{tenant, "update", old, now}, now)
	in["namespaceObject"] = plain(t, &corev1.Namespace{ObjectMeta: nsWith().ObjectMeta})
	heavy := nsWith()
	maps.Copy(heavy.Annotations, manyAnnotations("true"))
	in["namespaceObject"] = plain(t, heavy)
	if got := j.refusal(t, &j.floor, in); !strings.Contains(got, "allocated") {
		t.Errorf("the floor says %q", got)
	}
	if !j.holds(t, admissionpolicy.Touches(), in) {
		t.Error("the webhooks are not asked")
	}
	j.dearest = 0
	in = j.request(t, attempt{kubeOVN, "update", old, now}, now)
	if got := j.refusal(t, &j.floor, in); got != "" || j.dearest > 1000 {
		t.Errorf("Kube-OVN pays %d and is told %q", j.dearest, got)
	}
}

// The floor stays on in a namespace that loosens nothing, in any spelling of its values, and is off where one NIC may
// be looser.
func TestThreat32FloorStaysOn(t *testing.T) {
	j := newJudges(t)
	r := rand.New(rand.NewPCG(7, 8))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	stays := func(ns *corev1.Namespace) bool {
		in := map[string]any{"namespaceObject": plain(t, ns)}
		i := indexOf(j.floor.Spec.Variables, "strict")
		return j.holds(t, j.floor.Spec.Variables[i].Expression, in)
	}
	for _, harmless := range []*corev1.Namespace{
		nsWith(), nsWith("ovn.kubernetes.io/layer2_forward", "false"), nsWith(label, ""), nsWith(portSecurity, "True"),
		nsWith(portSecurity, ""),
		nsWith("blue.t.ovn.kubernetes.io/layer2_forward", " Off", label, "strict"), nsWith(label, "opne"),
		nsWith(portSecurity, "flase"),
	} {
		if !stays(harmless) {
			t.Errorf("the floor is off where a namespace says %v %v", harmless.Labels, harmless.Annotations)
		}
	}
	on := 0
	for range 2000 {
		var keys []string
		for _, nic := range []string{"ovn", "blue.t.ovn", "blue.t.ovn.net1"} {
			for _, s := range []string{".kubernetes.io/port_security", ".kubernetes.io/layer2_forward"} {
				if r.IntN(4) == 0 {
					keys = append(keys, nic+s, one("true", "True", "", "false", " 0", "no", "ON", "flase"))
				}
			}
		}
		if r.IntN(4) == 0 {
			keys = append(keys, label, one("strict", "", "mac", "open", "opne"))
		}
		ns := nsWith(keys...)
		if !stays(ns) {
			continue
		}
		on++
		for _, provider := range []kubeovn.Provider{"ovn", "blue.t.ovn", "blue.t.ovn.net1", "any.any.ovn"} {
			d := policy.Decide(policy.Query{
				Provider:  provider,
				Namespace: policy.Namespace{Name: ns.Name, Labels: ns.Labels, Annotations: ns.Annotations},
				Now:       now,
			})
			if d.Level != policy.Strict || d.Forwarding != policy.Forbid {
				t.Errorf("the floor is on where %s NICs are %s, %v: %v", provider, d.Level, d.Forwarding, keys)
			}
		}
	}
	if on < 500 || on > 1900 {
		t.Errorf("the floor is on in %d of 2000: the draw shows nothing", on)
	}
}

func indexOf(variables []admissionregistrationv1.Variable, name string) int {
	for i, v := range variables {
		if v.Name == name {
			return i
		}
	}
	return -1
}

// Among thousands of new pods the floor refuses none that the webhooks allow, and every one that they refuse without
// knowledge of the cluster: keys, values and networks are written in every possible way.
func TestThreat32FloorAgreesAboutNewPods(t *testing.T) {
	j := newJudges(t)
	odd := map[string][]string{
		portSecurity: {
			"true",
			"True",
			" true",
			"TRUE",
			"false",
			"0",
			"",
		},
		"ovn.kubernetes.io/layer2_forward": {"true", "True", "on", "false"},
		"blue.t.ovn.kubernetes.io/port_security": {
			"True",
			"true",
			"false",
			"",
		},
		"blue.t.ovn.net1.kubernetes.io/port_security": {"true", "false", ""},
		"blue.u.ovn.kubernetes.io/layer2_forward":     {"true", "false"},
		"blue2.t.ovn.kubernetes.io/gateway":           {"10.0.0.1"},
		"blue.t.kubernetes.io/gateway.net1":           {"10.0.0.1", ""},
		"x.kubernetes.io/port_security":               {"false"},
		"a.b/c.kubernetes.io/allocated": {
			"true",
		},
		"ovn.kubernetes.io/allocated.net1": {"true", ""},
		"ovn.kubernetes.io/routed":         {"true"},
		kubeovn.Networks: {
			"blue",
			"blue,u/blue",
			"blue@net1,blue@net2",
			`[{"name":"blue2"}]`,
			"",
		},
		kubeovn.DefaultNetwork: {"", "t/blue"},
		kubeovn.MigrationJob: {
			"job",
			"",
		},
		"ovn.kubernetes.io/eip":            {"203.0.113.7", ""},
		"ovn.kubernetes.io/virtualmachine": {"vm", ""},
		policy.RecordAnnotation:            {policy.OrdinaryRecord, policy.AskedRecord, "{}"},
		"example.org/note":                 {"1"},
	}
	r := rand.New(rand.NewPCG(9, 10))
	creation := func(keys map[string][]string) attempt {
		for {
			if a := draw(r, keys); a.path == "create" {
				return a
			}
		}
	}
	allowed, refusals := 0, 0
	for range 5000 {
		a := creation(odd)
		stored, refused := j.webhook(t, a)
		if refused != "" {
			continue
		}
		allowed++
		if text := j.refusal(t, &j.floor, j.request(t, a, stored)); text != "" {
			t.Errorf("%s: the webhooks allow it, the floor: %s", a, text)
		}
	}
	for range 2500 {
		a := creation(certain)
		_, refused := j.webhook(t, a)
		if refused == "" {
			continue
		}
		refusals++
		if j.refusal(t, &j.floor, j.request(t, a, a.now)) == "" {
			t.Errorf("%s: the floor allows what the webhooks refuse: %s", a, refused)
		}
	}
	if allowed < 500 || refusals < 800 {
		t.Errorf("%d were allowed, %d refused: the draw shows nothing", allowed, refusals)
	}
}
