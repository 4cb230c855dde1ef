package kubeovn

import "strings"

// Keys that Kube-OVN writes into a Logical_Switch_Port's external_ids.
const (
	// ExternalIDVendor is on every row that Kube-OVN makes (since 1.15 also on older rows).
	ExternalIDVendor = "vendor"
	// ExternalIDPod is "<namespace>/<pod or VM>". Rows of some Vips and of multicast queriers carry it too.
	ExternalIDPod = "pod"
	// ExternalIDSwitch is the name of the row's logical switch.
	ExternalIDSwitch = "ls"
	// ExternalIDVIPs is the comma list of the port's VIPs.
	ExternalIDVIPs = "vips"
	// ExternalIDSecurityGroups is the list of security groups, joined by "/".
	ExternalIDSecurityGroups = "security_groups"
)

// Keys that Kube-OVN writes into the external_ids of a security group's port group and address sets, and what is there.
const (
	// ExternalIDGroup is the name of the security group.
	ExternalIDGroup = "sg"
	// ExternalIDType is SecurityGroupType on the port group.
	ExternalIDType    = "type"
	SecurityGroupType = "security_group"
	// DenyAllGroup stands in ExternalIDGroup of the port group of all ports that are in some security group. Its rules
	// drop what no rule of a group lets pass.
	DenyAllGroup = "kubeovn_deny_all"
)

// GroupOwner returns what a port group was made for, by its external_ids: the kind, the namespace and the name of a
// policy, or of a security group; ok is false where it is for something else. Names of NetworkPolicies that do not
// begin with a letter have "np" before them there.
func GroupOwner(ids map[string]string) (kind, namespace, name string, ok bool) {
	if ids[ExternalIDType] == SecurityGroupType {
		return "SecurityGroup", "", ids[ExternalIDGroup], ids[ExternalIDGroup] != ""
	}
	if namespace, name, ok = strings.Cut(ids["np"], "/"); ok && ids["node"] == "" {
		return "NetworkPolicy", namespace, name, true
	}
	for key, kind := range map[string]string{
		"cnp": "ClusterNetworkPolicy", "anp": "AdminNetworkPolicy", "banp": "BaselineAdminNetworkPolicy",
	} {
		if name := ids[key]; name != "" {
			return kind, "", name, true
		}
	}
	return "", "", "", false
}

// GroupNames returns the security groups that an annotation lists, each as it is written and without blanks, as
// Kube-OVN reads it (handleAddOrUpdatePod in pkg/controller).
func GroupNames(text string) (names []string) {
	for name := range strings.SplitSeq(strings.ReplaceAll(text, " ", ""), ",") {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// ControllerAccount is the user as which Kube-OVN's controller works, as its manifests name it. Only it may change what
// Kube-OVN notes on pods; people with the right to impersonate can act as it.
const ControllerAccount = "system:serviceaccount:kube-system:ovn"

// JoinSubnet is the subnet by which nodes reach pods, as Kube-OVN names it unless its controller is told otherwise
// (--node-switch).
const JoinSubnet = "join"

// DefaultVPC is the VPC of subnets that name none, as Kube-OVN calls it unless its controller is told otherwise
// (--cluster-router).
const DefaultVPC = "ovn-cluster"

// NodePortName returns the name of a node's port on that subnet, and of its IP resource.
func NodePortName(node string) string { return "node-" + node }

// Types of Vips that pods do not share: Kube-OVN makes a port for each, with the MAC of the gateway, or with one of its
// own for a machine on a node's network.
const (
	VipSwitchLB = "switch_lb_vip"
	VipHostVM   = "kube_host_vm_vip"
)

// PortsOfVip returns the names of the ports that Kube-OVN makes for a Vip that pods share: the Vip's own, and in a
// coming release one for each address family.
func PortsOfVip(vip string) []string {
	return []string{vip, "vip:" + vip + ":ipv4", "vip:" + vip + ":ipv6"}
}

// VipOfPort returns the name of the Vip for which Kube-OVN makes a port of that name, if there is such a Vip.
func VipOfPort(port string) string {
	name, ok := strings.CutPrefix(port, "vip:")
	if !ok {
		return port
	}
	return strings.TrimSuffix(strings.TrimSuffix(name, ":ipv4"), ":ipv6")
}

// IsOfSubnet reports whether an IP resource is of what Kube-OVN gives to a subnet itself: its link to a router beside
// the physical one, or the querier of its multicast groups.
func IsOfSubnet(ip, subnet string) bool {
	return ip == multicastQuerier+subnet || strings.HasPrefix(ip, underlayLink) && strings.HasSuffix(ip, "."+subnet)
}

// IsOfSomeSubnet reports whether an IP resource is, by how its name begins, of what Kube-OVN gives to some subnet
// itself.
func IsOfSomeSubnet(ip string) bool {
	return strings.HasPrefix(ip, multicastQuerier) || strings.HasPrefix(ip, underlayLink)
}

// How the names of such IP resources begin.
const (
	multicastQuerier = "mcast-querier."
	underlayLink     = "u2o-interconnection."
)

// LabelPrefix begins the labels that Kube-OVN puts on its own resources, such as the one that says which port has a
// Vip.
const LabelPrefix = "ovn.kubernetes.io/"

// ReservedLabel is True on an IP resource that somebody made to reserve an address, or whose address is to be kept
// (handleAddReservedIP in Kube-OVN's pkg/controller/ip.go).
const ReservedLabel = LabelPrefix + "ip_reserved"

// Vendor is the value of ExternalIDVendor.
const Vendor = "kube-ovn"

// AddressUnknown is the element of a port's addresses that makes it receive frames for MACs that nobody has.
const AddressUnknown = "unknown"

// IsMulticastQuerier reports whether a row is the multicast querier of its subnet. It carries the name of a pod that
// never exists, in namespace default.
func IsMulticastQuerier(name string, externalIDs map[string]string) bool {
	querier := multicastQuerier + externalIDs[ExternalIDSwitch]
	return name == querier && externalIDs[ExternalIDPod] == "default/"+querier
}
