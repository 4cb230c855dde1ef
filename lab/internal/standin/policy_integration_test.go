//go:build integration

package standin

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// TestPolicies shows what the recordings do not have: how the rows of policies and SecurityGroups follow changes.
func TestPolicies(t *testing.T) {
	w := newWorld(t, upstream.Master)
	t.Cleanup(w.stop)
	w.start()
	w.node("node-a", "192.0.2.11")
	w.namespace("ns", nil)
	w.namespace("other", nil)
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"a policy without pods", w.testPolicyWithoutPods},
		{"a policy follows the labels of a namespace", w.testPolicyFollowsNamespace},
		{"a policy loses rules and a direction", w.testPolicyShrinks},
		{"a policy goes, while nobody watches too", w.testPolicyGoes},
		{"a node and its pods, while there is a policy", w.testNodeACLs},
		{"a group's rules change", w.testGroupChanges},
		{"a group that is refused", w.testGroupRefused},
		{"a group lost a rule while nobody watched", w.testGroupRestored},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.test(t)
		})
	}
	w.t = t
}

func (w *world) node(name, address string) {
	w.t.Helper()
	n, err := w.kube.CoreV1().Nodes().Create(w.t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{})
	check(w.t, err)
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
	_, err = w.kube.CoreV1().Nodes().UpdateStatus(w.t.Context(), n, metav1.UpdateOptions{})
	check(w.t, err)
}

// labelled makes a pod with a label app on node-a.
func (w *world) labelled(namespace, name, app string) {
	w.t.Helper()
	w.pod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{NodeName: "node-a"},
	})
	w.settle()
}

func (w *world) policy(name, spec string) {
	w.t.Helper()
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	check(w.t, json.Unmarshal([]byte(spec), &np.Spec))
	made, err := w.kube.NetworkingV1().NetworkPolicies("ns").Create(w.t.Context(), np, metav1.CreateOptions{})
	check(w.t, err)
	w.sawPolicy(made)
}

// sawPolicy waits until the stand-in has done what a state of a policy asks for.
func (w *world) sawPolicy(np *networkingv1.NetworkPolicy) {
	w.t.Helper()
	w.until("policy "+np.Name, func() bool {
		seen, ok := w.standin.policies.get(np.Namespace, np.Name)
		return ok && seen.ResourceVersion == np.ResourceVersion
	})
}

func (w *world) patchPolicy(name, patch string) {
	w.t.Helper()
	np, err := w.kube.NetworkingV1().NetworkPolicies("ns").
		Patch(w.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	check(w.t, err)
	w.sawPolicy(np)
}

func (w *world) deletePolicy(name string) {
	w.t.Helper()
	check(w.t, w.kube.NetworkingV1().NetworkPolicies("ns").Delete(w.t.Context(), name, metav1.DeleteOptions{}))
	if w.standin == nil {
		return
	}
	w.until("policy to go", func() bool { _, ok := w.standin.policies.get("ns", name); return !ok })
}

// until waits for something that the stand-in sees, and until it has nothing left to do.
func (w *world) until(what string, seen func() bool) {
	w.t.Helper()
	for end := time.Now().Add(settleTimeout); !seen(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("no %s after %v", what, settleTimeout)
		}
	}
	w.settle()
}

// sets returns the address sets of a policy by name.
func (w *world) sets(policy string) map[string][]string {
	w.t.Helper()
	check(w.t, w.reader.Sync(w.t.Context()))
	list, err := w.reader.AddressSets(w.t.Context(), func(s *nb.AddressSet) bool {
		return policyOf(s) == upstream.PolicyID("ns", policy)
	})
	check(w.t, err)
	out := map[string][]string{}
	for _, s := range list {
		out[s.Name] = sortedCopy(s.Addresses)
	}
	return out
}

// members returns the number of ports of a port group, or -1 if there is none.
func (w *world) members(group string) int {
	w.t.Helper()
	check(w.t, w.reader.Sync(w.t.Context()))
	g, ok, err := w.reader.PortGroup(w.t.Context(), group)
	check(w.t, err)
	if !ok {
		return -1
	}
	return len(g.Ports)
}

