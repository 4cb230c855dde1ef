package upstream

import (
	"net/netip"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// Priorities of the policies of a router. What is for a subnet goes there, what is for a node goes to its port on the
// nodes' subnet, and the rest leaves by the node of the pod that sent it.
const (
	priorityToSubnet = 31000
	priorityToNode   = 30000
	priorityOut      = 29000
)

// Keys in external_ids of a policy that name what it is for.
const (
	policySubnet = "subnet"
	policyNode   = "node"
	policyFamily = "address-family"
)

// RoutedNode is a node with its addresses: those that Kubernetes knows, and those on the nodes' subnet.
type RoutedNode struct {
	Name     string
	Internal []netip.Addr
	Join     []netip.Addr
}

// DefaultRoutes returns the routes of the cluster's router for everything that no policy sends elsewhere. join is the
// nodes' subnet.
func DefaultRoutes(join *crd.Subnet) []nb.LogicalRouterStaticRoute {
	policy := "dst-ip"
	var routes []nb.LogicalRouterStaticRoute
	for _, text := range join.Gateways() {
		gateway, err := netip.ParseAddr(text)
		if err != nil {
			continue // the subnet was refused before
		}
		everything := "0.0.0.0/0"
		if gateway.Is6() {
			everything = "::/0"
		}
		routes = append(routes, nb.LogicalRouterStaticRoute{
			IPPrefix: everything, Nexthop: gateway.String(), Policy: &policy,
			ExternalIDs: map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor},
		})
	}
	return routes
}

// Policies returns the policies of one router. Only the cluster's router knows the nodes: for another, nodes is empty.
// join is the name of the nodes' subnet.
func Policies(router, join string, subnets []*crd.Subnet, nodes []RoutedNode) []nb.LogicalRouterPolicy {
	var list []nb.LogicalRouterPolicy
	for _, node := range nodes {
		for _, ip := range node.Internal {
			if policy, ok := reroute(priorityToNode, family(ip)+".dst == "+ip.String(), node, ip); ok {
				policy.ExternalIDs[policyFamily] = strings.TrimPrefix(family(ip), "ip")
				list = append(list, policy)
			}
		}
	}
	for _, s := range subnets {
		if s.Spec.Vpc != router || !s.IsOVN() || s.Spec.Vlan != "" && !s.Spec.LogicalGateway {
			continue
		}
		for _, text := range s.CIDRs() {
			cidr, err := netip.ParsePrefix(text)
			if err != nil {
				continue // the subnet was refused before
			}
			list = append(list, nb.LogicalRouterPolicy{
				Priority: priorityToSubnet, Action: "allow", Match: family(cidr.Addr()) + ".dst == " + text,
				ExternalIDs: map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor, policySubnet: s.Name},
			})
			if s.Name == join || s.Spec.GatewayType == "centralized" {
				continue
			}
			list = append(list, out(s, cidr, nodes)...)
		}
	}
	return list
}

// out returns the policies by which the pods of a subnet leave by their nodes. The address set is that of the port
// group of the subnet's ports on the node.
func out(s *crd.Subnet, cidr netip.Prefix, nodes []RoutedNode) []nb.LogicalRouterPolicy {
	var list []nb.LogicalRouterPolicy
	v := family(cidr.Addr())
	for _, node := range nodes {
		match := v + ".src == $" + SubnetGroup(s.Name, node.Name) + "_" + v
		if policy, ok := reroute(priorityOut, match, node, cidr.Addr()); ok {
			policy.ExternalIDs[policySubnet] = s.Name
			list = append(list, policy)
		}
	}
	return list
}

// reroute returns a policy that sends what matches to a node; false if the node has no address of that family.
func reroute(priority int, match string, node RoutedNode, like netip.Addr) (nb.LogicalRouterPolicy, bool) {
	for _, ip := range node.Join {
		if ip.Is4() == like.Is4() {
			return nb.LogicalRouterPolicy{
				Priority: priority, Action: "reroute", Match: match, Nexthops: []string{ip.String()},
				ExternalIDs: map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor, policyNode: node.Name},
			}, true
		}
	}
	return nb.LogicalRouterPolicy{}, false
}

// family returns the name of an address's family in matches.
func family(ip netip.Addr) string {
	if ip.Is4() {
		return "ip4"
	}
	return "ip6"
}
