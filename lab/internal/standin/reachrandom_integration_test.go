//go:build integration

package standin

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// reachRouter is the router of all subnets of reachSubnets.
const reachRouter = "ovn-cluster"

// reachSubnets are the switches of the clusters, each with a link to the router.
func reachSubnets() []*crd.Subnet {
	subnet := func(name, protocol, cidr, gateway string) *crd.Subnet {
		s := &crd.Subnet{ObjectMeta: metav1.ObjectMeta{Name: name}}
		s.Spec.Vpc, s.Spec.Protocol, s.Spec.CIDRBlock, s.Spec.Gateway = reachRouter, protocol, cidr, gateway
		return s
	}
	return []*crd.Subnet{
		subnet("front", "Dual", "10.16.0.0/16,fd00:16::/112", "10.16.0.1,fd00:16::1"),
		subnet("back", "Dual", "10.17.0.0/16,fd00:17::/112", "10.17.0.1,fd00:17::1"),
		subnet("four", "IPv4", "10.18.0.0/16", "10.18.0.1"),
	}
}

// reachPod is a pod with its port. Its name, node, subnet and addresses are the same in all clusters.
type reachPod struct {
	*corev1.Pod

	port, mac    string
	subnet       *crd.Subnet
	ips          []string
	portSecurity []string
	groups       []string
	disabled     bool
}

// reachPodCount is how many pods a cluster has.
const reachPodCount = 12

func reachPodsOn(subnets []*crd.Subnet) (pods []reachPod) {
	for i := range reachPodCount {
		s := subnets[[]int{0, 0, 0, 1, 1, 2}[i%6]]
		p := reachPod{subnet: s, mac: fmt.Sprintf("0a:00:00:00:01:%02x", i+10)}
		for _, cidr := range s.CIDRs() {
			base := netip.MustParsePrefix(cidr).Addr()
			bytes := base.AsSlice()
			bytes[len(bytes)-1] = byte(i + 10)
			a, _ := netip.AddrFromSlice(bytes) // the length is that of an address
			p.ips = append(p.ips, a.String())
		}
		p.Pod = &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: string(rune('a' + i%3)), Name: fmt.Sprintf("p%d", i)},
		}
		p.port = kubeovn.PortName(p.Name, p.Namespace, kubeovn.DefaultProvider)
		pods = append(pods, p)
	}
	return pods
}

// reachCluster is what a cluster has besides its subnets.
type reachCluster struct {
	version    upstream.Version
	namespaces []*corev1.Namespace
	nodes      []*corev1.Node
	pods       []reachPod
	policies   []*networkingv1.NetworkPolicy
	groups     []*crd.SecurityGroup
}

// reachRandom makes clusters and packets from few values, so that they often meet.
type reachRandom struct{ *rand.Rand }

func oneOf[T any](r reachRandom, of ...T) T { return of[r.IntN(len(of))] }

// one reports whether the one of so many cases is to be tried.
func (r reachRandom) one(in int) bool { return r.IntN(in) == 0 }

// Addresses that no pod has: those of nodes, and those that blocks of policies are about.
var (
	reachNodes     = [][]string{{"172.31.0.1", "fd00:31::1"}, {"172.31.0.2"}}
	reachStrangers = []string{"192.0.2.5", "192.0.2.66", "198.51.100.7", "2001:db8:1::5", "2001:db8::66"}
)

func (r reachRandom) cluster(base []reachPod) *reachCluster {
	c := &reachCluster{version: oneOf(r, upstream.Master, upstream.Master, upstream.V1_15, upstream.V1_14)}
	for _, name := range []string{"a", "b", "c"} {
		c.namespaces = append(c.namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{corev1.LabelMetadataName: name, "team": oneOf(r, "x", "y")},
		}})
	}
	for i, addresses := range reachNodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i+1)}}
		for _, a := range addresses {
			node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{
				Type: corev1.NodeInternalIP, Address: a,
			})
		}
		c.nodes = append(c.nodes, node)
	}
	for i := range r.IntN(3) {
		c.groups = append(c.groups, r.group(c, fmt.Sprintf("sg-%d", i)))
	}
	for i, p := range base {
		p.Pod = p.DeepCopy()
		p.Spec.NodeName = c.nodes[i%len(c.nodes)].Name
		p.Labels = map[string]string{"app": oneOf(r, "web", "db", "x")}
		p.Spec.Containers = []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{
			Name: "metrics", ContainerPort: oneOf[int32](r, 80, 9100), Protocol: corev1.ProtocolTCP,
		}}}}
		text := p.ips[0]
		if len(p.ips) > 1 {
			text += "," + p.ips[1]
		}
		p.Annotations = map[string]string{
			kubeovn.DefaultProvider.Key(kubeovn.Allocated):     kubeovn.True,
			kubeovn.DefaultProvider.Key(kubeovn.IPAddress):     text,
			kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): p.subnet.Name,
		}
		p.portSecurity = r.portSecurity(&p)
		p.disabled = r.one(30)
		for _, g := range c.groups {
			if r.one(4) {
				p.groups = append(p.groups, g.Name)
			}
		}
		c.pods = append(c.pods, p)
	}
	for i := range r.IntN(5) {
		c.policies = append(c.policies, r.policy(fmt.Sprintf("%s-%d", oneOf(r, "np", "0"), i)))
	}
	return c
}

// portSecurity returns a column: strict, open, or wider than the identity.
func (r reachRandom) portSecurity(p *reachPod) []string {
	identity := p.mac + " " + strings.Join(p.ips, " ")
	switch r.IntN(8) {
	case 0, 1, 2:
		return nil
	case 3:
		return []string{p.mac}
	case 4:
		return []string{identity + " 10.16.0.12 192.0.2.0/24 2001:db8::/32"}
	case 5:
		return []string{identity, "0a:00:00:00:01:0c 10.16.0.11 fd00:16::b"} // no pod has both
	}
	return []string{identity}
}

