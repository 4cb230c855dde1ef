package upstream

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
)

// policyCluster has a database with a sidecar, and a client with an attachment, on subnets of this protocol.
func policyCluster(protocol string) *PolicyCluster {
	subnet := &crd.Subnet{Spec: crd.SubnetSpec{Protocol: protocol}}
	always := corev1.ContainerRestartPolicyAlways
	pod := func(name, address string) PolicyPod {
		return PolicyPod{
			Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns", Name: name, Labels: map[string]string{"app": name}, Annotations: map[string]string{
					kubeovn.DefaultProvider.Key(kubeovn.Allocated): kubeovn.True,
					kubeovn.DefaultProvider.Key(kubeovn.IPAddress): address,
				},
			}},
			NICs: []PolicyNIC{{Provider: kubeovn.DefaultProvider, Port: name + ".ns", Subnet: subnet}},
		}
	}
	db, client := pod("db", "10.0.0.2,fd00::2"), pod("client", "10.0.0.3,fd00::3")
	db.Spec.InitContainers = []corev1.Container{
		{Ports: []corev1.ContainerPort{{Name: "setup", ContainerPort: 1}}},
		{RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 15001}}},
	}
	db.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 2}}}}
	nad := kubeovn.AttachmentProvider("ns", "nad")
	client.Annotations[nad.Key(kubeovn.IPAddress)] = "10.9.0.3"
	client.NICs = append(client.NICs, PolicyNIC{Provider: nad, Port: "client.ns.nad.ns.ovn", Subnet: subnet})
	return &PolicyCluster{
		Namespaces: []*corev1.Namespace{
			{ObjectMeta: metav1.ObjectMeta{Name: "ns", Labels: map[string]string{"a": "b"}}},
		},
		Pods: []PolicyPod{db, client},
	}
}

// short returns the action and the part of each ACL's match behind the port group, without the names of address sets.
func short(rows PolicyRows) []string {
	list := []string{}
	for _, a := range rows.ACLs {
		match := strings.NewReplacer("outport == @db.ns && ", "> ", "inport == @db.ns && ", "< ", "db.ns.", "").
			Replace(a.Match)
		if a.Log {
			match += " log"
		}
		list = append(list, a.Action+" "+match)
	}
	return list
}

