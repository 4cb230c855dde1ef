//go:build integration

package wire

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/ovn"
	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// world is a real OVN with two nodes and three ports: 1 and 2 on the first node, 3 on the second.
type world struct {
	t     *testing.T
	nb    string
	nodes []string // endpoints of their Open vSwitch databases
	ports map[int]*Port
}

func mac(i int) string { return fmt.Sprintf("0a:00:00:00:00:%02x", i) }
func ip4(i int) string { return fmt.Sprintf("10.0.0.%d", i) }
func ip6(i int) string { return fmt.Sprintf("fd00::%x", i) }

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root: nodes and pods are network namespaces")
	}
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	id := fmt.Sprintf("%06x", os.Getpid())
	group := process.NewGroup(process.Options{})
	t.Cleanup(func() {
		if err := group.Stop(); err != nil {
			t.Error(err)
		}
		if err := netns.Sweep(context.Background(), id, func(string, ...any) {}); err != nil {
			t.Error(err)
		}
		if left, err := netns.List(netns.Prefix(id)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	central, err := ovn.StartCentral(ctx, group, filepath.Join(dir, "ovn"))
	must(err)
	must(ovn.StartFabric(ctx, id))
	w := &world{t: t, nb: central.NB, ports: make(map[int]*Port)}
	w.nbctl("ls-add", "sw")
	for n, members := range map[int][]int{1: {1, 2}, 2: {3}} {
		name := fmt.Sprintf("node%d", n)
		node, err := ovn.StartNode(
			ctx,
			group,
			ovn.NodeConfig{LabID: id, Name: name, Index: n, Dir: filepath.Join(dir, name), SB: central.SB},
		)
		must(err)
		w.nodes = append(w.nodes, node.OVSDB)
		for _, i := range members {
			port, pod := fmt.Sprintf("p%d", i), netns.Prefix(id)+fmt.Sprintf("pod.%d", i)
			w.nbctl(
				"lsp-add",
				"sw",
				port,
				"--",
				"lsp-set-addresses",
				port,
				fmt.Sprintf("%s %s %s", mac(i), ip4(i), ip6(i)),
			)
			must(netns.Ensure(ctx, pod))
			must(
				netns.Batch(
					ctx,
					node.Netns,
					fmt.Sprintf("link add veth%d type veth peer name eth0 netns %s", i, pod),
					fmt.Sprintf("link set veth%d up", i),
				),
			)
			must(netns.Batch(ctx, pod, "link set eth0 address "+mac(i), "link set eth0 up"))
			w.run("ovs-vsctl", "--db="+node.OVSDB, "add-port", ovn.IntegrationBridge, fmt.Sprintf("veth%d", i),
				"--", "set", "Interface", fmt.Sprintf("veth%d", i), "external_ids:iface-id="+port)
			w.run(
				"ovs-vsctl",
				"--db="+node.OVSDB,
				"--timeout=60",
				"wait-until",
				"Interface",
				fmt.Sprintf("veth%d", i),
				"external_ids:ovn-installed=true",
			)
			p, err := Open(pod, "eth0")
			must(err)
			t.Cleanup(func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
			w.ports[i] = p
		}
	}
	return w
}

func (w *world) run(name string, args ...string) {
	w.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func (w *world) nbctl(args ...string) {
	w.t.Helper()
	w.run("ovn-nbctl", append([]string{"--db=" + w.nb, "--timeout=60"}, args...)...)
}

// protect sets port_security and waits until every node has the flows.
func (w *world) protect(port string, elements ...string) {
	w.t.Helper()
	w.nbctl(append([]string{"lsp-set-port-security", port}, elements...)...)
	if err := ovn.Settle(w.t.Context(), w.nb, w.nodes...); err != nil {
		w.t.Fatal(err)
	}
}

// probes returns the legitimate frame and the forged ones from port 1, by name. Nobody has MAC and address 9.
func probes(t *testing.T, to int) map[string][]byte {
	t.Helper()
	must := func(frame []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return frame
	}
	own4, own6 := host(t, mac(1), ip4(1)), host(t, mac(1), ip6(1))
	to4, to6 := host(t, mac(to), ip4(to)), host(t, mac(to), ip6(to))
	// OVN answers a question for an address that it knows; only other questions reach the ports.
	nobody4, nobody6 := netip.MustParseAddr(ip4(77)), netip.MustParseAddr(ip6(77))
	return map[string][]byte{
		"own IPv4":           must(UDP(own4, to4)),
		"own IPv6":           must(UDP(own6, to6)),
		"own ARP":            must(ARPReply(own4.MAC, to4, own4)),
		"own ARP request":    must(ARPRequest(own4.MAC, nobody4, own4)),
		"own ND":             must(NeighbourAdvertisement(own6, to6, own6)),
		"own solicitation":   must(NeighbourSolicitation(own6, nobody6, own6.MAC)),
		"forged IPv4":        must(UDP(host(t, mac(1), ip4(9)), to4)),
		"forged IPv6":        must(UDP(host(t, mac(1), ip6(9)), to6)),
		"forged MAC":         must(UDP(host(t, mac(9), ip4(1)), to4)),
		"forged ARP":         must(ARPReply(own4.MAC, to4, host(t, mac(1), ip4(9)))),
		"forged ARP MAC":     must(ARPReply(own4.MAC, to4, host(t, mac(9), ip4(1)))),
		"forged ARP request": must(ARPRequest(own4.MAC, nobody4, host(t, mac(1), ip4(9)))),
		"forged ND":          must(NeighbourAdvertisement(own6, to6, host(t, mac(1), ip6(9)))),
		"forged ND MAC":      must(NeighbourAdvertisement(own6, to6, host(t, mac(9), ip6(1)))),
		"forged question":    must(NeighbourSolicitation(host(t, mac(1), ip6(9)), nobody6, own6.MAC)),
		"forged MAC and ARP": must(ARPReply(host(t, mac(9), ip4(9)).MAC, to4, host(t, mac(9), ip4(9)))),
	}
}

func (w *world) check(to int, what string, passes func(name string) bool) {
	w.t.Helper()
	own, err := UDP(host(w.t, mac(1), ip4(1)), host(w.t, mac(to), ip4(to)))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, frame := range probes(w.t, to) {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
		got, err := Probe(ctx, w.ports[1], w.ports[to], frame, own)
		cancel()
		if err != nil {
			w.t.Fatalf("%s: %s to port %d: %v", what, name, to, err)
		}
		if want := passes(name); got != want {
			w.t.Errorf("%s: %s to port %d passes: %v, want %v", what, name, to, got, want)
		}
	}
}

// The frames that OVN lets through, on one node and between two, by the content of port_security.
func TestPortSecurityOnTheWire(t *testing.T) {
	w := newWorld(t)
	everything := func(string) bool { return true }
	legitimate := func(name string) bool { return name[:3] == "own" }
	for _, to := range []int{2, 3} {
		w.protect("p1")
		w.check(to, "no port_security", everything)
		w.protect("p1", "unknown")
		w.check(to, `port_security "unknown"`, everything)
		w.protect("p1", fmt.Sprintf("%s %s %s", mac(1), ip4(1), ip6(1)))
		w.check(to, "strict", legitimate)
	}
}

func TestProbeDoesNotCallABrokenPathADrop(t *testing.T) {
	w := newWorld(t)
	w.nbctl("lsp-set-enabled", "p2", "disabled")
	if err := ovn.Settle(t.Context(), w.nb, w.nodes...); err != nil {
		t.Fatal(err)
	}
	frames := probes(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if passed, err := Probe(
		ctx,
		w.ports[1],
		w.ports[2],
		frames["forged IPv4"],
		frames["own IPv4"],
	); !errors.Is(
		err,
		context.DeadlineExceeded,
	) {
		t.Errorf("a path that lets nothing through gave %v, %v, want that it timed out", passed, err)
	}
}
