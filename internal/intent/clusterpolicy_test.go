package intent

import (
	"strings"
	"testing"
)

// clusterYAML returns a ClusterNetworkPolicy with these lines of its spec.
func clusterYAML(name, spec string) string {
	return "kind: ClusterNetworkPolicy\nmetadata: {name: " + name + "}\nspec: " + spec
}

const (
	everywhere = `subject: {namespaces: {}}`
	toDB       = `subject: {pods: {namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: db}}}}`
	fromRed    = `from: [{namespaces: {matchLabels: {team: red}}}]`
)

func TestClusterNetworkPolicy(t *testing.T) {
	own := policyYAML("own", `{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {}}]}]}`)
	for _, c := range []struct {
		name, want string
		policies   []string
	}{
		{
			"Admin refuses what a NetworkPolicy admits", `
			web > db TCP/80: allowed by ingress shop/own[0]
			db2 > db TCP/80: denied by ingress a[0]
			db2 > web TCP/80: allowed
			8.8.8.8 > db TCP/80: denied by ingress shop/own[-1]`,
			[]string{own, clusterYAML("a", `{tier: Admin, priority: 5, `+toDB+`, ingress: [{action: Deny,
				from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {tier: back}}}}]}]}`)},
		},
		{
			"Admin accepts what a NetworkPolicy refuses", `
			mallory > db TCP/80: allowed by ingress a[0]
			web as mallory > db TCP/80: allowed by ingress a[0]
			mallory as web > db TCP/80: allowed by ingress shop/own[0]
			10.0.9.9 > db TCP/80: denied by ingress shop/own[-1]`,
			[]string{own, clusterYAML("a", `{tier: Admin, priority: 5, `+toDB+`, ingress: [{action: Accept, `+fromRed+`}]}`)},
		},
		{
			"lower numbers come first, then earlier rules", `
			mallory > db TCP/80: allowed by ingress first[0]
			mallory > db TCP/81: denied by ingress first[1]
			mallory > db UDP/80: allowed by ingress second[0]
			mallory > bench TCP/80: allowed`,
			[]string{
				clusterYAML("second", `{tier: Admin, priority: 6, `+toDB+`, ingress: [{action: Accept, `+fromRed+`}]}`),
				clusterYAML("first", `{tier: Admin, priority: 5, `+toDB+`, ingress: [
				{action: Accept, protocols: [{tcp: {destinationPort: {number: 80}}}], `+fromRed+`},
				{action: Deny, protocols: [{tcp: {}}], `+fromRed+`}]}`),
			},
		},
		{
			"Pass leaves the tier", `
			mallory > db TCP/80: denied by ingress shop/own[-1]
			mallory > web TCP/80: denied by ingress baseline[0]
			web > db TCP/80: denied by ingress last[0]`,
			[]string{
				own, clusterYAML("first", `{tier: Admin, priority: 1, `+everywhere+`, ingress: [{action: Pass, `+fromRed+`}]}`),
				clusterYAML("last", `{tier: Admin, priority: 2, `+everywhere+`, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`),
				clusterYAML("baseline", `{tier: Baseline, priority: 2, `+everywhere+`, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`),
			},
		},
		{
			"Baseline counts where no NetworkPolicy isolates, and Pass there admits", `
			web > db TCP/80: allowed by ingress shop/own[0]
			mallory > web TCP/80: denied by ingress baseline[1]
			mallory > web TCP/443: allowed
			8.8.8.8 > web TCP/80: allowed
			db > 8.8.8.8 TCP/80: denied by egress baseline[0]
			db > 8.8.8.8 ICMP: denied by egress baseline[0]`,
			[]string{own, clusterYAML("baseline", `{tier: Baseline, priority: 9, `+everywhere+`,
				ingress: [{action: Pass, from: [{namespaces: {}}],
					protocols: [{tcp: {destinationPort: {range: {start: 440, end: 450}}}}]},
				{action: Deny, from: [{namespaces: {}}]}],
				egress: [{action: Deny, to: [{networks: [0.0.0.0/5, 8.0.0.0/8, "2001:db8::/32"]}]}]}`)},
		},
		{
			"a network is also of pods", `
			web > db TCP/80: denied by egress a[0]
			web6 > db6 TCP/80: allowed`,
			[]string{clusterYAML("a", `{tier: Admin, priority: 1, `+everywhere+`, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}`)},
		},
		{
			"names of ports have the protocol that the container says", `
			web > db TCP/5432: denied by ingress a[0]
			web > db2 TCP/5432: allowed
			web > db2 TCP/6432: denied by ingress a[0]
			web > db UDP/9000: denied by ingress a[0]
			web > db UDP/5432: allowed
			web > db SCTP/7: denied by ingress a[0]
			web > db SCTP/8: allowed
			web > db UDP/53: denied by ingress a[0]
			web > db ICMP: allowed`,
			[]string{clusterYAML("a", `{tier: Admin, priority: 1, `+everywhere+`, ingress: [{action: Deny, from: [{namespaces: {}}],
				protocols: [{destinationNamedPort: pg}, {destinationNamedPort: stats}, {sctp: {destinationPort: {number: 7}}},
				{udp: {destinationPort: {number: 53}}}]}]}`)},
		},
		{
			"neither host's pods nor the outside are peers of ingress", `
			agent > web TCP/80: allowed
			8.8.8.8 > web TCP/80: allowed
			web > agent TCP/80: allowed
			web > db TCP/80: denied by ingress a[0]`,
			[]string{clusterYAML("a", `{tier: Admin, priority: 1, `+everywhere+`, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`)},
		},
		{
			"AdminNetworkPolicy and its baseline", `
			mallory > db TCP/80: allowed by ingress admin[0]
			mallory > db TCP/6432: denied by ingress shop/own[-1]
			mallory > db2 TCP/6432: allowed by ingress admin[0]
			mallory > db UDP/80: denied by ingress shop/own[-1]
			mallory > web TCP/443: allowed by ingress default[0]
			mallory > web TCP/81: denied by ingress default[1]
			web > bench TCP/81: denied by ingress default[1]
			web > 8.8.8.8 TCP/100: denied by egress admin[1]
			web > 8.8.8.8 TCP/201: allowed
			web > 9.9.9.9 TCP/100: allowed`,
			[]string{
				own,
				`{kind: AdminNetworkPolicy, metadata: {name: admin}, spec: {priority: 3, ` + everywhere + `,
				ingress: [{action: Allow, ports: [{portNumber: {port: 80}}, {namedPort: pg}],
					from: [{pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {}}}]},
					{action: Pass, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}],
				egress: [{action: Pass, to: [{namespaces: {}}]},
				{action: Deny, to: [{networks: [8.8.8.0/24]}], ports: [{portRange: {start: 100, end: 200}}]}]}}`,
				`{kind: BaselineAdminNetworkPolicy, metadata: {name: default}, spec: {` + everywhere + `,
				ingress: [{action: Allow, ports: [{portNumber: {protocol: TCP, port: 443}}], from: [{namespaces: {}}]},
					{action: Deny, from: [{namespaces: {}}]}]}}`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := town()
			if strings.HasPrefix(c.name, "Admin") {
				// mallory's port name counts nowhere: it is the receiver's that does.
				cluster.Pods[3].Ports = []NamedPort{{"pg", TCP, 80}}
			}
			for _, p := range c.policies {
				read(t, &cluster, p)
			}
			judgements(t, cluster, c.want)
			if problems := New(cluster).Problems(); len(problems) > 0 {
				t.Errorf("problems: %q", problems)
			}
		})
	}
}

