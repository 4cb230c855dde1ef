package monitor

import (
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// change enters one fact.
func change(m *Monitor, set func(*inventory.Inventory) []string) { m.Change(set) }

// mustMissNothing fails if judging all again finds something that no event reported.
func mustMissNothing(t *testing.T, m *Monitor) {
	t.Helper()
	if missed := m.Sweep(); missed > 0 {
		t.Errorf("the events missed %d", missed)
	}
}

func TestExceptionForNobody(t *testing.T) {
	m, clock, books := started(t)
	end := clock.now.Add(time.Hour)
	e := policy.Exception{
		Namespace: "ns", Name: "router", Expires: end,
		Pods: func(labels map[string]string) bool { return labels["app"] == "router" },
	}
	change(m, func(inv *inventory.Inventory) []string { return inv.SetException(e) })
	books.expect(t, nil, books.ports)
	clock.pass(time.Minute)
	books.expect(t, []string{"found  OVG016 "}, books.ports)
	mustMissNothing(t, m)

	router := pod("q", "u9")
	router.Labels = map[string]string{"app": "router"}
	change(m, func(inv *inventory.Inventory) []string { return inv.SetPod(router) })
	books.expect(t, []string{"cleared  OVG016 "}, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.DeletePod(router.PodKey) })
	clock.pass(time.Minute)
	books.expect(t, []string{"found  OVG016 "}, books.ports)
	mustMissNothing(t, m)

	clock.pass(time.Hour) // it ends without an event
	books.expect(t, []string{"cleared  OVG016 ", "found  OVG015 "}, books.ports)
	mustMissNothing(t, m)
	change(m, func(inv *inventory.Inventory) []string { return inv.DeleteException("ns", "router") })
	books.expect(t, []string{"cleared  OVG015 "}, books.ports)
	mustMissNothing(t, m)
}

// An exception by owner applies to no pod until the owner is there.
func TestExceptionForAnOwner(t *testing.T) {
	m, clock, books := started(t)
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "rs-uid"}
	owned := pod("q", "u9")
	owned.Controller, owned.Annotations = &owner, nil
	change(m, func(inv *inventory.Inventory) []string { return inv.SetPod(owned) })
	change(m, func(inv *inventory.Inventory) []string {
		return inv.SetException(
			policy.Exception{Namespace: "ns", Name: "router", Expires: clock.now.Add(time.Hour), Owner: &owner},
		)
	})
	clock.pass(time.Minute)
	books.expect(t, []string{"found  OVG016 "}, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetOwner(owner, nil) })
	books.expect(t, []string{"cleared  OVG016 "}, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.DeleteOwner(owner.UID) })
	clock.pass(time.Minute)
	books.expect(t, []string{"found  OVG016 "}, books.ports)
	mustMissNothing(t, m)
}

func TestWeakChassis(t *testing.T) {
	m, _, books := started(t)
	bound := &inventory.Binding{UUID: "b", Port: "p.ns", PortSecurity: []string{own}, Chassis: []string{"c1"}}
	six := record("p")
	six.IPs = append(six.IPs, "fd00::5")
	change(m, func(inv *inventory.Inventory) []string { return inv.SetOVN(portsec.OVN{Version: "22.09.0"}) })
	change(m, func(inv *inventory.Inventory) []string {
		return inv.SetChassis(inventory.Chassis{UUID: "c1", Name: "node-1"})
	})
	change(m, func(inv *inventory.Inventory) []string { return inv.SetBinding(bound) })
	books.expect(t, nil, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetRecord(six) })
	if _, there := books.findings[" OVG022"]; !there {
		t.Errorf("a port with an IPv6 address is bound to an old chassis, found is %v", books.findings)
	}
	mustMissNothing(t, m)
	change(m, func(inv *inventory.Inventory) []string { return inv.DeleteBinding("p.ns", "b") })
	if _, there := books.findings[" OVG022"]; there {
		t.Errorf("nothing with an IPv6 address is bound there any more, found is %v", books.findings)
	}
	change(m, func(inv *inventory.Inventory) []string { return inv.SetBinding(bound) })
	change(m, func(inv *inventory.Inventory) []string { return inv.DeleteChassis("c1") })
	if _, there := books.findings[" OVG022"]; there {
		t.Errorf("the chassis is gone, found is %v", books.findings)
	}
	mustMissNothing(t, m)
}

func TestOutsideOVN(t *testing.T) {
	m, _, books := started(t)
	macvlan := kubeovn.Attachment{Namespace: "ns", Name: "macvlan"}
	host, other := pod("h", "u2"), pod("o", "u3")
	host.HostNetwork = true
	other.Attachments = []kubeovn.Attachment{macvlan}
	change(m, func(inv *inventory.Inventory) []string { return inv.SetPod(host) })
	books.expect(t, []string{"found  OVG024 u2"}, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.DeletePod(host.PodKey) })
	books.expect(t, []string{"cleared  OVG024 u2"}, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetPod(other) })
	books.expect(t, nil, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetAttachment(macvlan, kubeovn.KindForeign) })
	books.expect(t, []string{"found  OVG024 u3"}, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetAttachment(macvlan, kubeovn.KindOVN) })
	books.expect(t, []string{"cleared  OVG024 u3"}, books.ports)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetAttachment(macvlan, kubeovn.KindMixed) })
	books.expect(t, []string{"found  OVG024 u3"}, books.ports)
	mustMissNothing(t, m)
}

// A change without an event is found by judging all again, counted once, and reported.
func TestSweepCountsWhatTheEventsMissed(t *testing.T) {
	m, clock, books := started(t)
	mustMissNothing(t, m)
	m.mu.Lock()
	m.inv.SetRow(row("p"))
	m.inv.SetException(policy.Exception{Namespace: "ns", Name: "old", Expires: clock.now})
	m.inv.Affected() // no observer hears of the change
	m.state.Store(m.inv.Snapshot())
	m.mu.Unlock()
	if missed := m.Sweep(); missed != 2 {
		t.Errorf("%d were found by judging all again, want the port and the exception", missed)
	}
	books.expect(t, []string{"found p.ns OVG001 u1", "found  OVG015 "}, books.ports)
	mustMissNothing(t, m)
}

// One option switches port security off for every port: this is one finding, of no port, and no port is compliant
// meanwhile.
func TestThreatT45OptionIsFoundAtOnce(t *testing.T) {
	m, _, books := started(t)
	set := func(value string) {
		change(m, func(inv *inventory.Inventory) []string {
			return inv.SetOptions(map[string]string{"version_compatibility": value})
		})
	}
	set("25.03")
	books.expect(t, nil, map[audit.State]int{audit.Compliant: 1})
	set("22.03")
	books.expect(t, []string{"found  OVG030 "}, map[audit.State]int{audit.Violation: 1})
	mustMissNothing(t, m)
	set("_22.03")
	books.expect(t, []string{"cleared  OVG030 "}, map[audit.State]int{audit.Compliant: 1})
	mustMissNothing(t, m)
}