func TestPolicyRules(t *testing.T) {
	for name, c := range map[string]struct {
		spec        string
		annotations map[string]string
		version     Version
		dual        bool
		want        []string
	}{
		"a name of a sidecar's port, one of an init container's, and an unknown one": {
			spec: `{policyTypes: [Ingress], ingress: [{ports: [{port: proxy}, {port: setup}, {port: none}]}]}`,
			want: []string{
				"drop > ip",
				"allow-related > ip && ip4.src == $ingress.allow.IPv4.0 && ip4.src != $ingress.except.IPv4.0 && tcp.dst == 15001",
			},
		},
		"a protocol, a range, and a range from a name": {
			spec: `{policyTypes: [Egress], egress: [{ports: [{protocol: SCTP}, {port: 1, endPort: 9}, {port: proxy, endPort: 9}]}]}`,
			want: []string{
				"drop < ip",
				"allow-related < ip && ip4.dst == $egress.allow.IPv4.0 && ip4.dst != $egress.except.IPv4.0 && sctp",
				"allow-related < ip && ip4.dst == $egress.allow.IPv4.0 && ip4.dst != $egress.except.IPv4.0 && 1 <= tcp.dst <= 9",
			},
		},
		"blocks, with what one excepts outside itself": {
			spec: `{policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16, except: [10.2.0.0/24, 10.1.2.0/24]}}, ` +
				`{ipBlock: {cidr: 10.3.0.0/16}}, {ipBlock: {cidr: "fd00::/8"}}]}]}`,
			want: []string{
				"drop > ip",
				"allow-related > ip && ((ip4.src == 10.1.0.0/16 && ip4.src != {10.1.2.0/24}) || ip4.src == 10.3.0.0/16)",
			},
		},
		"a peer that nobody is": {
			spec: `{policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]}`,
			want: []string{"drop > ip"},
		},
		"lax, both families": {
			spec:        `{policyTypes: [Egress]}`,
			annotations: map[string]string{PolicyEnforcement: "lax"}, dual: true,
			want: []string{
				"allow-related < udp.src == 546 && udp.dst == 547 && ip6",
				"allow-related < udp.src == 68 && udp.dst == 67 && ip4",
				"drop < (tcp || udp || sctp)",
				"allow-related < ip && ip4.dst == $egress.allow.IPv4.all && ip4.dst != $egress.except.IPv4.all",
				"allow-related < ip && ip6.dst == $egress.allow.IPv6.all && ip6.dst != $egress.except.IPv6.all",
			},
		},
		"both families let ICMPv6 pass": {
			spec: `{policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}`, dual: true,
			want: []string{
				"drop > ip",
				"allow-related > ip && ip4.src == $ingress.allow.IPv4.0 && ip4.src != $ingress.except.IPv4.0",
				"allow-related > ip && ip6.src == $ingress.allow.IPv6.0 && ip6.src != $ingress.except.IPv6.0",
				"allow-stateless icmp6",
				"allow-stateless icmp6",
			},
		},
		"logged, what is allowed too": {
			spec:        `{policyTypes: [Ingress], ingress: [{}]}`,
			annotations: map[string]string{PolicyLog: "true", PolicyLogActions: "drop,allow"},
			want: []string{
				"drop > ip log",
				"allow-related > ip && ip4.src == $ingress.allow.IPv4.0 && ip4.src != $ingress.except.IPv4.0 log",
			},
		},
		"for a network that the pod is not on": {
			spec:        `{policyTypes: [Ingress]}`,
			annotations: map[string]string{PolicyFor: "ns/nad"},
			want:        []string{},
		},
		"for no valid network": {
			spec:        `{policyTypes: [Ingress]}`,
			annotations: map[string]string{PolicyFor: "nad, /x"},
			want:        []string{},
		},
		"for some networks, on a release that does not know that": {
			spec:        `{policyTypes: [Ingress]}`,
			annotations: map[string]string{PolicyFor: "ns/nad"}, version: V1_15,
			want: []string{
				"drop > ip",
				"allow-related > ip && ip4.src == $ingress.allow.IPv4.all && ip4.src != $ingress.except.IPv4.all",
			},
		},
		"no direction": {spec: `{}`, want: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			np := &networkingv1.NetworkPolicy{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db", Annotations: c.annotations},
			}
			if err := yaml.UnmarshalStrict([]byte(c.spec), &np.Spec); err != nil {
				t.Fatal(err)
			}
			np.Spec.PodSelector.MatchLabels = map[string]string{"app": "db"}
			protocol := familyIPv4
			if c.dual {
				protocol = familyDual
			}
			version := c.version
			if version == "" {
				version = Master
			}
			rows, err := Policy(version, np, policyCluster(protocol))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, short(rows)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Addresses of attachments count like those of the default network, unless the policy is for some networks only.
func TestPolicyPeerAddresses(t *testing.T) {
	for text, want := range map[string][]string{
		"": {"10.0.0.3", "10.9.0.3"}, "ovn": {"10.0.0.3"}, "OVN , ns/nad": {"10.0.0.3", "10.9.0.3"},
	} {
		np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "9-" + strings.Repeat("long", 20), Annotations: map[string]string{PolicyFor: text},
		}}
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		np.Spec.PodSelector.MatchLabels = map[string]string{"app": "db"}
		np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{
			PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app": "client"}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		}}}}
		rows, err := Policy(Master, np, policyCluster(familyIPv4))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rows.AddressSets[0].Addresses); diff != "" {
			t.Errorf("for %q: -want +got\n%s", text, diff)
		}
		name := *rows.ACLs[1].Name
		if len(name) != 63 || !strings.HasPrefix(name, "np/np9-long") || !strings.HasSuffix(name, "...") {
			t.Errorf("ACL has the name %q", name)
		}
	}
}

// A policy with an unreadable selector has no rows.
func TestPolicyUnreadable(t *testing.T) {
	bad := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
	np := &networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{PodSelector: bad}}
	if rows, err := Policy(Master, np, policyCluster(familyIPv4)); err == nil {
		t.Errorf("rows %+v", rows)
	}
}

