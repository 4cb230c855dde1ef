package main

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/bench/generated"
	"github.com/ovnguard/ovnguard/test/bench/table"
)

// Bars for the longest delay that one tenant can cause everybody: the monitor judges under its lock, and a review has
// three seconds with others.
const (
	wideLimit       = 5 * time.Millisecond
	exceptionsLimit = 50 * time.Millisecond
	crowdLimit      = time.Second // 6 ms of CPU for each of 100 ports with 1,024 pairs in effect
)

// What tenants of the generated cluster do.
const (
	widePorts = 50_000
	widePairs = 8
	// exceptions is the number of a namespace's exceptions, more than count, and crowd is its number of pods.
	exceptions = 1000
	crowd      = 100
	// services is the number of Services; a namespace claims external IPs of them.
	services = 5000
)

// gateway is the namespace of the tenant, and the name of its pod.
const gateway = "gateway"

// tenant enters a cluster with one of the tenant's pods on one of two subnets with the same addresses, in two VPCs.
func tenant(inv *inventory.Inventory, on string) {
	cidrs := []netip.Prefix{netip.MustParsePrefix("10.16.0.0/12"), netip.MustParsePrefix("fd00:10:16::/64")}
	inv.SetSubnet(
		inventory.Subnet{
			Name:     "ovn-default",
			UID:      "ovn-default",
			VPC:      kubeovn.DefaultVPC,
			CIDRs:    cidrs,
			Gateways: []netip.Addr{cidrs[0].Addr().Next()},
		},
	)
	inv.SetSubnet(inventory.Subnet{Name: "island", UID: "island", VPC: "island", CIDRs: cidrs})
	inv.SetNamespace(policy.Namespace{Name: gateway, UID: gateway})
	inv.SetPolicy(policy.Policy{
		Name: "gateways", ExceptionsIn: []string{gateway}, Repair: policy.RepairLog,
		Limits: policy.Limits{Pairs: 256, Prefix4: 1, Prefix6: 1, Lifetime: 24 * time.Hour},
	})
	for i := range services {
		inv.SetFixed(inventory.Fixed{
			Holder:    inventory.Holder{Kind: inventory.HeldByService, Name: fmt.Sprintf("team/service-%d", i)},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)})},
		})
	}
	enterTenant(inv, gateway, on, 0)
}

// enterTenant enters one of the tenant's pods.
func enterTenant(inv *inventory.Inventory, name, on string, i int) {
	port := kubeovn.PortName(name, gateway, kubeovn.DefaultProvider)
	ip := netip.AddrFrom4([4]byte{10, 31, byte(i >> 8), byte(i + 2)}).String()
	identity := fmt.Sprintf("0e:00:00:00:%02x:%02x %s", byte(i>>8), byte(i), ip)
	inv.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{
			Namespace: gateway,
			Name:      name,
		},
		Owner:       name,
		Labels:      map[string]string{"app": "gateway"},
		Annotations: map[string]string{kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): on},
	})
	inv.SetRecord(&inventory.Record{Name: port, MAC: identity[:17], IPs: []string{ip}, Subnet: on})
	inv.SetRow(
		&inventory.Row{
			UUID:         port,
			Name:         port,
			Switch:       on,
			Addresses:    []string{identity},
			PortSecurity: []string{identity},
		},
	)
}

// exception returns an exception for all pods of the tenant.
func exception(name string, pairs []portsec.AddressPair, now time.Time) policy.Exception {
	return policy.Exception{
		Namespace: gateway, Name: name, Pods: func(labels map[string]string) bool { return labels["app"] == "gateway" },
		Pairs: pairs, Asked: now, Expires: now.Add(time.Hour),
	}
}

