package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Query is everything that a decision about one NIC rests on.
type Query struct {
	// Provider names the NIC.
	Provider  kubeovn.Provider
	Namespace Namespace
	Pod       Pod
	// Policies are all policies of the cluster, in the order of SortPolicies.
	Policies []Policy
	// Exceptions are the exceptions of the pod's namespace, in any order.
	Exceptions []Exception
	// VIPs are the Vip resources of the pod's namespace; only those that the pod's annotations name count.
	VIPs []VIP
	// Shared are the addresses of spec.vips of the subnet that the NIC is, or will be, on, where pods of the namespace
	// may use it. They are asked for where VIPs are.
	Shared []VIP
	// VPCs are those of the subnets where the NIC is, or may be put, with "" for one that cannot be told. They
	// are asked for where VIPs are.
	VPCs []string
	// Now is the time at which exceptions are in effect or not.
	Now time.Time

	// common is set by Narrow.
	common *common
}

// Namespace is what a decision reads of a namespace.
type Namespace struct {
	Name string
	// UID tells it from a later one of the same name.
	UID         string
	Labels      map[string]string
	Annotations map[string]string
	// Err says why the namespace could not be read; nil where it was. The strict default stands then.
	Err error
}

// Pod is what a decision reads of a pod.
type Pod struct {
	Labels      map[string]string
	Annotations map[string]string
	// Lists are the lists in annotations that have been parsed already, by their keys: what Decide needs and does not
	// find here, it parses itself.
	Lists map[string][]Item
	// Owners are the objects that made the pod, the nearest first: a ReplicaSet and then its Deployment. Only owners
	// that are known to exist, and to own the pod, belong here.
	Owners []Owner
	// Inherited are the NICs whose port_security annotation admission wrote without the pod having asked for it. It is
	// no wish of the pod then, and follows when policy changes. The pod's author can at most take their own wish back
	// by it.
	Inherited []kubeovn.Provider
	// Gateway names the gateway of Kube-OVN's that the pod is of, as in "VpcNatGateway east", where it is proved to be
	// one that administrators made; empty for all others.
	Gateway string
}

// Owner is an object that made pods.
type Owner struct {
	APIVersion string
	Kind       string
	Name       string
	UID        string
}

// Selector says whether labels are picked. nil picks all.
type Selector func(labels map[string]string) bool

func (s Selector) picks(labels map[string]string) bool { return s == nil || s(labels) }

// Providers picks NICs by provider: exact names, or with one "*" at the beginning or the end. Empty picks all.
type Providers []string

// Pick reports whether the provider is picked. One with an interface behind it is picked with its attachment: who lists
// an attachment twice does not get out of what is said about it.
func (p Providers) Pick(provider kubeovn.Provider) bool {
	if len(p) == 0 || p.pick(provider) {
		return true
	}
	whole := provider.Attachment()
	return whole != provider && p.pick(whole)
}

// PickAll reports whether every provider is picked.
func (p Providers) PickAll() bool { return len(p) == 0 || slices.Contains(p, "*") }

func (p Providers) pick(provider kubeovn.Provider) bool {
	for _, pattern := range p {
		switch tail, head := strings.CutPrefix(pattern, "*"); {
		case head && strings.HasSuffix(string(provider), tail):
			return true
		case string(provider) == pattern:
			return true
		}
		if head, cut := strings.CutSuffix(pattern, "*"); cut && strings.HasPrefix(string(provider), head) {
			return true
		}
	}
	return false
}

// VIP is a Vip resource of the pod's namespace, or what a subnet shares, which has no name of its own.
type VIP struct {
	Name string
	// Subnet is the subnet that it is on.
	Subnet string
	// VPC is that of the subnet; "" where it cannot be told.
	VPC string
	// Addresses are its addresses.
	Addresses []netip.Addr
	// Pods picks those of the namespace that may share it, by their labels; nil picks all.
	Pods Selector
}
