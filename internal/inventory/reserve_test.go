package inventory

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// When a range comes, changes or goes, the ports with its addresses are affected, and the ports with a grant of some,
// whichever came first.
func TestReservationsTouchPorts(t *testing.T) {
	addr := netip.MustParseAddr
	for name, size := range map[string]string{"a short range": "10.0.0.20", "a long one": "10.0.255.255"} {
		t.Run(name, func(t *testing.T) {
			inv := New()
			inv.SetRecord(&Record{Name: "a.ns", IPs: []string{"10.0.0.10"}})
			inv.SetRecord(&Record{Name: "b.ns", IPs: []string{"10.1.0.10"}})
			inv.Granted(
				"c.ns",
				policy.Decision{Pairs: []portsec.AddressPair{{Prefix: netip.MustParsePrefix("10.0.0.16/28")}}},
			)
			p := Pool{Name: "p", Ranges: []Range{{addr("10.0.0.5"), addr(size)}}}
			want := []string{"a.ns", "c.ns"}
			if got := inv.SetPool(p); !slices.Equal(got, want) {
				t.Errorf("a pool that comes touches %v, want %v", got, want)
			}
			if got := inv.SetPool(Pool{Name: "p"}); !slices.Equal(got, want) {
				t.Errorf("one that loses its addresses touches %v, want %v", got, want)
			}
			inv.SetPool(p)
			if got := inv.DeletePool("p"); !slices.Equal(got, want) {
				t.Errorf("one that goes touches %v, want %v", got, want)
			}
			if got := inv.Reservations(netip.MustParsePrefix("10.0.0.0/8")); len(got) != 0 {
				t.Errorf("after it was deleted there is %v", got)
			}
		})
	}
}

// The subnet of the nodes is recognised by their ports, whichever of the two comes first, until they are gone.
func TestSubnetOfTheNodes(t *testing.T) {
	node, record := Fixed{Holder: Holder{HeldByNode, "n1"}}, &Record{Name: "node-n1", Subnet: "transit"}
	for name, steps := range map[string][]func(*Inventory){
		"node first":   {func(inv *Inventory) { inv.SetFixed(node) }, func(inv *Inventory) { inv.SetRecord(record) }},
		"record first": {func(inv *Inventory) { inv.SetRecord(record) }, func(inv *Inventory) { inv.SetFixed(node) }},
		"twice": {
			func(inv *Inventory) { inv.SetRecord(record) },
			func(inv *Inventory) { inv.SetFixed(node) },
			func(inv *Inventory) { inv.SetFixed(node) },
			func(inv *Inventory) { inv.SetRecord(record) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := New()
			for i, step := range steps {
				if inv.OfNodes("transit") && i < 2 {
					t.Error("it is the nodes' before a port of theirs is there")
				}
				step(inv)
			}
			if !inv.OfNodes("transit") || inv.OfNodes("other") || inv.OfNodes("") {
				t.Error("the subnet on which a node has its port is the nodes', and no other")
			}
			inv.DeleteRecord(record.Name)
			if inv.OfNodes("transit") {
				t.Error("it is still the nodes' when none has a port there")
			}
			inv.SetRecord(record)
			inv.DeleteFixed(node.Holder)
			if inv.OfNodes("transit") {
				t.Error("it is still the nodes' when there is no such node")
			}
		})
	}
}
