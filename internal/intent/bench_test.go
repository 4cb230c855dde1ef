package intent

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// city returns a cluster with pods in workloads of five, namespaces of a hundred pods, and policies spread over the
// namespaces: each isolates one workload or a whole namespace, and has three rules.
func city(pods, policies int) Cluster {
	r := rand.New(rand.NewPCG(1, 0))
	c := Cluster{Namespaces: make(map[string]map[string]string)}
	for n := range pods {
		ns := fmt.Sprintf("n%d", n/100)
		c.Namespaces[ns] = map[string]string{metadataName: ns, "team": strconv.Itoa(n / 100 % 7)}
		c.Pods = append(c.Pods, Pod{
			Namespace: ns,
			Name:      fmt.Sprintf("p%d", n),
			Labels: map[string]string{
				"app":  fmt.Sprintf("app%d", n/5%20),
				"tier": strconv.Itoa(n % 3),
				"pod":  strconv.Itoa(n),
			},
			Addresses: []netip.Addr{
				netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}),
				netip.AddrFrom16([16]byte{0: 0xfd, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}),
			},
			Ports: []NamedPort{{"http", TCP, 8080}},
		})
	}
	app := func() *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprintf("app%d", r.IntN(20))}}
	}
	for n := range policies {
		o := &networkingv1.NetworkPolicy{}
		o.Namespace, o.Name = fmt.Sprintf("n%d", n%len(c.Namespaces)), fmt.Sprintf("np%d", n)
		if n%5 != 0 {
			o.Spec.PodSelector = *app()
		}
		team := &metav1.LabelSelector{MatchLabels: map[string]string{"team": strconv.Itoa(r.IntN(7))}}
		peers := [][]networkingv1.NetworkPolicyPeer{
			{{PodSelector: app()}, {PodSelector: app()}},
			{{NamespaceSelector: team, PodSelector: app()}},
			{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/12", Except: []string{"10.0.0.0/20"}}}},
		}
		port := []networkingv1.NetworkPolicyPort{
			{Port: new(intstr.FromString("http"))},
			{Port: new(intstr.FromInt32(80))},
		}
		for _, from := range peers {
			o.Spec.Ingress = append(o.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: from, Ports: port})
			if n%3 == 0 {
				o.Spec.Egress = append(o.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: from, Ports: port})
			}
		}
		c.NetworkPolicies = append(c.NetworkPolicies, o)
	}
	return c
}

// BenchmarkNew reads 10,000 pods and 500 policies.
func BenchmarkNew(b *testing.B) {
	c := city(10000, 500)
	b.ReportAllocs()
	for b.Loop() {
		New(c)
	}
}

// BenchmarkJudge judges packets between any two of 10,000 pods under 500 policies, every second one forged.
func BenchmarkJudge(b *testing.B) {
	c := city(10000, 500)
	i := New(c)
	r := rand.New(rand.NewPCG(1, 0))
	packets := make([]Packet, 1<<14)
	for n := range packets {
		from, to := r.IntN(len(c.Pods)), r.IntN(len(c.Pods))
		as := from
		if n%2 == 0 {
			as = r.IntN(len(c.Pods))
		}
		packets[n] = Packet{
			Sender: from, Receiver: to, Source: c.Pods[as].Addresses[0], Destination: c.Pods[to].Addresses[0],
			Protocol: TCP, Port: []uint16{80, 8080, 443}[r.IntN(3)],
		}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		i.Judge(packets[n%len(packets)])
		n++
	}
}

// BenchmarkOneAgainstAll has one pod send to each other one, with its own source and with another one.
func BenchmarkOneAgainstAll(b *testing.B) {
	c := city(10000, 500)
	i := New(c)
	b.ReportAllocs()
	for b.Loop() {
		for to := range c.Pods {
			for _, as := range []int{0, 4711} {
				i.Judge(Packet{
					Sender: 0, Receiver: to, Source: c.Pods[as].Addresses[0], Destination: c.Pods[to].Addresses[0],
					Protocol: TCP, Port: 8080,
				})
			}
		}
	}
}

// BenchmarkIngressRules lists whom 500 policies trust.
func BenchmarkIngressRules(b *testing.B) {
	i := New(city(10000, 500))
	b.ReportAllocs()
	for b.Loop() {
		i.IngressRules()
	}
}
