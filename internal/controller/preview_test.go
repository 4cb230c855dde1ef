package controller

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// toldOf keeps what an observer is told.
type toldOf struct {
	mu   sync.Mutex
	says []string
}

func (o *toldOf) Judged(before, after monitor.Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range after.Beyond(before) {
		o.says = append(o.says, "found "+f.Rule.ID+" "+f.Namespace+"/"+f.Pod+" "+after.PodUID)
	}
	for _, f := range before.Beyond(after) {
		o.says = append(o.says, "cleared "+f.Rule.ID+" "+f.Namespace+"/"+f.Pod+" "+before.PodUID)
	}
}

func (o *toldOf) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	says := o.says
	o.says = nil
	return says
}

// A pod that admission would refuse is found soon after that comes to be so, and no longer when it would not.
func TestWhatWouldBeRefusedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := &toldOf{}
		m := monitor.New(monitor.SystemClock{}, seen)
		allow := func(external bool) {
			m.Change(func(inv *inventory.Inventory) []string {
				return inv.SetPolicy(policy.Policy{Name: "p", ExternalAddresses: external})
			})
		}
		expect := func(want ...string) {
			t.Helper()
			time.Sleep(2 * previewEvery)
			synctest.Wait()
			if got := seen.take(); !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		allow(true)
		m.Change(func(inv *inventory.Inventory) []string {
			inv.SetNamespace(policy.Namespace{Name: "shop"})
			return inv.SetPod(&inventory.Pod{
				PodKey: inventory.PodKey{Namespace: "shop", Name: "web"}, UID: "u", Owner: "web",
				Annotations: map[string]string{"ovn.kubernetes.io/eip": "203.0.113.7"},
			})
		})
		m.Start()
		seen.take()
		go previewer{m, admission.DefaultAccounts}.run(ctx)
		expect()
		allow(false)
		expect("found OVG032 shop/web u")
		expect()
		allow(true)
		expect("cleared OVG032 shop/web u")
		allow(false)
		expect("found OVG032 shop/web u")
		m.Change(func(inv *inventory.Inventory) []string {
			return inv.DeletePod(inventory.PodKey{Namespace: "shop", Name: "web"})
		})
		expect("cleared OVG032 shop/web u")
	})
}
