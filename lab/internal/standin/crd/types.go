// Package crd holds the Kubernetes resources of Kube-OVN that the stand-in uses: the definitions it installs, with
// schemas for the fields it reads or writes, and Go types with just those fields.
package crd

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// APIVersion is the API version of Kube-OVN's own resources.
const APIVersion = "kubeovn.io/v1"

// Finalizer is the finalizer of Kube-OVN's controller.
const Finalizer = "kubeovn.io/kube-ovn-controller"

// Labels of IP and Vip resources.
const (
	// LabelSubnet names the subnet.
	LabelSubnet = "ovn.kubernetes.io/subnet"
	// LabelNode names the node of an IP's pod.
	LabelNode = "ovn.kubernetes.io/node-name"
	// LabelReserved says whether an IP is kept, and which port took a Vip.
	LabelReserved = "ovn.kubernetes.io/ip_reserved"
)

// Resources by group, version and plural name.
var (
	Subnets        = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "subnets"}
	VPCs           = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "vpcs"}
	IPs            = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "ips"}
	Vips           = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "vips"}
	IPPools        = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "ippools"}
	Vlans          = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "vlans"}
	SecurityGroups = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "security-groups"}
	NATGateways    = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "vpc-nat-gateways"}
	EgressGateways = schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "vpc-egress-gateways"}
	NADs           = schema.GroupVersionResource{
		Group:    "k8s.cni.cncf.io",
		Version:  "v1",
		Resource: "network-attachment-definitions",
	}
	VMs        = schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: "virtualmachines"}
	Migrations = schema.GroupVersionResource{
		Group:    "kubevirt.io",
		Version:  "v1",
		Resource: "virtualmachineinstancemigrations",
	}
	VMIs = schema.GroupVersionResource{
		Group:    "kubevirt.io",
		Version:  "v1",
		Resource: "virtualmachineinstances",
	}
	Definitions = schema.GroupVersionResource{
		Group:    "apiextensions.k8s.io",
		Version:  "v1",
		Resource: "customresourcedefinitions",
	}
)

// Subnet is a logical switch with its addresses.
type Subnet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   SubnetSpec   `json:"spec"`
	Status SubnetStatus `json:"status,omitzero"`
}

// SubnetSpec holds the fields of a Subnet that the stand-in reads.
type SubnetSpec struct {
	Default             bool                   `json:"default,omitempty"`
	Vpc                 string                 `json:"vpc,omitempty"`
	Protocol            string                 `json:"protocol,omitempty"`
	Namespaces          []string               `json:"namespaces,omitempty"`
	NamespaceSelectors  []metav1.LabelSelector `json:"namespaceSelectors,omitempty"`
	CIDRBlock           string                 `json:"cidrBlock,omitempty"`
	Gateway             string                 `json:"gateway,omitempty"`
	ExcludeIPs          []string               `json:"excludeIps,omitempty"`
	Provider            string                 `json:"provider,omitempty"`
	GatewayType         string                 `json:"gatewayType,omitempty"`
	NatOutgoing         bool                   `json:"natOutgoing,omitempty"`
	Private             bool                   `json:"private,omitempty"`
	Vlan                string                 `json:"vlan,omitempty"`
	Vips                []string               `json:"vips,omitempty"`
	LogicalGateway      bool                   `json:"logicalGateway,omitempty"`
	U2OInterconnection  bool                   `json:"u2oInterconnection,omitempty"`
	EnableDHCP          bool                   `json:"enableDHCP,omitempty"`
	DHCPv4Options       string                 `json:"dhcpV4Options,omitempty"`
	DHCPv6Options       string                 `json:"dhcpV6Options,omitempty"`
	DisableInterconnect bool                   `json:"disableInterConnection,omitempty"`
}

// SubnetStatus holds the fields of a Subnet's status that the stand-in writes.
type SubnetStatus struct {
	Conditions        []Condition `json:"conditions,omitempty"`
	V4AvailableIPs    float64     `json:"v4availableIPs"`
	V4UsingIPs        float64     `json:"v4usingIPs"`
	V6AvailableIPs    float64     `json:"v6availableIPs"`
	V6UsingIPs        float64     `json:"v6usingIPs"`
	DHCPv4OptionsUUID string      `json:"dhcpV4OptionsUUID"`
	DHCPv6OptionsUUID string      `json:"dhcpV6OptionsUUID"`
}

// Condition is a status condition as Kube-OVN writes it.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// CIDRs returns the subnet's prefixes; none if it assigns only MACs.
func (s *Subnet) CIDRs() []string { return splitList(s.Spec.CIDRBlock) }

// Gateways returns the subnet's gateway addresses.
func (s *Subnet) Gateways() []string { return splitList(s.Spec.Gateway) }

// IsOVN reports whether the subnet is a logical switch: its provider is empty, "ovn" or "<name>.<namespace>.ovn".
func (s *Subnet) IsOVN() bool {
	return s.Spec.Provider == "" || s.Spec.Provider == "ovn" || strings.HasSuffix(s.Spec.Provider, ".ovn")
}

