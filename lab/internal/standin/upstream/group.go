package upstream

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// The group of every port in some security group: its name, and that of its port group.
const (
	DenyAllName  = "kubeovn_deny_all"
	DenyAllGroup = "ovn.sg." + DenyAllName
)

// NodeGroup returns the name of the port group of a node's pods.
func NodeGroup(node string) string { return "node." + dotted(node) }

// SubnetGroup returns the name of the port group of a node's pods on a subnet.
func SubnetGroup(subnet, node string) string { return dotted(subnet) + "." + dotted(node) }

// SecurityGroup returns the name of a SecurityGroup's port group.
func SecurityGroup(name string) string { return "ovn.sg." + dotted(name) }

// AddressSets returns the names of a SecurityGroup's two address sets.
func AddressSets(name string) (v4, v6 string) {
	return SecurityGroup(name) + ".associated.v4", SecurityGroup(name) + ".associated.v6"
}

// dotted replaces the characters that a group's name may not have. Different names may lead to the same group.
func dotted(name string) string { return strings.ReplaceAll(name, "-", ".") }

// InNodeGroups reports whether the NIC's port joins the groups of its node: its subnet is in the default VPC.
func InNodeGroups(pod *corev1.Pod, n NIC, defaultVPC string) bool {
	return !n.IPAMOnly && pod.Spec.NodeName != "" &&
		pod.Annotations[n.Provider.Key(kubeovn.LogicalRouter)] == defaultVPC
}

// InSubnetGroup reports whether the NIC's port also joins the group of its subnet on its node: it has an IPv4 address
// or the subnet is IPv6 only.
func InSubnetGroup(pod *corev1.Pod, n NIC, s *crd.Subnet) bool {
	return s.Spec.Protocol == "IPv6" || strings.Contains(pod.Annotations[n.Provider.Key(kubeovn.IPAddress)], ".")
}

// GroupsOf returns the SecurityGroups that a row names, those that it was removed from included.
func GroupsOf(row *nb.LogicalSwitchPort) []string {
	var names []string
	for key := range row.ExternalIDs {
		if g, ok := strings.CutPrefix(key, externalAssociated); ok && g != defaultSG {
			names = append(names, g)
		}
	}
	slices.Sort(names)
	return names
}

// IsMember reports whether a port is in a SecurityGroup.
func IsMember(row *nb.LogicalSwitchPort, group string) bool {
	return row.Type == "" && row.ExternalIDs[externalAssociated+group] == "true"
}

// IsDenied reports whether a port is in the group that denies all: one of the groups that it names exists.
func IsDenied(row *nb.LogicalSwitchPort, exists func(portGroup string) bool) bool {
	if row.Type != "" {
		return false
	}
	return slices.ContainsFunc(
		strings.Split(row.ExternalIDs[kubeovn.ExternalIDSecurityGroups], "/"),
		func(g string) bool {
			return g != "" && exists(SecurityGroup(g))
		},
	)
}

// MemberAddresses returns the addresses of the members of a group for other ports' rules: the text behind the MAC in
// port_security, or addresses where that is empty. It takes any text.
func MemberAddresses(rows []nb.LogicalSwitchPort) (v4, v6 []string) {
	for _, row := range rows {
		elements := row.PortSecurity
		if len(elements) == 0 {
			elements = row.Addresses
		}
		for _, e := range elements {
			fields := strings.Fields(e)
			if len(fields) < 2 {
				continue
			}
			for _, a := range fields[1:] {
				if strings.Contains(a, ":") {
					v6 = append(v6, a)
				} else {
					v4 = append(v4, a)
				}
			}
		}
	}
	slices.Sort(v4)
	slices.Sort(v6)
	return slices.Compact(v4), slices.Compact(v6)
}
