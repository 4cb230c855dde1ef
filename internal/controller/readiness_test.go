package controller

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// The webhook is ready when it serves and knows the cluster, or when it has waited long enough for what it may not
// read.
func TestKnowing(t *testing.T) {
	m := monitor.New(monitor.SystemClock{}, monitor.Observers{})
	expect(m, kube.Sources()...)
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	now := start
	var serves error
	failing := false
	k := readiness{
		serves: func(*http.Request) error { return serves }, monitor: m, failing: func() bool { return failing },
		until: start.Add(syncTimeout), now: func() time.Time { return now },
	}
	for _, s := range kube.Sources() {
		what := string(kindOf(s))
		if err := k.ready(nil); err == nil || !strings.Contains(err.Error(), what) {
			t.Fatalf("%v, want %s to be missing", err, what)
		}
		heard(m, s)
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

// The kinds by which the inventory names what is not known are kinds that it is fed from.
func TestKindsAreRead(t *testing.T) {
	fed := make(map[inventory.Kind]bool)
	for _, s := range kube.Sources() {
		fed[kindOf(s)] = true
	}
	for _, k := range append(inventory.Holding, inventory.Pods, inventory.Pools, inventory.Policies,
		inventory.Exceptions) {
		if !fed[k] {
			t.Errorf("the inventory is fed from no %s", k)
		}
	}
}
