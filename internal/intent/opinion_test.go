package intent

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// question is what test/secondopinion is asked about one cluster.
type question struct {
	Namespaces  []*corev1.Namespace
	Pods        []*corev1.Pod
	Policies    []*networkingv1.NetworkPolicy
	Connections [][4]string
}

// Random NetworkPolicies are judged as by np-guard's netpol-analyzer, for honest packets: it knows no others. It knows
// no IPv6, a pod always reaches itself, and an ipBlock is never about pods, so that none has one here.
// `make test-second-opinion` builds it.
func TestAsNetpolAnalyzer(t *testing.T) {
	program := os.Getenv("OVNGUARD_SECOND_OPINION")
	if program == "" {
		t.Skip("make test-second-opinion runs this")
	}
	r := newRandom(t)
	var questions bytes.Buffer
	var verdicts [][]Verdict
	var asked []question
	for range 300 {
		c := r.cluster()
		c.ClusterNetworkPolicies, c.AdminNetworkPolicies, c.BaselineAdminNetworkPolicies = nil, nil, nil
		for n := range c.Pods {
			c.Pods[n].HostNetwork = false
			c.Pods[n].Addresses[0] = netip.AddrFrom4([4]byte{172, 16, 0, byte(n)})
		}
		for _, o := range c.NetworkPolicies {
			for _, rule := range o.Spec.Ingress {
				withoutPods(rule.From)
			}
			for _, rule := range o.Spec.Egress {
				withoutPods(rule.To)
			}
		}
		q, judged := newQuestion(c), []Verdict(nil)
		i := New(c)
		for len(judged) < 40 {
			p := r.packet(c)
			if p.Protocol == ICMP || p.Sender == p.Receiver || !p.Destination.Is4() ||
				p.Sender >= 0 && p.Source != c.Pods[p.Sender].Addresses[0] {
				continue
			}
			end := func(pod int, address string) string {
				if pod < 0 {
					return address
				}
				return c.Pods[pod].Namespace + "/" + c.Pods[pod].Name
			}
			q.Connections = append(q.Connections, [4]string{
				end(p.Sender, p.Source.String()), end(p.Receiver, p.Destination.String()),
				string(p.Protocol), strconv.Itoa(int(p.Port)),
			})
			judged = append(judged, i.Judge(p))
		}
		if err := json.NewEncoder(&questions).Encode(q); err != nil {
			t.Fatal(err)
		}
		asked, verdicts = append(asked, q), append(verdicts, judged)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stdin, cmd.Stderr = &questions, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	count := make(map[string]int)
	for n, judged := range verdicts {
		var allowed []*bool
		if err := answers.Decode(&allowed); err != nil {
			t.Fatal(err)
		}
		for m, v := range judged {
			switch {
			case allowed[m] == nil:
				count["without an answer"]++
			case *allowed[m] != v.Allowed:
				policies, _ := json.Marshal(asked[n].Policies)
				t.Fatalf("%v: allowed %v (%s; %s), and netpol-analyzer says %v\n%s",
					asked[n].Connections[m], v.Allowed, v.Egress.Why, v.Ingress.Why, *allowed[m], policies)
			case v.Egress.Policy != nil || v.Ingress.Policy != nil:
				count["decided by a policy: "+strconv.FormatBool(v.Allowed)]++
			default:
				count["no policy"]++
			}
		}
	}
	t.Log(count)
	if count["decided by a policy: true"] < 300 || count["decided by a policy: false"] < 300 {
		t.Errorf("policies decide too rarely: %v", count)
	}
}

// withoutPods replaces blocks that pods are in, and those of IPv6.
func withoutPods(peers []networkingv1.NetworkPolicyPeer) {
	for _, p := range peers {
		switch {
		case p.IPBlock == nil:
		case p.IPBlock.CIDR == "0.0.0.0/0":
			p.IPBlock.CIDR = "8.0.0.0/6"
		case strings.Contains(p.IPBlock.CIDR, ":"):
			p.IPBlock.CIDR = "8.8.8.0/24"
		}
		if p.IPBlock != nil {
			p.IPBlock.Except = slices.DeleteFunc(
				p.IPBlock.Except,
				func(e string) bool { return strings.Contains(e, ":") },
			)
		}
	}
}

// newQuestion returns the objects of a cluster.
func newQuestion(c Cluster) question {
	var q question
	for name, labels := range c.Namespaces {
		q.Namespaces = append(q.Namespaces, &corev1.Namespace{
			TypeMeta: metav1.TypeMeta{
				Kind:       "Namespace",
				APIVersion: "v1",
			},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		})
	}
	for _, p := range c.Pods {
		o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, Labels: p.Labels}}
		o.Spec.Containers = make([]corev1.Container, 1)
		for _, n := range p.Ports {
			o.Spec.Containers[0].Ports = append(o.Spec.Containers[0].Ports, corev1.ContainerPort{
				Name: n.Name, Protocol: corev1.Protocol(n.Protocol), ContainerPort: int32(n.Number),
			})
		}
		o.Status.HostIP = "192.168.0.1"
		o.Status.PodIPs = []corev1.PodIP{{IP: p.Addresses[0].String()}}
		q.Pods = append(q.Pods, o)
	}
	for _, o := range c.NetworkPolicies {
		o = complete(o)
		for _, rule := range o.Spec.Ingress {
			numbered(rule.Ports)
		}
		for _, rule := range o.Spec.Egress {
			numbered(rule.Ports)
		}
		q.Policies = append(q.Policies, o)
	}
	return q
}

// numbered writes the range of all ports where there is none: without it, netpol-analyzer takes any protocol for the
// one that is asked for.
func numbered(ports []networkingv1.NetworkPolicyPort) {
	for n := range ports {
		if ports[n].Port == nil {
			ports[n].Port, ports[n].EndPort = new(intstr.FromInt32(1)), new(int32(65535))
		}
	}
}
