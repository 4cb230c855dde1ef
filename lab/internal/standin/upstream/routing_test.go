package upstream

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
)

func routedSubnet(name, vpc, cidr, gateway string) *crd.Subnet {
	s := &crd.Subnet{Spec: crd.SubnetSpec{Vpc: vpc, CIDRBlock: cidr, Gateway: gateway, Provider: "ovn"}}
	s.Name = name
	return s
}

// The rows are those of a recorded database with two nodes.
func TestPoliciesAreThoseOfTheRecording(t *testing.T) {
	addresses := func(text string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(text)} }
	nodes := []RoutedNode{
		{Name: "node-a", Internal: addresses("192.0.2.11"), Join: addresses("100.64.0.3")},
		{Name: "node-b", Internal: addresses("192.0.2.12"), Join: addresses("100.64.0.2")},
	}
	subnets := []*crd.Subnet{
		routedSubnet("join", "ovn-cluster", "100.64.0.0/16", "100.64.0.1"),
		routedSubnet("ovn-default", "ovn-cluster", "10.16.0.0/16", "10.16.0.1"),
		routedSubnet("dual-net", "ovn-cluster", "10.20.0.0/16,fd00:20::/112", "10.20.0.1,fd00:20::1"),
		routedSubnet("vpc1-net", "vpc1", "10.70.0.0/24", "10.70.0.1"),
	}
	got := func(router string, nodes []RoutedNode) []string {
		var lines []string
		for _, p := range Policies(router, "join", subnets, nodes) {
			lines = append(
				lines,
				fmt.Sprint(p.Priority, " ", p.Action, " ", p.Match, " ", p.Nexthops, " ", p.ExternalIDs),
			)
		}
		slices.Sort(lines)
		return lines
	}
	want := []string{
		"29000 reroute ip4.src == $dual.net.node.a_ip4 [100.64.0.3] map[node:node-a subnet:dual-net vendor:kube-ovn]",
		"29000 reroute ip4.src == $dual.net.node.b_ip4 [100.64.0.2] map[node:node-b subnet:dual-net vendor:kube-ovn]",
		"29000 reroute ip4.src == $ovn.default.node.a_ip4 [100.64.0.3] map[node:node-a subnet:ovn-default vendor:kube-ovn]",
		"29000 reroute ip4.src == $ovn.default.node.b_ip4 [100.64.0.2] map[node:node-b subnet:ovn-default vendor:kube-ovn]",
		"30000 reroute ip4.dst == 192.0.2.11 [100.64.0.3] map[address-family:4 node:node-a vendor:kube-ovn]",
		"30000 reroute ip4.dst == 192.0.2.12 [100.64.0.2] map[address-family:4 node:node-b vendor:kube-ovn]",
		"31000 allow ip4.dst == 10.16.0.0/16 [] map[subnet:ovn-default vendor:kube-ovn]",
		"31000 allow ip4.dst == 10.20.0.0/16 [] map[subnet:dual-net vendor:kube-ovn]",
		"31000 allow ip4.dst == 100.64.0.0/16 [] map[subnet:join vendor:kube-ovn]",
		"31000 allow ip6.dst == fd00:20::/112 [] map[subnet:dual-net vendor:kube-ovn]",
	}
	if diff := cmp.Diff(want, got("ovn-cluster", nodes)); diff != "" {
		t.Errorf("the cluster's router:\n%s", diff)
	}
	want = []string{"31000 allow ip4.dst == 10.70.0.0/24 [] map[subnet:vpc1-net vendor:kube-ovn]"}
	if diff := cmp.Diff(want, got("vpc1", nil)); diff != "" {
		t.Errorf("another router:\n%s", diff)
	}
	routes := DefaultRoutes(subnets[0])
	if len(routes) != 1 || routes[0].IPPrefix != "0.0.0.0/0" || routes[0].Nexthop != "100.64.0.1" ||
		*routes[0].Policy != "dst-ip" || routes[0].ExternalIDs["vendor"] != "kube-ovn" {
		t.Errorf("default routes: %+v", routes)
	}
}