func TestCheckGroup(t *testing.T) {
	rule := func(change func(*crd.SecurityGroupRule)) crd.SecurityGroup {
		r := crd.SecurityGroupRule{
			IPVersion: "ipv4", Protocol: "tcp", Priority: 1, RemoteType: "address", RemoteAddress: "10.0.0.0/8",
			PortRangeMin: 1, PortRangeMax: 9, LocalAddress: "10.0.0.1", SourcePortRangeMin: 1, SourcePortRangeMax: 9,
			Policy: "allow",
		}
		change(&r)
		g := crd.SecurityGroup{}
		g.Spec.EgressRules = []crd.SecurityGroupRule{r}
		return g
	}
	for want, change := range map[string]func(*crd.SecurityGroupRule){
		"":                    func(*crd.SecurityGroupRule) {},
		"ipVersion":           func(r *crd.SecurityGroupRule) { r.IPVersion = "4" },
		"priority":            func(r *crd.SecurityGroupRule) { r.Priority = 16385 },
		"remoteAddress":       func(r *crd.SecurityGroupRule) { r.RemoteAddress = "10.0.0.0/33" },
		"remoteType":          func(r *crd.SecurityGroupRule) { r.RemoteType = "" },
		"remoteSecurityGroup": func(r *crd.SecurityGroupRule) { r.RemoteType, r.RemoteSecurityGroup = "securityGroup", "no" },
		"localAddress":        func(r *crd.SecurityGroupRule) { r.LocalAddress = "x" },
		"portRangeMin":        func(r *crd.SecurityGroupRule) { r.PortRangeMin = 10 },
		"sourcePortRangeMin":  func(r *crd.SecurityGroupRule) { r.SourcePortRangeMax = 65536 },
	} {
		g := rule(change)
		err := CheckGroup(Master, &g, func(string) bool { return false })
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), "egressRules[0]: "+want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	last := rule(func(r *crd.SecurityGroupRule) { r.Policy = "pass" })
	last.Spec.Tier = 1
	if err := CheckGroup(Master, &last, nil); err == nil {
		t.Error("a rule of the last tier passes")
	}
	last.Spec.Tier = 2
	if err := CheckGroup(Master, &last, nil); err == nil {
		t.Error("a tier that does not exist is taken")
	}
}

func TestGroupRules(t *testing.T) {
	g := &crd.SecurityGroup{ObjectMeta: metav1.ObjectMeta{Name: "a-b"}}
	g.Spec.Tier = 1
	g.Spec.IngressRules = []crd.SecurityGroupRule{
		{
			IPVersion: "ipv6", Protocol: "udp", Priority: 16384, RemoteType: "securityGroup", RemoteSecurityGroup: "c",
			PortRangeMin: 1, PortRangeMax: 2, LocalAddress: "fd00::1", SourcePortRangeMin: 3, SourcePortRangeMax: 4,
			Policy: "pass",
		},
		{IPVersion: "ipv6", Protocol: "icmp", Priority: 1, RemoteAddress: "::/0", Policy: "deny"},
	}
	rules := GroupRules(Master, g, ToPort)
	want := []string{
		"pass outport == @ovn.sg.a.b && ip6 && ip6.src == $ovn.sg.c.associated.v6 && ip6.dst == fd00::1 && " +
			"1 <= udp.dst <= 2 && 3 <= udp.src <= 4",
		"drop outport == @ovn.sg.a.b && ip6 && ip6.src == ::/0 && icmp6",
	}
	var got []string
	var priorities []int
	for _, a := range rules {
		got = append(got, a.Action+" "+a.Match)
		priorities = append(priorities, a.Priority, a.Tier)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !slices.Equal(priorities, []int{2100, 3, 18483, 3}) {
		t.Errorf("priorities and tiers %v", priorities)
	}
	// Earlier releases know neither tiers nor local addresses nor passing.
	old := GroupRules(V1_15, g, ToPort)[0]
	if old.Tier != 2 || old.Action != "drop" || strings.Contains(old.Match, "fd00::1") {
		t.Errorf("%+v", old)
	}
}
