package kubeovn

// KeyRule says of one suffix of Kube-OVN's annotations what it can do to a port. docs/keys.md shows all of them.
type KeyRule struct {
	Suffix Suffix
	Class  KeyClass
	// On is what carries the key: pods, unless Kube-OVN reads it of other objects alone.
	On string
	// ReadBy are the functions that read it, in pkg/controller, pkg/daemon or pkg/speaker of Kube-OVN.
	ReadBy string
	// Why is the reason for the class.
	Why string
}

// elsewhere is the reason for keys that Kube-OVN does not read of a pod.
const elsewhere = "nobody reads it in a pod's annotations"

// KeyRules are all suffixes of pkg/util/const.go in Kube-OVN's master of August 2026, and those that older releases
// read. What is not among them is not known: nobody can say that it is harmless.
var KeyRules = []KeyRule{
	{
		PortSecurity,
		LevelKey,
		"pods",
		"controller: enqueueUpdatePod, reconcileAllocateSubnets, handleUpdatePodSecurity",
		"turns the check of sources on and off",
	},
	{
		Layer2Forward, LevelKey, "pods", "controller: reconcileAllocateSubnets",
		"puts `unknown` into the port's addresses",
	},
	{PortVIPs, GrantKey, "pods", "controller: getVirtualIPs", "adds addresses to port_security"},
	{
		"aaps", GrantKey, "pods", "controller: getVirtualIPs, handleUpdateVirtualParents",
		"adds addresses of Vips to port_security",
	},
	{VIP, GrantKey, "pods", "controller: acquireAddress", "gives the pod address and MAC of a Vip"},
	{
		IPAddress,
		IdentityKey,
		"pods",
		"controller: acquireAddress, handleUpdatePodSecurity, InitIPAM; daemon: handleAdd",
		"chooses the addresses, and is believed when the port is built again",
	},
	{
		MACAddress,
		IdentityKey,
		"pods",
		"controller: acquireAddress, handleUpdatePodSecurity, InitIPAM; daemon: handleAdd",
		"chooses the MAC, and is believed when the port is built again",
	},
	{
		LogicalSwitch, IdentityKey, "pods", "controller: getPodDefaultSubnet, reconcileAllocateSubnets, InitIPAM",
		"chooses the subnet",
	},
	{
		IPPool, IdentityKey, "pods", "controller: getPodDefaultSubnet, acquireAddress",
		"chooses the addresses, or the pool that they are from",
	},
	{
		"ip_family", IdentityKey, "pods", "controller: podNetRequestedIPFamily",
		"chooses of which families the port has addresses",
	},
	{
		Allocated, OwnKey, "pods", "controller: podNeedSync, InitIPAM, fetchPodsOnNode",
		"says that the port was made; believed whoever wrote it",
	},
	{
		Routed, OwnKey, "pods", "controller: needRouteSubnets, podNeedSync; daemon: handleAdd",
		"says that the port is in its node's groups; believed whoever wrote it",
	},
	{CIDR, OwnKey, "pods", "daemon: isMacOnlyAllocation, handleAdd", "the subnet's, as the controller noted it"},
	{Gateway, OwnKey, "pods", "daemon: handleAdd", "the subnet's, as the controller noted it"},
	{"vlan_id", OwnKey, "pods", "controller: reconcileAllocateSubnets", "the VLAN, as the controller noted it"},
	{"provider_network", OwnKey, "pods", "daemon: handleAdd", "the provider network, as the controller noted it"},
	{
		"virtualmachine",
		OwnKey,
		"pods",
		"controller: getEndpointTargetLSPNameFromProvider; daemon: handleAdd, handleDel",
		"the machine by which the port is named; believed whoever wrote it",
	},
	{
		LogicalRouter, WishKey, "pods", "controller: reconcileAllocateSubnets, fetchPodsOnNode, getVpcByProvider",
		"names the VPC; when the port is made the controller puts that of the subnet in its place. Afterwards it " +
			"decides to which VPC's services the pod belongs, and is the controller's",
	},
	{
		PodNICType, WishKey, "pods", "controller: reconcileAllocateSubnets; daemon: handleAdd, handleDel",
		"asks for a kind of device (veth pair, internal, DPDK, offload); the port is the same. The daemon takes " +
			"the device away by it, so that it stays as it was",
	},
	{
		AllowLiveMigration, MachineKey, "pods, up to 1.12", "controller: getPodAttachmentNet",
		"lets the pod have addresses that others have. Kube-OVN's documents up to 1.13 tell people to put it on " +
			"machines' templates, which is accepted; from there KubeVirt copies it. Anywhere else it is taken out",
	},
	{
		"activation_strategy", MachineKey, "pods", "controller: reconcileRouteSubnets; daemon: handleAdd",
		"binds the port to a second chassis, as for a migration",
	},
	{"eip", EgressKey, "pods", "controller: reconcileRouteSubnets", "takes an external address"},
	{"snat", EgressKey, "pods", "controller: reconcileRouteSubnets", "takes an external address"},
	{
		NorthGateway, EgressKey, "pods", "controller: reconcileRouteSubnets, gcRoutePolicy",
		"steers the pod's traffic to a router of its choice",
	},
	{
		SecurityGroups,
		GroupKey,
		"pods",
		"controller: enqueueUpdatePod, reconcileAllocateSubnets, handleUpdatePodSecurity",
		"puts the port into groups, whose address sets are computed from port_security",
	},
	{Routes, Harmless, "pods", "daemon: handleAdd", "routes inside the pod"},
	{"default_route", Harmless, "pods", "daemon: handleAdd", "the default route inside the pod"},
	{
		"dhcp-v4-options", Harmless, "pods", "controller: reconcilePodDHCPOptions",
		"what OVN answers to the port's own DHCP requests",
	},
	{
		"dhcp-v6-options", Harmless, "pods", "controller: reconcilePodDHCPOptions",
		"what OVN answers to the port's own DHCP requests",
	},
	{"ingress_rate", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "limits what the pod receives"},
	{"egress_rate", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "limits what the pod sends"},
	{"ingress_burst", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "limits what the pod receives"},
	{"egress_burst", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "limits what the pod sends"},
	{"latency", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "delays the pod's own traffic"},
	{"limit", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "bounds the queue of the pod's own traffic"},
	{"loss", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "drops some of the pod's own traffic"},
	{"jitter", Harmless, "pods", "daemon: handleUpdatePod, handleAdd", "delays the pod's own traffic"},
	{
		"mirror", Harmless, "pods", "daemon: handleUpdatePod, handleAdd",
		"copies the pod's own traffic to the node's mirror port",
	},
	{"bgp", Harmless, "pods", "speaker: collectPodExpectedPrefixes", "announces the addresses that the pod has"},
	{"vf", Harmless, "pods", "daemon: configureNic (writes it)", "nobody reads it of a pod"},
	{"vf_representor", Harmless, "pods", "daemon: configureNic (writes it)", "nobody reads it of a pod"},
	{
		"vpc_nat_gw",
		Harmless,
		"pods",
		"controller: checkIsPodVpcNatGw",
		"makes the controller set up, or start again, a pod as NAT gateway; proves a gateway in Kube-OVN's own " +
			"namespace alone",
	},
	{
		"vpc_nat_gw_init", Harmless, "pods", "controller: handleInitVpcNatGw",
		"whether a NAT gateway was set up; nothing about ports",
	},
	{"vpc_nat_gw_container_restarted", Harmless, "pods", "controller: genNatGwStatefulSet", "nothing about ports"},
	{"vpc_nat_gw_activated", Harmless, "pods", "nobody", "nothing"},
	{"vpc_cidrs", Harmless, "pods", "controller: handleUpdateNatGwSubnetRoute", "routes inside a NAT gateway"},
	{"vpc_eips", Harmless, "pods", "nobody", "nothing"},
	{"vpc_floating_ips", Harmless, "pods", "nobody", "nothing"},
	{"vpc_dnat_md5", Harmless, "pods", "nobody", "nothing"},
	{"vpc_snat_md5", Harmless, "pods", "nobody", "nothing"},
	{
		"generate-hash", Harmless, "pods", "controller: genNatGwDeployment, reconcileVpcEgressGatewayWorkload",
		"whether a gateway's workload is current",
	},
	{"acl_log_meter_rate", Harmless, "policies", "controller: parseACLLogRate", elsewhere},
	{"attachmentprovider", Harmless, "Services", "controller: getAttachNetworkProvider", elsewhere},
	{"chassis", Harmless, "nodes", "controller: getGatewayChassis, UpdateChassisTag", elsewhere},
	{"eip_v4_ip", Harmless, "OvnEips and their kin", "controller: getOvnEipNat", elsewhere},
	{"eip_v6_ip", Harmless, "OvnEips and their kin", "controller: getOvnEipNat", elsewhere},
	{"enable_log", Harmless, "policies", "controller: handleUpdateNp", elsewhere},
	{"exclude_ips", Harmless, "namespaces", "controller: handleAddNamespace (writes it)", elsewhere},
	{"external-gw", Harmless, "nodes", "controller: getGatewayChassis", elsewhere},
	{"fip", Harmless, "finalizers", "nobody", elsewhere},
	{"ic-gw", Harmless, "nodes", "ovn-ic-controller: gatewayChassisNames", elsewhere},
	{"ip_reserved", Harmless, "IPs", "controller: handleAddReservedIP, markAndCleanLSP", elsewhere},
	{"lb_svc_img", Harmless, "nothing", "nobody", elsewhere},
	{"log_acl_actions", Harmless, "policies", "controller: handleUpdateNp", elsewhere},
	{"network_policy_enforcement", Harmless, "policies", "controller: isNetworkPolicyEnforcementLax", elsewhere},
	{"network_policy_for", Harmless, "policies", "controller: parsePolicyFor", elsewhere},
	{"node-ext-gw", Harmless, "nodes", "daemon: loopOvnExt0Check", elsewhere},
	{"node-name", Harmless, "IPs", "controller: createOrUpdateIPCR (writes it)", elsewhere},
	{"node_networks", Harmless, "nodes", "daemon: parseNodeNetworks", elsewhere},
	{"ovn_eip_type", Harmless, "OvnEips", "controller: createOrUpdateOvnEipCR", elsewhere},
	{"ovs_dp_type", Harmless, "nodes", "daemon: initNicConfig", elsewhere},
	{"port_name", Harmless, "nodes", "controller: checkAndUpdateNodePortGroup; daemon: InitNodeGateway", elsewhere},
	{"qos", Harmless, "gateways", "controller: handleUpdateQoSPolicy", elsewhere},
	{"router_lb_vip", Harmless, "Services", "controller: getVipIps", elsewhere},
	{"service-cidr-hash", Harmless, "Deployments", "controller: createVpcLb", elsewhere},
	{"service_external_ip_from_subnet", Harmless, "Services", "controller: getVipIps", elsewhere},
	{"service_health_check", Harmless, "Services", "controller: serviceHealthChecksDisabled", elsewhere},
	{"subnet", Harmless, "IPs and their kin", "controller: calculateUsingIPs", elsewhere},
	{"switch_lb_vip", Harmless, "Services", "controller: getVipIps", elsewhere},
	{"tunnel_interface", Harmless, "nodes", "daemon: initNicConfig", elsewhere},
	{"vpc", Harmless, "Services and their kin", "controller: handleUpdateEndpointSlice", elsewhere},
	{"vpc-dns", Harmless, "Deployments", "controller: gcVPCDNS", elsewhere},
	{"vpc-egress-gateway", Harmless, "labels of pods", "controller: handlePodEventForVpcEgressGateway", elsewhere},
	{"vpc-nat-gw", Harmless, "labels of pods", "controller: getNatGwPods", elsewhere},
	{"vpc-nat-gw-name", Harmless, "OvnEips and their kin", "controller: getShareBackends", elsewhere},
	{"vpc_dnat_eport", Harmless, "IptablesDnatRules", "controller: isDnatDuplicated", elsewhere},
	{"vpc_eip", Harmless, "OvnEips and their kin", "controller: patchOvnFipAnnotations (writes it)", elsewhere},
	{"vpc_external", Harmless, "VPCs", "controller: syncExternalVpc", elsewhere},
	{"vpc_lb", Harmless, "VPCs, labels of pods", "controller: handleAddOrUpdateVpc", elsewhere},
	{"vpc_nat", Harmless, "OvnEips", "controller: natLabelAndAnnoOvnEip (writes it)", elsewhere},
}