// What is not known here or was not understood is a problem, and unknown only where it could change the answer.
func TestClusterPolicyNotUnderstood(t *testing.T) {
	for _, c := range []struct{ name, policy, problem, want string }{
		{
			"nodes", clusterYAML("a", `{tier: Admin, priority: 1, `+everywhere+`, egress: [
			{action: Deny, to: [{nodes: {}}], protocols: [{tcp: {destinationPort: {number: 10250}}}]}]}`),
			`ClusterNetworkPolicy a: spec.egress[0].to[0].nodes: `, `
			web > 192.168.0.1 TCP/10250: unknown, allowed
			web > agent TCP/10250: unknown, allowed
			web > 192.168.0.1 TCP/80: allowed
			web > db TCP/10250: allowed`,
		},
		{
			"names", clusterYAML("a", `{tier: Admin, priority: 1, `+everywhere+`, egress: [
			{action: Accept, to: [{domainNames: ["*.example.org"]}]}, {action: Deny, to: [{networks: [8.0.0.0/8]}]}]}`),
			`ClusterNetworkPolicy a: spec.egress[0].to[0].domainNames: `, `
			web > 8.8.8.8 TCP/80: unknown, denied by egress a[1]
			web > 9.9.9.9 TCP/80: allowed`,
		},
		{
			"names of the older kind", `{kind: AdminNetworkPolicy, metadata: {name: a}, spec: {priority: 1, ` + everywhere + `,
			egress: [{action: Allow, to: [{domainNames: [a.example.org]}]}, {action: Deny, to: [{networks: [8.0.0.0/8]}]}]}}`,
			`AdminNetworkPolicy a: spec.egress[0].to[0].domainNames: `, `
			web > 8.8.8.8 TCP/80: unknown, denied by egress a[1]`,
		},
		{
			"nodes of the baseline", `{kind: BaselineAdminNetworkPolicy, metadata: {name: default}, spec: {` + everywhere + `,
			egress: [{action: Deny, to: [{nodes: {}}]}]}}`,
			`BaselineAdminNetworkPolicy default: spec.egress[0].to[0].nodes: `, `
			web > 8.8.8.8 TCP/80: unknown, allowed`,
		},
		{
			"a peer of a later version is refused", clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [
			{action: Pass, from: [{services: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}`),
			`ClusterNetworkPolicy a: spec.ingress[0].from[0]: a peer has one field`, `
			8.8.8.8 > db UDP/7: denied by ingress a[0]
			8.8.8.8 > web UDP/7: allowed`,
		},
		{
			"and not accepted", clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [
			{action: Accept, from: [{namespaces: {}}, {services: {}}]}, {action: Deny, from: [{namespaces: {}}]}]}`),
			`ClusterNetworkPolicy a: spec.ingress[0].from[1]: a peer has one field`, `
			web > db TCP/80: denied by ingress a[1]`,
		},
		{
			"action", clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [{action: Allow, from: [{namespaces: {}}]}]}`),
			`ClusterNetworkPolicy a: spec.ingress[0].action: "Allow" is no action`, `
			web > db TCP/80: unknown, allowed
			8.8.8.8 > db TCP/80: allowed`,
		},
		{
			"tier", clusterYAML("a", `{tier: admin, priority: 1, `+toDB+`, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`),
			`ClusterNetworkPolicy a: spec.tier: "admin" is neither`, `
			web > db TCP/80: unknown, allowed
			web > web TCP/80: allowed`,
		},
		{
			"no peers", clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [{action: Deny}]}`),
			`ClusterNetworkPolicy a: spec.ingress[0].from: it needs at least one peer`, `
			web > db TCP/80: unknown, allowed`,
		},
		{
			"subject", clusterYAML("a", `{tier: Admin, priority: 1, subject: {}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`),
			`ClusterNetworkPolicy a: spec.subject: it needs one of`, `
			web > db TCP/80: unknown, allowed
			8.8.8.8 > db TCP/80: allowed`,
		},
		{
			"protocol of a later version", clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [
			{action: Deny, from: [{namespaces: {}}], protocols: [{icmp: {}}]}]}`),
			`ClusterNetworkPolicy a: spec.ingress[0].protocols[0]: a protocol has one field`, `
			web > db ICMP: unknown, allowed
			8.8.8.8 > db ICMP: allowed`,
		},
		{
			"port", clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [
			{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {}}}]}]}`),
			`ClusterNetworkPolicy a: spec.ingress[0].protocols[0].destinationPort: it needs one`, `
			web > db TCP/1: unknown, allowed`,
		},
		{
			"older port", `{kind: AdminNetworkPolicy, metadata: {name: a}, spec: {priority: 1, ` + everywhere + `,
			egress: [{action: Deny, to: [{namespaces: {}}], ports: [{}]}]}}`,
			`AdminNetworkPolicy a: spec.egress[0].ports[0]: a port has one field`, `
			web > db TCP/80: unknown, allowed`,
		},
		{
			"unknown and then the same is known", clusterYAML("a", `{tier: Admin, priority: 1, `+everywhere+`, egress: [
			{action: Deny, to: [{nodes: {}}]}, {action: Deny, to: [{networks: [8.0.0.0/8]}]}]}`),
			`ClusterNetworkPolicy a: spec.egress[0].to[0].nodes: `, `
			web > 8.8.8.8 TCP/80: denied by egress a[1]`,
		},
		{
			"same priority", clusterYAML("b", `{tier: Admin, priority: 1, `+toDB+`, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`) +
				"\n---\n" + clusterYAML("a", `{tier: Admin, priority: 1, `+toDB+`, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`),
			`ClusterNetworkPolicy b: spec.priority: ClusterNetworkPolicy a has the same priority`, `
			web > db TCP/80: allowed by ingress a[0]`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := town()
			read(t, &cluster, c.policy)
			judgements(t, cluster, c.want)
			problems := New(cluster).Problems()
			if len(problems) != 1 || !strings.HasPrefix(problems[0], c.problem) {
				t.Errorf("problems are %q and not one that begins with %q", problems, c.problem)
			}
		})
	}
}

// An unknown step names the rule that could decide otherwise.
func TestUnknownSaysWhy(t *testing.T) {
	c := town()
	read(
		t,
		&c,
		clusterYAML("a", `{tier: Admin, priority: 1, `+everywhere+`, egress: [{action: Deny, to: [{nodes: {}}]}]}`),
	)
	v := New(c).Judge(parsePacket(t, c, "web > 8.8.8.8 TCP/80"))
	const want = "no policy that selects the pod refuses it; " +
		"spec.egress[0] of ClusterNetworkPolicy a may decide otherwise: part of it cannot be judged here"
	if !v.Egress.Unknown || v.Egress.Why != want {
		t.Errorf("%v %q", v.Egress.Unknown, v.Egress.Why)
	}
}
