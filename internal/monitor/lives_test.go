package monitor

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// The metrics say how long a finding has lasted while it lasts, and how long it lasted when it is gone.
func TestLivesOfFindings(t *testing.T) {
	clock, r := &handClock{now: time.Unix(1000, 0)}, prometheus.NewPedanticRegistry()
	counts, err := NewMetrics(r, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	m := New(clock, counts)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetNamespace(policy.Namespace{Name: "ns"}) })
	for _, name := range []string{"p", "q"} {
		change(m, func(inv *inventory.Inventory) []string { return inv.SetPod(pod(name, "u-"+name)) })
		change(m, func(inv *inventory.Inventory) []string { return inv.SetRow(row(name, own)) })
	}
	m.Start()
	// says expects the age of the oldest finding, in seconds, the number of findings that are gone, and the sum of their
	// ages.
	says := func(oldest float64, gone uint64, stood float64) {
		t.Helper()
		if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
			t.Errorf("metrics lint: %v, %v", problems, err)
		}
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, f := range families {
			for _, s := range f.GetMetric() {
				switch {
				case len(s.GetLabel()) != 1 || s.GetLabel()[0].GetValue() != "OVG001":
				case f.GetName() == "ovnguard_finding_oldest_seconds":
					if got := s.GetGauge().GetValue(); got != oldest {
						t.Errorf("the oldest has stood for %v s, want %v", got, oldest)
					}
					seen++
				case f.GetName() == "ovnguard_finding_duration_seconds":
					if h := s.GetHistogram(); h.GetSampleCount() != gone || h.GetSampleSum() != stood {
						t.Errorf(
							"%d are gone after %v s, want %d after %v",
							h.GetSampleCount(),
							h.GetSampleSum(),
							gone,
							stood,
						)
					}
					seen++
				}
			}
		}
		if seen != 2 {
			t.Errorf("%d of two metrics are there", seen)
		}
	}
	says(0, 0, 0)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetRow(row("p")) })
	clock.pass(5 * time.Second)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetRow(row("q")) })
	clock.pass(3 * time.Second)
	says(8, 0, 0)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetRow(row("p", own)) })
	says(3, 1, 8)
	change(m, func(inv *inventory.Inventory) []string { return inv.SetRow(row("q", own)) })
	says(0, 2, 11)
	if n := len(counts.lives.since); n > 0 {
		t.Errorf("%d findings are still kept", n)
	}
}
