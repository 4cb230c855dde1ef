package inventory

import "slices"

// Kind is a kind of object that the inventory is fed from, as its Kubernetes kind and group.
type Kind string

// Kinds of which it matters whether they have been read: who looks for the holder of something must not take what
// nobody has told yet for what nobody has.
const (
	Namespaces Kind = "Namespace"
	Pods       Kind = "Pod"
	Nodes      Kind = "Node"
	Services   Kind = "Service"
	Records    Kind = "IP.kubeovn.io"
	Vips       Kind = "Vip.kubeovn.io"
	Subnets    Kind = "Subnet.kubeovn.io"
	VPCs       Kind = "Vpc.kubeovn.io"
	Pools      Kind = "IPPool.kubeovn.io"

	EIPs           Kind = "OvnEip.kubeovn.io"
	FIPs           Kind = "OvnFip.kubeovn.io"
	LBRules        Kind = "SwitchLBRule.kubeovn.io"
	NATGateways    Kind = "VpcNatGateway.kubeovn.io"
	EgressGateways Kind = "VpcEgressGateway.kubeovn.io"
	ServiceCIDRs   Kind = "ServiceCIDR.networking.k8s.io"
	Attachments    Kind = "NetworkAttachmentDefinition.k8s.cni.cncf.io"

	StatefulSets    Kind = "StatefulSet.apps"
	VirtualMachines Kind = "VirtualMachine.kubevirt.io"

	Policies   Kind = "PortSecurityPolicy.ovnguard.io"
	Exceptions Kind = "PortSecurityException.ovnguard.io"

	NetworkPolicies         Kind = "NetworkPolicy.networking.k8s.io"
	ClusterNetworkPolicies  Kind = "ClusterNetworkPolicy.policy.networking.k8s.io"
	AdminNetworkPolicies    Kind = "AdminNetworkPolicy.policy.networking.k8s.io"
	BaselineNetworkPolicies Kind = "BaselineAdminNetworkPolicy.policy.networking.k8s.io"
)

// Holding are the kinds of all that may hold an address or keep a range of them, with the subnets and VPCs by which
// networks are told apart and are somebody's.
var Holding = []Kind{Records, Vips, Subnets, VPCs, Pools, Nodes, Services, EIPs, FIPs, LBRules, ServiceCIDRs}

// accounting are the kinds of all that may account for a port or an IP resource, so that it is not left over.
var accounting = []Kind{Pods, Nodes, Records, Vips, Subnets, EIPs, StatefulSets, VirtualMachines}

// Expect says that objects of a kind are about to be read: until Heard, nothing is known of those that it does not
// hold.
func (inv *Inventory) Expect(k Kind) { inv.unread.Set(inv.edit, k, struct{}{}) }

// Heard says that all objects of a kind have been entered that there were, or that there can be none. It returns the
// names of the ports for which it matters that what was not entered does not exist.
func (inv *Inventory) Heard(k Kind) []string {
	inv.unread.Delete(inv.edit, k)
	if !slices.Contains(accounting, k) {
		return nil
	}
	return inv.ports.mayBeLeftOver()
}

// Unread returns the kinds among some that are expected and have not been read yet, in order; of all without any.
func (inv *State) Unread(among ...Kind) []Kind {
	var out []Kind
	for k := range inv.unread.Keys() {
		if len(among) == 0 || slices.Contains(among, k) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}
