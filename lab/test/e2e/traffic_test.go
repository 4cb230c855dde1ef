//go:build integration

package e2e

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// patchPolicy changes fields of a policy's spec.
func patchPolicy(t *testing.T, name string, spec map[string]any) {
	t.Helper()
	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPatch, policiesPath+"/"+name, map[string]any{"spec": spec}); err != nil {
		t.Fatal(err)
	}
}

// A gateway from before the installation, with an open port, forwards what an exception grants. If repair reaches it
// first, Kube-OVN writes only its identity, and that is widened at once: the traffic is cut for no longer than when
// somebody writes the identity over a port that is wide already, which needs a write of the journal before the row's.
// Each is the shortest of some in the same run: the other load of the machine affects both.
func TestGrantedTrafficIsNotCut(t *testing.T) {
	applyDual(t)
	ns, policyName := repairNamespace(t)
	grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Class = v1alpha1.ClassRouter
		s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.20.0.0/24"}}
	})
	to := openActor(t, ns)
	const (
		every    = 10 * time.Millisecond
		attempts = 4
		bar      = 50 * time.Millisecond
	)
	first, again := time.Hour, time.Hour
	for range attempts {
		patchPolicy(t, policyName, map[string]any{"mode": "audit"})
		eventually(t, "admission to follow the policy", func() (bool, error) {
			pod, err := admin(t).dryRun(t.Context(), ns, nil)
			return err == nil && pod.Annotations[portSecurity] == "", err
		})
		from := openActor(t, ns)
		if got := portSecurityOf(t, from.Port); got != "[]" {
			t.Fatalf("the port is not open: %s", got)
		}
		p, err := scene.Forwarded(from, to, netip.MustParseAddr("10.20.0.9"))
		if err != nil {
			t.Fatal(err)
		}
		settle(t)
		if passed, err := p.Send(t.Context(), from, to); err != nil || !passed {
			t.Fatalf("before: passed %v, %v", passed, err)
		}
		wide := func() (bool, error) { return strings.Contains(portSecurityOf(t, from.Port), " 10.20.0.0/24"), nil }
		one := cutFor(t, p, from, to, every, func() {
			patchPolicy(t, policyName, map[string]any{"mode": "enforce"})
			eventually(t, "the grant to be all that the port has", wide)
		})
		if list := changes(
			t,
			from.Port,
		); len(list) < 2 || list[0].After.Annotations == nil ||
			list[1].After.PortSecurity == nil {
			t.Errorf("it was not repaired by Kube-OVN first: %+v", list)
		}
		two := cutFor(t, p, from, to, every, func() {
			nbctl(
				t,
				"lsp-set-port-security",
				from.Port,
				from.V4.MAC.String()+" "+from.V4.IP.String()+" "+from.V6.IP.String(),
			)
			eventually(t, "the grant to be back", wide)
		})
		t.Logf("cut for %s by the first repair, and for %s by what was written over it", one, two)
		first, again = min(first, one), min(again, two)
	}
	if first > max(bar, 2*again) {
		t.Errorf(
			"the granted traffic was cut for %s when repair came first, and for %s when somebody wrote over it",
			first,
			again,
		)
	}
}

// cutFor returns how long packets do not arrive while do runs, and until OVN has applied it.
func cutFor(t *testing.T, p scene.Probe, from, to *scene.Actor, every time.Duration, do func()) time.Duration {
	t.Helper()
	type result struct {
		sent, arrived int
		err           error
	}
	sending, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan result, 1)
	go func() {
		sent, arrived, err := p.Stream(sending, from, to, every)
		ended <- result{sent, arrived, err}
	}()
	do()
	settle(t)
	time.Sleep(25 * every) // the rest of the change is still to come
	stop()
	got := <-ended
	if got.err != nil {
		t.Fatal(got.err)
	}
	return time.Duration(got.sent-got.arrived) * every
}
