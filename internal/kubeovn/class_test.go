package kubeovn

import "testing"

func TestClassOf(t *testing.T) {
	for key, want := range map[string]KeyClass{
		"ovn.kubernetes.io/port_security":             LevelKey,
		"nad.ns.ovn.kubernetes.io/layer2_forward":     LevelKey,
		"nad.ns.ovn.net1.kubernetes.io/port_vips":     GrantKey,
		"ovn.kubernetes.io/aaps":                      GrantKey,
		"ovn.kubernetes.io/vip":                       GrantKey,
		"nad.ns.kubernetes.io/ip_address.net1":        IdentityKey,
		"nad.ns.kubernetes.io/mac_address.net1":       IdentityKey,
		"ovn.kubernetes.io/logical_switch":            IdentityKey,
		"ovn.kubernetes.io/allocated":                 OwnKey,
		"ovn.kubernetes.io/virtualmachine":            MachineKey,
		"kubevirt.io/migrationJobName":                MachineKey,
		"ovn.kubernetes.io/snat":                      EgressKey,
		"ovn.kubernetes.io/security_groups":           GroupKey,
		"k8s.v1.cni.cncf.io/networks":                 NetworkKey,
		"v1.multus-cni.io/default-network":            NetworkKey,
		"k8s.v1.cni.cncf.io/network-status":           Harmless,
		"ovn.kubernetes.io/ingress_rate":              Harmless,
		"pod-security.kubernetes.io/enforce":          Harmless,
		"prometheus.io/scrape":                        Harmless,
		"node.kubernetes.io/exclude-from-something":   Harmless,
		"deployment.kubernetes.io/revision":           Harmless,
		"kubectl.kubernetes.io/restartedAt":           Harmless,
		"nad.ns.kubernetes.io/network_status.net1":    Harmless,
		"container.apparmor.security.beta.kubernetes": Harmless,
	} {
		if got := ClassOf(key); got != want {
			t.Errorf("%s is of class %d, want %d", key, got, want)
		}
	}
}
