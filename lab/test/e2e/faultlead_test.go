//go:build integration

package e2e

import (
	"testing"
	"time"
)

// The leading replica is frozen until another one has taken the lead, and goes on in the belief that it still leads,
// while ports are spoiled. Together they repair each port, and write nothing else.
func TestFaultTwoLeaders(t *testing.T) {
	ns, _ := repairNamespace(t)
	pods := newSpoiled(t, ns, 8)
	before := northboundRows(t)
	second, err := guard.Replica(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			if err := second.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	if err := guard.Freeze(); err != nil {
		t.Fatal(err)
	}
	frozen := true
	t.Cleanup(func() {
		if frozen {
			if err := guard.Thaw(); err != nil {
				t.Error(err)
			}
		}
	})
	pods.spoil(t) // nobody leads
	took := eventually(t, "the second replica to lead", func() (bool, error) { return leads(t.Context(), second) })
	alone := awaitUnchanged(t, before)
	pods.spoil(t)
	if err := guard.Thaw(); err != nil {
		t.Fatal(err)
	}
	frozen = false
	pods.spoil(t) // both may believe that they lead
	both := awaitUnchanged(t, before)
	eventually(t, "the first replica to see that it leads no more", func() (bool, error) {
		led, err := leads(t.Context(), guard)
		return !led, err
	})
	if n := pods.checkJournal(t); n < 2*len(pods) {
		t.Errorf("the journal has %d changes of %d ports, spoiled several times", n, len(pods))
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	stopped = true
	eventually(t, "the first replica to lead again", func() (bool, error) { return leads(t.Context(), guard) })
	pods.spoil(t)
	t.Logf(
		"taken over after %s, right %s later; with both %s; by the first alone again %s",
		took.Round(time.Millisecond),
		alone.Round(time.Millisecond),
		both.Round(time.Millisecond),
		awaitUnchanged(t, before).Round(time.Millisecond),
	)
	awaitWebhook(t)
}