const everyPod = `{"podSelector":{},"policyTypes":["Ingress"],"ingress":[` +
	`{"from":[{"namespaceSelector":{"matchLabels":{"team":"x"}}}]}]}`

// A policy that selects nothing has a port group and nothing else; its rows come with the first pod.
func (w *world) testPolicyWithoutPods(t *testing.T) {
	w.policy("empty", everyPod)
	if n, acls := w.members("empty.ns"), w.aclsOf("empty.ns"); n != 0 || len(acls) != 0 || len(w.sets("empty")) != 0 {
		t.Errorf("%d ports, ACLs %+v, sets %v", n, acls, w.sets("empty"))
	}
	w.labelled("ns", "first", "web")
	if n, acls := w.members("empty.ns"), w.aclsOf("empty.ns"); n != 1 || len(acls) != 1 || acls[0].Action != "drop" {
		t.Errorf("with a pod: %d ports, ACLs %+v", n, acls)
	}
	w.deletePod("ns", "first")
	w.settle()
	if n, acls := w.members("empty.ns"), w.aclsOf("empty.ns"); n != 0 || len(acls) != 0 {
		t.Errorf("without the pod: %d ports, ACLs %+v", n, acls)
	}
	w.deletePolicy("empty")
}

func (w *world) testPolicyFollowsNamespace(t *testing.T) {
	w.labelled("ns", "web", "web")
	w.labelled("other", "peer", "client")
	w.policy("ns-label", everyPod)
	peer := w.getPod("other", "peer").Annotations["ovn.kubernetes.io/ip_address"]
	const set = "ns.label.ns.ingress.allow.IPv4.0"
	for _, c := range []struct {
		team any
		want []string
	}{{"x", []string{peer}}, {"y", []string{}}, {nil, []string{}}, {"x", []string{peer}}} {
		w.labelNamespace("other", map[string]any{"team": c.team})
		w.settle()
		if diff := cmp.Diff(c.want, w.sets("ns-label")[set]); diff != "" {
			t.Errorf("team %v: -want +got\n%s", c.team, diff)
		}
	}
	w.labelNamespace("other", map[string]any{"team": nil})
	w.deletePolicy("ns-label")
	w.deletePod("other", "peer")
	w.deletePod("ns", "web")
	w.settle()
}

// Address sets of rules that a policy no longer has go, and so do the ACLs of a direction that it no longer governs.
func (w *world) testPolicyShrinks(t *testing.T) {
	w.labelled("ns", "web", "web")
	w.policy(
		"two",
		`{"podSelector":{},"policyTypes":["Ingress","Egress"],"ingress":[{},{"ports":[{"port":80}]}],"egress":[{}]}`,
	)
	if n := len(w.sets("two")); n != 6 {
		t.Fatalf("%d address sets, want two for each of three rules", n)
	}
	w.patchPolicy("two", `{"spec":{"policyTypes":["Ingress"],"ingress":[{}],"egress":null}}`)
	want := map[string][]string{"two.ns.ingress.allow.IPv4.0": {"0.0.0.0/0"}, "two.ns.ingress.except.IPv4.0": {}}
	if diff := cmp.Diff(want, w.sets("two")); diff != "" {
		t.Errorf("address sets -want +got\n%s", diff)
	}
	for _, a := range w.aclsOf("two.ns") {
		if a.Direction != upstream.ToPort {
			t.Errorf("ACL is left: %+v", a)
		}
	}
	w.deletePolicy("two")
	w.deletePod("ns", "web")
	w.settle()
}

func (w *world) testPolicyGoes(t *testing.T) {
	w.labelled("ns", "web", "web")
	gone := func(when, name string) {
		t.Helper()
		if n := w.members(name + ".ns"); n != -1 || len(w.sets(name)) != 0 {
			t.Errorf("%s: the port group has %d ports, the policy has the address sets %v", when, n, w.sets(name))
		}
		acls, err := w.reader.ACLs(t.Context())
		check(t, err)
		for _, a := range acls {
			if a.ExternalIDs["parent"] == name+".ns" {
				t.Errorf("%s: ACL is left: %+v", when, a)
			}
		}
	}
	w.policy("brief", everyPod)
	w.deletePolicy("brief")
	gone("deleted", "brief")
	w.policy("unseen", everyPod)
	w.stop()
	w.deletePolicy("unseen")
	w.start()
	gone("deleted while the controller was down", "unseen")
	w.deletePod("ns", "web")
	w.settle()
}

