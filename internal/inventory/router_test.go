package inventory

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

const gatewayMAC = "0a:00:00:00:00:fe"

// A port with the MAC of a router on its switch is found, whichever of the three comes last, and cleared when one of
// them goes.
func TestGatewayDuplicates(t *testing.T) {
	port := &Row{UUID: "u-p", Name: "p", Switch: "my-net", Addresses: []string{gatewayMAC + " 10.0.0.9"}}
	end := RouterPort{UUID: "u-r", Name: "my-vpc-my-net", MAC: "0A:00:00:00:00:FE"}
	link := &Row{UUID: "u-l", Name: "my-net-my-vpc", Type: "router", Switch: "my-net", Addresses: []string{"router"}}
	set := map[string]func(*Inventory) []string{
		"port": func(inv *Inventory) []string { return inv.SetRow(port) },
		"end":  func(inv *Inventory) []string { return inv.SetRouterPort(end) },
		"link": func(inv *Inventory) []string { return inv.SetRow(link) },
	}
	gone := map[string]func(*Inventory) []string{
		"end":  func(inv *Inventory) []string { return inv.DeleteRouterPort(end.Name, end.UUID) },
		"link": func(inv *Inventory) []string { return inv.DeleteRow(link.Name, link.UUID) },
	}
	want := []Duplicate{{Text: gatewayMAC, MAC: true, Others: []string{link.Name}}}
	for _, order := range [][]string{{"port", "end", "link"}, {"port", "link", "end"}, {"end", "link", "port"}} {
		inv := New()
		inv.SetRow(&Row{UUID: "u-q", Name: "q", Switch: "other", Addresses: port.Addresses})
		var touched []string
		for _, what := range order {
			touched = set[what](inv)
		}
		if !slices.Contains(touched, "p") || slices.Contains(touched, "q") {
			t.Errorf("%v: the last touched %q", order, touched)
		}
		if diff := cmp.Diff(want, inv.Port("p", time.Time{}).Duplicates); diff != "" {
			t.Errorf("%v: -want +got\n%s", order, diff)
		}
		if got := inv.Port("q", time.Time{}).Duplicates; got != nil {
			t.Errorf("%v: on another switch: %+v", order, got)
		}
		for what, remove := range gone {
			if touched := remove(inv); !slices.Contains(touched, "p") || inv.Port("p", time.Time{}).Duplicates != nil {
				t.Errorf(
					"%v: without %s: touched %q, left %+v",
					order,
					what,
					touched,
					inv.Port("p", time.Time{}).Duplicates,
				)
			}
			set[what](inv)
		}
		inv.DeleteRouterPort(end.Name, "of an earlier one")
		if got := inv.Port("p", time.Time{}).Duplicates; len(got) != 1 {
			t.Errorf("%v: an earlier end's deletion counted: %+v", order, got)
		}
		inv.SetRow(&Row{UUID: "u-2", Name: "second", Switch: "my-net", Addresses: []string{gatewayMAC}})
		if got := inv.Port(
			"p",
			time.Time{},
		).Duplicates; len(got) != 1 ||
			!slices.Equal(got[0].Others, []string{link.Name, "second"}) {
			t.Errorf("%v: with a second port: %+v", order, got)
		}
	}
	// A link with a MAC of its own, instead of the one of the router, is found by its row.
	inv := New()
	inv.SetRow(port)
	own := *link
	own.Name, own.Addresses = "link", []string{gatewayMAC + " 10.0.0.1"}
	if touched := inv.SetRow(&own); !slices.Contains(touched, "p") || len(inv.Port("p", time.Time{}).Duplicates) != 1 {
		t.Errorf("a link with its own MAC: touched %q, %+v", touched, inv.Port("p", time.Time{}).Duplicates)
	}
}

