package node

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestReadJoined(t *testing.T) {
	node := func(changes map[string]string) *corev1.Node {
		n := &corev1.Node{}
		n.Annotations = map[string]string{
			"ovn.kubernetes.io/allocated":   "true",
			"ovn.kubernetes.io/mac_address": "0A:00:00:00:00:01",
			"ovn.kubernetes.io/ip_address":  "100.64.0.3,fd00:64::3",
			"ovn.kubernetes.io/cidr":        "100.64.0.0/16,fd00:64::/112",
			"ovn.kubernetes.io/gateway":     "100.64.0.1,fd00:64::1",
		}
		for key, value := range changes {
			n.Annotations["ovn.kubernetes.io/"+key] = value
		}
		return n
	}
	j, ok, err := readJoined(node(nil))
	if err != nil || !ok || j.mac != "0a:00:00:00:00:01" || len(j.prefixes) != 2 ||
		j.prefixes[0] != netip.MustParsePrefix("100.64.0.3/16") || len(j.gateways) != 2 {
		t.Errorf("got %+v, %v, %v", j, ok, err)
	}
	if _, ok, err := readJoined(node(map[string]string{"allocated": ""})); ok || err != nil {
		t.Errorf("a node that has nothing yet: %v, %v", ok, err)
	}
	for key, bad := range map[string]string{
		"mac_address": "x", "ip_address": "100.64.0.3 up", "cidr": "all", "gateway": "fe80::1%eth0; reboot",
	} {
		if _, _, err := readJoined(
			node(map[string]string{key: bad}),
		); err == nil ||
			!strings.Contains(err.Error(), key) {
			t.Errorf("%s %q: got %v, want an error that names it", key, bad, err)
		}
	}
}
