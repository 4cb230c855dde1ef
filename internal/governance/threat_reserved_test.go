package governance

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// A Vip takes no address that is kept for others, but a load balancer's Vip takes the address of its rule; in another
// VPC the same address is a different one.
func TestThreatT30VipOfReservedAddresses(t *testing.T) {
	addr := netip.MustParseAddr
	enter := func(g *fedGuard) {
		g.feed(func(inv *inventory.Inventory) {
			inv.SetPool(
				inventory.Pool{
					Name:       "bank-pool",
					Subnet:     "ovn-default",
					Namespaces: []string{"bank"},
					Ranges:     []inventory.Range{{From: addr("10.16.8.10"), To: addr("10.16.8.20")}},
				},
			)
			inv.SetPool(
				inventory.Pool{
					Name:       "shop-pool",
					Subnet:     "ovn-default",
					Namespaces: []string{"shop"},
					Ranges:     []inventory.Range{{From: addr("10.16.9.10"), To: addr("10.16.9.20")}},
				},
			)
			inv.SetReserved(
				inventory.Holder{Kind: inventory.HeldByServices, Name: "kubernetes"},
				[]inventory.Range{inventory.RangeOf(netip.MustParsePrefix("10.96.0.0/12"))},
			)
			inv.SetFixed(
				inventory.Fixed{
					Holder:    inventory.Holder{Kind: inventory.HeldByShared, Name: "ovn-default"},
					Addresses: []netip.Addr{addr("10.16.0.111")},
				},
			)
			inv.SetFixed(
				inventory.Fixed{
					Holder:    inventory.Holder{Kind: inventory.HeldByEIP, Name: "e"},
					Addresses: []netip.Addr{addr("10.16.0.112")},
					At:        inventory.At{Subnet: "ovn-default"},
				},
			)
			inv.SetFixed(
				inventory.Fixed{
					Holder:    inventory.Holder{Kind: inventory.HeldByRule, Name: "lb"},
					Addresses: []netip.Addr{addr("10.16.0.115")},
				},
			)
			inv.SetRecord(
				&inventory.Record{
					Name:   "web-1.bank",
					MAC:    "00:00:00:00:00:21",
					IPs:    []string{"10.16.0.21"},
					Subnet: "ovn-default",
				},
			)
			inv.SetSubnet(inventory.Subnet{Name: "island", VPC: "island", Namespaces: []string{"shop"}})
		})
	}
	for name, c := range map[string]struct {
		spec  object
		words []string
	}{
		"of another's pool":      {object{"v4ip": "10.16.8.15"}, []string{"spec.v4ip", "IPPool bank-pool"}},
		"of the own pool":        {object{"v4ip": "10.16.9.15"}, nil},
		"of the Services' range": {object{"v4ip": "10.100.0.1"}, []string{"spec.v4ip", "kubernetes"}},
		"shared by the subnet":   {object{"v4ip": "10.16.0.111"}, []string{"spec.v4ip", "shared VIPs"}},
		"of an OvnEip":           {object{"v4ip": "10.16.0.112"}, []string{"spec.v4ip", "OvnEip"}},
		"of a rule":              {object{"v4ip": "10.16.0.115"}, []string{"spec.v4ip", "SwitchLBRule lb"}},
		"of a rule, for it":      {object{"v4ip": "10.16.0.115", "type": "switch_lb_vip"}, nil},
		"another's":              {object{"v4ip": "10.16.0.21"}, []string{"port web-1.bank"}},
		"of another VPC's port":  {object{"v4ip": "10.16.0.21", "subnet": "island"}, nil},
		"of its pool":            {object{"v4ip": "10.16.8.15", "subnet": "island"}, nil},
		"another's MAC":          {object{"macAddress": "00:00:00:00:00:21"}, []string{"port web-1.bank"}},
		"of another VPC's MAC":   {object{"macAddress": "00:00:00:00:00:21", "subnet": "island"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := honouring()
			cluster.rights = []string{"alice create pods. shop/", "alice update subnets.kubeovn.io /ovn-default"}
			g := guardOf(cluster)
			enter(g)
			spec := object{"namespace": "shop", "subnet": "ovn-default"}
			maps.Copy(spec, c.spec)
			a, err := g.Vip(t.Context(), vipRequest(t, "mine", spec, nil))
			expect(t, a, err, c.words...)
		})
	}
}

// A user who may not have a Vip for a namespace learns that, and nothing about the namespace's content.
func TestThreat45VipForAnotherNamespace(t *testing.T) {
	g := guardOf(honouring())
	g.feed(func(inv *inventory.Inventory) {
		inv.SetRecord(&inventory.Record{Name: "web-1.bank", IPs: []string{"10.16.0.21"}, Subnet: "ovn-default"})
	})
	a, err := g.Vip(
		t.Context(),
		vipRequest(t, "mine", object{"namespace": "bank", "subnet": "ovn-default", "v4ip": "10.16.0.21"}, nil),
	)
	expect(t, a, err, "spec.namespace", "may not create pods in namespace bank")
	if said := strings.Join(a.Denials(), "; "); strings.Contains(said, "web-1") {
		t.Errorf("the refusal names what is there: %s", said)
	}
}
