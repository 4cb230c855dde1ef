package kubeovn

import "testing"

func TestClassOf(t *testing.T) {
	for key, want := range map[string]KeyClass{
		"ovn.kubernetes.io/port_security":               LevelKey,
		"nad.ns.ovn.kubernetes.io/layer2_forward":       LevelKey,
		"nad.ns.ovn.net1.kubernetes.io/port_vips":       GrantKey,
		"ovn.kubernetes.io/aaps":                        GrantKey,
		"ovn.kubernetes.io/vip":                         GrantKey,
		"nad.ns.kubernetes.io/ip_address.net1":          IdentityKey,
		"nad.ns.kubernetes.io/mac_address.net1":         IdentityKey,
		"ovn.kubernetes.io/logical_switch":              IdentityKey,
		"ovn.kubernetes.io/allocated":                   OwnKey,
		"ovn.kubernetes.io/virtualmachine":              OwnKey,
		"kubevirt.io/migrationJobName":                  MachineKey,
		"ovn.kubernetes.io/snat":                        EgressKey,
		"ovn.kubernetes.io/security_groups":             GroupKey,
		"k8s.v1.cni.cncf.io/networks":                   NetworkKey,
		"v1.multus-cni.io/default-network":              NetworkKey,
		"k8s.v1.cni.cncf.io/network-status":             Harmless,
		"ovn.kubernetes.io/ingress_rate":                Harmless,
		"ovn.kubernetes.io/logical_router":              WishKey,
		"nad.ns.ovn.kubernetes.io/pod_nic_type":         WishKey,
		"nad.ns.ovn.kubernetes.io/allow_live_migration": MachineKey,
		"ovn.kubernetes.io/activation_strategy":         MachineKey,
		"ovn.kubernetes.io/port_secutity":               UnknownKey,
		"nad.ns.ovn.net1.kubernetes.io/some_new_key":    UnknownKey,
		"nad.ns.kubernetes.io/some_new_key":             Harmless, // no provider of a port
		"pod-security.kubernetes.io/enforce":            Harmless,
		"prometheus.io/scrape":                          Harmless,
		"node.kubernetes.io/exclude-from-something":     Harmless,
		"deployment.kubernetes.io/revision":             Harmless,
		"kubectl.kubernetes.io/restartedAt":             Harmless,
		"nad.ns.kubernetes.io/network_status.net1":      Harmless,
		"container.apparmor.security.beta.kubernetes":   Harmless,
	} {
		if got := ClassOf(key); got != want {
			t.Errorf("%s is of class %d, want %d", key, got, want)
		}
	}
}

func TestWritesSecurity(t *testing.T) {
	for key, want := range map[string]bool{
		"ovn.kubernetes.io/port_security":          true,
		"nad.ns.ovn.kubernetes.io/security_groups": true,
		"nad.ns.ovn.net1.kubernetes.io/port_vips":  true,
		"ovn.kubernetes.io/aaps":                   true,
		"nad.ns.ovn.kubernetes.io/aaps":            false, // read for all NICs, under its one name
		"ovn.kubernetes.io/layer2_forward":         false, // read when the port is made
		"ovn.kubernetes.io/vip":                    false,
		"ovn.kubernetes.io/ip_address":             false,
		"kubevirt.io/migrationJobName":             false,
		"example.com/port_security":                false,
	} {
		if got := WritesSecurity(key); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

func TestProviderOf(t *testing.T) {
	for key, want := range map[string]Provider{
		"ovn.kubernetes.io/ip_address":             "ovn",
		"ovn.kubernetes.io/aaps":                   "ovn",
		"nad.ns.ovn.kubernetes.io/port_vips":       "nad.ns.ovn",
		"nad.ns.ovn.net1.kubernetes.io/ip_address": "nad.ns.ovn.net1",
		"nad.ns.kubernetes.io/ip_address.net1":     "nad.ns.ovn.net1",
		"kubevirt.io/migrationJobName":             "ovn",
	} {
		if got := ProviderOf(key); got != want {
			t.Errorf("%s is about %s, want %s", key, got, want)
		}
	}
}

func TestMayNameAnotherPort(t *testing.T) {
	cases := []struct {
		pod, namespace string
		want           bool
	}{
		{"x.ns1.nad.nadns", "ovn", true},      // NIC nad of nadns, of pod x in ns1
		{"a.x.ns1.nad.nadns", "ovn", true},    // the same NIC of pod a.x
		{"x.ns1.nad.nadns.ovn", "net1", true}, // interface net1 of x
		{"x.ns1.nad", "ovn", false},           // too short for a NIC of an attachment
		{"x", "ovn", false},
		{"x.ns1.nad.nadns", "shop", false},
		{"x.ns1.nad.nadns.foo", "net1", false},
		{"web-0", "shop", false},
	}
	for _, c := range cases {
		if got := MayNameAnotherPort(c.pod, c.namespace); got != c.want {
			t.Errorf("pod %s in %s: %v, want %v", c.pod, c.namespace, got, c.want)
		}
	}
	// The reason for the function: both names are the same.
	for _, c := range []struct{ mine, theirs string }{
		{PortName("x.ns1.nad.nadns", "ovn", DefaultProvider), PortName("x", "ns1", "nad.nadns.ovn")},
		{PortName("x.ns1.nad.nadns.ovn", "net1", DefaultProvider), PortName("x", "ns1", "nad.nadns.ovn.net1")},
	} {
		if c.mine != c.theirs {
			t.Errorf("%s is not %s", c.mine, c.theirs)
		}
	}
}
