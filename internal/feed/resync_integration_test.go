//go:build integration

package feed

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// ignoringObserver ignores every notification.
type ignoringObserver struct{}

func (ignoringObserver) Judged(_, _ monitor.Verdict) {}

// After the server comes back, everything is judged again: a change without an event is found, counted and judged.
func TestSweepAfterReconnection(t *testing.T) {
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := ovsdbserver.Create(t.Context(), dir, "nb", ovsdbserver.NorthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	const own = "0a:00:00:00:00:01 10.16.0.1"
	out, err := s.Transact(
		t.Context(),
		`["OVN_Northbound",{"op":"insert","table":"Logical_Switch_Port","uuid-name":"a","row":{"name":"a.ns","addresses":"`+own+`","external_ids":["map",[["pod","ns/a"],["vendor","kube-ovn"]]]}},
		{"op":"insert","table":"Logical_Switch","row":{"name":"sw","ports":["named-uuid","a"]}}]`,
	)
	if err != nil || strings.Contains(out, `"error"`) {
		t.Fatalf("%s: %v", out, err)
	}
	mirror, err := ovn.Open(ovn.Config{Endpoints: s.Endpoint(), Log: logr.Discard(), Probe: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	m := monitor.New(monitor.SystemClock{}, ignoringObserver{})
	m.Change(func(inv *inventory.Inventory) []string {
		inv.SetNamespace(policy.Namespace{Name: "ns"})
		inv.SetRecord(&inventory.Record{Name: "a.ns", MAC: "0a:00:00:00:00:01", IPs: []string{"10.16.0.1"}})
		return inv.SetPod(&inventory.Pod{PodKey: inventory.PodKey{Namespace: "ns", Name: "a"}, UID: "u", Owner: "a"})
	})
	f := &Feed{
		monitor: m,
		swept:   prometheus.NewCounter(prometheus.CounterOpts{Name: "missed_total", Help: "What was missed."}),
		log:     logr.Discard(),
	}

	ctx, cancel := context.WithCancel(context.Background())
	changes := mirror.Subscribe(ovn.TablePort, ovn.TableNBGlobal)
	var running sync.WaitGroup
	running.Go(func() { mirror.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		changes.Close()
	})
	if err := mirror.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	events, state := changes.Take()
	f.take(events, state)
	running.Go(func() {
		if err := f.track(ctx, changes, state, f.take); ctx.Err() == nil {
			t.Errorf("tracking ended: %v", err)
		}
	})
	if got := m.Results()["a.ns"].State; got != audit.Violation {
		t.Fatalf("an open port is %q", got)
	}

	// As if an event had said that the port is protected, and no event that it is open again.
	m.Change(func(inv *inventory.Inventory) []string {
		closed := *inv.Row("a.ns")
		closed.PortSecurity = []string{own}
		return inv.SetRow(&closed)
	})
	if got := m.Results()["a.ns"].State; got != audit.Compliant || testutil.ToFloat64(f.swept) != 0 {
		t.Fatalf("the port is %q, %v were missed", got, testutil.ToFloat64(f.swept))
	}
	s.Kill()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); testutil.ToFloat64(f.swept) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what no event had told was not found after the reconnection")
		}
	}
	if got, missed := m.Results()["a.ns"].State, testutil.ToFloat64(f.swept); got != audit.Violation || missed != 1 {
		t.Errorf("the port is %q and %v were missed, want a violation and 1", got, missed)
	}
}
