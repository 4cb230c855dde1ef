package intent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	admin "sigs.k8s.io/kube-network-policies/plugins/npa-v1alpha1"
	cluster "sigs.k8s.io/kube-network-policies/plugins/npa-v1alpha2"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
	npafake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"
	npainformers "sigs.k8s.io/network-policy-api/pkg/client/informers/externalversions"
)

// oracle asks sigs.k8s.io/kube-network-policies the same. Where that differs from what Kubernetes documents, objects
// are brought into a form that it reads as documented; each such place says how it differs:
//
//   - a port without protocol: NetworkPolicy's make it panic, AdminNetworkPolicy's match nothing (complete)
//   - a list of rules that is empty, but not nil, admits all (complete)
//   - policyTypes are not completed (complete)
//   - a pod that a NetworkPolicy isolates in one direction alone is not asked of the baseline tier in the other one
//     (directional)
//   - pods on the host's network are selected (podInfo)
//   - an AdminNetworkPolicy's name of a port matches all ports of a pod that has one of that name (named)
type oracle struct {
	t       testing.TB
	cluster Cluster
	infos   []*api.PodInfo
	// By direction and target, as far as asked: names of ports are resolved by target.
	lines map[[2]int][]api.PolicyEvaluator
}

func newOracle(t testing.TB, c Cluster) *oracle {
	o := &oracle{t: t, cluster: c, lines: make(map[[2]int][]api.PolicyEvaluator)}
	for _, p := range c.Pods {
		o.infos = append(o.infos, podInfo(c, p))
	}
	return o
}

// podInfo returns a pod as the oracle knows it; nil on the host's network.
func podInfo(c Cluster, p Pod) *api.PodInfo {
	if p.HostNetwork {
		return nil
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, Labels: p.Labels}}
	pod.Spec.Containers = make([]corev1.Container, 1)
	for _, n := range p.Ports {
		pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports, corev1.ContainerPort{
			Name: n.Name, ContainerPort: int32(n.Number), Protocol: corev1.Protocol(transport(n)),
		})
	}
	return api.NewPodInfo(pod, c.Namespaces[p.Namespace], nil, "")
}

// at returns the pod that has an address.
func (o *oracle) at(a netip.Addr) (int, *api.PodInfo) {
	for n, p := range o.cluster.Pods {
		if slices.Contains(p.Addresses, a) {
			return n, o.infos[n]
		}
	}
	return -1, nil
}

func (o *oracle) info(pod int) *api.PodInfo {
	if pod < 0 {
		return nil
	}
	return o.infos[pod]
}

// judge returns whether the oracle allows a packet out of its sender and into its receiver.
func (o *oracle) judge(p Packet) (out, in bool) {
	packet := &network.Packet{
		SrcIP:   p.Source.AsSlice(),
		DstIP:   p.Destination.AsSlice(),
		DstPort: int(p.Port),
		Proto:   corev1.Protocol(p.Protocol),
	}
	out, in = true, true
	ctx := o.t.Context()
	target, destination := o.at(p.Destination)
	for _, e := range o.line(egress, target) {
		if verdict := o.ask(ctx, e.EvaluateEgress, packet, o.info(p.Sender), destination); verdict != api.VerdictNext {
			out = verdict == api.VerdictAccept
			break
		}
	}
	_, source := o.at(p.Source)
	for _, e := range o.line(ingress, p.Receiver) {
		if verdict := o.ask(ctx, e.EvaluateIngress, packet, source, o.info(p.Receiver)); verdict != api.VerdictNext {
			in = verdict == api.VerdictAccept
			break
		}
	}
	return out, in
}

func (o *oracle) ask(
	ctx context.Context,
	evaluate func(context.Context, *network.Packet, *api.PodInfo, *api.PodInfo) (api.Verdict, error),
	p *network.Packet,
	from, to *api.PodInfo,
) api.Verdict {
	verdict, err := evaluate(ctx, p, from, to)
	if err != nil {
		o.t.Fatal(err)
	}
	return verdict
}

// line returns the evaluators of one direction, for packets to a pod, tier by tier.
func (o *oracle) line(d direction, target int) []api.PolicyEvaluator {
	key := [2]int{int(d), target}
	if line, ok := o.lines[key]; ok {
		return line
	}
	core := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	own := core.Networking().V1().NetworkPolicies()
	for _, p := range o.cluster.NetworkPolicies {
		if p := directional(complete(p), d); p != nil {
			o.add(own.Informer(), p)
		}
	}
	npa := npainformers.NewSharedInformerFactory(npafake.NewClientset(), 0)
	cnp := npa.Policy().V1alpha2().ClusterNetworkPolicies()
	for _, p := range o.cluster.ClusterNetworkPolicies {
		o.add(cnp.Informer(), p)
	}
	var ports []NamedPort
	if target >= 0 {
		ports = o.cluster.Pods[target].Ports
	}
	anp := npa.Policy().V1alpha1().AdminNetworkPolicies()
	for _, p := range o.cluster.AdminNetworkPolicies {
		p = p.DeepCopy()
		for n := range p.Spec.Ingress {
			p.Spec.Ingress[n].Ports = named(p.Spec.Ingress[n].Ports, ports)
		}
		for n := range p.Spec.Egress {
			p.Spec.Egress[n].Ports = named(p.Spec.Egress[n].Ports, ports)
		}
		o.add(anp.Informer(), p)
	}
	banp := npa.Policy().V1alpha1().BaselineAdminNetworkPolicies()
	for _, p := range o.cluster.BaselineAdminNetworkPolicies {
		p = p.DeepCopy()
		for n := range p.Spec.Ingress {
			p.Spec.Ingress[n].Ports = named(p.Spec.Ingress[n].Ports, ports)
		}
		for n := range p.Spec.Egress {
			p.Spec.Egress[n].Ports = named(p.Spec.Egress[n].Ports, ports)
		}
		o.add(banp.Informer(), p)
	}
	line := []api.PolicyEvaluator{
		admin.NewAdminNetworkPolicy(anp, nil),
		cluster.NewClusterNetworkPolicy(v1alpha2.AdminTier, cnp, nil, nil),
		networkpolicy.NewStandardNetworkPolicy("", core.Core().V1().Namespaces(), core.Core().V1().Pods(), own),
		cluster.NewClusterNetworkPolicy(v1alpha2.BaselineTier, cnp, nil, nil),
		admin.NewBaselineAdminNetworkPolicy(banp),
	}
	o.lines[key] = line
	return line
}

