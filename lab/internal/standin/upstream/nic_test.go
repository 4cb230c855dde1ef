package upstream

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
)

// cluster returns a cluster with an attachment on OVN, one outside with addresses from Kube-OVN, and one outside
// without.
func cluster() *Cluster {
	configs := map[string]string{
		"a/ovn":     `{"type":"kube-ovn"}`,
		"a/macvlan": `{"plugins":[{"type":"macvlan","ipam":{"type":"kube-ovn"}}]}`,
		"a/host":    `{"type":"host-device"}`,
		"a/broken":  `{`,
	}
	named := func(name, provider string) *crd.Subnet {
		return &crd.Subnet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: crd.SubnetSpec{Provider: provider}}
	}
	return &Cluster{
		NAD: func(namespace, name string) (*crd.NAD, bool) {
			config, ok := configs[namespace+"/"+name]
			nad := &crd.NAD{}
			nad.Spec.Config = config
			return nad, ok
		},
		Subnets: []*crd.Subnet{
			named("default", "ovn"),
			named("mac", "macvlan.a"),
			named("other", "ovn"),
			named("second", "ovn.a.ovn"),
		},
		DefaultSubnet:    "default",
		NamespaceSubnets: []string{"default"},
	}
}

func podWith(annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", Annotations: annotations}}
}

