package node

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

func allOVN(a kubeovn.Attachment) kubeovn.AttachmentKind {
	if a.Name == "macvlan" {
		return kubeovn.KindForeign
	}
	return kubeovn.KindOVN
}

// allocated gives the annotations that Kube-OVN writes for a NIC.
func allocated(into map[string]string, p kubeovn.Provider, mac, ip, cidr, gateway string) map[string]string {
	for suffix, value := range map[kubeovn.Suffix]string{
		kubeovn.Allocated: kubeovn.True, kubeovn.MACAddress: mac, kubeovn.IPAddress: ip, kubeovn.CIDR: cidr, kubeovn.Gateway: gateway,
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
		return allocated(map[string]string{}, "ovn", "0a:00:00:00:00:01", "10.16.0.5,fd00:16::5", "10.16.0.0/16,fd00:16::/112", "10.16.0.1,fd00:16::1")
	}
	cases := map[string]struct {
		annotations map[string]string
		ready       bool
		want        []string // port, link and commands of each NIC
	}{
		"not allocated": {annotations: map[string]string{}},
		"dual stack": {annotations: dual(), ready: true, want: []string{
			"p.ns eth0 link set eth0 address 0a:00:00:00:00:01; link set eth0 up; addr replace 10.16.0.5/16 dev eth0; " +
				"addr replace fd00:16::5/112 dev eth0 nodad; route replace default via 10.16.0.1 dev eth0; route replace default via fd00:16::1 dev eth0",
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
			"p.ns eth0 link set eth0 address 0a:00:00:00:00:01; link set eth0 up; addr replace 10.16.0.5/16 dev eth0; " +
				"addr replace fd00:16::5/112 dev eth0 nodad; route replace default via 10.16.0.1 dev eth0; route replace default via fd00:16::1 dev eth0",
			"p.ns.blue.ns.ovn net2 link set net2 address 0a:00:00:00:00:02; link set net2 up; addr replace 10.44.0.2/24 dev net2",
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
		"default network replaced": {annotations: func() map[string]string {
			a := allocated(map[string]string{}, "blue.ns.ovn", "0a:00:00:00:00:02", "10.44.0.2", "10.44.0.0/24", "10.44.0.1")
			a[kubeovn.DefaultNetwork] = "ns/blue"
			return a
		}(), ready: true, want: []string{
			"p.ns.blue.ns.ovn eth0 link set eth0 address 0a:00:00:00:00:02; link set eth0 up; addr replace 10.44.0.2/24 dev eth0; route replace default via 10.44.0.1 dev eth0",
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			nics, ready, err := plan(podWith(c.annotations), allOVN)
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
	for _, a := range []map[string]string{
		allocated(map[string]string{}, "ovn", "m", "10.16.0", "10.16.0.0/16", ""),
		allocated(map[string]string{}, "ovn", "m", "10.16.0.5", "10.16.0.0", ""),
		allocated(map[string]string{}, "ovn", "m", "10.16.0.5", "10.16.0.0/16", "gw"),
		{kubeovn.Networks: "[null]"},
	} {
		if nics, ready, err := plan(podWith(a), allOVN); err == nil {
			t.Errorf("%v gave %v, %v and no error", a, nics, ready)
		}
	}
}

func TestNamesFitAndDiffer(t *testing.T) {
	long := strings.Repeat("x", 63)
	longest := podNetns("0a1b2c", long, strings.Repeat("p", 253))
	if len(longest) > maxFileName {
		t.Errorf("%d bytes are too long for a file's name", len(longest))
	}
	if longest == podNetns("0a1b2c", long, strings.Repeat("p", 252)+"q") {
		t.Error("two long names give one namespace")
	}
	if podNetns("0a1b2c", "a-b", "c") == podNetns("0a1b2c", "a", "b-c") {
		t.Error("two pods share a namespace")
	}
	if peerName("u", "eth0") == peerName("u", "net1") || peerName("u", "eth0") == peerName("v", "eth0") {
		t.Error("two NICs share a link")
	}
}
