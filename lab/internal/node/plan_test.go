package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

var errNoSuchAttachment = errors.New("no such attachment")

func kinds(a kubeovn.Attachment) (kubeovn.AttachmentKind, error) {
	switch a.Name {
	case "macvlan":
		return kubeovn.KindForeign, nil
	case "missing":
		return kubeovn.KindUnknown, errNoSuchAttachment
	default:
		return kubeovn.KindOVN, nil
	}
}

// allocated adds the annotations that Kube-OVN writes for a NIC.
func allocated(into map[string]string, p kubeovn.Provider, mac, ip, cidr, gateway string) map[string]string {
	for suffix, value := range map[kubeovn.Suffix]string{
		kubeovn.Allocated: kubeovn.True, kubeovn.MACAddress: mac, kubeovn.IPAddress: ip, kubeovn.CIDR: cidr,
		kubeovn.Gateway: gateway,
	} {
		into[p.Key(suffix)] = value
	}
	return into
}

func podWith(annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u", Annotations: annotations}}
}

func TestPlan(t *testing.T) {
	dual := func() map[string]string {
		return allocated(
			map[string]string{},
			"ovn",
			"0a:00:00:00:00:01",
			"10.16.0.5,fd00:16::5",
			"10.16.0.0/16,fd00:16::/112",
			"10.16.0.1,fd00:16::1",
		)
	}
	cases := map[string]struct {
		annotations map[string]string
		ready       bool
		want        []string // port, link and commands of each NIC
	}{
		"not allocated": {annotations: map[string]string{}},
		"dual stack": {annotations: dual(), ready: true, want: []string{
			"p.ns eth0 link set eth0 address 0a:00:00:00:00:01; link set eth0 up; addr replace 10.16.0.5/16 dev " +
				"eth0; " +
				"addr replace fd00:16::5/112 dev eth0 nodad; route replace default via 10.16.0.1 dev eth0; route " +
				"replace default via fd00:16::1 dev eth0",
		}},
		"attachment not allocated yet": {annotations: func() map[string]string {
			a := dual()
			a[kubeovn.Networks] = "ns/blue"
			return a
		}()},
		"attachments, one outside OVN": {annotations: func() map[string]string {
			a := allocated(dual(), "blue.ns.ovn", "0a:00:00:00:00:02", "10.44.0.2", "10.44.0.0/24", "10.44.0.1")
			a[kubeovn.Networks] = "ns/macvlan,ns/blue"
			return a
		}(), ready: true, want: []string{
			"p.ns eth0 link set eth0 address 0a:00:00:00:00:01; link set eth0 up; addr replace 10.16.0.5/16 dev " +
				"eth0; " +
				"addr replace fd00:16::5/112 dev eth0 nodad; route replace default via 10.16.0.1 dev eth0; route " +
				"replace default via fd00:16::1 dev eth0",
			"p.ns.blue.ns.ovn net2 link set net2 address 0a:00:00:00:00:02; link set net2 up; addr replace " +
				"10.44.0.2/24 dev net2",
		}},
		"one attachment twice, allocated for each interface": {annotations: func() map[string]string {
			a := allocated(map[string]string{}, "ovn", "0a:00:00:00:00:01", "", "", "")
			allocated(a, "blue.ns.ovn.a", "0a:00:00:00:00:02", "10.44.0.2", "10.44.0.0/24", "")
			allocated(a, "blue.ns.ovn.b", "0a:00:00:00:00:03", "10.44.0.3", "10.44.0.0/24", "")
			a[kubeovn.Networks] = "ns/blue@a,ns/blue@b"
			return a
		}(), ready: true, want: []string{
			"p.ns eth0 link set eth0 address 0a:00:00:00:00:01; link set eth0 up",
			"p.ns.blue.ns.ovn.a a link set a address 0a:00:00:00:00:02; link set a up; addr replace 10.44.0.2/24 dev a",
			"p.ns.blue.ns.ovn.b b link set b address 0a:00:00:00:00:03; link set b up; addr replace 10.44.0.3/24 dev b",
		}},
		"one attachment twice, allocated once": {annotations: func() map[string]string {
			a := allocated(map[string]string{}, "ovn", "0a:00:00:00:00:01", "", "", "")
			allocated(a, "blue.ns.ovn", "0a:00:00:00:00:02", "", "", "")
			a[kubeovn.Networks] = "ns/blue,ns/blue"
			return a
		}(), ready: true, want: []string{
			"p.ns eth0 link set eth0 address 0a:00:00:00:00:01; link set eth0 up",
			"p.ns.blue.ns.ovn net1 link set net1 address 0a:00:00:00:00:02; link set net1 up",
		}},
		"routes": {annotations: func() map[string]string {
			a := allocated(map[string]string{}, "ovn", "0a:00:00:00:00:01", "10.16.0.5", "10.16.0.0/16", "")
			a["ovn.kubernetes.io/routes"] = `[{"dst":"192.0.2.9/24","gw":"10.16.0.254"},{"gw":"fd00::1"}]`
			return a
		}(), ready: true, want: []string{
			"p.ns eth0 link set eth0 address 0a:00:00:00:00:01; link set eth0 up; addr replace 10.16.0.5/16 dev " +
				"eth0; " +
				"route replace 192.0.2.0/24 via 10.16.0.254 dev eth0; route replace ::/0 via fd00::1 dev eth0",
		}},
		"default network replaced": {annotations: func() map[string]string {
			a := allocated(
				map[string]string{},
				"blue.ns.ovn",
				"0a:00:00:00:00:02",
				"10.44.0.2",
				"10.44.0.0/24",
				"10.44.0.1",
			)
			a[kubeovn.DefaultNetwork] = "ns/blue"
			return a
		}(), ready: true, want: []string{
			"p.ns.blue.ns.ovn eth0 link set eth0 address 0a:00:00:00:00:02; link set eth0 up; addr replace " +
				"10.44.0.2/24 dev eth0; route replace default via 10.44.0.1 dev eth0",
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			nics, ready, err := plan(podWith(c.annotations), false, kinds)
			if err != nil || ready != c.ready {
				t.Fatalf("ready %v, %v; want %v", ready, err, c.ready)
			}
			var got []string
			for _, n := range nics {
				if len(n.peer) > 15 {
					t.Errorf("the name %q is too long for a link", n.peer)
				}
				got = append(got, n.port+" "+n.link+" "+strings.Join(n.commands(), "; "))
			}
			if diff := cmp.Diff(c.want, got); ready && diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPlanRefusesWhatItCannotRead(t *testing.T) {
	const mac = "0a:00:00:00:00:01"
	good := func() map[string]string {
		return allocated(map[string]string{}, "ovn", mac, "10.16.0.5", "10.16.0.0/16", "10.16.0.1")
	}
	if _, ready, err := plan(podWith(good()), false, kinds); err != nil || !ready {
		t.Fatalf("without a fault: %v, %v", ready, err)
	}
	// Text on a pod must not become a command of its own.
	for key, values := range map[string][]string{
		"ovn.kubernetes.io/ip_address":  {"10.16.0", "10.16.0.5 dev lo", "fd00::1%a\nlink del eth0"},
		"ovn.kubernetes.io/cidr":        {"10.16.0.0", "10.16.0.0/16;"},
		"ovn.kubernetes.io/gateway":     {"gw", "10.16.0.1\nlink del eth0"},
		"ovn.kubernetes.io/mac_address": {"", "m", mac + "\nlink del eth0"},
		"ovn.kubernetes.io/routes": {
			"{}", `[{"dst":"192.0.2.0/24"}]`, `[{"dst":"x","gw":"10.16.0.1"}]`, `[{"gw":"fd00::1%a\nlink del eth0"}]`,
		},
		kubeovn.Networks: {"[null]", "ns/missing", "ns/blue@a b", "ns/blue@0123456789012345"},
	} {
		for _, value := range values {
			a := allocated(good(), "blue.ns.ovn", mac, "", "", "")
			a[key] = value
			nics, ready, err := plan(podWith(a), false, kinds)
			if err == nil && ready {
				t.Errorf("%s: %q gave %v and no error", key, value, nics)
			}
		}
	}
	a := good()
	a[kubeovn.Networks] = "ns/missing"
	if _, _, err := plan(podWith(a), false, kinds); !errors.Is(err, errNoSuchAttachment) {
		t.Errorf("an attachment that cannot be read gave %v", err)
	}
}

func TestNamesFitAndDiffer(t *testing.T) {
	long := strings.Repeat("x", 63)
	longest := podNetns("0a1b2c", "node1", long, strings.Repeat("p", 253))
	if len(longest) > maxFileName {
		t.Errorf("%d bytes are too long for a file's name", len(longest))
	}
	if longest == podNetns("0a1b2c", "node1", long, strings.Repeat("p", 252)+"q") {
		t.Error("two long names give one namespace")
	}
	if podNetns("0a1b2c", "node1", "a-b", "c") == podNetns("0a1b2c", "node1", "a", "b-c") {
		t.Error("two pods share a namespace")
	}
	if podNetns("0a1b2c", "node1", "a", "b") == podNetns("0a1b2c", "node2", "a", "b") {
		t.Error("pods of one name on two nodes share a namespace")
	}
	if peerName("u", "eth0") == peerName("u", "net1") || peerName("u", "eth0") == peerName("v", "eth0") {
		t.Error("two NICs share a link")
	}
}
