// Package kubeovn holds Kube-OVN's conventions as values: annotation keys, providers, port names and the marks it
// leaves on its rows. It talks to nothing. Every rule here was seen on the real controller (releases 1.14, 1.15 and
// master) unless its comment says otherwise.
package kubeovn

import (
	"slices"
	"strings"
)

// Provider is the prefix by which Kube-OVN names one NIC of a pod: "ovn" for the default network,
// "<attachment>.<namespace>.ovn" for an attachment of type kube-ovn, with ".<interface>" behind it where the same
// attachment is listed more than once (Kube-OVN 1.16 and later).
type Provider string

// DefaultProvider is the provider of the default network.
const DefaultProvider Provider = "ovn"

// Suffix is the part of an annotation key behind "<provider>.kubernetes.io/".
type Suffix string

// Suffixes of the per-provider annotations that this project reads or writes.
const (
	// PortSecurity turns source validation on where its value is exactly True; any other value is off.
	PortSecurity Suffix = "port_security"
	// Layer2Forward adds "unknown" to the port's addresses where its value is exactly True. It never validates
	// anything.
	Layer2Forward Suffix = "layer2_forward"
	// PortVIPs is a comma list of addresses that Kube-OVN appends to port_security without asking anybody.
	PortVIPs Suffix = "port_vips"
	// IPAddress is the comma list of the NIC's addresses, written by the controller when it allocates.
	IPAddress Suffix = "ip_address"
	// MACAddress is the NIC's MAC, written by the controller when it allocates.
	MACAddress Suffix = "mac_address"
	// LogicalSwitch is the subnet, and with it the logical switch, of the NIC.
	LogicalSwitch Suffix = "logical_switch"
	// SecurityGroups is a comma list of SecurityGroup names.
	SecurityGroups Suffix = "security_groups"
	// Allocated is True once the controller has made the port.
	Allocated Suffix = "allocated"
	// Routed is True once the controller has put the port into its node's groups.
	Routed Suffix = "routed"
	// CIDR is the subnet's CIDR block.
	CIDR Suffix = "cidr"
	// Gateway is the subnet's gateway address.
	Gateway Suffix = "gateway"
	// LogicalRouter is the VPC's router.
	LogicalRouter Suffix = "logical_router"
	// Routes is a JSON list of the routes that the pod is given, each with dst and gw.
	Routes Suffix = "routes"
	// NorthGateway is the address that the pod's traffic to the outside is steered to.
	NorthGateway Suffix = "north_gateway"
	// PodNICType is the kind of device the CNI makes.
	PodNICType Suffix = "pod_nic_type"
)

// True is the only value that Kube-OVN takes for "on"; it compares byte for byte, so "True", "1" and "true " are off.
const True = "true"

// Annotation keys without a provider.
const (
	// AAPs names Vips whose addresses are put into port_security of every NIC on the Vip's subnet.
	AAPs = "ovn.kubernetes.io/aaps"
	// Networks is the Multus annotation that lists a pod's attachments.
	Networks = "k8s.v1.cni.cncf.io/networks"
	// DefaultNetwork is the Multus annotation whose presence replaces the default network by an attachment.
	DefaultNetwork = "v1.multus-cni.io/default-network"
	// MigrationJob marks the target pod of a KubeVirt live migration; Kube-OVN rewrites its port at every event.
	MigrationJob = "kubevirt.io/migrationJobName"
)

// keyDomain stands between provider and suffix.
const keyDomain = ".kubernetes.io/"

// Key returns the annotation key of suffix s for provider p.
func (p Provider) Key(s Suffix) string {
	if p == DefaultProvider { // nearly all ports are of it, and each is asked for some of these keys
		switch s { //nolint:exhaustive // the others are asked for seldom
		case PortSecurity:
			return "ovn.kubernetes.io/port_security"
		case Layer2Forward:
			return "ovn.kubernetes.io/layer2_forward"
		case PortVIPs:
			return "ovn.kubernetes.io/port_vips"
		case MACAddress:
			return "ovn.kubernetes.io/mac_address"
		case IPAddress:
			return "ovn.kubernetes.io/ip_address"
		case LogicalSwitch:
			return "ovn.kubernetes.io/logical_switch"
		case SecurityGroups:
			return "ovn.kubernetes.io/security_groups"
		case Allocated:
			return "ovn.kubernetes.io/allocated"
		}
	}
	return string(p) + keyDomain + string(s)
}

