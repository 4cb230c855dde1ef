package upstream

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// Allocation is one NIC with its addresses.
type Allocation struct {
	NIC    NIC
	Subnet *crd.Subnet
	Lease  ipam.Lease
	// VIPs are the addresses that the function VIPs returns.
	VIPs []string
	// DHCPv4 and DHCPv6 are the subnet's DHCP_Options, empty if it has none.
	DHCPv4, DHCPv6 string
	// Vlan is the subnet's VLAN, nil if it has none.
	Vlan *crd.Vlan
	// DefaultVPC is the name of the cluster's default router.
	DefaultVPC string
}

// Port returns the columns that the controller writes when it allocates. It writes all of external_ids, and leaves
// every column alone that is not set here. "unknown" is not among the addresses: Forward adds it in a transaction of
// its own.
func Port(pod *corev1.Pod, a Allocation) nb.LogicalSwitchPort {
	owner := OwnerOf(pod)
	row := nb.LogicalSwitchPort{
		Name:      kubeovn.PortName(owner.Name, pod.Namespace, a.NIC.Provider),
		Addresses: []string{element(a.Lease.MAC, a.Lease.Addresses(), nil)},
		ExternalIDs: map[string]string{
			kubeovn.ExternalIDVendor: kubeovn.Vendor,
			kubeovn.ExternalIDSwitch: a.Subnet.Name,
			kubeovn.ExternalIDPod:    PodKey(pod.Namespace, owner),
		},
	}
	// A NIC without an address gets no port security here, although a later change of the annotation writes it.
	if pod.Annotations[a.NIC.Provider.Key(kubeovn.PortSecurity)] == kubeovn.True && a.Lease.Addresses() != "" {
		row.PortSecurity = []string{element(a.Lease.MAC, a.Lease.Addresses(), a.VIPs)}
	}
	setVIPs(row.ExternalIDs, a.VIPs)
	if a.Subnet.Spec.Vpc != "" && a.Subnet.Spec.Vpc != a.DefaultVPC {
		row.ExternalIDs[externalAssociated+defaultSG] = "false"
	}
	// Blanks around the names stay, so that the name of a group behind one is wrong.
	if groups := pod.Annotations[a.NIC.Provider.Key(kubeovn.SecurityGroups)]; groups != "" {
		row.ExternalIDs[kubeovn.ExternalIDSecurityGroups] = strings.ReplaceAll(groups, ",", "/")
		for _, g := range splitList(groups) {
			row.ExternalIDs[externalAssociated+g] = "true"
		}
	}
	if a.Subnet.Spec.EnableDHCP {
		row.DHCPv4Options, row.DHCPv6Options = pointer(a.DHCPv4), pointer(a.DHCPv6)
	}
	return row
}

// Forward reports whether the NIC's port gets "unknown" after it was allocated. The annotation is read at no other
// time.
func Forward(pod *corev1.Pod, n NIC) bool {
	return pod.Annotations[n.Provider.Key(kubeovn.Layer2Forward)] == kubeovn.True
}

// Annotations returns the annotations that the controller writes after an allocation; an empty pointer removes a key.
func Annotations(pod *corev1.Pod, a Allocation) map[string]*string {
	p, spec := a.NIC.Provider, a.Subnet.Spec
	set := map[string]*string{}
	put := func(s kubeovn.Suffix, value string) { set[p.Key(s)] = &value }
	put(kubeovn.IPAddress, a.Lease.Addresses())
	put(kubeovn.CIDR, spec.CIDRBlock)
	put(kubeovn.Gateway, spec.Gateway)
	put(kubeovn.Allocated, kubeovn.True)
	if a.Lease.MAC == "" {
		set[p.Key(kubeovn.MACAddress)] = nil
	} else {
		put(kubeovn.MACAddress, a.Lease.MAC)
	}
	if owner := OwnerOf(pod); owner.VM {
		put(VirtualMachine, owner.Name)
	}
	if a.NIC.IPAMOnly {
		set[p.Key(kubeovn.LogicalSwitch)], set[p.Key(kubeovn.PodNICType)] = nil, nil
		return set
	}
	put(kubeovn.LogicalSwitch, a.Subnet.Name)
	if pod.Annotations[p.Key(kubeovn.PodNICType)] == "" {
		put(kubeovn.PodNICType, defaultNICType)
	}
	if spec.Vpc != "" && (spec.Vlan == "" || spec.LogicalGateway || spec.U2OInterconnection) {
		put(kubeovn.LogicalRouter, spec.Vpc)
	}
	if a.Vlan != nil {
		put(VlanID, strconv.Itoa(a.Vlan.Spec.ID))
		put(ProviderNetwork, a.Vlan.Spec.Provider)
	}
	return set
}