func TestMACHolders(t *testing.T) {
	inv := New()
	holders := func(mac string) (out []string) {
		for _, h := range inv.MACHolders(mac, anywhere) {
			out = append(out, h.String())
		}
		return out
	}
	expect := func(what, mac string, want ...string) {
		t.Helper()
		if got := holders(mac); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("nobody's", gatewayMAC)
	expect("no MAC", "x")
	inv.SetRecord(&Record{Name: "p.ns", MAC: "0A:00:00:00:00:01"})
	expect("a port's", "0a:00:00:00:00:01", "port p.ns")
	inv.SetRouterPort(RouterPort{UUID: "r", Name: "ovn-cluster-ovn-default", MAC: gatewayMAC})
	expect("a router's, while no subnet is known", "0A:00:00:00:00:FE", "router port ovn-cluster-ovn-default")
	inv.SetVip(Vip{Name: "lb", Namespace: "ns", Type: kubeovn.VipSwitchLB, MAC: gatewayMAC})
	inv.SetVip(Vip{Name: "mine", Namespace: "ns", MAC: "0a-00-00-00-00-02"})
	expect("a Vip's", "0a:00:00:00:00:02", "Vip mine")
	inv.SetSubnet(Subnet{Name: "ovn-default"})
	expect("a gateway's", gatewayMAC, "the gateway of subnet ovn-default")
	inv.DeleteRouterPort("ovn-cluster-ovn-default", "r")
	expect("a gateway's, while the Northbound database is not followed", gatewayMAC, "Vip lb")
	inv.SetSubnet(Subnet{Name: "under", VPC: "v", MACs: []string{"0a:00:00:00:00:03", "0a:00:00:00:00:04"}})
	inv.SetRecord(&Record{Name: "u2o-interconnection.v.under", MAC: "0a:00:00:00:00:03"})
	expect("a subnet's own", "0a:00:00:00:00:03", "subnet under")
	inv.SetRouterPort(RouterPort{UUID: "r", Name: "v-under", MAC: "0a:00:00:00:00:03"})
	expect("a subnet's own, of a link", "0a:00:00:00:00:03", "the gateway of subnet under")
	expect("a querier's", "0a:00:00:00:00:04", "subnet under")
	inv.SetRow(
		&Row{UUID: "l", Name: "link", Type: "router", Switch: "s", Addresses: []string{"0a:00:00:00:00:05 10.0.0.1"}},
	)
	expect("a link's own", "0a:00:00:00:00:05", "port link")
	inv.DeleteSubnet("under")
	inv.DeleteVip("mine")
	inv.DeleteRow("link", "l")
	inv.SetRouterPort(RouterPort{UUID: "r", Name: "v-under", MAC: "0a:00:00:00:00:06"})
	for _, mac := range []string{"0a:00:00:00:00:02", "0a:00:00:00:00:04", "0a:00:00:00:00:05"} {
		expect("after its end", mac)
	}
	expect("changed", "0a:00:00:00:00:03", "port u2o-interconnection.v.under")
}

// An external address of a Service belongs to it if nobody else has it and no subnet assigns it: otherwise anyone who
// may write Services could keep pods of others from their addresses.
func TestAddressesOutsideTheCluster(t *testing.T) {
	inv := New()
	a, b := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("10.16.0.9")
	inv.SetSubnet(Subnet{Name: "s", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")}})
	inv.SetFixed(Fixed{Holder: Holder{HeldByExternal, "u/db"}, Addresses: []netip.Addr{a, b}})
	if got := inv.Holders(
		a,
		anywhere,
	); len(got) != 1 || got[0].String() != "service u/db" || !got[0].OfService("u") ||
		got[0].OfService("t") {
		t.Errorf("outside all subnets: %v", got)
	}
	if got := inv.Holders(b, anywhere); len(got) != 0 {
		t.Errorf("in a subnet: %v", got)
	}
	inv.SetFixed(Fixed{Holder: Holder{HeldByBalancer, "u/db"}, Addresses: []netip.Addr{a, b}})
	if got := inv.Holders(a, anywhere); len(got) != 1 {
		t.Errorf("twice the same Service's: %v", got)
	}
	if got := inv.Holders(b, anywhere); len(got) != 1 || got[0].Kind != HeldByBalancer {
		t.Errorf("in a subnet, from a load balancer: %v", got)
	}
	inv.SetFixed(Fixed{Holder: Holder{HeldByNode, "n"}, Addresses: []netip.Addr{a}})
	if got := inv.Holders(a, anywhere); len(got) != 1 || got[0].Kind != HeldByNode {
		t.Errorf("a node's: %v", got)
	}
}

// A grant that reaches into the nodes' own subnet overlaps with it, whether or not a node has one of these addresses.
func TestOverlapOfTheNodesSubnet(t *testing.T) {
	inv := New()
	inv.SetSubnet(
		Subnet{
			Name:  kubeovn.JoinSubnet,
			CIDRs: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/16"), netip.MustParsePrefix("fd00:100:64::/112")},
		},
	)
	inv.SetSubnet(Subnet{Name: "s", VPC: kubeovn.DefaultVPC})
	inv.SetSubnet(Subnet{Name: "far", VPC: "v"})
	pod := &Pod{PodKey: PodKey{"ns", "p"}, Owner: "p"}
	inv.SetPod(pod)
	for prefix, want := range map[string]string{
		"100.64.9.0/28": "100.64.9.0", "100.0.0.0/8": "100.64.0.0", "fd00:100::/32": "fd00:100:64::",
		"10.30.0.0/24": "",
	} {
		port := &Port{
			Name:     "p.ns",
			Pod:      pod,
			Decision: policy.Decision{Pairs: []portsec.AddressPair{{Prefix: netip.MustParsePrefix(prefix)}}},
		}
		for subnet, held := range map[string]bool{"s": want != "", "far": false} {
			inv.SetRecord(&Record{Name: "p.ns", Subnet: subnet})
			got := inv.overlaps(port)
			if (len(got) == 1) != held ||
				held && (got[0].Address.String() != want || got[0].Holder.String() != "the nodes' own subnet join") {
				t.Errorf("%s on %s: %v", prefix, subnet, got)
			}
		}
	}
}

func TestNamesALink(t *testing.T) {
	inv := New()
	inv.SetSubnet(Subnet{Name: "my-net", VPC: "my-vpc"})
	inv.SetSubnet(Subnet{Name: "join"})
	for name, want := range map[string]string{
		"my-net-my-vpc": "my-net", "my-vpc-my-net": "my-net", "join-ovn-cluster": "join", "ovn-cluster-join": "join",
	} {
		if subnet, ok := inv.NamesALink(name); !ok || subnet != want {
			t.Errorf("%s: of subnet %q, %t", name, subnet, ok)
		}
	}
	for name, want := range map[string]bool{
		"later-ovn-cluster": true, "ovn-cluster-later": true, "ovn-cluster": false, "my-net": false,
		"my-net-vpc": false, "web-vip": false,
	} {
		if subnet, ok := inv.NamesALink(name); ok != want || subnet != "" {
			t.Errorf("%s: of subnet %q, %t", name, subnet, ok)
		}
	}
}

// anywhere accepts holders on every network.
func anywhere(Holder) bool { return true }
