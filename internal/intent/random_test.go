package intent

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

var seedFlag = flag.Uint64("intent.seed", 1, "seed of the random clusters; 0 takes another one each time")

// random makes small clusters in which much meets: few labels, few ports, few ranges.
type random struct{ *rand.Rand }

func newRandom(t testing.TB) random {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("the same again: -intent.seed=%d", seed)
	return random{rand.New(rand.NewPCG(seed, 0))}
}

func pick[T any](r random, all ...T) T { return all[r.IntN(len(all))] }

func (r random) one(in int) bool { return r.IntN(in) == 0 }

func some[T any](r random, least, most int, make func() T) []T {
	var all []T
	for range least + r.IntN(most-least+1) {
		all = append(all, make())
	}
	return all
}

func (r random) labels() map[string]string {
	all := make(map[string]string)
	for _, key := range []string{"app", "tier"} {
		if !r.one(3) {
			all[key] = pick(r, "a", "b", "c")
		}
	}
	return all
}

// cluster returns pods and policies. Each address is of one pod.
func (r random) cluster() Cluster {
	c := Cluster{Namespaces: make(map[string]map[string]string)}
	for _, ns := range []string{"n0", "n1", "n2"} {
		c.Namespaces[ns] = r.labels()
	}
	for n := range 6 + r.IntN(6) {
		p := Pod{
			Namespace: fmt.Sprintf("n%d", r.IntN(3)), Name: fmt.Sprintf("p%d", n), Labels: r.labels(),
			HostNetwork: r.one(10),
			Addresses: []netip.Addr{
				netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(4)), byte(n)}),
				netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(r.IntN(4)), 15: byte(n)}),
			},
		}
		for _, name := range []string{"web", "dns"} {
			if r.one(2) {
				p.Ports = append(p.Ports, NamedPort{name, pick(r, TCP, UDP, SCTP), pick(r, uint16(53), 80, 443)})
			}
		}
		c.Pods = append(c.Pods, p)
	}
	for n := range r.IntN(6) * r.IntN(2) {
		c.NetworkPolicies = append(c.NetworkPolicies, r.networkPolicy(n))
	}
	// One of both generations: how they stand to each other is not said anywhere.
	if r.one(2) {
		for n := range r.IntN(4) {
			c.ClusterNetworkPolicies = append(c.ClusterNetworkPolicies, r.clusterNetworkPolicy(n))
		}
		return c
	}
	for n := range r.IntN(4) {
		c.AdminNetworkPolicies = append(c.AdminNetworkPolicies, r.adminNetworkPolicy(n))
	}
	if !r.one(4) {
		c.BaselineAdminNetworkPolicies = append(c.BaselineAdminNetworkPolicies, r.baselineAdminNetworkPolicy())
	}
	return c
}

