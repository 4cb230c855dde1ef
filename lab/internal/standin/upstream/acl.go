package upstream

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// Directions of an ACL.
const (
	ToPort   = "to-lport"
	FromPort = "from-lport"
)

// Actions of an ACL that the controller writes.
const (
	actionAllow     = "allow-related"
	actionStateless = "allow-stateless"
	actionDrop      = "drop"
	actionPass      = "pass"
)

// Tiers of ACLs. OVN asks a lower tier first, and a later one only if no ACL decides or one passes.
const (
	// PolicyTier is the tier of everything that has no tier of its own.
	PolicyTier = 2
	// lastTier is the tier of SecurityGroups of tier 1.
	lastTier = 3
)

// Priorities of ACLs in their tier.
const (
	priorityNode        = 3000
	priorityGroupBase   = 2005
	priorityGroupMember = 2004
	priorityGroupDrop   = 2003
	priorityPolicyAllow = 2001
	priorityPolicyDrop  = 2000
)

// LastBasePriority is the highest priority of the ACLs that every SecurityGroup has; its rules have higher ones.
const LastBasePriority = priorityGroupBase

// parentKey is the external_ids key that names the port group or switch of an ACL.
const parentKey = "parent"

// afterLB has an ACL judge the packet after a Service's address was replaced by a pod's.
const afterLB = "apply-after-lb"

// Families as they stand in the names of address sets and ACLs.
const (
	familyIPv4 = "IPv4"
	familyIPv6 = "IPv6"
	familyDual = "Dual"
)

// side is what differs between the rules for packets to a port and from a port.
type side struct {
	// name is the word in names, direction and port are for the ACL's column and its match.
	name, direction, port string
	// remote and local are the fields of a packet with the other end's address and with the port's own.
	remote, local string
	// client and server are the UDP ports of DHCP, in the order source and destination.
	dhcpv4, dhcpv6 [2]string
	// neighbours are the types of ICMPv6 that every SecurityGroup allows.
	neighbours string
}

var (
	ingress = side{
		name: "ingress", direction: ToPort, port: "outport", remote: "src", local: "dst",
		dhcpv4: [2]string{"67", "68"}, dhcpv6: [2]string{"547", "546"}, neighbours: "{130, 134, 135, 136}",
	}
	egress = side{
		name: "egress", direction: FromPort, port: "inport", remote: "dst", local: "src",
		dhcpv4: [2]string{"68", "67"}, dhcpv6: [2]string{"546", "547"}, neighbours: "{130, 133, 135, 136}",
	}
)

// of returns the comparison with a port group.
func (s side) of(group string) string { return s.port + " == @" + group }

// dhcp returns the matches for answers or questions of DHCP, of both families.
func (s side) dhcp(group string) (v4, v6 string) {
	return and(s.of(group), "udp.src == "+s.dhcpv4[0], "udp.dst == "+s.dhcpv4[1], "ip4"),
		and(s.of(group), "udp.src == "+s.dhcpv6[0], "udp.dst == "+s.dhcpv6[1], "ip6")
}

// and joins parts of a match.
func and(parts ...string) string { return strings.Join(parts, " && ") }

// ip returns the protocol of a family in a match; what is not IPv6 counts as IPv4.
func ip(family string) string {
	if family == familyIPv6 {
		return "ip6"
	}
	return "ip4"
}

// familyOf returns the family of an address or a prefix, or an empty text if it is neither.
func familyOf(text string) string {
	address, _, _ := strings.Cut(text, "/")
	a, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return ""
	case a.Is4():
		return familyIPv4
	}
	return familyIPv6
}

// acl returns an ACL of a port group.
func (v Version) acl(s side, group string, priority, tier int, action, match string) nb.ACL {
	return nb.ACL{
		Direction: s.direction, Priority: priority, Tier: tier, Action: action, Match: match,
		ExternalIDs: v.owned(map[string]string{parentKey: group}),
	}
}

// owned adds the mark of Kube-OVN's rows to external_ids, on releases that mark the rows of policies.
func (v Version) owned(ids map[string]string) map[string]string {
	if v.marksPolicies() {
		ids[kubeovn.ExternalIDVendor] = kubeovn.Vendor
	}
	return ids
}

// maxName is the longest name of an ACL.
const maxName = 63

// named names an ACL; a long name ends in three dots.
func named(a nb.ACL, name string) nb.ACL {
	if len(name) > maxName {
		name = name[:maxName-3] + "..."
	}
	a.Name = &name
	return a
}

// afterLoadBalancing has the ACL of an outgoing packet judge it after load balancing.
func (s side) afterLoadBalancing(a nb.ACL) nb.ACL {
	if s.direction == FromPort {
		a.Options = map[string]string{afterLB: "true"}
	}
	return a
}

// NodeACLs returns the ACLs that let the pods of a node and the node talk to each other, which every node's port group
// has while the cluster has a NetworkPolicy. Stale are those for the node's address on the join subnet: they are
// removed where the node has another address.
func NodeACLs(v Version, node *corev1.Node) (wanted, stale []nb.ACL) {
	group := NodeGroup(node.Name)
	var own []string
	join := splitList(node.Annotations[kubeovn.DefaultProvider.Key(kubeovn.IPAddress)])
	for _, family := range []string{familyIPv4, familyIPv6} {
		address := firstOf(family, internalAddresses(node))
		if address == "" {
			address = firstOf(family, join)
		}
		if address != "" {
			own = append(own, address)
		}
	}
	acls := func(address string) (list []nb.ACL) {
		proto := ip(familyOf(address))
		for _, s := range []side{ingress, egress} {
			match := and(proto+"."+s.remote+" == "+address, proto+"."+s.local+" == $"+group+"_"+proto)
			list = append(list, s.afterLoadBalancing(v.acl(s, group, priorityNode, PolicyTier, actionAllow, match)))
		}
		return list
	}
	for _, address := range own {
		wanted = append(wanted, acls(address)...)
	}
	for _, address := range join {
		if !slices.Contains(own, address) {
			stale = append(stale, acls(address)...)
		}
	}
	return wanted, stale
}

func internalAddresses(node *corev1.Node) (list []string) {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			list = append(list, a.Address)
		}
	}
	return list
}

func firstOf(family string, addresses []string) string {
	for _, a := range addresses {
		if familyOf(a) == family {
			return a
		}
	}
	return ""
}
