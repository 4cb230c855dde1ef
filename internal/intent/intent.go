// Package intent says what the policies of Kubernetes ask for, for one packet: NetworkPolicy, ClusterNetworkPolicy and
// the older AdminNetworkPolicy and BaselineAdminNetworkPolicy.
//
// It is about what policies mean, not about what enforces them. Three things follow from that. A packet's source is an
// address, which may be forged: who has it counts for what policies of the receiver see. What was not understood is
// never guessed: where it could change the answer, the answer is unknown. And Kubernetes' own exemptions for what
// happens on a node (a node reaches its pods, a pod reaches itself) are left to whoever knows nodes.
package intent

import (
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// Protocol is the transport of a packet.
type Protocol string

// The protocols that policies tell apart. ICMP stands for all that has no ports: rules with ports never match it.
const (
	TCP  Protocol = "TCP"
	UDP  Protocol = "UDP"
	SCTP Protocol = "SCTP"
	ICMP Protocol = "ICMP"
)

// NamedPort is a port of a container that has a name. Without Protocol it is TCP.
type NamedPort struct {
	Name     string
	Protocol Protocol
	Number   uint16
}

// Pod is what policies look at.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	// Addresses are all of its addresses, of attached networks as well.
	Addresses []netip.Addr
	Ports     []NamedPort
	// HostNetwork says that the pod uses its node's addresses. Policies neither select nor trust such a pod.
	HostNetwork bool
}

// Objects are policies as the API server or a file has them. They are only read.
type Objects struct {
	NetworkPolicies              []*networkingv1.NetworkPolicy
	ClusterNetworkPolicies       []*v1alpha2.ClusterNetworkPolicy
	AdminNetworkPolicies         []*v1alpha1.AdminNetworkPolicy
	BaselineAdminNetworkPolicies []*v1alpha1.BaselineAdminNetworkPolicy
}

// Cluster is all that an Intent is made from. Pods that have finished are to be left out: others may have their
// addresses by now.
type Cluster struct {
	Objects
	// Namespaces are the labels of each namespace.
	Namespaces map[string]map[string]string
	Pods       []Pod
}

// Ref names a policy.
type Ref struct {
	Kind      string
	Namespace string // "" for kinds of the whole cluster
	Name      string
}

// The kinds of policies.
const (
	KindNetworkPolicy              = "NetworkPolicy"
	KindClusterNetworkPolicy       = "ClusterNetworkPolicy"
	KindAdminNetworkPolicy         = "AdminNetworkPolicy"
	KindBaselineAdminNetworkPolicy = "BaselineAdminNetworkPolicy"
)

// String returns the policy as "NetworkPolicy shop/allow-web".
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// compare orders policies by kind, namespace and name.
func (r Ref) compare(o Ref) int {
	return slices.Compare([]string{r.Kind, r.Namespace, r.Name}, []string{o.Kind, o.Namespace, o.Name})
}

// Intent is what the policies of one cluster ask for. It does not change, and any number of goroutines may ask it.
type Intent struct {
	pods     []Pod
	at       map[netip.Addr][]int
	universe *universe
	policies []*policy
	// profiles are the different sets of policies that select pods; profileOf has one for each place of the universe.
	profiles  []profile
	profileOf []int32
	problems  []string
}

// New returns what the policies of a cluster ask for. The cluster must not change afterwards.
func New(c Cluster) *Intent {
	i := &Intent{pods: c.Pods, at: make(map[netip.Addr][]int, len(c.Pods))}
	for p := range c.Pods {
		if c.Pods[p].HostNetwork {
			continue
		}
		for _, a := range c.Pods[p].Addresses {
			a = plain(a)
			if has := i.at[a]; len(has) == 0 || has[len(has)-1] != p {
				i.at[a] = append(has, p)
			}
		}
	}
	delete(i.at, netip.Addr{})

	r := reader{universe: newUniverse(c)}
	for _, ns := range r.universe.unknown {
		r.problem(
			"Namespace "+ns,
			"metadata.labels",
			"the namespace was not read; it counts as one without labels of its own",
		)
	}
	r.networkPolicies(c.NetworkPolicies)
	r.clusterNetworkPolicies(c.ClusterNetworkPolicies)
	r.adminNetworkPolicies(c.AdminNetworkPolicies)
	r.baselineAdminNetworkPolicies(c.BaselineAdminNetworkPolicies)
	r.order()
	i.universe, i.policies, i.problems = r.universe, r.policies, r.problems
	i.profile()
	return i
}

// Problems returns what was not understood, each with the object and the field. A verdict that depends on it is
// unknown.
func (i *Intent) Problems() []string { return i.problems }

// PodsAt returns the pods that have an address, as indexes in Cluster.Pods. Pods on the host's network are left out:
// the address is their node's. The caller must not change the slice.
func (i *Intent) PodsAt(a netip.Addr) []int { return slices.Clip(i.at[plain(a)]) }

// plain returns an address in the one form in which it is compared.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// names returns policies as "NetworkPolicy shop/a, NetworkPolicy shop/b".
func names(refs []Ref) string {
	all := make([]string, len(refs))
	for n, r := range refs {
		all[n] = r.String()
	}
	return strings.Join(all, ", ")
}
