package monitor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// anyChange draws a change of anything that findings depend on.
func anyChange(t *rapid.T) func(*inventory.Inventory) []string {
	n := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "name")
	columns := [][]string{nil, {own}, {"unknown"}, {own + " 10.16.0.9"}}
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "rs-uid"}
	macvlan := kubeovn.Attachment{Namespace: "ns", Name: "macvlan"}
	switch rapid.IntRange(0, 24).Draw(t, "action") {
	case 0, 1:
		p := pod(n, "u-"+n)
		p.Labels = map[string]string{"app": rapid.SampledFrom([]string{"web", "router"}).Draw(t, "app")}
		p.HostNetwork = rapid.Bool().Draw(t, "host")
		if rapid.Bool().Draw(t, "owned") {
			p.Controller = &owner
		}
		if rapid.Bool().Draw(t, "second NIC") {
			p.Attachments = []kubeovn.Attachment{macvlan}
		}
		p.Annotations["ovn.kubernetes.io/security_groups"] = rapid.SampledFrom([]string{"", "web", "web, db"}).
			Draw(t, "groups")
		p.Annotations["ovn.kubernetes.io/logical_switch"] = rapid.SampledFrom([]string{"", "sw", "blue"}).
			Draw(t, "annotated switch")
		return func(inv *inventory.Inventory) []string { return inv.SetPod(p) }
	case 2:
		return func(inv *inventory.Inventory) []string {
			return inv.DeletePod(inventory.PodKey{Namespace: "ns", Name: n})
		}
	case 3, 4:
		r := row(n, rapid.SampledFrom(columns).Draw(t, "column")...)
		r.UUID += rapid.SampledFrom([]string{"", "-2"}).Draw(t, "row")
		r.Switch = rapid.SampledFrom([]string{"", "sw", "blue"}).Draw(t, "switch")
		if rapid.Bool().Draw(t, "of nobody") {
			r.ExternalIDs = nil
		}
		return func(inv *inventory.Inventory) []string { return inv.SetRow(r) }
	case 5:
		uuid := "row-" + n + rapid.SampledFrom([]string{"", "-2"}).Draw(t, "row")
		return func(inv *inventory.Inventory) []string { return inv.DeleteRow(n+".ns", uuid) }
	case 6:
		r := record(n)
		r.IPs = rapid.SampledFrom([][]string{{"10.16.0.5"}, {"10.16.0.9"}, {"10.16.0.5", "fd00::5"}}).
			Draw(t, "addresses")
		r.Subnet = rapid.SampledFrom([]string{"", "sw", "blue"}).Draw(t, "subnet")
		r.Keeper = rapid.SampledFrom([]string{"", inventory.KeeperStatefulSet}).Draw(t, "keeper")
		r.Of = inventory.PodKey{Namespace: "ns", Name: n + "-1"}
		if r.Keeper == "" {
			r.Of.Name = n
		}
		return func(inv *inventory.Inventory) []string { return inv.SetRecord(r) }
	case 7:
		return func(inv *inventory.Inventory) []string { return inv.DeleteRecord(n + ".ns") }
	case 8, 9:
		e := policy.Exception{
			Namespace: "ns",
			Name:      n,
			Expires:   time.Unix(rapid.SampledFrom([]int64{900, 1_000_000}).Draw(t, "end"), 0),
		}
		if e.Owner = &owner; rapid.Bool().Draw(t, "by label") {
			e.Owner, e.Pods = nil, func(labels map[string]string) bool { return labels["app"] == "router" }
		}
		if rapid.Bool().Draw(t, "one NIC") {
			e.Providers = policy.Providers{"macvlan.ns.ovn"}
		}
		return func(inv *inventory.Inventory) []string { return inv.SetException(e) }
	case 10:
		return func(inv *inventory.Inventory) []string { return inv.DeleteException("ns", n) }
	case 11:
		if rapid.Bool().Draw(t, "there") {
			return func(inv *inventory.Inventory) []string { return inv.SetOwner(owner, nil) }
		}
		return func(inv *inventory.Inventory) []string { return inv.DeleteOwner(owner.UID) }
	case 12:
		kind := rapid.SampledFrom([]kubeovn.AttachmentKind{kubeovn.KindForeign, kubeovn.KindOVN}).Draw(t, "kind")
		return func(inv *inventory.Inventory) []string { return inv.SetAttachment(macvlan, kind) }
	case 13:
		c := inventory.Chassis{UUID: rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "chassis"), Name: "node"}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteChassis(c.UUID) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetChassis(c) }
	case 14:
		b := &inventory.Binding{
			UUID: "b-" + n, Port: n + ".ns", PortSecurity: rapid.SampledFrom(columns).Draw(t, "column"),
			Chassis: rapid.SampledFrom([][]string{nil, {"c1"}, {"c2"}, {"c1", "c2"}}).Draw(t, "chassis"),
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteBinding(b.Port, b.UUID) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetBinding(b) }
	case 15:
		g := &inventory.PortGroup{
			UUID:  rapid.SampledFrom([]string{"g", "h"}).Draw(t, "port group"),
			Group: rapid.SampledFrom([]string{"web", "db", kubeovn.DenyAllGroup, ""}).Draw(t, "group"),
			Ports: persistent.SetOf(
				rapid.SampledFrom([][]string{nil, {"row-p"}, {"row-p", "row-q"}, {"row-p-2", "row-q"}}).
					Draw(t, "members")...,
			),
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeletePortGroup(g.UUID) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetPortGroup(g) }
	case 16:
		a := &inventory.AddressSet{
			UUID:  "s",
			Name:  "s",
			Group: rapid.SampledFrom([]string{"web", "db", ""}).Draw(t, "group"),
			Addresses: rapid.SampledFrom([][]string{nil, {"10.16.0.5"}, {"10.16.0.5", "10.16.0.9"}}).
				Draw(t, "addresses"),
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteAddressSet(a.UUID) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetAddressSet(a) }
	case 17:
		end := inventory.RouterPort{
			UUID: rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "end"),
			Name: "lr-sw",
			MAC:  rapid.SampledFrom([]string{own[:17], "0a:00:00:00:00:fe"}).Draw(t, "MAC"),
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteRouterPort(end.Name, end.UUID) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetRouterPort(end) }
	case 18:
		link := &inventory.Row{
			UUID:      "l",
			Name:      "sw-lr",
			Type:      "router",
			Switch:    "sw",
			Addresses: []string{rapid.SampledFrom([]string{"router", own}).Draw(t, "addresses")},
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteRow(link.Name, link.UUID) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetRow(link) }
	case 19:
		s := inventory.Subnet{
			Name: rapid.SampledFrom([]string{"sw", "blue"}).Draw(t, "subnet"),
			VLAN: rapid.SampledFrom([]string{"", "v1", "v2"}).Draw(t, "VLAN"),
			VPC:  rapid.SampledFrom([]string{"", "red"}).Draw(t, "VPC"),
		}
		if rapid.Bool().Draw(t, "for others") {
			s.Namespaces = []string{"bank"}
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteSubnet(s.Name) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetSubnet(s) }
	case 20:
		v := inventory.VLAN{
			Name: rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "VLAN"),
			ID:   rapid.SampledFrom([]int64{0, 20}).Draw(t, "tag"), Network: "net",
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteVLAN(v.Name) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetVLAN(v) }
	case 21:
		w := inventory.Workload{
			Object:    policy.Owner{APIVersion: "apps/v1", Kind: inventory.KeeperStatefulSet, Name: n, UID: n + "-set"},
			Namespace: "ns", Ordinals: &inventory.Ordinals{Count: rapid.IntRange(0, 2).Draw(t, "replicas")},
		}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteOwner(w.Object.UID) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetWorkload(w) }
	case 22:
		v := inventory.Vip{Name: n + ".ns", Namespace: "ns"}
		if rapid.Bool().Draw(t, "gone") {
			return func(inv *inventory.Inventory) []string { return inv.DeleteVip(v.Name) }
		}
		return func(inv *inventory.Inventory) []string { return inv.SetVip(v) }
	case 23:
		v := inventory.VPC{Name: "red"}
		if rapid.Bool().Draw(t, "for others") {
			v.Namespaces = []string{"bank"}
		}
		return func(inv *inventory.Inventory) []string { return inv.SetVPC(v) }
	}
	version := rapid.SampledFrom([]string{"22.09.0", "24.03.8", ""}).Draw(t, "version")
	return func(inv *inventory.Inventory) []string { return inv.SetOVN(portsec.OVN{Version: version}) }
}

