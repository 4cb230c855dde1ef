package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// twoVPCs returns a cluster with two VPCs that have the same addresses, and every kind of object that keeps some.
func twoVPCs() *Inventory {
	inv := New()
	addr := netip.MustParseAddr
	for name, vpc := range map[string]string{"s": "", "twin": "island"} {
		inv.SetSubnet(Subnet{
			Name: name, VPC: vpc, CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
			Gateways: []netip.Addr{addr("10.0.0.1")}, Shared: []netip.Addr{addr("10.0.0.9")},
		})
	}
	inv.SetSubnet(Subnet{Name: "join", CIDRs: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/16")}})
	inv.SetFixed(Fixed{Holder: Holder{HeldByNode, "n"}, Addresses: []netip.Addr{addr("172.18.0.2")}})
	inv.SetRecord(&Record{Name: "node-n", IPs: []string{"100.64.0.2"}, Subnet: "join"})
	inv.SetPool(
		Pool{
			Name:       "theirs",
			Subnet:     "s",
			Namespaces: []string{"other"},
			Ranges:     []Range{{addr("10.0.1.0"), addr("10.0.1.20")}},
		},
	)
	inv.SetPool(Pool{Name: "everybodys", Subnet: "s", Ranges: []Range{{addr("10.0.1.21"), addr("10.0.1.40")}}})
	inv.SetReserved(Holder{HeldByServices, "kubernetes"}, []Range{{addr("10.0.2.0"), addr("10.0.2.255")}})
	inv.SetFixed(Fixed{Holder: Holder{HeldByEIP, "e"}, Addresses: []netip.Addr{addr("10.0.0.33")}, At: At{Subnet: "s"}})
	inv.SetFixed(
		Fixed{
			Holder:    Holder{HeldByFIPInside, "f"},
			Addresses: []netip.Addr{addr("10.0.0.34")},
			At:        At{VPC: kubeovn.DefaultVPC, Port: "p.ns"},
		},
	)
	inv.SetFixed(Fixed{Holder: Holder{HeldByRule, "lb"}, Addresses: []netip.Addr{addr("10.0.0.35")}})
	inv.SetVip(Vip{Name: "v", Namespace: "other", Subnet: "s", Addresses: []netip.Addr{addr("10.0.0.36")}})
	inv.SetVip(Vip{Name: "ours", Namespace: "ns", Subnet: "s", Addresses: []netip.Addr{addr("10.0.0.37")}})
	inv.SetVip(
		Vip{
			Name:      "lb",
			Namespace: "ns",
			Subnet:    "s",
			Type:      kubeovn.VipSwitchLB,
			Addresses: []netip.Addr{addr("10.0.0.38")},
		},
	)
	inv.SetRecord(&Record{Name: "victim.other", IPs: []string{"10.0.0.39"}, Subnet: "s"})
	return inv
}

// The holders and keepers of an address are those in the given networks, and a pool is for its namespaces.
func TestTaken(t *testing.T) {
	inv := twoVPCs()
	anybody := policy.Namespace{Name: "ns"}
	here, island := []string{kubeovn.DefaultVPC}, []string{"island"}
	for _, c := range []struct {
		address string
		vpcs    []string
		ns      policy.Namespace
		want    []Holder
	}{
		{"10.0.0.1", here, anybody, []Holder{{HeldByGateway, "s"}}},
		{"10.0.0.1", island, anybody, []Holder{{HeldByGateway, "twin"}}},
		{"10.0.0.1", nil, anybody, []Holder{{HeldByGateway, "s"}, {HeldByGateway, "twin"}}},
		{"10.0.0.9", here, anybody, []Holder{{HeldByShared, "s"}}},
		{"10.0.0.50", here, anybody, nil},
		{"10.0.1.0", here, anybody, []Holder{{HeldByPool, "theirs"}}},
		{"10.0.1.20", []string{""}, anybody, []Holder{{HeldByPool, "theirs"}}},
		{"10.0.1.20", island, anybody, nil},
		{"10.0.1.20", here, policy.Namespace{Name: "other"}, nil},
		{
			"10.0.1.20", here,
			policy.Namespace{Name: "noted", Annotations: map[string]string{"ovn.kubernetes.io/ip_pool": "theirs"}},
			nil,
		},
		{"10.0.1.21", here, anybody, nil},
		{"10.0.2.7", here, anybody, []Holder{{HeldByServices, "kubernetes"}}},
		{"10.0.2.7", island, anybody, nil},
		{"100.64.7.7", here, anybody, []Holder{{HeldByNodes, "join"}}},
		{"100.64.7.7", island, anybody, nil},
		{"172.18.0.2", island, anybody, []Holder{{HeldByNode, "n"}}},
		{"10.0.0.33", here, anybody, []Holder{{HeldByEIP, "e"}}},
		{"10.0.0.33", island, anybody, nil},
		{"10.0.0.34", here, anybody, []Holder{{HeldByFIPInside, "f"}}},
		{"10.0.0.34", island, anybody, nil},
		{"10.0.0.35", island, anybody, []Holder{{HeldByRule, "lb"}}},
		{"10.0.0.36", here, anybody, []Holder{{HeldByVip, "v"}}},
		{"10.0.0.36", island, anybody, nil},
		{"10.0.0.39", here, anybody, []Holder{{HeldByPort, "victim.other"}}},
		{"10.0.0.39", island, anybody, nil},
		{"10.0.0.39", []string{"island", kubeovn.DefaultVPC}, anybody, []Holder{{HeldByPort, "victim.other"}}},
	} {
		if diff := cmp.Diff(
			c.want,
			inv.Taken(netip.MustParseAddr(c.address), c.vpcs, c.ns),
			cmpopts.EquateEmpty(),
		); diff != "" {
			t.Errorf("%s in %q for %s (-want +got):\n%s", c.address, c.vpcs, c.ns.Name, diff)
		}
	}
}

// A port with an address that others have, or that is kept for others, has them listed: those of the network of its
// switch.
func TestForeignAddresses(t *testing.T) {
	for address, c := range map[string]struct{ here, island *Holder }{
		"10.0.0.1":  {&Holder{HeldByGateway, "s"}, &Holder{HeldByGateway, "twin"}},
		"10.0.0.9":  {&Holder{HeldByShared, "s"}, &Holder{HeldByShared, "twin"}},
		"10.0.1.7":  {here: &Holder{HeldByPool, "theirs"}},
		"10.0.2.7":  {here: &Holder{HeldByServices, "kubernetes"}},
		"10.0.0.33": {here: &Holder{HeldByEIP, "e"}},
		"10.0.0.34": {here: &Holder{HeldByFIPInside, "f"}},
		"10.0.0.35": {&Holder{HeldByRule, "lb"}, &Holder{HeldByRule, "lb"}},
		"10.0.0.36": {here: &Holder{HeldByVip, "v"}},
		"10.0.0.37": {}, // of a Vip of its namespace, which it may take
		"10.0.0.38": {here: &Holder{HeldByVip, "lb"}},
		"10.0.0.39": {}, // held by a duplicate; both are on its switch
		"10.0.1.30": {}, "10.0.0.50": {},
	} {
		for sw, want := range map[string]*Holder{"s": c.here, "twin": c.island} {
			for name, enter := range map[string]func(*Inventory){
				"by its IP resource": func(inv *Inventory) {
					inv.SetRecord(&Record{Name: "q.ns", IPs: []string{address}, Subnet: "s"}) // the row says where it is
				},
				"by its row": func(*Inventory) {},
			} {
				t.Run(fmt.Sprintf("%s on %s %s", address, sw, name), func(t *testing.T) {
					inv := twoVPCs()
					inv.SetPod(pod("ns", "q"))
					inv.SetRow(
						&Row{UUID: "u", Name: "q.ns", Switch: sw, Addresses: []string{"0a:00:00:00:00:01 " + address}},
					)
					enter(inv)
					var got *Holder
					if held := inv.Port("q.ns", time.Time{}).Foreign; len(held) > 1 {
						t.Errorf("several: %v", held)
					} else if len(held) == 1 {
						got = &held[0].Holder
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("-want +got:\n%s", diff)
					}
					inv.SetPod(pod("ns", "q", func(p *Pod) { p.Terminating = true }))
					if held := inv.Port("q.ns", time.Time{}).Foreign; held != nil {
						t.Errorf("of a pod that goes: %v", held)
					}
				})
			}
		}
	}
	inv := twoVPCs()
	inv.SetPod(pod("ns", "p"))
	inv.SetRecord(&Record{Name: "p.ns", IPs: []string{"10.0.0.34"}, Subnet: "s"})
	if held := inv.Port("p.ns", time.Time{}).Foreign; held != nil {
		t.Errorf("the port to which an OvnFip leads: %v", held)
	}
}

// When something begins to keep an address, the port with the address is judged again.
func TestWhatKeepsAnAddressTouchesItsPort(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.50")
	for name, enter := range map[string]func(*Inventory) []string{
		"pool":       func(inv *Inventory) []string { return inv.SetPool(Pool{Name: "p", Ranges: []Range{{a, a}}}) },
		"shared VIP": func(inv *Inventory) []string { return inv.SetSubnet(Subnet{Name: "s", Shared: []netip.Addr{a}}) },
		"gateway":    func(inv *Inventory) []string { return inv.SetSubnet(Subnet{Name: "s", Gateways: []netip.Addr{a}}) },
		"Vip":        func(inv *Inventory) []string { return inv.SetVip(Vip{Name: "w", Addresses: []netip.Addr{a}}) },
		"OvnEip": func(inv *Inventory) []string {
			return inv.SetFixed(Fixed{Holder: Holder{HeldByEIP, "x"}, Addresses: []netip.Addr{a}})
		},
		"services": func(inv *Inventory) []string { return inv.SetReserved(Holder{HeldByServices, "x"}, []Range{{a, a}}) },
	} {
		inv := twoVPCs()
		inv.SetPod(pod("ns", "q"))
		inv.SetRecord(&Record{Name: "q.ns", IPs: []string{"10.0.0.50"}, Subnet: "s"})
		if got := enter(inv); !slices.Contains(got, "q.ns") {
			t.Errorf("%s: touched %q", name, got)
		}
	}
}

// A holder on a network of its own, such as the gateway and the ports of a tenant's VPC, does not hide others who have
// the same address elsewhere.
func TestThreatT29HolderOfAnotherNetworkHidesNobody(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	inv := New()
	inv.SetSubnet(Subnet{Name: "ovn-default", CIDRs: []netip.Prefix{prefix("10.16.0.0/16")}})
	inv.SetVip(Vip{Name: "theirs", Namespace: "u", Subnet: "ovn-default", Addresses: []netip.Addr{addr("10.16.0.101")}})
	inv.SetFixed(Fixed{Holder: Holder{HeldByBalancer, "u/lb"}, Addresses: []netip.Addr{addr("10.16.0.200")}})
	inv.SetSubnet(Subnet{
		Name: "copy", VPC: "tenants", Namespaces: []string{"t"}, CIDRs: []netip.Prefix{prefix("10.16.0.0/16")},
		Gateways: []netip.Addr{addr("10.16.0.101")},
	})
	inv.SetRecord(&Record{Name: "p.t", Subnet: "copy", IPs: []string{"10.16.0.200"}})
	for address, want := range map[string]string{"10.16.0.101": "Vip theirs", "10.16.0.200": "service (load " +
		"balancer) u/lb"} {
		var got []string
		for _, h := range inv.Taken(addr(address), []string{kubeovn.DefaultVPC}, policy.Namespace{Name: "t"}) {
			got = append(got, string(h.Kind)+" "+h.Name)
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s on the default network is taken by %q, want %s", address, got, want)
		}
	}
}