// Vpc is a logical router.
type Vpc struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Namespaces    []string `json:"namespaces,omitempty"`
		DefaultSubnet string   `json:"defaultSubnet,omitempty"`
	} `json:"spec"`
}

// IP is the record of the addresses of one port; it has the port's name.
type IP struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec IPSpec `json:"spec"`
}

// IPSpec holds the fields of an IP.
type IPSpec struct {
	PodName       string   `json:"podName"`
	Namespace     string   `json:"namespace"`
	Subnet        string   `json:"subnet"`
	AttachSubnets []string `json:"attachSubnets"`
	NodeName      string   `json:"nodeName"`
	IPAddress     string   `json:"ipAddress"`
	V4IPAddress   string   `json:"v4IpAddress"`
	V6IPAddress   string   `json:"v6IpAddress"`
	AttachIPs     []string `json:"attachIps"`
	MACAddress    string   `json:"macAddress"`
	AttachMACs    []string `json:"attachMacs"`
	ContainerID   string   `json:"containerID"`
	PodType       string   `json:"podType"`
}

// Types of a Vip; a plain one has no type.
const (
	VipSwitchLB = "switch_lb_vip"
	VipHostVM   = "kube_host_vm_vip"
)

// Vip is an address that pods may share.
type Vip struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   VipSpec   `json:"spec"`
	Status VipStatus `json:"status,omitzero"`
}

// VipSpec holds the request for a Vip.
type VipSpec struct {
	Namespace  string   `json:"namespace,omitempty"`
	Subnet     string   `json:"subnet,omitempty"`
	Type       string   `json:"type,omitempty"`
	V4IP       string   `json:"v4ip,omitempty"`
	V6IP       string   `json:"v6ip,omitempty"`
	MACAddress string   `json:"macAddress,omitempty"`
	Selector   []string `json:"selector,omitempty"`
}

// VipStatus holds the addresses and the MAC of a Vip.
type VipStatus struct {
	Type string `json:"type"`
	V4IP string `json:"v4ip"`
	V6IP string `json:"v6ip"`
	MAC  string `json:"mac"`
}

// IPPool is a named part of a subnet's addresses.
type IPPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Subnet     string   `json:"subnet"`
		Namespaces []string `json:"namespaces,omitempty"`
		IPs        []string `json:"ips"`
	} `json:"spec"`
}

// Vlan names the provider network and the tag of underlay subnets.
type Vlan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		ID       int    `json:"id"`
		Provider string `json:"provider,omitempty"`
	} `json:"spec"`
}

// SecurityGroup is a set of rules for the ports that name it.
type SecurityGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   SecurityGroupSpec   `json:"spec"`
	Status SecurityGroupStatus `json:"status,omitzero"`
}

// SecurityGroupSpec holds the rules of a SecurityGroup.
type SecurityGroupSpec struct {
	IngressRules          []SecurityGroupRule `json:"ingressRules,omitempty"`
	EgressRules           []SecurityGroupRule `json:"egressRules,omitempty"`
	AllowSameGroupTraffic bool                `json:"allowSameGroupTraffic,omitempty"`
	Tier                  int                 `json:"tier,omitempty"`
}

// SecurityGroupRule is one rule of a SecurityGroup.
type SecurityGroupRule struct {
	IPVersion           string `json:"ipVersion"`
	Protocol            string `json:"protocol,omitempty"`
	Priority            int    `json:"priority,omitempty"`
	RemoteType          string `json:"remoteType"`
	RemoteAddress       string `json:"remoteAddress,omitempty"`
	RemoteSecurityGroup string `json:"remoteSecurityGroup,omitempty"`
	PortRangeMin        int    `json:"portRangeMin,omitempty"`
	PortRangeMax        int    `json:"portRangeMax,omitempty"`
	LocalAddress        string `json:"localAddress,omitempty"`
	SourcePortRangeMin  int    `json:"sourcePortRangeMin,omitempty"`
	SourcePortRangeMax  int    `json:"sourcePortRangeMax,omitempty"`
	Policy              string `json:"policy"`
}

// SecurityGroupStatus says which rules have been written. The digests are those of the writer, and nobody else's.
type SecurityGroupStatus struct {
	PortGroup              string `json:"portGroup"`
	AllowSameGroupTraffic  bool   `json:"allowSameGroupTraffic"`
	IngressMD5             string `json:"ingressMd5"`
	EgressMD5              string `json:"egressMd5"`
	IngressLastSyncSuccess bool   `json:"ingressLastSyncSuccess"`
	EgressLastSyncSuccess  bool   `json:"egressLastSyncSuccess"`
}

// NAD is a NetworkAttachmentDefinition.
type NAD struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Config string `json:"config"`
	} `json:"spec"`
}

// splitList splits a comma list; an empty text is an empty list.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