// worst measures the greatest cost of a tenant's exceptions and Services.
func worst(t *table.Table) error {
	now := time.Now()
	for _, c := range []struct{ what, on string }{{"whose owner consented", "ovn-default"}, {"of another VPC", "island"}} {
		inv := inventory.New()
		tenant(inv, c.on)
		for i := range widePorts {
			o := generated.Generate(i)
			o.Record.IPs = append(o.Record.IPs[:1], fmt.Sprintf("fd00:10:16::%x:%x", i>>16+1, i&0xffff+1))
			inv.SetRecord(o.Record)
			inv.SetRow(o.Row)
		}
		// The MACs differ, so that no pair makes another one redundant.
		var pairs []portsec.AddressPair
		for i := range widePairs {
			pairs = append(
				pairs,
				portsec.AddressPair{
					MAC:    portsec.MAC{0x0e, 1, 0, 0, 0, byte(i)},
					Prefix: netip.MustParsePrefix("fd00:10:16::/64"),
				},
			)
		}
		e := exception("wide", pairs, now)
		e.SharedWith = slices.Repeat([]string{c.on}, widePairs)
		e.Shares = []policy.Share{{Resource: policy.Subnets, Name: c.on, UID: c.on}}
		inv.SetException(e)
		port := kubeovn.PortName(gateway, gateway, kubeovn.DefaultProvider)
		state := inv.Snapshot()
		if got := len(state.Port(port, now).Decision.Pairs); got != widePairs {
			return fmt.Errorf(
				"%s: %d pairs are granted, want %d: %+v",
				c.what,
				got,
				widePairs,
				state.Port(port, now).Decision.Steps,
			)
		}
		judged := repeat(func() { inv.Port(port, now) })
		reviewed := repeat(func() { inv.Claims(&e) })
		at := func(what string) string {
			return fmt.Sprintf("%s, %d pairs of a /64 %s with %d ports", what, widePairs, c.what, widePorts)
		}
		t.Add(bar(at("one port"), judged, wideLimit), bar(at("review of its exception"), reviewed, wideLimit))
	}
	return manyExceptions(t, now)
}

// manyExceptions measures a namespace with more exceptions than count, each over all Services, or over free addresses.
func manyExceptions(t *table.Table, now time.Time) error {
	for _, c := range []struct {
		what   string
		prefix func(i int) netip.Prefix
	}{
		{"of nobody", func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 32)
		}},
		{"of free addresses of a subnet", func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 17, byte(i >> 8), byte(i)}), 32)
		}},
		{"over all Services", func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)}), 12)
		}},
	} {
		m := monitor.New(monitor.SystemClock{}, ignoringObserver{})
		m.Change(func(inv *inventory.Inventory) []string {
			tenant(inv, "ovn-default")
			for i := range crowd {
				enterTenant(inv, fmt.Sprintf("%s-%d", gateway, i), "ovn-default", i+1)
			}
			for i := range exceptions {
				var pairs []portsec.AddressPair
				for k := range widePairs {
					pairs = append(pairs, portsec.AddressPair{Prefix: c.prefix(i*widePairs + k)})
				}
				inv.SetException(exception(strconv.Itoa(i), pairs, now))
			}
			return nil
		})
		m.Start()
		ns, pod := m.Namespace(
			gateway,
		), &inventory.Pod{
			PodKey: inventory.PodKey{Namespace: gateway, Name: "new"},
			Owner:  "new",
			Labels: map[string]string{"app": "gateway"},
		}
		review := repeat(func() {
			m.Change(func(*inventory.Inventory) []string { return nil }) // something changed since the last
			policy.Decide(m.State().QueryIn(ns, pod, kubeovn.DefaultProvider, now))
		})
		stage := 0
		relabelled := repeat(func() {
			stage++
			m.Change(func(inv *inventory.Inventory) []string {
				return inv.SetNamespace(
					policy.Namespace{
						Name:   gateway,
						UID:    gateway,
						Labels: map[string]string{"stage": strconv.Itoa(stage)},
					},
				)
			})
		})
		at := func(what string) string {
			return fmt.Sprintf("%s, %d exceptions of %d pairs %s", what, exceptions, widePairs, c.what)
		}
		t.Add(
			bar(at("review of a pod"), review, exceptionsLimit),
			bar(at(fmt.Sprintf("its namespace of %d pods relabelled", crowd)), relabelled, crowdLimit),
		)
		runtime.KeepAlive(m)
	}
	return nil
}

func bar(what string, measured, limit time.Duration) table.Row {
	return table.Row{What: what, Measured: text(measured), Bar: "< " + limit.String(), Missed: measured >= limit}
}
