package intent

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestNetworkPolicy(t *testing.T) {
	for _, c := range []struct{ name, policies, want string }{
		{"none selects", policyYAML("other", `{podSelector: {matchLabels: {app: none}}}`), `
			web > db TCP/5432: allowed
			web > 8.8.8.8 TCP/53: allowed
			8.8.8.8 > web ICMP: allowed`},
		{"default is ingress alone", policyYAML("a", `{podSelector: {}}`), `
			web > db TCP/5432: denied by ingress shop/a[-1]
			web > mallory TCP/80: allowed
			db > 8.8.8.8 UDP/53: allowed`},
		{"egress as well where it has rules", policyYAML("a", `{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}`), `
			web > mallory TCP/80: denied by egress shop/a[-1]
			web > db TCP/80: denied by egress shop/a[0] by ingress shop/a[-1]`},
		{"empty egress is not a rule for the default", policyYAML("a", `{podSelector: {}, egress: []}`), `
			web > mallory TCP/80: allowed`},
		{
			"policyTypes egress leaves ingress alone",
			policyYAML("a", `{podSelector: {}, policyTypes: [Egress], ingress: [{}]}`), `
			mallory > db TCP/80: allowed
			db > mallory TCP/80: denied by egress shop/a[-1]`,
		},
		{"empty list of rules admits nothing", policyYAML("a", `{podSelector: {}, policyTypes: [Ingress], ingress: []}`), `
			web > db TCP/80: denied by ingress shop/a[-1]`},
		{"empty rule admits all", policyYAML("a", `{podSelector: {}, ingress: [{}]}`), `
			mallory > db TCP/80: allowed by ingress shop/a[0]
			8.8.8.8 > db ICMP: allowed by ingress shop/a[0]`},
		{"empty from admits all on its ports", policyYAML("a", `{podSelector: {}, ingress: [{from: [], ports: [{port: 80}]}]}`), `
			mallory > db TCP/80: allowed by ingress shop/a[0]
			mallory > db TCP/81: denied by ingress shop/a[-1]
			mallory > db ICMP: denied by ingress shop/a[-1]`},
		{"podSelector is of the own namespace", policyYAML("a",
			`{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}`), `
			web > db TCP/80: allowed by ingress shop/a[0]
			web > db ICMP: allowed by ingress shop/a[0]
			web6 > db6 TCP/80: allowed by ingress shop/a[0]
			db2 > db TCP/80: denied by ingress shop/a[-1]
			mallory > db TCP/80: denied by ingress shop/a[-1]
			mallory as web > db TCP/80: allowed by ingress shop/a[0]
			mallory as web6 > db6 TCP/80: allowed by ingress shop/a[0]
			mallory as db2 > db TCP/80: denied by ingress shop/a[-1]
			mallory as 10.0.0.9 > db TCP/80: denied by ingress shop/a[-1]
			web as mallory > db TCP/80: denied by ingress shop/a[-1]
			10.0.0.1 > db TCP/80: allowed by ingress shop/a[0]
			mallory > web TCP/80: allowed`},
		{
			"an empty podSelector is all of the namespace",
			policyYAML("a", `{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}`), `
			web > db TCP/80: allowed by ingress shop/a[0]
			mallory > db TCP/80: denied by ingress shop/a[-1]
			8.8.8.8 > db TCP/80: denied by ingress shop/a[-1]`,
		},
		{"namespaceSelector alone", policyYAML("a",
			`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}]}]}`), `
			mallory > db TCP/80: allowed by ingress shop/a[0]
			bench > db TCP/80: allowed by ingress shop/a[0]
			web > db TCP/80: denied by ingress shop/a[-1]`},
		{"an empty namespaceSelector is all pods", policyYAML("a", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}`), `
			mallory > db TCP/80: allowed by ingress shop/a[0]
			8.8.8.8 > db TCP/80: denied by ingress shop/a[-1]
			agent > db TCP/80: denied by ingress shop/a[-1]`},
		{"both selectors", policyYAML("a", `{podSelector: {}, ingress: [{from: [
			{namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: web}}}]}]}`), `
			mallory > db TCP/80: allowed by ingress shop/a[0]
			bench > db TCP/80: denied by ingress shop/a[-1]
			web > db TCP/80: denied by ingress shop/a[-1]`},
		{"two peers are either", policyYAML("a", `{podSelector: {}, ingress: [{from: [
			{namespaceSelector: {matchLabels: {team: red}}}, {podSelector: {matchLabels: {app: web}}}]}]}`), `
			bench > db TCP/80: allowed by ingress shop/a[0]
			web > db TCP/80: allowed by ingress shop/a[0]
			db2 > db TCP/80: denied by ingress shop/a[-1]`},
		{"expressions", policyYAML("a", `{podSelector: {matchExpressions: [{key: app, operator: In, values: [db, other]}]},
			ingress: [
			{from: [{podSelector: {matchExpressions: [
				{key: tier, operator: Exists}, {key: app, operator: NotIn, values: [web]}]}}]},
			{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}]}]}`), `
			db2 > db TCP/80: allowed by ingress shop/a[0]
			web > db TCP/80: denied by ingress shop/a[-1]
			bench > db TCP/80: allowed by ingress shop/a[1]
			mallory > db TCP/80: denied by ingress shop/a[-1]
			mallory > web TCP/80: allowed`},
		{"NotIn selects what has no such label", policyYAML("a",
			`{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [front]}]}}]}]}`), `
			db > web TCP/80: allowed by ingress shop/a[0]
			db2 > web TCP/80: allowed by ingress shop/a[0]
			web > db TCP/80: denied by ingress shop/a[-1]`},
		{"ipBlock", policyYAML("a", `{podSelector: {}, ingress: [{from: [
			{ipBlock: {cidr: 10.0.0.5/16, except: [10.0.0.0/24, 10.0.1.2/32]}},
			{ipBlock: {cidr: "fd00::/64", except: ["fd00::100/120"]}}]}]}`), `
			mallory > db TCP/80: allowed by ingress shop/a[0]
			10.0.9.9 > db TCP/80: allowed by ingress shop/a[0]
			bench > db TCP/80: denied by ingress shop/a[-1]
			web > db TCP/80: denied by ingress shop/a[-1]
			web as 10.0.9.9 > db TCP/80: allowed by ingress shop/a[0]
			web6 > db6 TCP/80: allowed by ingress shop/a[0]
			mallory6 > db6 TCP/80: denied by ingress shop/a[-1]
			::ffff:10.0.9.9 > db TCP/80: allowed by ingress shop/a[0]
			11.0.0.1 > db TCP/80: denied by ingress shop/a[-1]`},
		{"protocols and ranges", policyYAML("a", `{podSelector: {}, ingress: [{ports: [
			{port: 100, endPort: 200}, {protocol: SCTP, port: 7}, {protocol: UDP}]}]}`), `
			web > db TCP/99: denied by ingress shop/a[-1]
			web > db TCP/100: allowed by ingress shop/a[0]
			web > db TCP/200: allowed by ingress shop/a[0]
			web > db TCP/201: denied by ingress shop/a[-1]
			web > db SCTP/7: allowed by ingress shop/a[0]
			web > db SCTP/8: denied by ingress shop/a[-1]
			web > db TCP/7: denied by ingress shop/a[-1]
			web > db UDP/1: allowed by ingress shop/a[0]
			web > db UDP/65535: allowed by ingress shop/a[0]
			web > db ICMP: denied by ingress shop/a[-1]`},
		{"a name is what each target has for it", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{port: pg}]}]}`), `
			web > db TCP/5432: allowed by ingress shop/a[0]
			web > db TCP/6432: denied by ingress shop/a[-1]
			web > db UDP/5432: denied by ingress shop/a[-1]
			web > db2 TCP/6432: allowed by ingress shop/a[0]
			web > db2 TCP/5432: denied by ingress shop/a[-1]
			db > web TCP/5432: denied by ingress shop/a[-1]`},
		{"a name of another protocol", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{port: stats}, {port: pg, protocol: UDP}]}]}`), `
			web > db UDP/9000: denied by ingress shop/a[-1]
			web > db TCP/5432: denied by ingress shop/a[-1]`},
		{"egress by name is what the destination has", policyYAML("a", `{podSelector: {matchLabels: {app: web}},
			policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: pg}]}, {ports: [{port: stats, protocol: UDP}]}]}`), `
			web > db TCP/5432: allowed by egress shop/a[0]
			web > db2 TCP/5432: denied by egress shop/a[-1]
			web > db2 TCP/6432: allowed by egress shop/a[0]
			web > db UDP/9000: allowed by egress shop/a[1]
			web > 8.8.8.8 TCP/5432: denied by egress shop/a[-1]`},
		{"egress to a Service is not egress to its pods", policyYAML("a", `{podSelector: {}, policyTypes: [Egress], egress: [
			{to: [{podSelector: {}}]}, {to: [{ipBlock: {cidr: 10.96.0.0/12}}], ports: [{port: 443}]}]}`), `
			web > 10.96.0.1 TCP/443: allowed by egress shop/a[1]
			web > 10.96.0.1 TCP/80: denied by egress shop/a[-1]
			web > db TCP/80: allowed by egress shop/a[0]`},
		{"egress counts for who sends, whatever the source", policyYAML("a", `{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}`), `
			web as db > mallory TCP/80: denied by egress shop/a[-1]
			mallory as web > db TCP/80: allowed
			10.0.0.1 > db TCP/80: allowed`},
		{"two policies add up", policyYAML("a", `{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}`) +
			"\n---\n" + policyYAML("b", `{podSelector: {matchLabels: {app: db}}, ingress: [{}, {from: []}]}`), `
			web > db TCP/80: allowed by ingress shop/a[0]
			mallory > db TCP/80: allowed by ingress shop/b[0]
			mallory > web TCP/80: denied by ingress shop/a[-1]`},
		{
			"pods on the host's network are neither selected nor trusted",
			`{kind: NetworkPolicy, metadata: {namespace: host, name: a}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}` +
				"\n---\n" + policyYAML("b", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {}}]}]}`), `
			web > agent TCP/80: allowed
			agent > web TCP/80: denied by ingress shop/b[-1]
			mallory as agent > web TCP/80: denied by ingress shop/b[-1]`,
		},
		{"all who have an address count", policyYAML("a", `{podSelector: {matchLabels: {app: db}}, ingress: [
			{from: [{namespaceSelector: {}, podSelector: {matchLabels: {twin: "2"}}}]}]}`) + "\n---\n" +
			policyYAML("b", `{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [
			{to: [{namespaceSelector: {}, podSelector: {matchLabels: {twin: "2"}}}], ports: [{port: pg}]}]}`), `
			twin1 > db TCP/80: allowed by ingress shop/a[0]
			web > twin1 TCP/1: denied by egress shop/b[-1]
			web > twin1 TCP/2: allowed by egress shop/b[0]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := town()
			read(t, &cluster, c.policies)
			judgements(t, cluster, c.want)
			if problems := New(cluster).Problems(); len(problems) > 0 {
				t.Errorf("problems: %q", problems)
			}
		})
	}
}

// What cannot be read is said, and makes unknown what depends on it, and nothing else.
func TestNetworkPolicyNotUnderstood(t *testing.T) {
	for _, c := range []struct{ name, policy, problem, want string }{
		{
			"selector", policyYAML("a", `{podSelector: {matchExpressions: [{key: app, operator: Like, values: [x]}]},
			ingress: [{from: [{podSelector: {}}]}]}`),
			`NetworkPolicy shop/a: spec.podSelector: `, `
			mallory > db TCP/80: unknown, allowed
			mallory > bench TCP/80: allowed`,
		},
		{
			"peer's selector", policyYAML("a", `{podSelector: {}, ingress: [{from: [
			{podSelector: {matchLabels: {app: "web web"}}}, {podSelector: {matchLabels: {app: web}}}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].from[0].podSelector: `, `
			web > db TCP/80: allowed by ingress shop/a[0]
			mallory > db TCP/80: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"block", policyYAML("a", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}], ports: [{port: 80}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].from[0].ipBlock.cidr: "10.0.0.0" is no range`, `
			web > db TCP/80: unknown, denied by ingress shop/a[-1]
			web > db TCP/81: denied by ingress shop/a[-1]`,
		},
		{
			"exception", policyYAML("a", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [x]}}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].from[0].ipBlock.except[0]: "x" is no range`, `
			web > db TCP/80: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"peer of a later version", policyYAML("a", `{podSelector: {}, ingress: [{from: [{serviceSelector: {}}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].from[0]: a peer is an ipBlock`, `
			web > db TCP/80: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"type", policyYAML("a", `{podSelector: {}, policyTypes: [ingress], ingress: [{ports: [{port: 80}]}]}`),
			`NetworkPolicy shop/a: spec.policyTypes[0]: "ingress" is neither`, `
			web > db TCP/81: unknown, allowed`,
		},
		{
			"protocol", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{protocol: tcp, port: 80}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].ports[0]: "tcp" is none of`, `
			web > db TCP/80: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"number", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{port: 70000}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].ports[0]: the ports 70000 to 70000 are no range`, `
			web > db TCP/4464: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"range", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{port: 80, endPort: 79}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].ports[0]: the ports 80 to 79 are no range`, `
			web > db TCP/80: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"end of a name", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{port: pg, endPort: 79}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].ports[0].endPort: it needs a port`, `
			web > db TCP/5432: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"number as name", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{port: "80"}]}]}`),
			`NetworkPolicy shop/a: spec.ingress[0].ports[0]: "80" is no name`, `
			web > db TCP/80: unknown, denied by ingress shop/a[-1]`,
		},
		{
			"the other side refuses for certain", policyYAML("a", `{podSelector: {}, ingress: [{ports: [{port: "80"}]}]}`) + "\n---\n" +
				policyYAML("b", `{podSelector: {}, policyTypes: [Egress]}`),
			`NetworkPolicy shop/a: spec.ingress[0].ports[0]: `, `
			web > db TCP/80: denied by egress shop/b[-1] by ingress shop/a[-1]`,
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

// A namespace that nobody described has the label that each namespace has, and is a problem.
func TestUnknownNamespace(t *testing.T) {
	c := town()
	delete(c.Namespaces, "lab")
	read(t, &c, policyYAML(
		"a",
		`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}]}]}`,
	))
	judgements(t, c, `
		mallory > db TCP/80: allowed by ingress shop/a[0]
		web > db TCP/80: denied by ingress shop/a[-1]`)
	if p := New(c).Problems(); len(p) != 1 || !strings.HasPrefix(p[0], "Namespace lab: ") {
		t.Errorf("problems: %q", p)
	}
}

// A step says what decided, and which policies isolate the pod.
func TestSteps(t *testing.T) {
	c := town()
	read(
		t,
		&c,
		policyYAML("a", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}`)+"\n---\n"+
			policyYAML("b", `{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress]}`),
	)
	i := New(c)
	for _, want := range []struct{ packet, egress, ingress, isolating string }{
		{
			"web > db TCP/80", "no policy selects the pod in this direction",
			"spec.ingress[0] of NetworkPolicy shop/a admits it", "NetworkPolicy shop/a, NetworkPolicy shop/b",
		},
		{
			"web > db TCP/81", "no policy selects the pod in this direction",
			"spec.ingress[0] of NetworkPolicy shop/a is about this source, but not about the port",
			"NetworkPolicy shop/a, NetworkPolicy shop/b",
		},
		{
			"mallory > web TCP/81", "no policy selects the pod in this direction",
			"no rule of spec.ingress admits it in NetworkPolicy shop/a", "NetworkPolicy shop/a",
		},
		{
			"db > 8.8.8.8 TCP/81", "no rule of spec.egress admits it in NetworkPolicy shop/b",
			"no pod, so that no policy counts", "",
		},
		{
			"agent > bench TCP/81", "the pod is on the host's network, where no policy counts",
			"no policy selects the pod in this direction", "",
		},
	} {
		v := i.Judge(parsePacket(t, c, want.packet))
		if v.Egress.Why != want.egress || v.Ingress.Why != want.ingress ||
			names(v.Ingress.Isolating) != want.isolating {
			t.Errorf("%s:\n%q\n%q\n%q", want.packet, v.Egress.Why, v.Ingress.Why, names(v.Ingress.Isolating))
		}
	}
}

func TestPodsAt(t *testing.T) {
	c := town()
	i := New(c)
	for text, want := range map[string][]int{
		"10.0.0.2": {1}, "::ffff:10.0.0.2": {1}, "fd00::2": {1}, "10.0.2.1": {6, 7}, "192.168.0.1": nil, "8.8.8.8": nil,
	} {
		if got := i.PodsAt(netip.MustParseAddr(text)); !slices.Equal(got, want) {
			t.Errorf("pods at %s: %v, want %v", text, got, want)
		}
	}
}