func (r reachRandom) policy(name string) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: oneOf(r, "a", "b", "c"), Name: name, Annotations: map[string]string{},
	}}
	if r.one(5) {
		np.Annotations[upstream.PolicyEnforcement] = "lax"
	}
	np.Spec.PodSelector = r.selector()
	in, out := networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	np.Spec.PolicyTypes = oneOf(r, []networkingv1.PolicyType{in}, []networkingv1.PolicyType{out},
		[]networkingv1.PolicyType{in, out})
	for range r.IntN(3) {
		np.Spec.Ingress = append(
			np.Spec.Ingress,
			networkingv1.NetworkPolicyIngressRule{From: r.peers(), Ports: r.ports()},
		)
	}
	if np.Spec.PolicyTypes[len(np.Spec.PolicyTypes)-1] == out {
		for range r.IntN(3) {
			np.Spec.Egress = append(
				np.Spec.Egress,
				networkingv1.NetworkPolicyEgressRule{To: r.peers(), Ports: r.ports()},
			)
		}
	}
	if np.Spec.PolicyTypes[0] == out {
		np.Spec.Ingress = nil
	}
	return np
}

func (r reachRandom) selector() metav1.LabelSelector {
	if r.one(4) {
		return metav1.LabelSelector{}
	}
	if r.one(4) {
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: []string{oneOf(r, "web", "db")}},
		}}
	}
	return metav1.LabelSelector{MatchLabels: map[string]string{"app": oneOf(r, "web", "db", "x")}}
}

func (r reachRandom) peers() (peers []networkingv1.NetworkPolicyPeer) {
	for range r.IntN(3) {
		var p networkingv1.NetworkPolicyPeer
		switch r.IntN(4) {
		case 0:
			p.IPBlock = &networkingv1.IPBlock{CIDR: "192.0.2.0/24", Except: []string{"192.0.2.64/28"}}
			if r.one(2) {
				p.IPBlock = &networkingv1.IPBlock{CIDR: "2001:db8::/32", Except: []string{"2001:db8::/64"}}
			}
			if r.one(3) {
				p.IPBlock = &networkingv1.IPBlock{CIDR: oneOf(r, "10.16.0.0/28", "0.0.0.0/0", "::/0", "fd00:16::/64")}
			}
		case 1:
			p.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": oneOf(r, "x", "y")}}
		default:
			of := r.selector()
			p.PodSelector = &of
			if r.one(2) {
				p.NamespaceSelector = &metav1.LabelSelector{}
			}
		}
		peers = append(peers, p)
	}
	return peers
}

// reachPorts are the numbers that rules and packets have.
var reachPorts = []int32{53, 80, 443, 5432, 9100}

func (r reachRandom) ports() (ports []networkingv1.NetworkPolicyPort) {
	for range r.IntN(3) {
		protocol := oneOf(r, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
		p := networkingv1.NetworkPolicyPort{Protocol: &protocol}
		number := intstr.FromInt32(oneOf(r, reachPorts...))
		switch r.IntN(5) {
		case 0:
			name := intstr.FromString("metrics")
			p.Port = &name
		case 1:
			end := number.IntVal + 400
			p.Port, p.EndPort = &number, &end
		case 2:
		default:
			p.Port = &number
		}
		ports = append(ports, p)
	}
	return ports
}

func (r reachRandom) group(c *reachCluster, name string) *crd.SecurityGroup {
	g := &crd.SecurityGroup{ObjectMeta: metav1.ObjectMeta{Name: name}}
	g.Spec.AllowSameGroupTraffic = r.one(2)
	rules := func() (rules []crd.SecurityGroupRule) {
		for i := range r.IntN(4) {
			rule := crd.SecurityGroupRule{
				IPVersion: oneOf(r, "ipv4", "ipv6"), Protocol: oneOf(r, "tcp", "udp", "icmp", "all"), Priority: i + 1,
				RemoteType: "address", Policy: oneOf(r, "allow", "allow", "drop"),
				PortRangeMin: int(oneOf(r, reachPorts...)), SourcePortRangeMin: 1, SourcePortRangeMax: 65535,
			}
			rule.PortRangeMax = rule.PortRangeMin + r.IntN(400)
			rule.RemoteAddress = oneOf(r, "10.16.0.0/16", "0.0.0.0/0", "192.0.2.0/24", "10.17.0.13")
			if rule.IPVersion == "ipv6" {
				rule.RemoteAddress = oneOf(r, "fd00:16::/112", "::/0", "2001:db8::/32")
			}
			if len(c.groups) > 0 && r.one(3) {
				rule.RemoteType, rule.RemoteSecurityGroup = "securityGroup", c.groups[0].Name
			}
			rules = append(rules, rule)
		}
		return rules
	}
	g.Spec.IngressRules, g.Spec.EgressRules = rules(), rules()
	return g
}

// externalIDs returns those of a pod's port.
func (p *reachPod) externalIDs() map[string]string {
	ids := map[string]string{
		kubeovn.ExternalIDVendor: kubeovn.Vendor, kubeovn.ExternalIDSwitch: p.subnet.Name,
		kubeovn.ExternalIDPod: p.Namespace + "/" + p.Name,
	}
	for i, g := range p.groups {
		ids["associated_sg_"+g] = "true"
		if i > 0 {
			g = ids[kubeovn.ExternalIDSecurityGroups] + "/" + g
		}
		ids[kubeovn.ExternalIDSecurityGroups] = g
	}
	return ids
}
