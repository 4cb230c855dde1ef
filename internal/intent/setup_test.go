package intent

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
	"sigs.k8s.io/yaml"
)

// town is the cluster of the tables: a shop with a database, a lab with somebody who poses as others, and a node.
func town() Cluster {
	addresses := func(text string) (all []netip.Addr) {
		for a := range strings.FieldsSeq(text) {
			all = append(all, netip.MustParseAddr(a))
		}
		return all
	}
	return Cluster{
		Namespaces: map[string]map[string]string{
			"shop": {metadataName: "shop", "team": "blue"},
			"lab":  {metadataName: "lab", "team": "red"},
			"host": {metadataName: "host"},
		},
		Pods: []Pod{
			{
				Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web", "tier": "front"},
				Addresses: addresses("10.0.0.1 fd00::1"),
			},
			{
				Namespace: "shop", Name: "db", Labels: map[string]string{"app": "db"},
				Addresses: addresses("10.0.0.2 fd00::2"),
				Ports:     []NamedPort{{"pg", TCP, 5432}, {"stats", UDP, 9000}},
			},
			{
				Namespace: "shop", Name: "db2", Labels: map[string]string{"app": "db", "tier": "back"},
				Addresses: addresses("10.0.0.3 fd00::3"),
				Ports:     []NamedPort{{Name: "pg", Number: 6432}},
			},
			{
				Namespace: "lab", Name: "mallory", Labels: map[string]string{"app": "web"},
				Addresses: addresses("10.0.1.1 fd00::101"),
			},
			{Namespace: "lab", Name: "bench", Addresses: addresses("10.0.1.2 fd00::102")},
			{
				Namespace: "host", Name: "agent", Labels: map[string]string{"app": "web"},
				Addresses: addresses("192.168.0.1"), HostNetwork: true,
			},
			{
				Namespace: "lab",
				Name:      "twin1",
				Labels:    map[string]string{"twin": "1"},
				Addresses: addresses("10.0.2.1"),
				Ports:     []NamedPort{{"pg", TCP, 1}},
			},
			{
				Namespace: "lab",
				Name:      "twin2",
				Labels:    map[string]string{"twin": "2"},
				Addresses: addresses("10.0.2.1"),
				Ports:     []NamedPort{{"pg", TCP, 2}},
			},
		},
	}
}

// read adds objects in YAML to a cluster.
func read(t testing.TB, c *Cluster, text string) {
	t.Helper()
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var kind struct{ Kind string }
		decode(t, doc, &kind)
		switch kind.Kind {
		case "":
		case KindNetworkPolicy:
			o := new(networkingv1.NetworkPolicy)
			decode(t, doc, o)
			c.NetworkPolicies = append(c.NetworkPolicies, o)
		case KindClusterNetworkPolicy:
			o := new(v1alpha2.ClusterNetworkPolicy)
			decode(t, doc, o)
			c.ClusterNetworkPolicies = append(c.ClusterNetworkPolicies, o)
		case KindAdminNetworkPolicy:
			o := new(v1alpha1.AdminNetworkPolicy)
			decode(t, doc, o)
			c.AdminNetworkPolicies = append(c.AdminNetworkPolicies, o)
		case KindBaselineAdminNetworkPolicy:
			o := new(v1alpha1.BaselineAdminNetworkPolicy)
			decode(t, doc, o)
			c.BaselineAdminNetworkPolicies = append(c.BaselineAdminNetworkPolicies, o)
		default:
			t.Fatalf("kind %q", kind.Kind)
		}
	}
}

func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// parsePacket reads "mallory as web > db TCP/5432". A place is a pod, its IPv6 address as "db6", or an address.
func parsePacket(t testing.TB, c Cluster, text string) Packet {
	t.Helper()
	from, rest, _ := strings.Cut(text, " > ")
	from, as, forged := strings.Cut(from, " as ")
	to, port, _ := strings.Cut(rest, " ")
	protocol, number, _ := strings.Cut(port, "/")
	var p Packet
	p.Sender, p.Source = place(t, c, from)
	if forged {
		_, p.Source = place(t, c, as)
	}
	p.Receiver, p.Destination = place(t, c, to)
	n, err := strconv.ParseUint("0"+number, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	p.Protocol, p.Port = Protocol(protocol), uint16(n)
	return p
}

func place(t testing.TB, c Cluster, text string) (int, netip.Addr) {
	t.Helper()
	if a, err := netip.ParseAddr(text); err == nil {
		return -1, a
	}
	for n, p := range c.Pods {
		switch text {
		case p.Name:
			return n, p.Addresses[0]
		case p.Name + "6":
			return n, p.Addresses[1]
		}
	}
	t.Fatalf("no place %q", text)
	return 0, netip.Addr{}
}

// text returns a verdict as "denied by ingress shop/db[-1]".
func (v Verdict) text() string {
	var words []string
	if v.Unknown {
		words = append(words, "unknown,")
	}
	if v.Allowed {
		words = append(words, "allowed")
	} else {
		words = append(words, "denied")
	}
	for _, side := range []struct {
		name string
		step Step
	}{{"egress", v.Egress}, {"ingress", v.Ingress}} {
		if p := side.step.Policy; p != nil {
			name := strings.TrimPrefix(p.String(), p.Kind+" ")
			words = append(words, fmt.Sprintf("by %s %s[%d]", side.name, name, side.step.Rule))
		}
	}
	return strings.Join(words, " ")
}

// judgements checks lines of "PACKET: VERDICT".
func judgements(t *testing.T, c Cluster, lines string) {
	t.Helper()
	i := New(c)
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		packet, want, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			t.Fatalf("%q has no verdict", line)
		}
		v := i.Judge(parsePacket(t, c, packet))
		if got := v.text(); got != strings.TrimSpace(want) {
			t.Errorf("%s:\n got %s\nwant %s\negress: %s\ningress: %s", packet, got, want, v.Egress.Why, v.Ingress.Why)
		}
	}
}

// policyYAML returns a NetworkPolicy of the shop with these lines of its spec.
func policyYAML(name, spec string) string {
	return "kind: NetworkPolicy\nmetadata: {namespace: shop, name: " + name + "}\nspec: " + spec
}
