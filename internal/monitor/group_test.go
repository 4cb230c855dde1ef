package monitor

import (
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// The address sets of a security group are judged as OVN has them: an unknown member is a finding of the group, and a
// member from a port's column is a finding of the port.
func TestGroupsAsOVNHasThem(t *testing.T) {
	m, clock, books := started(t)
	enter := func(set func(*inventory.Inventory) []string) {
		t.Helper()
		change(m, set)
		clock.pass(time.Minute)
		mustMissNothing(t, m)
	}
	expect := func(what string, findings ...string) {
		t.Helper()
		for _, f := range findings {
			if _, there := books.findings[f]; !there {
				t.Errorf("%s: %q was not found", what, f)
			}
		}
		if len(books.findings) != len(findings) {
			t.Errorf("%s: found is %v, want %q", what, books.findings, findings)
		}
	}
	addresses := func(texts ...string) func(*inventory.Inventory) []string {
		return func(inv *inventory.Inventory) []string {
			return inv.SetAddressSet(
				&inventory.AddressSet{UUID: "s", Name: "ovn.sg.web.associated.v4", Group: "web", Addresses: texts},
			)
		}
	}
	members := func(uuids ...string) func(*inventory.Inventory) []string {
		return func(inv *inventory.Inventory) []string {
			return inv.SetPortGroup(&inventory.PortGroup{UUID: "g", Group: "web", Ports: persistent.SetOf(uuids...)})
		}
	}
	change(m, func(inv *inventory.Inventory) []string { inv.KnowGroups(); return nil })
	named := pod("p", "u1")
	named.Annotations["ovn.kubernetes.io/security_groups"] = "web"
	enter(func(inv *inventory.Inventory) []string { return inv.SetPod(named) })
	enter(members("row-p"))
	enter(addresses("10.16.0.5"))
	expect("its own address")

	enter(addresses("10.16.0.5", "10.16.66.66"))
	expect("an address of nobody", " OVG018")
	wide := row("p", own+" 10.16.66.66")
	enter(func(inv *inventory.Inventory) []string { return inv.SetRow(wide) })
	expect("the address is the port's by its column", "p.ns OVG003", "p.ns OVG018")
	enter(func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own)) })
	expect("the column was put right, and the set was not", " OVG018")
	enter(addresses("10.16.0.5"))
	expect("the set was computed again")

	enter(func(inv *inventory.Inventory) []string { return inv.SetRow(wide) })
	expect("the set will be wider", "p.ns OVG003", "p.ns OVG018")
	enter(members())
	expect("the port is in no group, and the set has its address", " OVG018", "p.ns OVG003", "p.ns OVG034")
	enter(func(inv *inventory.Inventory) []string { return inv.DeletePortGroup("g") })
	enter(func(inv *inventory.Inventory) []string { return inv.DeleteAddressSet("s") })
	expect("there is no group", "p.ns OVG003")
}

// A row may come before its group, or after it.
func TestMembersInAnyOrder(t *testing.T) {
	m, _, _ := started(t)
	groups := func() (names []string) {
		m.Read(func(inv *inventory.State) {
			for _, g := range inv.Port("q.ns", time.Unix(0, 0)).Groups {
				names = append(names, g.Name)
			}
		})
		return names
	}
	var touched []string
	enter := func(set func(*inventory.Inventory) []string) {
		change(m, func(inv *inventory.Inventory) []string { touched = set(inv); return touched })
	}
	group := &inventory.PortGroup{UUID: "g", Group: "web", Ports: persistent.SetOf("row-p", "row-q")}
	enter(func(inv *inventory.Inventory) []string { return inv.SetPortGroup(group) })
	if len(touched) != 1 || touched[0] != "p.ns" {
		t.Errorf("touched %q, want the row that is there", touched)
	}
	enter(func(inv *inventory.Inventory) []string { return inv.SetRow(row("q", own)) })
	if got := groups(); len(got) != 1 || got[0] != "web" {
		t.Errorf("a row after its group is in %q", got)
	}
	enter(func(inv *inventory.Inventory) []string {
		return inv.SetPortGroup(&inventory.PortGroup{UUID: "h", Group: "db", Ports: persistent.SetOf("row-q")})
	})
	if got := groups(); len(got) != 2 || got[0] != "db" || len(touched) != 1 || touched[0] != "q.ns" {
		t.Errorf("in %q, touched %q", got, touched)
	}
	enter(func(inv *inventory.Inventory) []string {
		return inv.SetPortGroup(
			&inventory.PortGroup{UUID: "h", Group: "kubeovn_deny_all", Ports: persistent.SetOf("row-q")},
		)
	})
	if got := groups(); len(got) != 1 || got[0] != "web" {
		t.Errorf("the group of all that are denied is one of %q", got)
	}
	enter(func(inv *inventory.Inventory) []string { return inv.DeletePortGroup("g") })
	if got := groups(); len(got) != 0 || len(touched) != 2 {
		t.Errorf("in %q after the group is gone, touched %q", got, touched)
	}
}
