package inventory

import (
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// A Vip with the name of a pod does not keep the pod's port from being compared with others, whoever came first, and
// whatever type the Vip has. Only a port that Kube-OVN made for a Vip, and no pod claims, may share its addresses.
func TestThreatT28VipNamedLikeAPod(t *testing.T) {
	const mac = "0a:00:00:00:00:05"
	row := func(name string) *Row {
		return &Row{UUID: "u-" + name, Name: name, Switch: "s", Addresses: []string{mac + " 10.0.0.5"}}
	}
	for _, kind := range []string{"", kubeovn.VipSwitchLB, kubeovn.VipHostVM, "of a later release"} {
		hide := Vip{Name: "thief", Namespace: "ns", Subnet: "s", Type: kind}
		for order, steps := range map[string][]func(*Inventory) []string{
			"the Vip first": {
				func(inv *Inventory) []string { return inv.SetVip(hide) },
				func(inv *Inventory) []string { return inv.SetRow(row("thief.ns")) },
				func(inv *Inventory) []string { return inv.SetPod(pod("ns", "thief")) },
			},
			"the pod first": {
				func(inv *Inventory) []string { return inv.SetPod(pod("ns", "thief")) },
				func(inv *Inventory) []string { return inv.SetRow(row("thief.ns")) },
				func(inv *Inventory) []string { return inv.SetVip(hide) },
			},
		} {
			t.Run(kind+", "+order, func(t *testing.T) {
				inv := New()
				inv.SetPod(pod("ns", "victim"))
				inv.SetRow(row("victim.ns"))
				before := inv.Port("victim.ns", time.Time{}).Duplicates
				for _, step := range steps {
					touched := step(inv)
					now := inv.Port("victim.ns", time.Time{}).Duplicates
					if len(now) != len(before) && !slices.Contains(touched, "victim.ns") {
						t.Errorf(
							"the victim has duplicates %+v and had %+v, and touched is only %q",
							now,
							before,
							touched,
						)
					}
					before = now
				}
				for _, name := range []string{"victim.ns", "thief.ns"} {
					if p := inv.Port(name, time.Time{}); len(p.Duplicates) != 2 || p.Vip {
						t.Errorf("%s: duplicates %+v, a Vip's: %v", name, p.Duplicates, p.Vip)
					}
				}
				// Without its pod, the port of a Vip with a port type is the Vip's.
				own := kind == kubeovn.VipSwitchLB || kind == kubeovn.VipHostVM
				touched := inv.DeletePod(PodKey{"ns", "thief"})
				if p := inv.Port(
					"thief.ns",
					time.Time{},
				); p.Vip != own ||
					slices.Contains(touched, "victim.ns") != own {
					t.Errorf("when its pod is gone: a Vip's %v, touched %q", p.Vip, touched)
				}
			})
		}
	}
}

// The port of a Vip on another network than the default one has that network's name behind its own, even where the
// subnet is read later.
func TestVipPortOfAnotherNetwork(t *testing.T) {
	const name = "lb.ns.blue.ns.ovn"
	inv := New()
	inv.SetVip(Vip{Name: "lb", Namespace: "ns", Subnet: "blue", Type: kubeovn.VipSwitchLB})
	if !inv.Port("lb.ns", time.Time{}).Vip {
		t.Error("while its subnet is not known, the Vip has no port on the default network")
	}
	touched := inv.SetSubnet(Subnet{Name: "blue", Provider: "blue.ns.ovn"})
	for _, port := range []string{"lb.ns", name} {
		if got, want := inv.Port(port, time.Time{}).Vip, port == name; got != want {
			t.Errorf("%s is a Vip's: %v", port, got)
		}
		if !slices.Contains(touched, port) {
			t.Errorf("touched %q lacks %s", touched, port)
		}
	}
	if inv.DeleteVip("lb"); inv.Port(name, time.Time{}).Vip {
		t.Error("the Vip is gone, and its port is still a Vip's")
	}
}
