package inventory

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// manyPods returns an inventory with n pods in namespace "crowd" that admission made strict without a request, and one
// that asked for it.
func manyPods(n int) *Inventory {
	inv := New()
	inv.SetNamespace(policy.Namespace{Name: "crowd", Labels: map[string]string{"team": "a"}})
	inherited := []kubeovn.Provider{kubeovn.DefaultProvider}
	strict := map[string]string{"ovn.kubernetes.io/port_security": "true"}
	for i := range n {
		name := fmt.Sprintf("p%d", i)
		inv.SetPod(
			&Pod{
				PodKey:      PodKey{"crowd", name},
				Owner:       name,
				Labels:      map[string]string{"app": "web"},
				Annotations: strict,
				Inherited:   inherited,
			},
		)
	}
	inv.SetPod(&Pod{PodKey: PodKey{"crowd", "careful"}, Owner: "careful", Annotations: strict})
	inv.SetPod(&Pod{PodKey: PodKey{"crowd", "node"}, Owner: "node", HostNetwork: true})
	inv.SetPod(&Pod{PodKey: PodKey{"crowd", "done"}, Owner: "done", Finished: true})
	return inv
}

// nothing is a repair that writes no port.
func nothing(Port) bool { return false }

func TestNamespaceEffect(t *testing.T) {
	inv := manyPods(3)
	annotated := func(value string) policy.Namespace {
		return policy.Namespace{
			Name:        "crowd",
			Labels:      map[string]string{"team": "a"},
			Annotations: map[string]string{"ovn.kubernetes.io/port_security": value},
		}
	}
	if diff := cmp.Diff(
		Effect{Ports: 4, Looser: 3, Kept: 3, Names: []string{"p0.crowd", "p1.crowd", "p2.crowd"}},
		inv.NamespaceEffect(annotated("false"), nothing, time.Time{}),
	); diff != "" {
		t.Errorf("loosened: -want +got\n%s", diff)
	}
	inv.SetNamespace(annotated("false"))
	if diff := cmp.Diff(
		Effect{Ports: 4, Tighter: 3, Kept: 3, Names: []string{"p0.crowd", "p1.crowd", "p2.crowd"}},
		inv.NamespaceEffect(annotated("true"), nothing, time.Time{}),
	); diff != "" {
		t.Errorf("tightened: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(
		Effect{},
		inv.NamespaceEffect(policy.Namespace{Name: "empty"}, nothing, time.Time{}),
	); diff != "" {
		t.Errorf("no pods: -want +got\n%s", diff)
	}
}

func TestPolicyEffect(t *testing.T) {
	inv := manyPods(3)
	teamA := func(l map[string]string) bool { return l["team"] == "a" }
	loose := policy.Policy{Name: "loose", Namespaces: teamA, Level: policy.MAC}
	if diff := cmp.Diff(
		Effect{Ports: 4, Looser: 4, Kept: 4, Names: []string{"careful.crowd", "p0.crowd", "p1.crowd", "p2.crowd"}},
		inv.PolicyEffect("loose", &loose, nothing, time.Time{}),
	); diff != "" {
		t.Errorf("added: -want +got\n%s", diff)
	}
	inv.SetPolicy(loose)
	if diff := cmp.Diff(
		Effect{Ports: 4, Tighter: 4, Kept: 4, Names: []string{"careful.crowd", "p0.crowd", "p1.crowd", "p2.crowd"}},
		inv.PolicyEffect("loose", nil, nothing, time.Time{}),
	); diff != "" {
		t.Errorf("removed: -want +got\n%s", diff)
	}
	// From log to repair, nothing changes in what ports may send, and each may be written.
	logs, repairs := loose, loose
	logs.Repair, repairs.Repair = policy.RepairLog, policy.RepairOn
	inv.SetPolicy(logs)
	wrong := func(p Port) bool { return p.Name == "p1.crowd" && p.Decision.Repairs() }
	if diff := cmp.Diff(
		Effect{Ports: 4, Repaired: 4, Rewritten: 1, Names: []string{"p1.crowd"}},
		inv.PolicyEffect("loose", &repairs, wrong, time.Time{}),
	); diff != "" {
		t.Errorf("repair begins: -want +got\n%s", diff)
	}
	inv.SetPolicy(loose)
	attached := policy.Policy{Name: "attached", Priority: 1, Providers: policy.Providers{"blue.crowd.ovn"}}
	if diff := cmp.Diff(Effect{}, inv.PolicyEffect("attached", &attached, nothing, time.Time{})); diff != "" {
		t.Errorf("for other NICs: -want +got\n%s", diff)
	}
	other := policy.Policy{
		Name:       "other",
		Namespaces: func(l map[string]string) bool { return l["team"] == "b" },
		Level:      policy.Open,
	}
	if diff := cmp.Diff(Effect{}, inv.PolicyEffect("other", &other, nothing, time.Time{})); diff != "" {
		t.Errorf("for others: -want +got\n%s", diff)
	}
	// A key that counts only at creation changes nothing for a running port.
	asks := loose
	asks.ForbidsOthers, asks.ExternalAddresses = true, true
	if diff := cmp.Diff(Effect{Ports: 4}, inv.PolicyEffect("loose", &asks, nothing, time.Time{})); diff != "" {
		t.Errorf("for new pods alone: -want +got\n%s", diff)
	}
	warns := loose
	warns.Mode = policy.Warn
	if diff := cmp.Diff(
		Effect{Ports: 4, Unprotected: 4},
		inv.PolicyEffect("loose", &warns, nothing, time.Time{}),
	); diff != "" {
		t.Errorf("not enforced any more: -want +got\n%s", diff)
	}
	moved := loose
	moved.Namespaces = other.Namespaces
	if diff := cmp.Diff(
		Effect{Ports: 4, Tighter: 4, Kept: 4, Names: []string{"careful.crowd", "p0.crowd", "p1.crowd", "p2.crowd"}},
		inv.PolicyEffect("loose", &moved, nothing, time.Time{}),
	); diff != "" {
		t.Errorf("moved away: -want +got\n%s", diff)
	}
}

// The author of a policy waits while repair is asked about ports, so the number of questions is bounded.
func TestPolicyEffectIsBounded(t *testing.T) {
	inv := manyPods(asksLimit + 500)
	asked := 0
	rewrites := func(Port) bool {
		asked++
		return true
	}
	repairs := policy.Policy{Name: "p", Repair: policy.RepairOn}
	e := inv.PolicyEffect("p", &repairs, rewrites, time.Time{})
	all := asksLimit + 501
	if asked != asksLimit || e.Rewritten != asksLimit || e.Unasked != 501 || e.Repaired != all || e.Ports != all {
		t.Errorf("repair was asked %d times: %+v", asked, e)
	}
}

// One edit may grant a port something and take something away; a port that repair writes does not count as kept.
func TestPolicyEffectCountsBoth(t *testing.T) {
	inv := manyPods(1)
	limits := policy.Limits{Pairs: 8, Prefix4: 8, Prefix6: 64, Lifetime: policy.DefaultLifetime, Level: policy.Open}
	now := policy.Policy{Name: "p", ExceptionsIn: []string{"crowd"}, Limits: limits, Repair: policy.RepairOn}
	inv.SetPolicy(now)
	inv.SetException(policy.Exception{
		Namespace: "crowd", Name: "router", Pods: func(l map[string]string) bool { return l["app"] == "web" },
		Asked: time.Unix(0, 0), Expires: time.Unix(100, 0),
		Pairs: []portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.8.0.0/24")}},
	})
	then := now
	then.ExceptionsIn, then.Forwarding = nil, policy.Allow
	e := inv.PolicyEffect("p", &then, nothing, time.Unix(50, 0))
	if e.Tighter != 1 || e.Kept != 0 {
		t.Errorf("without the exception, repaired: %+v", e)
	}
}

func TestTargets(t *testing.T) {
	inv := manyPods(2)
	e := policy.Exception{Namespace: "crowd", Pods: func(l map[string]string) bool { return l["app"] == "web" }}
	if diff := cmp.Diff([]string{"p0.crowd", "p1.crowd"}, inv.Targets(&e)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	e.Providers = policy.Providers{"blue.crowd.ovn"}
	if got := inv.Targets(&e); len(got) > 0 {
		t.Errorf("a NIC that no pod has is a target: %v", got)
	}
}

// The effect of a namespace's edit on 10,000 pods is computed while its author waits: the bar is 100 ms.
func BenchmarkNamespaceEffect(b *testing.B) {
	inv := manyPods(10_000)
	for i := range 20 {
		team, app := fmt.Sprint("t", i), fmt.Sprint("a", i)
		inv.SetPolicy(policy.Policy{
			Name: fmt.Sprintf("p%d", i), Priority: int32(i), Level: policy.MAC,
			Namespaces: func(l map[string]string) bool { return l["team"] == team },
		})
		inv.SetException(policy.Exception{
			Namespace: "crowd",
			Name:      fmt.Sprintf("e%d", i),
			Pods:      func(l map[string]string) bool { return l["app"] == app },
		})
	}
	ns := policy.Namespace{Name: "crowd", Annotations: map[string]string{"ovn.kubernetes.io/port_security": "false"}}
	for b.Loop() {
		if e := inv.NamespaceEffect(ns, nothing, time.Time{}); e.Looser != 10_000 {
			b.Fatal(e)
		}
	}
}
