//go:build integration

package e2e

import (
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// dualSubnet has addresses of both families.
const dualSubnet = `
apiVersion: kubeovn.io/v1
kind: Subnet
metadata: {name: dual}
spec:
  protocol: Dual
  cidrBlock: 10.77.0.0/16,fd00:77::/112
  gateway: 10.77.0.1,fd00:77::1
`

// A strict pod of both families keeps its own traffic of both, and can forge in neither; a pod of a namespace that is
// rightly open can forge anything, which shows that port security drops the frames.
func TestDualStackOnTheWire(t *testing.T) {
	applyDual(t)
	strict, open := namespace(t, nil), namespace(t, map[string]string{portSecurity: "false"})
	to, neighbour := openActor(t, strict), openActor(t, strict)
	for name, c := range map[string]struct {
		namespace string
		forge     bool
	}{"strict": {strict, false}, "open": {open, true}} {
		t.Run(name, func(t *testing.T) {
			from := openActor(t, c.namespace)
			if !from.V4.IP.Is4() || !from.V6.IP.Is6() {
				t.Fatalf("the pod has %v and %v, want an address of each family", from.V4.IP, from.V6.IP)
			}
			four, err := scene.Probes(from, to, neighbour)
			if err != nil {
				t.Fatal(err)
			}
			six, err := scene.Probes6(from, to, neighbour)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range append(four, six...) {
				passed, err := p.Send(t.Context(), from, to)
				if err != nil {
					t.Fatalf("%s: %v", p.Name, err)
				}
				if want := c.forge || !p.Forged; passed != want {
					t.Errorf("%s: passed %v, want %v", p.Name, passed, want)
				}
			}
		})
	}
	if found := audit(t).Findings; len(found) > 0 {
		t.Errorf("the audit finds %+v", found)
	}
}

// Legitimate traffic of one family is lost if the column names only the other; the audit says so, and its fix restores
// the traffic.
func TestLostFamily(t *testing.T) {
	applyDual(t)
	ns := namespace(t, nil)
	from, to := openActor(t, ns), openActor(t, ns)
	awaitNoFindings(t)
	probes, err := scene.Probes6(from, to, to)
	if err != nil {
		t.Fatal(err)
	}
	sendOwn := func() bool {
		passed, err := probes[0].Send(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		return passed
	}
	if !sendOwn() {
		t.Fatal("its own IPv6 traffic is dropped from the start")
	}
	nbctl(t, "lsp-set-port-security", from.Port, from.V4.MAC.String()+" "+from.V4.IP.String())
	awaitRules(t, "OVG004")
	settle(t)
	if sendOwn() {
		t.Error("IPv6 passes though port_security names only the IPv4 address")
	}
	for _, fix := range fixesOf(audit(t).findingsOf(from.Port)) {
		shell(t, fix)
	}
	awaitNoFindings(t)
	settle(t)
	if !sendOwn() {
		t.Error("its own IPv6 traffic is dropped after the fix")
	}
}

// applyDual makes the subnet. It stays: its addresses become free only when the namespaces of the tests go.
func applyDual(t *testing.T) {
	t.Helper()
	if err := world.Apply(t.Context(), []byte(dualSubnet)); err != nil {
		t.Fatal(err)
	}
}

// openActor makes a pod on the dual subnet with a socket on its NIC; both are removed at the end of the test.
func openActor(t *testing.T, ns string) *scene.Actor {
	t.Helper()
	pod := run(t, ns, map[string]string{kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "dual"})
	a, err := scene.OpenActor(pod, kubeovn.DefaultProvider, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// settle waits until the present rows of the Northbound database take effect for frames.
func settle(t *testing.T) {
	t.Helper()
	if err := world.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}