// describe returns "provider@subnet" of each NIC.
func describe(nics []NIC) string {
	var list []string
	for _, n := range nics {
		text := string(n.Provider) + "@" + n.Subnets[0].Name
		if n.IPAMOnly {
			text += "(addresses only)"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func TestNICs(t *testing.T) {
	twice := `[{"name":"ovn","interface":"net1"},{"name":"ovn","interface":"net2"}]`
	cases := map[string]struct {
		version     Version
		annotations map[string]string
		want        string
	}{
		"plain": {want: "ovn@default"},
		"subnet chosen": {
			annotations: map[string]string{"ovn.kubernetes.io/logical_switch": "other"},
			want:        "ovn@other",
		},
		"attachment": {
			annotations: map[string]string{kubeovn.Networks: "ovn"},
			want:        "ovn.a.ovn@second ovn@default",
		},
		"attachment's subnet": {
			annotations: map[string]string{kubeovn.Networks: "ovn", "ovn.a.ovn.kubernetes.io/logical_switch": "other"},
			want:        "ovn.a.ovn@other ovn@default",
		},
		"default replaced": {
			annotations: map[string]string{kubeovn.DefaultNetwork: "a/ovn"},
			want:        "ovn.a.ovn@second",
		},
		"outside OVN": {
			annotations: map[string]string{kubeovn.Networks: "macvlan,host"},
			want:        "macvlan.a@mac(addresses only) ovn@default",
		},
		"twice": {
			annotations: map[string]string{kubeovn.Networks: twice},
			want:        "ovn.a.ovn.net1@second ovn.a.ovn.net2@second ovn@default",
		},
		"twice on older release": {
			version:     V1_15,
			annotations: map[string]string{kubeovn.Networks: twice},
			want:        "ovn.a.ovn@second ovn@default",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.version == "" {
				c.version = Master
			}
			nics, err := NICs(c.version, podWith(c.annotations), cluster())
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(nics); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNICsRefuse(t *testing.T) {
	for want, annotations := range map[string]map[string]string{
		"network-attachment-definition a/gone is not found": {kubeovn.Networks: "gone"},
		"spec.config is not a CNI configuration":            {kubeovn.Networks: "broken"},
		"annotation k8s.v1.cni.cncf.io/networks":            {kubeovn.Networks: "[null]"},
		"subnet nowhere of the default network":             {"ovn.kubernetes.io/logical_switch": "nowhere"},
	} {
		if nics, err := NICs(
			Master,
			podWith(annotations),
			cluster(),
		); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v gave %v, %v; want an error with %q", annotations, nics, err, want)
		}
	}
	c := cluster()
	c.NamespaceSubnets = nil
	if _, err := NICs(
		Master,
		podWith(nil),
		c,
	); err == nil ||
		!strings.Contains(err.Error(), "names no logical switch") {
		t.Errorf("namespace without a switch: %v", err)
	}
	c.NonPrimary = true
	if nics, err := NICs(Master, podWith(nil), c); err != nil || len(nics) != 0 {
		t.Errorf("another CNI's default network: %v, %v", nics, err)
	}
}

func TestWhatMakesWork(t *testing.T) {
	nics := []NIC{{Provider: "ovn"}, {Provider: "x.a.ovn"}, {Provider: "m.a", IPAMOnly: true}}
	done := map[string]string{
		"ovn.kubernetes.io/allocated": "true", "ovn.kubernetes.io/routed": "true",
		"x.a.ovn.kubernetes.io/allocated": "true", "x.a.ovn.kubernetes.io/routed": "true",
		"m.a.kubernetes.io/allocated": "true",
	}
	with := func(set map[string]string) *corev1.Pod {
		pod := podWith(map[string]string{})
		pod.Spec.NodeName = "n"
		maps.Copy(pod.Annotations, done)
		maps.Copy(pod.Annotations, set)
		return pod
	}
	count := func(pod *corev1.Pod) [2]int { return [2]int{len(ToAllocate(pod, nics)), len(ToRoute(pod, nics))} }
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want [2]int
	}{
		"all done":            {with(nil), [2]int{0, 0}},
		"nothing done":        {podWith(nil), [2]int{3, 0}},
		"look-alike":          {with(map[string]string{"ovn.kubernetes.io/allocated": "True"}), [2]int{1, 0}},
		"not routed":          {with(map[string]string{"x.a.ovn.kubernetes.io/routed": ""}), [2]int{0, 1}},
		"migrated for ever":   {with(map[string]string{kubeovn.MigrationJob: ""}), [2]int{3, 0}},
		"without a node":      {podWith(map[string]string{"ovn.kubernetes.io/allocated": "true"}), [2]int{2, 0}},
		"layer 2 is not work": {with(map[string]string{"ovn.kubernetes.io/layer2_forward": "true"}), [2]int{0, 0}},
	} {
		if got := count(c.pod); got != c.want {
			t.Errorf("%s: %v to allocate and to route, want %v", name, got, c.want)
		}
	}
	for key, want := range map[string]bool{
		"ovn.kubernetes.io/port_security": true, "x.a.ovn.kubernetes.io/port_vips": true,
		"ovn.kubernetes.io/security_groups": true, kubeovn.AAPs: true,
		"ovn.kubernetes.io/layer2_forward": false, "ovn.kubernetes.io/ip_address": false,
		"y.a.ovn.kubernetes.io/port_security": false, "label": false,
	} {
		if got := SecurityChanged(with(nil), with(map[string]string{key: "v"}), nics); got != want {
			t.Errorf("a change of %s asks for the security update: %v, want %v", key, got, want)
		}
	}
	all := func() []NIC { return nics }
	has := func(string) bool { return true }
	if NeedsSync(with(nil), all, has) {
		t.Error("a pod that is done is looked at after a restart")
	}
	if !NeedsSync(with(nil), all, func(port string) bool { return port != "p.a.m.a" }) {
		t.Error("a NIC without an IP resource is overlooked after a restart")
	}
	if !NeedsSync(podWith(nil), func() []NIC { return nil }, has) {
		t.Error("a pod that is not routed and whose NICs are not known is overlooked")
	}
}

func TestRequests(t *testing.T) {
	nic := NIC{Provider: "ovn", Subnets: []*crd.Subnet{{ObjectMeta: metav1.ObjectMeta{Name: "s"}}}}
	second := nic
	second.Provider, second.Attachment, second.Interface = "x.a.ovn", "x.a", "net1"
	second.Addresses, second.MAC = []string{"10.0.0.7"}, "00:00:00:00:00:07"
	base := ipam.Request{Subnet: "s", NIC: "p.a"}
	set := func(r ipam.Request, f func(*ipam.Request)) ipam.Request { f(&r); return r }
	cases := map[string]struct {
		version     Version
		nic         NIC
		annotations map[string]string
		pool        string
		want        []ipam.Request
	}{
		"random": {nic: nic, want: []ipam.Request{base}},
		"static": {
			nic: nic,
			annotations: map[string]string{
				"ovn.kubernetes.io/ip_address":  "10.0.0.1,fd00::1",
				"ovn.kubernetes.io/mac_address": "m",
			},
			want: []ipam.Request{
				set(base, func(r *ipam.Request) { r.Static, r.MAC = []string{"10.0.0.1", "fd00::1"}, "m" }),
			},
		},
		"list": {
			nic: nic, annotations: map[string]string{"ovn.kubernetes.io/ip_pool": "10.0.0.1, 10.0.0.2"},
			want: []ipam.Request{
				set(base, func(r *ipam.Request) { r.Static = []string{"10.0.0.1"} }),
				set(base, func(r *ipam.Request) { r.Static = []string{"10.0.0.2"} }),
			},
		},
		"one dual address": {
			nic: nic, annotations: map[string]string{"ovn.kubernetes.io/ip_pool": "10.0.0.1,fd00::1"},
			want: []ipam.Request{set(base, func(r *ipam.Request) { r.Static = []string{"10.0.0.1", "fd00::1"} })},
		},
		"pool of the namespace": {
			nic:  nic,
			pool: "blue",
			want: []ipam.Request{set(base, func(r *ipam.Request) { r.Pool = "blue" })},
		},
		"family": {
			nic:         nic,
			annotations: map[string]string{"ovn.kubernetes.io/ip_family": "ipv6"},
			want:        []ipam.Request{set(base, func(r *ipam.Request) { r.Family = ipam.OnlyIPv6 })},
		},
		"family on older release": {
			version:     V1_14,
			nic:         nic,
			annotations: map[string]string{"ovn.kubernetes.io/ip_family": "ipv6"},
			want:        []ipam.Request{base},
		},
		"attachment's entry wins over its key, and the interface's key over both": {
			nic: second,
			annotations: map[string]string{
				"x.a.ovn.kubernetes.io/ip_address":   "10.0.0.8",
				"x.a.kubernetes.io/mac_address.net1": "00:00:00:00:00:09",
			},
			want: []ipam.Request{
				{Subnet: "s", NIC: "p.a.x.a.ovn", Static: []string{"10.0.0.7"}, MAC: "00:00:00:00:00:09"},
			},
		},
		"a migration's target may take the attachment's address": {
			nic:         second,
			annotations: map[string]string{kubeovn.MigrationJob: "j"},
			want: []ipam.Request{
				{
					Subnet:        "s",
					NIC:           "p.a.x.a.ovn",
					Static:        []string{"10.0.0.7"},
					MAC:           "00:00:00:00:00:07",
					AllowConflict: true,
				},
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.version == "" {
				c.version = Master
			}
			if diff := cmp.Diff(c.want, Requests(c.version, podWith(c.annotations), c.nic, c.pool)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	set0 := podWith(map[string]string{"ovn.kubernetes.io/ip_pool": "10.0.0.1;10.0.0.2"})
	set0.Name, set0.OwnerReferences = "set-1", []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "set"},
	}
	want := []ipam.Request{{Subnet: "s", NIC: "set-1.a", Static: []string{"10.0.0.2"}}}
	if diff := cmp.Diff(want, Requests(Master, set0, nic, "")); diff != "" {
		t.Errorf("StatefulSet: -want +got\n%s", diff)
	}
}