func (r random) selector() metav1.LabelSelector {
	var s metav1.LabelSelector
	key := pick(r, "app", "tier")
	switch r.IntN(6) {
	case 0, 1:
	case 2, 3:
		s.MatchLabels = map[string]string{key: pick(r, "a", "b", "c")}
	default:
		e := metav1.LabelSelectorRequirement{Key: key, Operator: pick(r, metav1.LabelSelectorOpIn,
			metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpNotIn {
			e.Values = some(r, 1, 2, func() string { return pick(r, "a", "b", "c") })
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
		if r.one(2) {
			s.MatchLabels = map[string]string{pick(r, "app", "tier"): pick(r, "a", "b", "c")}
		}
	}
	return s
}

func (r random) selectorOf() *metav1.LabelSelector {
	s := r.selector()
	return &s
}

func (r random) cidr() string {
	return pick(r, "0.0.0.0/0", "10.0.0.0/22", "10.0.1.0/24", "10.0.2.4/24", "8.8.8.8/32", "::/0", "fd00::/112",
		"fd00::100/120", "fd00::2/127")
}

func (r random) networkPolicy(n int) *networkingv1.NetworkPolicy {
	o := &networkingv1.NetworkPolicy{}
	o.Namespace, o.Name = fmt.Sprintf("n%d", r.IntN(3)), fmt.Sprintf("np%d", n)
	o.Spec.PodSelector = r.selector()
	o.Spec.PolicyTypes = pick(r, nil, []networkingv1.PolicyType{"Ingress"}, []networkingv1.PolicyType{"Egress"},
		[]networkingv1.PolicyType{"Egress", "Ingress"})
	ports := func() []networkingv1.NetworkPolicyPort { return some(r, 0, 2, r.networkPolicyPort) }
	peers := func() []networkingv1.NetworkPolicyPeer { return some(r, 0, 3, r.networkPolicyPeer) }
	o.Spec.Ingress = some(r, 0, 2, func() networkingv1.NetworkPolicyIngressRule {
		return networkingv1.NetworkPolicyIngressRule{Ports: ports(), From: peers()}
	})
	if o.Spec.Ingress == nil && r.one(2) {
		o.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{}
	}
	o.Spec.Egress = some(r, 0, 2, func() networkingv1.NetworkPolicyEgressRule {
		return networkingv1.NetworkPolicyEgressRule{Ports: ports(), To: peers()}
	})
	if o.Spec.Egress == nil && r.one(2) {
		o.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{}
	}
	return o
}

func (r random) networkPolicyPeer() (p networkingv1.NetworkPolicyPeer) {
	switch r.IntN(4) {
	case 0:
		p.IPBlock = &networkingv1.IPBlock{CIDR: r.cidr(), Except: some(r, 0, 2, r.cidr)}
	case 1:
		p.PodSelector = r.selectorOf()
	case 2:
		p.NamespaceSelector = r.selectorOf()
	default:
		p.PodSelector, p.NamespaceSelector = r.selectorOf(), r.selectorOf()
	}
	return p
}

func (r random) networkPolicyPort() (p networkingv1.NetworkPolicyPort) {
	if r.one(2) {
		p.Protocol = new(pick(r, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP))
	}
	switch r.IntN(5) {
	case 0:
	case 1:
		p.Port = new(intstr.FromString(pick(r, "web", "dns")))
	case 2:
		p.Port, p.EndPort = new(intstr.FromInt32(pick[int32](r, 53, 60))), new(pick[int32](r, 80, 500))
	default:
		p.Port = new(intstr.FromInt32(pick[int32](r, 53, 80, 443)))
	}
	return p
}

func (r random) namespacedPod() *v1alpha2.NamespacedPod {
	return &v1alpha2.NamespacedPod{NamespaceSelector: r.selector(), PodSelector: r.selector()}
}

func (r random) clusterNetworkPolicy(n int) *v1alpha2.ClusterNetworkPolicy {
	o := &v1alpha2.ClusterNetworkPolicy{}
	o.Name = fmt.Sprintf("cnp%d", n)
	o.Spec.Tier, o.Spec.Priority = pick(r, v1alpha2.AdminTier, v1alpha2.BaselineTier), int32(r.IntN(3))
	if r.one(2) {
		o.Spec.Subject.Namespaces = r.selectorOf()
	} else {
		o.Spec.Subject.Pods = r.namespacedPod()
	}
	does := func() v1alpha2.ClusterNetworkPolicyRuleAction {
		return pick(r, v1alpha2.ClusterNetworkPolicyRuleActionAccept, v1alpha2.ClusterNetworkPolicyRuleActionDeny,
			v1alpha2.ClusterNetworkPolicyRuleActionPass)
	}
	protocols := func() []v1alpha2.ClusterNetworkPolicyProtocol { return some(r, 0, 2, r.protocol) }
	o.Spec.Ingress = some(r, 0, 3, func() v1alpha2.ClusterNetworkPolicyIngressRule {
		return v1alpha2.ClusterNetworkPolicyIngressRule{
			Action: does(), Protocols: protocols(),
			From: some(r, 1, 2, func() (p v1alpha2.ClusterNetworkPolicyIngressPeer) {
				if r.one(2) {
					p.Namespaces = r.selectorOf()
				} else {
					p.Pods = r.namespacedPod()
				}
				return p
			}),
		}
	})
	o.Spec.Egress = some(r, 0, 3, func() v1alpha2.ClusterNetworkPolicyEgressRule {
		return v1alpha2.ClusterNetworkPolicyEgressRule{
			Action: does(), Protocols: protocols(),
			To: some(r, 1, 2, func() (p v1alpha2.ClusterNetworkPolicyEgressPeer) {
				switch r.IntN(3) {
				case 0:
					p.Namespaces = r.selectorOf()
				case 1:
					p.Pods = r.namespacedPod()
				default:
					p.Networks = some(r, 1, 2, func() v1alpha2.CIDR { return v1alpha2.CIDR(r.cidr()) })
				}
				return p
			}),
		}
	})
	return o
}

func (r random) protocol() (p v1alpha2.ClusterNetworkPolicyProtocol) {
	var port *v1alpha2.Port
	switch r.IntN(3) {
	case 0:
		port = &v1alpha2.Port{Number: pick[int32](r, 53, 80, 443)}
	case 1:
		port = &v1alpha2.Port{Range: &v1alpha2.PortRange{Start: pick[int32](r, 53, 60), End: pick[int32](r, 80, 500)}}
	default:
	}
	switch r.IntN(4) {
	case 0:
		p.TCP = &v1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: port}
	case 1:
		p.UDP = &v1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: port}
	case 2:
		p.SCTP = &v1alpha2.ClusterNetworkPolicyProtocolSCTP{DestinationPort: port}
	default:
		p.DestinationNamedPort = pick(r, "web", "dns")
	}
	return p
}

func (r random) adminNetworkPolicy(n int) *v1alpha1.AdminNetworkPolicy {
	o := &v1alpha1.AdminNetworkPolicy{}
	o.Name, o.Spec.Priority, o.Spec.Subject = fmt.Sprintf("anp%d", n), int32(r.IntN(2)), r.adminSubject()
	does := func() v1alpha1.AdminNetworkPolicyRuleAction {
		return pick(r, v1alpha1.AdminNetworkPolicyRuleActionAllow, v1alpha1.AdminNetworkPolicyRuleActionDeny,
			v1alpha1.AdminNetworkPolicyRuleActionPass)
	}
	o.Spec.Ingress = some(r, 0, 3, func() v1alpha1.AdminNetworkPolicyIngressRule {
		return v1alpha1.AdminNetworkPolicyIngressRule{
			Action: does(),
			Ports:  r.adminPorts(),
			From:   some(r, 1, 2, r.adminFrom),
		}
	})
	o.Spec.Egress = some(r, 0, 3, func() v1alpha1.AdminNetworkPolicyEgressRule {
		return v1alpha1.AdminNetworkPolicyEgressRule{
			Action: does(), Ports: r.adminPorts(),
			To: some(r, 1, 2, func() (p v1alpha1.AdminNetworkPolicyEgressPeer) {
				if r.one(3) {
					p.Networks = []v1alpha1.CIDR{v1alpha1.CIDR(r.cidr())}
					return p
				}
				from := r.adminFrom()
				return v1alpha1.AdminNetworkPolicyEgressPeer{Namespaces: from.Namespaces, Pods: from.Pods}
			}),
		}
	})
	return o
}

func (r random) baselineAdminNetworkPolicy() *v1alpha1.BaselineAdminNetworkPolicy {
	o := &v1alpha1.BaselineAdminNetworkPolicy{}
	o.Name, o.Spec.Subject = "default", r.adminSubject()
	does := func() v1alpha1.BaselineAdminNetworkPolicyRuleAction {
		return pick(
			r,
			v1alpha1.BaselineAdminNetworkPolicyRuleActionAllow,
			v1alpha1.BaselineAdminNetworkPolicyRuleActionDeny,
		)
	}
	o.Spec.Ingress = some(r, 0, 3, func() v1alpha1.BaselineAdminNetworkPolicyIngressRule {
		return v1alpha1.BaselineAdminNetworkPolicyIngressRule{
			Action: does(), Ports: r.adminPorts(),
			From: some(r, 1, 2, r.adminFrom),
		}
	})
	o.Spec.Egress = some(r, 0, 3, func() v1alpha1.BaselineAdminNetworkPolicyEgressRule {
		return v1alpha1.BaselineAdminNetworkPolicyEgressRule{
			Action: does(), Ports: r.adminPorts(),
			To: some(r, 1, 2, func() (p v1alpha1.BaselineAdminNetworkPolicyEgressPeer) {
				if r.one(3) {
					p.Networks = []v1alpha1.CIDR{v1alpha1.CIDR(r.cidr())}
					return p
				}
				from := r.adminFrom()
				return v1alpha1.BaselineAdminNetworkPolicyEgressPeer{Namespaces: from.Namespaces, Pods: from.Pods}
			}),
		}
	})
	return o
}

func (r random) adminSubject() (s v1alpha1.AdminNetworkPolicySubject) {
	from := r.adminFrom()
	return v1alpha1.AdminNetworkPolicySubject(from)
}

func (r random) adminFrom() (p v1alpha1.AdminNetworkPolicyIngressPeer) {
	if r.one(2) {
		p.Namespaces = r.selectorOf()
	} else {
		p.Pods = (*v1alpha1.NamespacedPod)(r.namespacedPod())
	}
	return p
}

func (r random) adminPorts() *[]v1alpha1.AdminNetworkPolicyPort {
	if r.one(3) {
		return nil
	}
	protocol := func() corev1.Protocol {
		return pick(r, "", corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
	}
	all := some(r, 1, 2, func() (p v1alpha1.AdminNetworkPolicyPort) {
		switch r.IntN(3) {
		case 0:
			p.PortNumber = &v1alpha1.Port{Protocol: protocol(), Port: pick[int32](r, 53, 80, 443)}
		case 1:
			p.NamedPort = new(pick(r, "web", "dns"))
		default:
			p.PortRange = &v1alpha1.PortRange{
				Protocol: protocol(),
				Start:    pick[int32](r, 53, 60),
				End:      pick[int32](r, 80, 500),
			}
		}
		return p
	})
	return &all
}

// packet returns a packet between pods, or to or from outside; the source of every second one of a pod is forged.
func (r random) packet(c Cluster) Packet {
	p := Packet{
		Sender:   r.IntN(len(c.Pods)+1) - 1,
		Receiver: r.IntN(len(c.Pods)+1) - 1,
		Protocol: pick(r, TCP, UDP, SCTP, ICMP),
	}
	if p.Protocol != ICMP {
		p.Port = pick(r, uint16(1), 53, 60, 80, 443, 500, 65535)
	}
	family := r.IntN(2)
	p.Source, p.Destination = r.address(c, p.Sender, family), r.address(c, p.Receiver, family)
	if p.Sender >= 0 && r.one(2) {
		p.Source = r.address(c, r.IntN(len(c.Pods)+1)-1, family)
	}
	return p
}

func (r random) address(c Cluster, pod, family int) netip.Addr {
	if pod >= 0 {
		return c.Pods[pod].Addresses[family]
	}
	if family == 1 {
		return pick(r, netip.MustParseAddr("fd00::1ff"), netip.MustParseAddr("2001:db8::1"))
	}
	return pick(r, netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.0.1.200"), netip.MustParseAddr("10.96.0.1"))
}
