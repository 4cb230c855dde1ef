package kube

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

const reservationsYAML = namespaceYAML + "---\n" + podYAML + `---
{apiVersion: kubeovn.io/v1, kind: Subnet, metadata: {name: s}, spec: {cidrBlock: 10.0.0.0/16, gateway: 10.0.0.1, vips: [10.0.0.9]}}
---
{apiVersion: kubeovn.io/v1, kind: Subnet, metadata: {name: join}, spec: {cidrBlock: "100.64.0.0/16,fd00:64::/112"}}
---
{apiVersion: kubeovn.io/v1, kind: Subnet, metadata: {name: outer}, spec: {cidrBlock: 192.0.2.0/24, vpc: edge}}
---
apiVersion: kubeovn.io/v1
kind: IPPool
metadata: {name: bound}
spec: {subnet: s, namespaces: [other], ips: [10.0.1.0/24, 10.0.2.5, 10.0.2.10..10.0.2.20, "fd00::5..fd00::6", "not..an address", " 10.0.2.30 "]}
---
{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: kubernetes}, spec: {cidrs: [10.96.0.0/12]}}
---
{apiVersion: kubeovn.io/v1, kind: OvnEip, metadata: {name: e}, spec: {externalSubnet: outer}, status: {v4Ip: 192.0.2.7, macAddress: "00:00:00:00:00:07"}}
---
{apiVersion: kubeovn.io/v1, kind: OvnFip, metadata: {name: f}, spec: {ovnEip: e, ipName: p.ns}, status: {vpc: edge, v4Eip: 192.0.2.7, v4Ip: 10.0.0.77}}
---
{apiVersion: kubeovn.io/v1, kind: OvnFip, metadata: {name: of-vip}, spec: {ovnEip: e, ipType: vip, ipName: v}, status: {vpc: edge, v4Ip: 10.0.0.78}}
---
{apiVersion: kubeovn.io/v1, kind: SwitchLBRule, metadata: {name: lb}, spec: {vip: 10.0.0.88}}
`

// Kept addresses are read from every kind that keeps some, in every form that the kind has.
func TestReservationsFromAFile(t *testing.T) {
	inv := inventory.New()
	if _, err := fill(reservationsYAML, inv); err != nil {
		t.Fatal(err)
	}
	pool := inventory.Holder{Kind: inventory.HeldByPool, Name: "bound"}
	services := inventory.Holder{Kind: inventory.HeldByServices, Name: "kubernetes"}
	nodes := inventory.Holder{Kind: inventory.HeldByNodes, Name: "join"}
	for text, want := range map[string][]inventory.Holder{
		"10.0.1.0/32": {pool}, "10.0.1.255/32": {pool}, "10.0.2.5/32": {pool}, "10.0.2.10/32": {pool},
		"10.0.2.20/32": {pool}, "10.0.2.30/32": {pool},
		"fd00::6/128": {pool}, "10.0.2.9/32": nil, "10.0.2.21/32": nil, "fd00::7/128": nil,
		"10.0.2.16/28": {pool, pool},
		"10.96.0.1/32": {services}, "10.0.0.0/8": {pool, pool, pool, pool, services}, "100.64.3.4/32": {nodes},
		"fd00:64::1/128": {nodes}, "100.65.0.0/32": nil,
	} {
		var got []inventory.Holder
		for _, r := range inv.Reservations(netip.MustParsePrefix(text)) {
			got = append(got, r.Holder)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for address, want := range map[string][]inventory.Holder{
		"10.0.0.9":  {{Kind: inventory.HeldByShared, Name: "s"}},
		"192.0.2.7": {{Kind: inventory.HeldByEIP, Name: "e"}, {Kind: inventory.HeldByFIP, Name: "f"}},
		"10.0.0.77": {{Kind: inventory.HeldByFIPInside, Name: "f"}}, "10.0.0.78": nil, // the Vip has that address
		"10.0.0.88": {{Kind: inventory.HeldByRule, Name: "lb"}},
	} {
		if diff := cmp.Diff(want, inv.Holders(netip.MustParseAddr(address), anywhere)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
	if got := inv.MACHolders("00:00:00:00:00:07", anywhere); len(got) != 1 || got[0].Kind != inventory.HeldByEIP {
		t.Errorf("the MAC of the OvnEip is held by %v", got)
	}
	for h, want := range map[inventory.Holder]string{
		{Kind: inventory.HeldByEIP, Name: "e"}: "edge", {Kind: inventory.HeldByFIPInside, Name: "f"}: "edge",
		pool: "ovn-cluster", services: "ovn-cluster",
	} {
		if vpc, confined := inv.NetworkOf(h); vpc != want || !confined {
			t.Errorf("%s is of VPC %q (%v), want %s", h, vpc, confined, want)
		}
	}
	if _, confined := inv.NetworkOf(inventory.Holder{Kind: inventory.HeldByRule, Name: "lb"}); confined {
		t.Error("the address of a load balancer of which no subnet is known is one of some network only")
	}
	if got := inv.KeptFor(inventory.Holder{Kind: inventory.HeldByFIPInside, Name: "f"}); got != "p.ns" {
		t.Errorf("the address behind the OvnFip is kept for %q", got)
	}
	if inv.Entitled(pool, policy.Namespace{Name: "ns"}) || !inv.Entitled(pool, policy.Namespace{Name: "other"}) ||
		inv.Entitled(services, policy.Namespace{Name: "other"}) {
		t.Error("the pool is for its own namespace, and Services' addresses are for nobody's pods")
	}
	if got := inv.SubnetsIn(netip.MustParsePrefix("10.0.3.0/24")); !slices.Equal(got, []string{"s"}) {
		t.Errorf("10.0.3.0/24 is in subnets %v", got)
	}
}
