//go:build integration

package ovndiff

import (
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/portsectest"
	"github.com/ovnguard/ovnguard/portsec/vector"
	"github.com/ovnguard/ovnguard/test/ovnbox"
)

// An option of the Northbound database has no effect on an ovn-northd that is not Kube-OVN's. The logical flows that
// Kube-OVN's writes for it let a forged frame pass a strict port in both directions, while the columns of both
// databases stay as they are.
func TestThreatT45ForgedFramePassesWithoutTheChecks(t *testing.T) {
	w := newWorld(t)
	column := []string{"0a:00:00:00:00:01 10.0.0.1"}
	forged := func(direction portsec.Direction) func() ovnbox.Shot {
		return func() ovnbox.Shot {
			source, destination := "10.0.0.2", "10.0.0.9"
			f := vector.Frame{
				EthSrc:  "0a:00:00:00:00:02",
				EthDst:  portsectest.Peer,
				EthType: "0x0800",
				IPv4Src: &source,
				IPv4Dst: &destination,
			}
			if direction == portsec.ToPort {
				f.EthSrc, f.EthDst = portsectest.Sender, "0a:00:00:00:00:02"
			}
			frame, err := f.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			return unique(ovnbox.Shot{Direction: direction, Frame: frame})
		}
	}
	shots := []ovnbox.Shot{forged(portsec.FromPort)(), forged(portsec.ToPort)()}
	if bad := w.compare(t, column, false, shots); len(bad) > 0 || len(w.dropped) != len(shots) {
		t.Fatalf("the port is strict, and OVN judged %d frames otherwise and dropped %d", len(bad), len(w.dropped))
	}
	if err := w.SetOption("version_compatibility", "22.03"); err != nil {
		t.Fatal(err)
	}
	again := []ovnbox.Shot{forged(portsec.FromPort)(), forged(portsec.ToPort)()}
	came, err := w.Arrived(again)
	if err != nil {
		t.Fatal(err)
	}
	if came[0] || came[1] {
		t.Error("the ovn-northd of this machine reads the option: it is one of Kube-OVN's")
	}
	edited, err := w.LeaveOutChecks()
	if err != nil {
		t.Fatal(err)
	}
	if edited < 2 {
		t.Fatalf("%d flows check ports; want one for each direction at least", edited)
	}
	for _, direction := range []portsec.Direction{portsec.FromPort, portsec.ToPort} {
		if err := w.AwaitArrival(forged(direction)); err != nil {
			t.Errorf("%s: %v", direction, err)
		}
	}
}
