package reach

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Suggestion is a NetworkPolicy that bounds what pods may send to, also what they forward and what they forge, with
// what there is to know about it.
type Suggestion struct {
	Policy *networkingv1.NetworkPolicy
	Notes  []string
}

// volatile are labels that other pods of the same workload do not have, or not the next ones.
var volatile = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name",
	"apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index", "controller-uid", "job-name",
	"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "kubevirt.io/nodeName", "vm.kubevirt.io/name",
}

// SuggestForPod returns the narrowest egress policy for a pod: to what policies of others admit it, to names' servers,
// and out of the cluster. What it forwards is bounded as well, since OVN looks at the port that sends.
func (c *Cluster) SuggestForPod(key inventory.PodKey) (Suggestion, error) {
	at := slices.IndexFunc(
		c.pods,
		func(p intent.Pod) bool { return p.Namespace == key.Namespace && p.Name == key.Name },
	)
	if at < 0 {
		return Suggestion{}, fmt.Errorf("pod %s has no port on OVN: name one that `ovnguard explain` knows", key)
	}
	lasting := maps.Clone(c.pods[at].Labels)
	maps.DeleteFunc(lasting, func(name, _ string) bool { return slices.Contains(volatile, name) })
	if len(lasting) == 0 {
		return Suggestion{}, fmt.Errorf(
			"pod %s has no label that its successors have, too: give it one, so that a NetworkPolicy can select it",
			key,
		)
	}
	name := key.Name
	if app := applicationOf(lasting); app != "" {
		name = app
	}
	return c.suggest(key.Namespace, name+"-egress", metav1.LabelSelector{MatchLabels: lasting}, []int{at}), nil
}

// applicationOf returns the label by which people call an application.
func applicationOf(labels map[string]string) string {
	for _, name := range []string{"app.kubernetes.io/name", "app", "k8s-app"} {
		if value := labels[name]; value != "" {
			return strings.ToLower(value)
		}
	}
	return ""
}

// SuggestForNamespace returns the narrowest egress policy for all pods of a namespace.
func (c *Cluster) SuggestForNamespace(namespace string) (Suggestion, error) {
	var pods []int
	for i := range c.pods {
		if c.pods[i].Namespace == namespace {
			pods = append(pods, i)
		}
	}
	if len(pods) == 0 {
		return Suggestion{}, fmt.Errorf(
			"namespace %s has no pod with a port on OVN: name another one with -n",
			namespace,
		)
	}
	s := c.suggest(namespace, "bounded-egress", metav1.LabelSelector{}, pods)
	s.Policy.Spec.Egress = slices.Insert(s.Policy.Spec.Egress, 0, networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}},
	})
	return s, nil
}

// namespaceLabel is the label that the API server puts on every namespace with its name.
const namespaceLabel = "kubernetes.io/metadata.name"

func (c *Cluster) suggest(namespace, name string, selector metav1.LabelSelector, pods []int) Suggestion {
	p := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: intent.KindNetworkPolicy},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: selector, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		},
	}
	s := Suggestion{Policy: p}
	p.Spec.Egress = append(c.admitting(namespace, pods), nameServers(), c.outside())
	if n := c.unpoliced(pods); n > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf(
			"%d pods have no policy for what comes to them, so that it is not known who needs them: they are left out, "+
				"add those that are needed",
			n,
		))
	}
	s.Notes = append(
		s.Notes,
		"addresses of Services are not looked at: OVN translates them before it looks at egress, "+
			"so that the pods behind them count",
	)
	return s
}

// admitting returns rules for what policies of the same and of other namespaces admit the pods to.
func (c *Cluster) admitting(namespace string, pods []int) (rules []networkingv1.NetworkPolicyEgressRule) {
	seen := make(map[string]bool)
	for _, policy := range c.policies.NetworkPolicies {
		for _, rule := range policy.Spec.Ingress {
			if !c.admitsByLabels(policy, rule.From, namespace, pods) {
				continue
			}
			peer := networkingv1.NetworkPolicyPeer{PodSelector: policy.Spec.PodSelector.DeepCopy()}
			if policy.Namespace != namespace {
				peer.NamespaceSelector = &metav1.LabelSelector{
					MatchLabels: map[string]string{namespaceLabel: policy.Namespace},
				}
			}
			egress := networkingv1.NetworkPolicyEgressRule{
				To: []networkingv1.NetworkPolicyPeer{peer}, Ports: slices.Clone(rule.Ports),
			}
			if text := egress.String(); !seen[text] {
				seen[text] = true
				rules = append(rules, egress)
			}
		}
	}
	return rules
}

// admitsByLabels reports whether a rule of a policy admits one of the pods by its labels.
func (c *Cluster) admitsByLabels(
	policy *networkingv1.NetworkPolicy, from []networkingv1.NetworkPolicyPeer, namespace string, pods []int,
) bool {
	for _, peer := range from {
		if peer.IPBlock != nil {
			continue
		}
		in := policy.Namespace == namespace
		if peer.NamespaceSelector != nil {
			in = selects(peer.NamespaceSelector, c.State.Namespace(namespace).Labels)
		}
		if in && slices.ContainsFunc(pods, func(i int) bool {
			return peer.PodSelector == nil || selects(peer.PodSelector, c.pods[i].Labels)
		}) {
			return true
		}
	}
	return false
}

// nameServers returns the rule for servers of names.
func nameServers() networkingv1.NetworkPolicyEgressRule {
	udp, tcp, port := corev1.ProtocolUDP, corev1.ProtocolTCP, intstr.FromInt32(53)
	return networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{namespaceLabel: "kube-system"}},
		}},
		Ports: []networkingv1.NetworkPolicyPort{{Protocol: &udp, Port: &port}, {Protocol: &tcp, Port: &port}},
	}
}

// outside returns the rule for what is outside the cluster: all but the ranges of its subnets.
func (c *Cluster) outside() networkingv1.NetworkPolicyEgressRule {
	var four, six []string
	for _, prefix := range c.State.Prefixes() {
		if prefix.Addr().Is4() {
			four = append(four, prefix.String())
		} else {
			six = append(six, prefix.String())
		}
	}
	rule := networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: four}}},
	}
	if len(six) > 0 {
		rule.To = append(
			rule.To,
			networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "::/0", Except: six}},
		)
	}
	return rule
}

// unpoliced counts pods that no policy governs for what comes to them, without these.
func (c *Cluster) unpoliced(but []int) (n int) {
	for i := range c.pods {
		if slices.Contains(but, i) || len(c.pods[i].Addresses) == 0 {
			continue
		}
		own := c.pods[i].Addresses[0]
		stranger := strangers[0]
		if own.Is6() {
			stranger = strangers[1]
		}
		v := c.asked(outsider, i, stranger, own, Packet{intent.TCP, unnamedPort})
		if len(v.Ingress.Isolating) == 0 {
			n++
		}
	}
	return n
}

// selects reports whether a selector picks labels; one that cannot be read picks none.
func selects(s *metav1.LabelSelector, set map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(set))
}
