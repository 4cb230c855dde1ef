package intent

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestIngressRules(t *testing.T) {
	c := town()
	read(t, &c, policyYAML("b", `{podSelector: {matchLabels: {app: db}}, ingress: [
		{from: [{podSelector: {matchLabels: {app: web}}}, {ipBlock: {cidr: 10.0.0.0/29, except: [10.0.0.2/32, 10.0.0.4/30]}},
			{ipBlock: {cidr: 10.0.0.2/32}}], ports: [{port: pg}, {protocol: UDP, port: 1, endPort: 9}, {port: 5432}]},
		{ports: [{port: none}]}, {from: [{ipBlock: {cidr: "fd00::/64", except: ["fd00::/64"]}}, {ipBlock: {cidr: x}}]}]}`)+
		"\n---\n"+policyYAML("out", `{podSelector: {}, policyTypes: [Egress], ingress: [{}], egress: [{}]}`)+
		"\n---\n"+clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [{action: Deny, from: [{namespaces: {}}]},
			{action: Accept, `+fromRed+`, protocols: [{destinationNamedPort: stats}, {tcp: {}}]}]}`)+
		"\n---\n"+`{kind: BaselineAdminNetworkPolicy, metadata: {name: default}, spec: {subject: {}, ingress: [
			{action: Allow, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}]}]}}`)
	prefixes := func(all ...string) (p []netip.Prefix) {
		for _, text := range all {
			p = append(p, netip.MustParsePrefix(text))
		}
		return p
	}
	own := Ref{KindNetworkPolicy, "shop", "b"}
	want := []Rule{
		{
			Policy: Ref{KindClusterNetworkPolicy, "", "a"}, Index: 1, Pods: []int{3, 4, 6, 7}, Targets: []int{1, 2},
			Ports: []PortRange{{TCP, 0, 65535}, {UDP, 9000, 9000}}, Named: []string{"stats"},
		},
		{
			Policy: own, Index: 0, Pods: []int{0}, Targets: []int{1, 2},
			Sources: prefixes("10.0.0.0/30"),
			Ports:   []PortRange{{TCP, 5432, 5432}, {TCP, 6432, 6432}, {UDP, 1, 9}}, Named: []string{"pg"},
		},
		{Policy: own, Index: 1, Anyone: true, Targets: []int{1, 2}, Ports: []PortRange{}, Named: []string{"none"}},
		{Policy: own, Index: 2, Targets: []int{1, 2}, Unsure: true},
		{
			Policy: Ref{KindBaselineAdminNetworkPolicy, "", "default"}, Pods: []int{0, 3},
			Targets: []int{0, 1, 2, 3, 4, 6, 7}, Unsure: true,
		},
	}
	got := New(c).IngressRules()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	if got[2].Ports == nil {
		t.Error("no target has the port, and the rule says that it opens all")
	}
}

// A rule that IngressRules lists for a source and a target is the one by which Judge admits it, and the reverse.
func TestIngressRulesAgreeWithJudge(t *testing.T) {
	r := newRandom(t)
	for range 20 {
		c := r.cluster()
		c.ClusterNetworkPolicies, c.AdminNetworkPolicies, c.BaselineAdminNetworkPolicies = nil, nil, nil
		i := New(c)
		rules := i.IngressRules()
		for range 300 {
			p := r.packet(c)
			v := i.Judge(p).Ingress
			listed, named := false, false
			for n := range rules {
				listed = listed || rules[n].admits(i, p)
				named = named || len(rules[n].Named) > 0
			}
			// With a name of a port, a rule lists what it opens on some target, which need not be this one.
			if admitted := v.Policy != nil && v.Allowed; admitted && !listed || listed && !admitted && !named {
				t.Fatalf("listed %v, and judged %v by %v", listed, v.Allowed, v.Policy)
			}
		}
	}
}

// admits reports whether a rule, as it is listed, admits a packet.
func (r *Rule) admits(i *Intent, p Packet) bool {
	source, target, port := r.Anyone, false, r.Ports == nil
	for _, s := range r.Sources {
		source = source || s.Contains(p.Source.Unmap())
	}
	for _, pod := range r.Pods {
		for _, at := range i.PodsAt(p.Source) {
			source = source || pod == at
		}
	}
	for _, pod := range r.Targets {
		target = target || pod == p.Receiver
	}
	for _, open := range r.Ports {
		port = port || open.has(p.Protocol, p.Port)
	}
	return source && target && port
}