// Each node's group lets the node and its pods talk while there is any policy, from the next probe on.
func (w *world) testNodeACLs(t *testing.T) {
	w.labelled("ns", "web", "web")
	probe := func() []recordedACL {
		t.Helper()
		check(t, w.standin.probeNodes(t.Context()))
		check(t, w.reader.Sync(t.Context()))
		return w.aclsOf("node.node.a")
	}
	if acls := probe(); len(acls) != 0 {
		t.Errorf("without a policy: %+v", acls)
	}
	w.policy("any", everyPod)
	var matches []string
	for _, a := range probe() {
		matches = append(matches, a.Match)
		if a.Priority != 3000 || a.Action != "allow-related" {
			t.Errorf("ACL %+v", a)
		}
	}
	slices.Sort(matches)
	want := []string{
		"ip4.dst == 192.0.2.11 && ip4.src == $node.node.a_ip4", "ip4.src == 192.0.2.11 && ip4.dst == $node.node.a_ip4",
	}
	if diff := cmp.Diff(want, matches); diff != "" {
		t.Errorf("matches -want +got\n%s", diff)
	}
	if again := probe(); len(again) != len(want) {
		t.Errorf("the next probe made them %d", len(again))
	}
	w.deletePolicy("any")
	if acls := probe(); len(acls) != 0 {
		t.Errorf("without a policy any more: %+v", acls)
	}
	w.deletePod("ns", "web")
	w.settle()
}

// sgRule returns a rule that allows a prefix.
func sgRule(prefix, policy string) map[string]any {
	return map[string]any{
		"ipVersion": "ipv4", "protocol": "all", "priority": int64(1), "remoteType": "address",
		"remoteAddress": prefix, "policy": policy,
	}
}

func (w *world) patchGroup(name string, spec map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(map[string]any{"spec": spec})
	check(w.t, err)
	u, err := w.dyn.Resource(crd.SecurityGroups).
		Patch(w.t.Context(), name, types.MergePatchType, text, metav1.PatchOptions{})
	check(w.t, err)
	if w.standin == nil {
		return
	}
	w.until("group "+name, func() bool {
		g, ok := w.standin.groups.get("", name)
		return ok && g.Generation >= u.GetGeneration()
	})
}

// ruleOf returns the match and tier of the ACLs of a group with the priority of the first rule.
func (w *world) rulesOf(group string) (list []string) {
	w.t.Helper()
	check(w.t, w.reader.Sync(w.t.Context()))
	for _, a := range w.aclsOf(upstream.SecurityGroup(group)) {
		if a.Priority > upstream.LastBasePriority {
			list = append(list, a.Action+" "+a.Match)
		}
	}
	slices.Sort(list)
	return list
}