// Whatever changes, the events lead to the result of judging everything again, and to the findings of a monitor that
// reads everything from the start.
func TestEventsMissNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock, books := &handClock{now: time.Unix(1000, 0)}, newLedger()
		m := New(clock, books)
		var facts []func(*inventory.Inventory) []string
		enter := func(change func(*inventory.Inventory) []string) {
			facts = append(facts, change)
			m.Change(change)
		}
		enter(func(inv *inventory.Inventory) []string { inv.KnowGroups(); return nil })
		enter(func(inv *inventory.Inventory) []string { return inv.SetNamespace(policy.Namespace{Name: "ns"}) })
		m.Start()
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			enter(anyChange(t))
			clock.pass(time.Minute)
			if missed := m.Sweep(); missed > 0 {
				t.Fatalf("the events missed %d", missed)
			}
		}
		freshClock, freshBooks := &handClock{now: time.Unix(1000, 0)}, newLedger()
		fresh := New(freshClock, freshBooks)
		for _, change := range facts {
			fresh.Change(change)
		}
		fresh.Start()
		freshClock.pass(time.Minute)
		if diff := cmp.Diff(freshBooks.ports, books.ports, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("ports: -afresh +grown\n%s", diff)
		}
		found := func(l *ledger) map[string][]audit.Finding {
			out := make(map[string][]audit.Finding)
			for about, v := range l.verdicts {
				if len(v.Findings) > 0 {
					out[about] = v.Findings
				}
			}
			return out
		}
		if diff := cmp.Diff(found(freshBooks), found(books)); diff != "" {
			t.Fatalf("findings: -afresh +grown\n%s", diff)
		}
	})
}
