package inventory

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// heap returns how many octets are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The ACLs of 1,000 policies with 100 ports each, and a group of all 100,000 ports, take so much memory; a port that
// comes to the group of all, and the reading of all ACLs, so much time.
func BenchmarkFilters(b *testing.B) {
	const ports, policies, each = 100_000, 1000, 10
	inv := New()
	uuids := make([]string, ports)
	for i := range uuids {
		uuids[i] = fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		inv.SetRow(&Row{UUID: uuids[i], Name: fmt.Sprintf("p%d.ns", i), Switch: "ovn-default"})
	}
	begin := heap()
	all := &PortGroup{UUID: "all", Name: "all", Ports: persistent.SetOf(uuids...)}
	inv.SetPortGroup(all)
	perMember := float64(heap()-begin) / ports
	begin = heap()
	for i := range policies {
		g := &PortGroup{UUID: fmt.Sprint("g", i), Name: fmt.Sprint("policy", i)}
		g.Ports = persistent.SetOf(uuids[i*100 : i*100+100]...)
		for n := range each {
			uuid := fmt.Sprintf("%08d-%04d-4000-8000-000000000000", i, n)
			g.ACLs = append(g.ACLs, uuid)
			inv.SetACL(&acl.ACL{
				UUID: uuid, Name: fmt.Sprintf("np/policy%d.ns/ingress/IPv4/%d", i, n), Direction: acl.ToPort, Tier: 2,
				Priority: 2001, Action: acl.AllowRelated,
				Match: fmt.Sprintf("outport == @policy%d && ip && ip4.src == $policy%d.%d && tcp.dst == 80", i, i, n),
			})
		}
		inv.SetPortGroup(g)
	}
	perACL := float64(heap()-begin) / (policies * each)
	inv.KnowACLs()
	inv.Snapshot()
	b.Run("member", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			now := *all
			e := new(persistent.Edit)
			if i%2 == 0 {
				now.Ports.Remove(e, uuids[i%ports])
			} else {
				now.Ports.Add(e, uuids[(i-1)%ports])
			}
			all = &now
			inv.SetPortGroup(all)
			inv.Snapshot()
		}
		b.ReportMetric(perMember, "B/member")
		b.ReportMetric(perACL, "B/ACL")
	})
	state := inv.Snapshot()
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if db := state.ACLs(); len(db.ACLs) != policies*each || !slices.Contains(db.Groups["policy0"], "p0.ns") {
				b.Fatalf("%d ACLs", len(db.ACLs))
			}
		}
	})
	runtime.KeepAlive(inv)
}
