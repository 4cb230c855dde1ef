//go:build integration

package e2e

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/wire"
)

// guestMAC is the MAC of a guest behind a pod's NIC.
var guestMAC = net.HardwareAddr{0x0a, 0, 0, 0x77, 0x10, 1}

// A pod that runs guests of its own is a gateway on layer 2: the granted guest sends with its MAC and its addresses,
// and is reached by them, over IPv4 and IPv6, while the grant lasts. No other guest can send or receive, and none
// before or after.
func TestRepairGatewayOnLayer2(t *testing.T) {
	applyDual(t)
	ns, _ := repairNamespace(t)
	host, other := openActor(t, ns), openActor(t, ns)
	before := northboundRows(t)
	granted := []string{"10.77.200.9", "fd00:77::c9"}
	stranger := net.HardwareAddr{0x0a, 0, 0, 0x77, 0x10, 2}
	frames := func(when string, during bool) {
		t.Helper()
		settle(t)
		for _, address := range append(slices.Clone(granted), "10.77.200.10", "fd00:77::ca") {
			for _, mac := range []net.HardwareAddr{guestMAC, stranger} {
				guest := wire.Host{MAC: mac, IP: netip.MustParseAddr(address)}
				want := during && slices.Contains(granted, address) && mac.String() == guestMAC.String()
				out, err := scene.Nested(host, other, guest)
				if err != nil {
					t.Fatal(err)
				}
				if passed, err := out.Send(t.Context(), host, other); err != nil || passed != want {
					t.Errorf("%s, %s: passed %v, want %v, %v", when, out.Name, passed, want, err)
				}
				in, err := scene.ToGuest(other, guest)
				if err != nil {
					t.Fatal(err)
				}
				if passed, err := in.Send(t.Context(), other, host); err != nil || passed != want {
					t.Errorf("%s, %s: passed %v, want %v, %v", when, in.Name, passed, want, err)
				}
			}
		}
	}
	frames("before", false)

	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+ns+"/pods/"+strings.TrimSuffix(host.Port, "."+ns),
		map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "host"}}}); err != nil {
		t.Fatal(err)
	}
	grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Class = v1alpha1.ClassNestedVirtualization
		s.Target.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "host"}}
		for _, address := range granted {
			s.Grant.Pairs = append(
				s.Grant.Pairs,
				v1alpha1.AddressPair{MAC: guestMAC.String(), Prefix: address, SharedWith: "dual"},
			)
		}
	})
	took := eventually(t, "both halves of the grant to reach the port", func() (bool, error) {
		addresses, err := world.Nbctl(t.Context(), "get", "logical_switch_port", host.Port, "addresses")
		return strings.Contains(portSecurityOf(t, host.Port), guestMAC.String()) &&
			strings.Contains(addresses, "unknown"), err
	})
	frames("during", true)
	end := endSoon(t, ns, 4*time.Second)
	awaitUnchanged(t, before)
	if early := time.Until(end); early > 0 {
		t.Errorf("the grant ended %s too early", early)
	}
	frames("after", false)
	t.Logf("granted after %s", took.Round(time.Millisecond))
}
