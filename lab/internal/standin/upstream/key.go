package upstream

import "github.com/ovnguard/ovnguard/internal/kubeovn"

// Suffixes of per-provider annotations that only the controller needs.
const (
	IPPool             kubeovn.Suffix = "ip_pool"
	IPFamily           kubeovn.Suffix = "ip_family"
	VirtualMachine     kubeovn.Suffix = "virtualmachine"
	VlanID             kubeovn.Suffix = "vlan_id"
	ProviderNetwork    kubeovn.Suffix = "provider_network"
	ActivationStrategy kubeovn.Suffix = "activation_strategy"
	ExcludeIPs         kubeovn.Suffix = "exclude_ips"
	PortName           kubeovn.Suffix = "port_name"
	Chassis            kubeovn.Suffix = "chassis"
)

// StaticVip names a Vip; the pod gets its addresses and MAC. It has no per-provider form.
const StaticVip = "ovn.kubernetes.io/vip"

// Values that the controller writes.
const (
	defaultNICType     = "veth-pair"
	defaultSG          = "default-securitygroup"
	externalAttachVIPs = "attach-vips"
	externalAssociated = "associated_sg_"
	attachVIPsOn       = "true"
)

// Options of a port that the controller writes.
const (
	OptionRequestedChassis   = "requested-chassis"
	OptionActivationStrategy = "activation-strategy"
	OptionVirtualIP          = "virtual-ip"
	OptionVirtualParents     = "virtual-parents"
)