// SplitKey takes an annotation key apart. ok is false where the key has no provider.
func SplitKey(key string) (p Provider, s Suffix, ok bool) {
	before, after, found := strings.Cut(key, keyDomain)
	if !found || before == "" || after == "" {
		return "", "", false
	}
	return Provider(before), Suffix(after), true
}

// AttachmentProvider returns the provider of the attachment namespace/name.
func AttachmentProvider(namespace, name string) Provider {
	return Provider(name + "." + namespace + ".ovn")
}

// OutsideProvider returns the provider of an attachment that makes a NIC outside OVN and leaves its addresses to
// Kube-OVN. Unlike that of a NIC on OVN it never has an interface behind it (getPodAttachmentNet in Kube-OVN's
// pkg/controller/pod.go).
func OutsideProvider(namespace, name string) Provider {
	return Provider(name + "." + namespace)
}

// OnOVN reports whether NICs of the provider are ports of OVN.
func (p Provider) OnOVN() bool {
	return p == "" || p == DefaultProvider || strings.Contains(string(p)+".", ".ovn.")
}

// Attachment returns the provider without the interface that Kube-OVN adds where an attachment is listed more than
// once. Interfaces whose names would make that another attachment's are not let in: see MisleadingInterface.
func (p Provider) Attachment() Provider {
	if p == DefaultProvider || strings.HasSuffix(string(p), ".ovn") {
		return p
	}
	if i := strings.LastIndex(string(p), ".ovn."); i >= 0 {
		return p[:i+len(".ovn")]
	}
	return p
}

// Outside returns the provider of an attachment whose NIC OVN does not make, and whose addresses Kube-OVN manages: it
// is that of one on OVN without ".ovn" behind it.
func (p Provider) Outside() Provider { return Provider(strings.TrimSuffix(string(p), ".ovn")) }

// MisleadingInterface reports whether a provider with this interface behind it could be read as that of another
// attachment.
func MisleadingInterface(name string) bool { return slices.Contains(strings.Split(name, "."), "ovn") }

// PortName returns the name of the Logical_Switch_Port, and of the IP resource, for the NIC of a pod. owner is the
// pod's name or, for a KubeVirt launcher pod whose VM keeps its addresses, the VM's name.
//
// The mapping is not injective, so a name is built and compared, never parsed.
func PortName(owner, namespace string, p Provider) string {
	name := owner + "." + namespace
	if p == DefaultProvider {
		return name
	}
	return name + "." + string(p)
}

// MachineGroup is the API group of KubeVirt's machines.
const MachineGroup = "kubevirt.io"

// OwnsLauncher reports whether an owner of this kind makes a pod the launcher of a KubeVirt VM: its ports bear the
// owner's name, since Kube-OVN keeps a VM's ports across its pods (--keep-vm-ip, its default). Kube-OVN looks at the
// beginning of apiVersion alone, so that an owner of "kubevirt.io.example.org/v1", which anybody can invent, has the
// same effect.
func OwnsLauncher(apiVersion, kind string) bool {
	return kind == "VirtualMachineInstance" && strings.HasPrefix(apiVersion, MachineGroup)
}

// MayNameAnotherPort reports whether the port of this pod on the default network bears a name that a NIC of another
// pod's attachment can bear too: "<pod>.<namespace>.<attachment>.<its namespace>.ovn", or the same with ".<interface>"
// behind it. Kube-OVN would take the two for one port.
func MayNameAnotherPort(pod, namespace string) bool {
	parts := strings.Split(pod, ".")
	return namespace == string(DefaultProvider) && len(parts) >= 4 ||
		len(parts) >= 5 && parts[len(parts)-1] == string(DefaultProvider)
}
