package upstream

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// networks are the networks that a policy is for; all if it is nil.
type networks map[kubeovn.Provider]bool

func (n networks) include(p kubeovn.Provider) bool { return n == nil || n[p] }

// parseNetworksFor reads the annotation PolicyFor. What is in no valid form is left out, and if nothing else is there
// the policy is for no network.
func parseNetworksFor(v Version, text string) networks {
	if strings.TrimSpace(text) == "" || !v.knowsPolicyFor() {
		return nil
	}
	list := networks{}
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		namespace, name, ok := strings.Cut(word, "/")
		switch {
		case strings.EqualFold(word, string(kubeovn.DefaultProvider)):
			list[kubeovn.DefaultProvider] = true
		case ok && namespace != "" && name != "":
			list[kubeovn.AttachmentProvider(namespace, name)] = true
		}
	}
	return list
}

// peerAddresses returns the addresses of a family of the pods that a peer selects: all addresses in their annotations,
// those outside OVN included.
func (c *compiler) peerAddresses(family string, peer networkingv1.NetworkPolicyPeer) ([]string, error) {
	if peer.PodSelector == nil && peer.NamespaceSelector == nil {
		return nil, nil
	}
	namespaces := map[string]bool{c.np.Namespace: true}
	if peer.NamespaceSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(peer.NamespaceSelector)
		if err != nil {
			return nil, fmt.Errorf("namespaceSelector: %w", err)
		}
		namespaces = map[string]bool{}
		for _, ns := range c.cluster.Namespaces {
			namespaces[ns.Name] = selector.Matches(labels.Set(ns.Labels))
		}
	}
	pods := labels.Everything()
	if peer.PodSelector != nil {
		var err error
		if pods, err = metav1.LabelSelectorAsSelector(peer.PodSelector); err != nil {
			return nil, fmt.Errorf("podSelector: %w", err)
		}
	}
	var list []string
	for _, pod := range c.cluster.Pods {
		if !namespaces[pod.Namespace] || !pods.Matches(labels.Set(pod.Labels)) {
			continue
		}
		for _, n := range pod.NICs {
			if !c.networks.include(n.Provider) {
				continue
			}
			for _, a := range splitList(pod.Annotations[n.Provider.Key(kubeovn.IPAddress)]) {
				if familyOf(a) == family {
					list = append(list, a)
				}
			}
		}
	}
	return list, nil
}

// portNumbers returns the numbers of the ports that the containers of a namespace's pods name. It is the policy's
// namespace that counts, for the ports of peers as well.
func portNumbers(namespace string, pods []PolicyPod) map[string]int32 {
	numbers := map[string]int32{}
	for _, pod := range pods {
		if pod.Namespace != namespace || pod.Spec.HostNetwork {
			continue
		}
		for _, container := range append(sidecars(pod.Pod), pod.Spec.Containers...) {
			for _, p := range container.Ports {
				if _, known := numbers[p.Name]; !known && p.Name != "" && p.ContainerPort != 0 {
					numbers[p.Name] = p.ContainerPort
				}
			}
		}
	}
	return numbers
}

// sidecars returns the init containers that stay.
func sidecars(pod *corev1.Pod) []corev1.Container {
	return slices.DeleteFunc(slices.Clone(pod.Spec.InitContainers), func(c corev1.Container) bool {
		return c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways
	})
}

// PolicyTouches reports whether a pod is selected by a policy or by one of its peers, so that the policy follows the
// pod's changes.
func PolicyTouches(np *networkingv1.NetworkPolicy, pod *corev1.Pod, ns *corev1.Namespace) bool {
	if ns.Name == np.Namespace && selects(&np.Spec.PodSelector, pod.Labels) {
		return true
	}
	return slices.ContainsFunc(peers(np), func(p networkingv1.NetworkPolicyPeer) bool {
		switch {
		case p.IPBlock != nil:
			return false
		case p.NamespaceSelector == nil && np.Namespace != ns.Name,
			p.NamespaceSelector != nil && !selects(p.NamespaceSelector, ns.Labels):
			return false
		}
		return p.PodSelector == nil || selects(p.PodSelector, pod.Labels)
	})
}

// PolicyNamesNamespace reports whether a peer of a policy selects a namespace by its labels.
func PolicyNamesNamespace(np *networkingv1.NetworkPolicy, ns *corev1.Namespace) bool {
	return slices.ContainsFunc(peers(np), func(p networkingv1.NetworkPolicyPeer) bool {
		return p.NamespaceSelector != nil && selects(p.NamespaceSelector, ns.Labels)
	})
}

func peers(np *networkingv1.NetworkPolicy) []networkingv1.NetworkPolicyPeer {
	var list []networkingv1.NetworkPolicyPeer
	for _, s := range []side{ingress, egress} {
		for _, r := range rulesOf(np, s) {
			list = append(list, r.peers...)
		}
	}
	return list
}

// selects reports whether a selector selects labels; an unreadable one selects nothing.
func selects(s *metav1.LabelSelector, of map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(of))
}

// PolicyChanged reports whether the controller acts on a change of a NetworkPolicy: of its spec, or of an annotation,
// which must have a name of Kubernetes' form on all but one release line.
func PolicyChanged(v Version, before, after *networkingv1.NetworkPolicy) bool {
	ours := func(np *networkingv1.NetworkPolicy) map[string]string {
		m := map[string]string{}
		for key, value := range np.Annotations {
			if v.followsAnyAnnotation() || strings.Contains(key, ".kubernetes.io/") {
				m[key] = value
			}
		}
		return m
	}
	return before.Generation != after.Generation || !maps.Equal(ours(before), ours(after))
}
