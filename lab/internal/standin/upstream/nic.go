package upstream

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	nadutils "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/utils"
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
)

// NIC is one NIC of a pod that the controller allocates.
type NIC struct {
	Provider kubeovn.Provider
	// Subnets are the subnets to try, in order; the port is on the first that has an address.
	Subnets []*crd.Subnet
	// IPAMOnly means a NIC outside OVN that gets an address and nothing else.
	IPAMOnly bool
	// Addresses and MAC are the requests in the entry of the networks annotation.
	Addresses []string
	MAC       string
	// Attachment is "<name>.<namespace>" and Interface the wanted interface name; both empty for the default network.
	Attachment, Interface string
}

// Cluster has the facts that the choice of a pod's NICs depends on.
type Cluster struct {
	// NAD returns the attachment definition, or false.
	NAD func(namespace, name string) (*crd.NAD, bool)
	// Subnets are all subnets, ordered by name.
	Subnets []*crd.Subnet
	// DefaultSubnet is the name of the cluster's default subnet.
	DefaultSubnet string
	// NonPrimary means that another CNI makes the default network, so that there are only attachments.
	NonPrimary bool
	// NamespaceSubnets are the subnets that the pod's namespace names.
	NamespaceSubnets []string
}

func (c *Cluster) subnet(name string) *crd.Subnet {
	for _, s := range c.Subnets {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func (c *Cluster) ofProvider(p kubeovn.Provider) *crd.Subnet {
	for _, s := range c.Subnets {
		if s.Spec.Provider == string(p) {
			return s
		}
	}
	return nil
}

// NICs returns the pod's NICs: attachments in the pod's order, then the default network, unless the pod replaces it. An
// attachment that does not exist is an error, and the pod gets nothing at all until it does.
func NICs(v Version, pod *corev1.Pod, c *Cluster) ([]NIC, error) {
	var elements []*nadv1.NetworkSelectionElement
	for _, key := range []string{kubeovn.DefaultNetwork, kubeovn.Networks} {
		text := pod.Annotations[key]
		if text == "" {
			continue
		}
		list, err := parseNetworks(text, pod.Namespace)
		if err != nil {
			return nil, fmt.Errorf("annotation %s: %w", key, err)
		}
		elements = append(elements, list...)
	}
	times := make(map[string]int)
	for _, e := range elements {
		times[e.Namespace+"/"+e.Name]++
	}
	var nics []NIC
	for _, e := range elements {
		nic, ok, err := attachmentNIC(v, pod, c, e, times[e.Namespace+"/"+e.Name] > 1)
		if err != nil {
			return nil, err
		}
		same := func(n NIC) bool { return n.Provider == nic.Provider }
		if ok && !slices.ContainsFunc(nics, same) { // releases without a provider for each interface make one port
			nics = append(nics, nic)
		}
	}
	if pod.Annotations[kubeovn.DefaultNetwork] == "" && !c.NonPrimary {
		nic, err := defaultNIC(pod, c)
		if err != nil {
			return nil, err
		}
		nics = append(nics, nic)
	}
	return nics, nil
}

// parseNetworks follows a library that fails on null entries, which any tenant can write.
func parseNetworks(text, namespace string) (list []*nadv1.NetworkSelectionElement, err error) {
	defer func() {
		if r := recover(); r != nil {
			list, err = nil, fmt.Errorf("holds an empty entry: %v", r)
		}
	}()
	return nadutils.ParseNetworkAnnotation(text, namespace)
}

func attachmentNIC(
	v Version,
	pod *corev1.Pod,
	c *Cluster,
	e *nadv1.NetworkSelectionElement,
	repeated bool,
) (NIC, bool, error) {
	nad, ok := c.NAD(e.Namespace, e.Name)
	if !ok {
		return NIC{}, false, fmt.Errorf("network-attachment-definition %s/%s is not found", e.Namespace, e.Name)
	}
	kind, err := kubeovn.KindOfConfig(nad.Spec.Config)
	if err != nil {
		return NIC{}, false, fmt.Errorf("network-attachment-definition %s/%s: %w", e.Namespace, e.Name, err)
	}
	nic := NIC{
		Addresses:  e.IPRequest,
		MAC:        e.MacRequest,
		Attachment: e.Name + "." + e.Namespace,
		Interface:  e.InterfaceRequest,
	}
	switch {
	case kind.OnOVN():
		plain := kubeovn.AttachmentProvider(e.Namespace, e.Name)
		nic.Provider = plain
		if repeated && e.InterfaceRequest != "" && v.providerPerInterface() {
			nic.Provider = plain + kubeovn.Provider("."+e.InterfaceRequest)
		}
		s, err := attachmentSubnet(pod, c, nic.Provider, plain)
		nic.Subnets = []*crd.Subnet{s}
		return nic, true, err
	case asksForIPAM(nad.Spec.Config):
		nic.Provider, nic.IPAMOnly = kubeovn.Provider(nic.Attachment), true
		s := c.ofProvider(nic.Provider)
		nic.Subnets = []*crd.Subnet{s}
		return nic, s != nil, nil
	}
	return NIC{}, false, nil
}

func attachmentSubnet(pod *corev1.Pod, c *Cluster, p, plain kubeovn.Provider) (*crd.Subnet, error) {
	name := pod.Annotations[p.Key(kubeovn.LogicalSwitch)]
	if name == "" {
		for _, provider := range []kubeovn.Provider{p, plain} {
			if s := c.ofProvider(provider); s != nil {
				return s, nil
			}
		}
		name = c.DefaultSubnet
	}
	s := c.subnet(name)
	if s == nil {
		return nil, fmt.Errorf("subnet %s of network %s is not found", name, p)
	}
	return s, nil
}

func defaultNIC(pod *corev1.Pod, c *Cluster) (NIC, error) {
	names := c.NamespaceSubnets
	if own := pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]; own != "" {
		names = []string{own}
	}
	if len(names) == 0 { // the controller annotates every namespace; its pods wait until then
		return NIC{}, fmt.Errorf("namespace %s names no logical switch", pod.Namespace)
	}
	nic := NIC{Provider: kubeovn.DefaultProvider}
	for _, name := range names {
		s := c.subnet(name)
		if s == nil {
			return NIC{}, fmt.Errorf("subnet %s of the default network is not found", name)
		}
		nic.Subnets = append(nic.Subnets, s)
	}
	return nic, nil
}

// asksForIPAM reports whether a CNI configuration outside OVN lets Kube-OVN choose its addresses.
func asksForIPAM(config string) bool {
	type ipam struct {
		IPAM struct {
			Type string `json:"type"`
		} `json:"ipam"`
	}
	var conf struct {
		ipam
		Plugins []ipam `json:"plugins"`
	}
	if err := json.Unmarshal([]byte(config), &conf); err != nil {
		return false
	}
	isOurs := func(i ipam) bool { return i.IPAM.Type == "kube-ovn" }
	return isOurs(conf.ipam) || slices.ContainsFunc(conf.Plugins, isOurs)
}

// ToAllocate returns the NICs that are allocated now: those without a mark of it yet, and all NICs of a pod that a live
// migration made, at each of its events.
func ToAllocate(pod *corev1.Pod, nics []NIC) []NIC {
	if _, migrated := pod.Annotations[kubeovn.MigrationJob]; migrated {
		return nics
	}
	return filter(nics, func(n NIC) bool { return pod.Annotations[n.Provider.Key(kubeovn.Allocated)] != kubeovn.True })
}

// ToRoute returns the NICs that are put into their node's groups now.
func ToRoute(pod *corev1.Pod, nics []NIC) []NIC {
	if pod.Spec.NodeName == "" {
		return nil
	}
	return filter(nics, func(n NIC) bool {
		return !n.IPAMOnly &&
			pod.Annotations[n.Provider.Key(kubeovn.Allocated)] == kubeovn.True &&
			pod.Annotations[n.Provider.Key(kubeovn.Routed)] != kubeovn.True
	})
}

// NeedsSync reports whether the controller handles a pod that it sees for the first time: a NIC is not routed or has no
// IP resource. It does not notice any other change of the pod meanwhile.
//
// A pod with a default network that is not routed is handled even before its NICs are known, hence nics is a function.
func NeedsSync(pod *corev1.Pod, nics func() []NIC, hasIP func(port string) bool) bool {
	if pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.Routed)] != kubeovn.True {
		return true
	}
	owner := OwnerOf(pod)
	return slices.ContainsFunc(nics(), func(n NIC) bool {
		if !n.IPAMOnly && pod.Annotations[n.Provider.Key(kubeovn.Routed)] != kubeovn.True {
			return true
		}
		return !hasIP(kubeovn.PortName(owner.Name, pod.Namespace, n.Provider))
	})
}