// VIPs returns the addresses behind a NIC's own in port_security: those of the Vips that the pod names and that share
// its namespace and the NIC's subnet, then those of port_vips that can be parsed. Nothing checks whether the pod may
// have them.
func VIPs(pod *corev1.Pod, n NIC, subnet string, vip func(name string) (*crd.Vip, bool)) []string {
	var list []string
	add := func(text string) {
		if net.ParseIP(text) != nil && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, name := range trimmed(splitList(pod.Annotations[kubeovn.AAPs])) {
		v, ok := vip(name)
		if !ok || v.Spec.Namespace != pod.Namespace || v.Spec.Subnet != subnet {
			continue
		}
		add(v.Status.V4IP)
		add(v.Status.V6IP)
	}
	for _, text := range splitList(pod.Annotations[n.Provider.Key(kubeovn.PortVIPs)]) {
		add(text)
	}
	return list
}

// Secure returns the row after a change of the annotations that SecurityChanged watches. It trusts the pod's present
// ip_address and mac_address annotations, whatever they say, and changes only port_security and some keys of
// external_ids.
func Secure(pod *corev1.Pod, n NIC, vips []string, row nb.LogicalSwitchPort) nb.LogicalSwitchPort {
	row.PortSecurity = nil
	if pod.Annotations[n.Provider.Key(kubeovn.PortSecurity)] == kubeovn.True {
		text := element(
			pod.Annotations[n.Provider.Key(kubeovn.MACAddress)],
			pod.Annotations[n.Provider.Key(kubeovn.IPAddress)],
			vips,
		)
		row.PortSecurity = []string{text}
	}
	row.ExternalIDs = maps.Clone(row.ExternalIDs)
	if row.ExternalIDs == nil {
		row.ExternalIDs = map[string]string{}
	}
	delete(row.ExternalIDs, kubeovn.ExternalIDVIPs)
	delete(row.ExternalIDs, externalAttachVIPs)
	setVIPs(row.ExternalIDs, vips)
	groups := strings.ReplaceAll(pod.Annotations[n.Provider.Key(kubeovn.SecurityGroups)], " ", "")
	wanted := splitList(groups)
	for key, value := range row.ExternalIDs {
		if g, ok := strings.CutPrefix(key, externalAssociated); ok && value == "true" && !slices.Contains(wanted, g) {
			row.ExternalIDs[key] = "false"
		}
	}
	for _, g := range wanted {
		row.ExternalIDs[externalAssociated+g] = "true"
	}
	row.ExternalIDs[kubeovn.ExternalIDSecurityGroups] = strings.ReplaceAll(groups, ",", "/")
	return row
}

func setVIPs(externalIDs map[string]string, vips []string) {
	if len(vips) > 0 {
		externalIDs[kubeovn.ExternalIDVIPs] = strings.Join(vips, ",")
		externalIDs[externalAttachVIPs] = attachVIPsOn
	}
}

// element joins a MAC, a comma list of addresses and VIPs into one element of addresses or port_security.
func element(mac, addresses string, vips []string) string {
	fields := append([]string{mac}, splitList(addresses)...)
	return strings.TrimSpace(strings.Join(append(fields, vips...), " "))
}

// pointer returns nil for an empty text, which means an empty column.
func pointer(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// LabelMigration is the label with the UID of a live migration, on the pod that it makes.
const LabelMigration = "kubevirt.io/migrationJobUID"

// OptionsOfPhase returns the changes of a live migration's phase in the options of the VM's ports: nil, or keys with
// their values, empty ones to remove.
func OptionsOfPhase(phase, source, target string) map[string]string {
	switch {
	case phase == "Scheduling" && source != "" && target != "":
		return MigrationOptions(source, target)
	case phase == "Succeeded" && target != "":
		return map[string]string{OptionRequestedChassis: target, OptionActivationStrategy: ""}
	case phase == "Failed" && source != "":
		return map[string]string{OptionRequestedChassis: source, OptionActivationStrategy: ""}
	}
	return nil
}

// MigrationOptions returns the options of a port while its VM moves from one node to another, or could.
func MigrationOptions(source, target string) map[string]string {
	return map[string]string{OptionRequestedChassis: source + "," + target, OptionActivationStrategy: "rarp"}
}
