package upstream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

func TestOwnerOf(t *testing.T) {
	cases := []struct {
		pod  string
		ref  metav1.OwnerReference
		want Owner
	}{
		{
			"web-7d4",
			metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web"},
			Owner{Name: "web-7d4"},
		},
		{
			"db-12",
			metav1.OwnerReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db"},
			Owner{Name: "db-12", StatefulSet: "db", Ordinal: 12},
		},
		{
			"other-0",
			metav1.OwnerReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db"},
			Owner{Name: "other-0"},
		},
		{"db-x", metav1.OwnerReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db"}, Owner{Name: "db-x"}},
		{
			"db-0",
			metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "StatefulSet", Name: "db"},
			Owner{Name: "db-0"},
		},
		{
			"virt-launcher-vm1-abc",
			metav1.OwnerReference{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm1"},
			Owner{Name: "vm1", VM: true},
		},
	}
	for _, c := range cases {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: c.pod, OwnerReferences: []metav1.OwnerReference{c.ref}}}
		if diff := cmp.Diff(c.want, OwnerOf(pod)); diff != "" {
			t.Errorf("%s of %s: -want +got\n%s", c.pod, c.ref.Name, diff)
		}
	}
	if diff := cmp.Diff(Owner{Name: "db-3", StatefulSet: "db", Ordinal: 3}, OwnerByName("db-3")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(Owner{Name: "db"}, OwnerByName("db")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestIsFinished(t *testing.T) {
	cases := []struct {
		phase   corev1.PodPhase
		restart corev1.RestartPolicy
		reason  string
		want    bool
	}{
		{corev1.PodRunning, corev1.RestartPolicyNever, "", false},
		{corev1.PodSucceeded, corev1.RestartPolicyAlways, "", false},
		{corev1.PodSucceeded, corev1.RestartPolicyOnFailure, "", true},
		{corev1.PodSucceeded, corev1.RestartPolicyNever, "", true},
		{corev1.PodFailed, corev1.RestartPolicyAlways, "", false},
		{corev1.PodFailed, corev1.RestartPolicyAlways, "Evicted", true},
		{corev1.PodFailed, corev1.RestartPolicyOnFailure, "", false},
		{corev1.PodFailed, corev1.RestartPolicyNever, "", true},
	}
	for _, c := range cases {
		pod := &corev1.Pod{
			Spec:   corev1.PodSpec{RestartPolicy: c.restart},
			Status: corev1.PodStatus{Phase: c.phase, Reason: c.reason},
		}
		if got := IsFinished(pod); got != c.want {
			t.Errorf("%s %s %s: %v, want %v", c.phase, c.restart, c.reason, got, c.want)
		}
	}
}

func TestInvalid(t *testing.T) {
	const ip, mac, cidr = "ovn.kubernetes.io/ip_address", "ovn.kubernetes.io/mac_address", "ovn.kubernetes.io/cidr"
	for want, annotations := range map[string]map[string]string{
		"zz:00 is not a valid " + mac:        {mac: "zz:00"},
		"hello is not a valid " + ip:         {ip: "10.16.0.1,hello"},
		"0.0.0.0/0 not in cidr 10.16.0.0/16": {ip: "0.0.0.0/0", cidr: "10.16.0.0/16"},
		"":                                   {ip: "10.16.0.9/16", mac: "0a00.0053.6bbd"},
		"10.17.0.1 not in cidr 10.16.0.0/16,fd00::/64": {ip: "fd00::1,10.17.0.1", cidr: "10.16.0.0/16,fd00::/64"},
	} {
		if got := Invalid(annotations); got != want {
			t.Errorf("%v: %q, want %q", annotations, got, want)
		}
	}
	if got := Invalid(map[string]string{"x.a.ovn.kubernetes.io/mac_address": "zz"}); got != "" {
		t.Errorf("an attachment's annotations are looked at: %q", got)
	}
}

// The security update believes the annotations, whatever they say, and touches nothing but its own keys.
func TestSecureTrustsTheAnnotations(t *testing.T) {
	row := nb.LogicalSwitchPort{
		Name:         "p.a",
		Addresses:    []string{"m 10.0.0.1", "unknown"},
		PortSecurity: []string{"m 10.0.0.1"},
		ExternalIDs: map[string]string{
			"pod":               "other/pod",
			"vips":              "v",
			"attach-vips":       "true",
			"associated_sg_old": "true",
			"foreign":           "x",
		},
	}
	pod := podWith(map[string]string{
		"ovn.kubernetes.io/port_security":   "true",
		"ovn.kubernetes.io/ip_address":      "0.0.0.0/0",
		"ovn.kubernetes.io/mac_address":     "nonsense",
		"ovn.kubernetes.io/security_groups": "a, b",
	})
	got := Secure(pod, NIC{Provider: "ovn"}, []string{"10.0.0.9"}, row)
	want := row
	want.PortSecurity = []string{"nonsense 0.0.0.0/0 10.0.0.9"}
	want.ExternalIDs = map[string]string{
		"pod": "other/pod", "foreign": "x", "vips": "10.0.0.9", "attach-vips": "true", "security_groups": "a/b",
		"associated_sg_old": "false", "associated_sg_a": "true", "associated_sg_b": "true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if row.ExternalIDs["associated_sg_old"] != "true" {
		t.Error("the row that was given was changed")
	}
	off := Secure(podWith(nil), NIC{Provider: "ovn"}, nil, nb.LogicalSwitchPort{})
	if len(off.PortSecurity) != 0 || off.ExternalIDs["security_groups"] != "" {
		t.Errorf("off: %+v", off)
	}
	if _, ok := off.ExternalIDs["security_groups"]; !ok {
		t.Error("the empty key is not there")
	}
}

func TestMemberAddresses(t *testing.T) {
	v4, v6 := MemberAddresses([]nb.LogicalSwitchPort{
		{Addresses: []string{"m 10.0.0.1 fd00::1", "unknown"}},
		{Addresses: []string{"m 10.0.0.2"}, PortSecurity: []string{"m 0.0.0.0/0"}},
		{Addresses: []string{"m 10.0.0.3"}, PortSecurity: []string{"m"}}, // removes the port from its group's sets
		{Addresses: []string{"m 10.0.0.1"}},
	})
	if diff := cmp.Diff([]string{"0.0.0.0/0", "10.0.0.1"}, v4); diff != "" {
		t.Errorf("IPv4 -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"fd00::1"}, v6); diff != "" {
		t.Errorf("IPv6 -want +got\n%s", diff)
	}
}

func TestInfrastructure(t *testing.T) {
	s := &crd.Subnet{
		ObjectMeta: metav1.ObjectMeta{Name: "net"},
		Spec:       crd.SubnetSpec{Vpc: "vpc", CIDRBlock: "10.0.0.0/24,fd00::/64", Gateway: "10.0.0.1,fd00::1"},
	}
	link := RouterLink(s, "m")
	if diff := cmp.Diff(
		[]string{"10.0.0.1/24", "fd00::1/64"},
		link.Router.Networks,
	); diff != "" ||
		link.Switch.Options["router-port"] != link.Router.Name {
		t.Errorf("link %+v: %s", link, diff)
	}
	s.Spec.Vlan = "v"
	if link := RouterLink(s, "m"); link != nil {
		t.Errorf("an underlay subnet has the link %+v", link)
	}
	v := &crd.Vlan{}
	v.Spec.ID, v.Spec.Provider = 7, "pn"
	local := Localnet(s, v)
	if *local.Tag != 7 || local.Options["network_name"] != "pn" || local.ExternalIDs["ipv6_network"] != "fd00::/64" {
		t.Errorf("localnet %+v", local)
	}
	if got := len(DHCP(s, "m")); got != 2 {
		t.Errorf("%d DHCP options, want one a family", got)
	}
	s.Spec.DHCPv4Options = "router=10.0.0.9, lease_time=60"
	if diff := cmp.Diff(
		map[string]string{"router": "10.0.0.9", "lease_time": "60"},
		DHCP(s, "m")[0].Options,
	); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