func (w *world) testGroupChanges(t *testing.T) {
	w.make(crd.SecurityGroups, "SecurityGroup", "", "sg", spec{"ingressRules": []any{sgRule("10.1.0.0/16", "allow")}})
	w.until("the group's rules", func() bool { return len(w.rulesOf("sg")) == 1 })
	w.patchGroup("sg", spec{
		"egressRules": []any{sgRule("10.2.0.0/16", "pass")}, "ingressRules": []any{sgRule("10.3.0.0/16", "drop")},
	})
	want := []string{
		"drop outport == @ovn.sg.sg && ip4 && ip4.src == 10.3.0.0/16",
		"pass inport == @ovn.sg.sg && ip4 && ip4.dst == 10.2.0.0/16",
	}
	if diff := cmp.Diff(want, w.rulesOf("sg")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// The tier alone is not noticed, upstream neither.
	w.patchGroup("sg", spec{"tier": int64(1)})
	for _, a := range w.aclsOf("ovn.sg.sg") {
		if a.Priority > upstream.LastBasePriority && a.Tier != upstream.PolicyTier {
			t.Errorf("ACL %+v moved", a)
		}
	}
}

// A group that is refused gets no port group; one that had rules keeps them.
func (w *world) testGroupRefused(t *testing.T) {
	rule := sgRule("not an address", "allow")
	w.make(crd.SecurityGroups, "SecurityGroup", "", "bad", spec{"ingressRules": []any{rule}})
	w.until("group bad", func() bool { _, ok := w.standin.groups.get("", "bad"); return ok })
	if n := w.members("ovn.sg.bad"); n != -1 {
		t.Errorf("the port group of a refused group has %d ports", n)
	}
	rule["remoteAddress"] = "10.4.0.0/16"
	w.patchGroup("bad", spec{"ingressRules": []any{rule}})
	w.until("the group's rules", func() bool { return len(w.rulesOf("bad")) == 1 })
	rule["remoteAddress"] = "no more"
	w.patchGroup("bad", spec{"ingressRules": []any{rule}})
	want := []string{"allow-related outport == @ovn.sg.bad && ip4 && ip4.src == 10.4.0.0/16"}
	if diff := cmp.Diff(want, w.rulesOf("bad")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	check(t, w.dyn.Resource(crd.SecurityGroups).Delete(t.Context(), "bad", metav1.DeleteOptions{}))
	w.until("group to go", func() bool { _, ok := w.standin.groups.get("", "bad"); return !ok })
}

// A restart writes the rules of a group again if one is missing, and does not look for others.
func (w *world) testGroupRestored(t *testing.T) {
	w.make(crd.SecurityGroups, "SecurityGroup", "", "kept", spec{"ingressRules": []any{sgRule("10.5.0.0/16", "allow")}})
	w.until("the group's rules", func() bool { return len(w.rulesOf("kept")) == 1 })
	before := len(w.aclsOf("ovn.sg.kept"))
	w.nbctl("--type=port-group", "acl-del", "ovn.sg.kept", "to-lport", "2005",
		"outport == @ovn.sg.kept && arp")
	w.stop()
	w.start()
	if now := len(w.aclsOf("ovn.sg.kept")); now >= before {
		t.Errorf("an ACL that is no rule came back: %d of %d", now, before)
	}
	w.nbctl("--type=port-group", "acl-del", "ovn.sg.kept", "to-lport")
	w.stop()
	w.start()
	if now := len(w.aclsOf("ovn.sg.kept")); now != before {
		t.Errorf("%d ACLs after a rule was lost, want %d", now, before)
	}
}

// Where OVN has no tiers, what stands in a later tier or passes to it is not written, and stays denied.
func TestPoliciesWithoutTiers(t *testing.T) {
	w := newWorldWith(t, upstream.Master, flatSchema)
	t.Cleanup(w.stop)
	w.start()
	w.namespace("ns", nil)
	w.labelled("ns", "web", "web")
	w.policy("any", everyPod)
	if acls := w.aclsOf("any.ns"); len(acls) != 1 || acls[0].Priority != 2000 {
		t.Errorf("ACLs of the policy: %+v", acls)
	}
	w.make(crd.SecurityGroups, "SecurityGroup", "", "sg", spec{
		"ingressRules": []any{sgRule("10.1.0.0/16", "allow"), sgRule("10.2.0.0/16", "pass")},
	})
	w.make(crd.SecurityGroups, "SecurityGroup", "", "late", spec{
		"tier": int64(1), "ingressRules": []any{sgRule("10.3.0.0/16", "allow")},
	})
	w.until("the groups", func() bool { return w.members("ovn.sg.sg") >= 0 && w.members("ovn.sg.late") >= 0 })
	want := []string{"allow-related outport == @ovn.sg.sg && ip4 && ip4.src == 10.1.0.0/16"}
	if diff := cmp.Diff(want, w.rulesOf("sg")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := w.rulesOf("late"); len(got) > 0 {
		t.Errorf("rules of a later tier: %v", got)
	}
	if deny := w.aclsOf(upstream.DenyAllGroup); len(deny) != 2 {
		t.Errorf("%d ACLs deny all, want one for each direction", len(deny))
	}
}