// SecurityChanged reports whether an update of a pod makes the controller write port_security and the security groups
// again: one of four annotations changed, whatever the row holds. nics are those of the new pod.
func SecurityChanged(before, after *corev1.Pod, nics []NIC) bool {
	if before.Annotations[kubeovn.AAPs] != after.Annotations[kubeovn.AAPs] {
		return true
	}
	return slices.ContainsFunc(nics, func(n NIC) bool {
		for _, s := range []kubeovn.Suffix{kubeovn.PortSecurity, kubeovn.SecurityGroups, kubeovn.PortVIPs} {
			if key := n.Provider.Key(s); before.Annotations[key] != after.Annotations[key] {
				return true
			}
		}
		return false
	})
}

// VipNames returns the names in a pod's aaps annotation as the choice of virtual parents reads it: it does not remove
// blanks.
func VipNames(pod *corev1.Pod) []string { return splitList(pod.Annotations[kubeovn.AAPs]) }

func filter(nics []NIC, keep func(NIC) bool) []NIC {
	var kept []NIC
	for _, n := range nics {
		if keep(n) {
			kept = append(kept, n)
		}
	}
	return kept
}

// trimmed returns the list's elements without blanks around them.
func trimmed(list []string) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = strings.TrimSpace(e)
	}
	return out
}