func (o *oracle) add(to cache.SharedIndexInformer, object any) {
	if err := to.GetStore().Add(object); err != nil {
		o.t.Fatal(err)
	}
}

// complete returns a policy as the API server completes it, and without empty lists of rules.
func complete(p *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	p = p.DeepCopy()
	if len(p.Spec.PolicyTypes) == 0 {
		p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(p.Spec.Egress) > 0 {
			p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	ports := func(all []networkingv1.NetworkPolicyPort) {
		for n := range all {
			if all[n].Protocol == nil {
				all[n].Protocol = new(corev1.ProtocolTCP)
			}
		}
	}
	for n := range p.Spec.Ingress {
		ports(p.Spec.Ingress[n].Ports)
	}
	for n := range p.Spec.Egress {
		ports(p.Spec.Egress[n].Ports)
	}
	if len(p.Spec.Ingress) == 0 {
		p.Spec.Ingress = nil
	}
	if len(p.Spec.Egress) == 0 {
		p.Spec.Egress = nil
	}
	return p
}

// directional returns a policy with one of its types, nil if it has not that one.
func directional(p *networkingv1.NetworkPolicy, d direction) *networkingv1.NetworkPolicy {
	wanted := [...]networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}[d]
	for _, t := range p.Spec.PolicyTypes {
		if t == wanted {
			p.Spec.PolicyTypes = []networkingv1.PolicyType{t}
			return p
		}
	}
	return nil
}

// named returns ports with numbers in place of the names that a pod has for its own.
func named(list *[]v1alpha1.AdminNetworkPolicyPort, has []NamedPort) *[]v1alpha1.AdminNetworkPolicyPort {
	if list == nil {
		return nil
	}
	// A port that never comes keeps the list from being empty, which would be all ports.
	all := []v1alpha1.AdminNetworkPolicyPort{{PortNumber: &v1alpha1.Port{Protocol: "none"}}}
	for _, p := range *list {
		switch {
		case p.NamedPort != nil:
			for _, n := range has {
				if n.Name == *p.NamedPort {
					all = append(all, v1alpha1.AdminNetworkPolicyPort{PortNumber: &v1alpha1.Port{
						Protocol: corev1.Protocol(n.Protocol), Port: int32(n.Number),
					}})
				}
			}
			continue
		case p.PortNumber != nil && p.PortNumber.Protocol == "":
			p.PortNumber.Protocol = corev1.ProtocolTCP
		case p.PortRange != nil && p.PortRange.Protocol == "":
			p.PortRange.Protocol = corev1.ProtocolTCP
		}
		all = append(all, p)
	}
	return &all
}

// Random clusters are judged as by kube-network-policies, honest packets and forged ones, for each side.
func TestAsKubeNetworkPolicies(t *testing.T) {
	r := newRandom(t)
	var packets int
	count := make(map[string]int)
	for range 400 {
		c := r.cluster()
		i, o := New(c), newOracle(t, c)
		if len(c.ClusterNetworkPolicies)+len(c.AdminNetworkPolicies) < 2 && len(i.Problems()) > 0 {
			t.Fatalf("problems: %q", i.Problems())
		}
		for range 100 {
			p := r.packet(c)
			v := i.Judge(p)
			out, in := o.judge(p)
			packets++
			for side, s := range map[string]Step{"egress": v.Egress, "ingress": v.Ingress} {
				kind := "none"
				if s.Policy != nil {
					kind = s.Policy.Kind
				}
				count[fmt.Sprintf("%s by %s: %v", side, kind, s.Allowed)]++
				if s.Unknown {
					t.Errorf("%+v: unknown: %s", p, s.Why)
				}
			}
			if v.Egress.Allowed != out || v.Ingress.Allowed != in || v.Allowed != (out && in) {
				t.Fatalf("%+v\negress %v %s\ningress %v %s\nand kube-network-policies says %v and %v",
					p, v.Egress.Allowed, v.Egress.Why, v.Ingress.Allowed, v.Ingress.Why, out, in)
			}
		}
	}
	t.Logf("%d packets: %v", packets, count)
	for _, side := range []string{"egress", "ingress"} {
		for _, kind := range []string{
			KindNetworkPolicy, KindClusterNetworkPolicy, KindAdminNetworkPolicy, KindBaselineAdminNetworkPolicy,
		} {
			for _, allowed := range []bool{true, false} {
				if what := fmt.Sprintf("%s by %s: %v", side, kind, allowed); count[what] < 100 {
					t.Errorf("%s in %d packets: the clusters try too little of it", what, count[what])
				}
			}
		}
	}
}
