package controller

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// The webhook is ready when it serves and knows the cluster, or when it has waited long enough for the kinds that it
// may not read.
func TestKnowing(t *testing.T) {
	m := monitor.New(monitor.SystemClock{}, monitor.Observers{})
	kinds := []inventory.Kind{"Namespace", inventory.Pods, inventory.Records}
	m.Change(func(inv *inventory.Inventory) []string {
		for _, kind := range kinds {
			inv.Expect(kind)
		}
		return nil
	})
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	now := start
	var serves error
	failing := false
	k := readiness{
		serves: func(*http.Request) error { return serves }, monitor: m, failing: func() bool { return failing },
		until: start.Add(syncTimeout), now: func() time.Time { return now },
	}
	for _, kind := range kinds {
		if err := k.ready(nil); err == nil || !strings.Contains(err.Error(), string(kind)) {
			t.Fatalf("%v, want %s to be missing", err, kind)
		}
		m.Change(func(inv *inventory.Inventory) []string { inv.Heard(kind); return nil })
	}
	if err := k.ready(nil); err != nil {
		t.Errorf("all has been read: %v", err)
	}
	m.Change(func(inv *inventory.Inventory) []string { inv.Expect(inventory.Records); return nil })
	if err := k.ready(nil); err == nil {
		t.Error("ready although a kind is read again")
	}
	if failing = true; k.ready(nil) == nil {
		t.Error("ready at once although a kind cannot be read")
	}
	now = start.Add(syncTimeout)
	if err := k.ready(nil); err != nil {
		t.Errorf("after a while: %v", err)
	}
	if failing = false; k.ready(nil) == nil {
		t.Error("ready although a kind is only slow")
	}
	failing = true
	if serves = errors.New("not listening"); k.ready(nil) == nil {
		t.Error("ready although it does not serve")
	}
}
