package controller

import (
	"testing"

	"github.com/ovnguard/ovnguard/internal/events"
)

// Changes that wait for a human lead to a warning in the program's namespace; the end of the wait is no warning.
func TestHeldNotice(t *testing.T) {
	waits, goes := heldNotice("ns", "repair holds 7 ports"), heldNotice("ns", "")
	if waits.Good || waits.Reason != events.ReasonRepairHeld || waits.Text != "repair holds 7 ports" ||
		waits.Namespace != "ns" {
		t.Errorf("%+v", waits)
	}
	if !goes.Good || goes.Reason != events.ReasonRepairGoesOn || goes.Text == "" {
		t.Errorf("%+v", goes)
	}
}
