//go:build integration

package e2e

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// virtualRouterWord begins an entry that some releases of OVN read; the others ignore the entry, and a port without
// another entry is open.
const virtualRouterWord = "VRRPv3"

// mustLackVirtualRouterWord checks that no row of the pod has the word, and that each has an entry with its identity
// and nothing else.
func mustLackVirtualRouterWord(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	rows, err := portsOf(t.Context(), pod.Namespace, pod.Name)
	if err != nil || len(rows) == 0 {
		t.Fatalf("%d ports of %s, %v", len(rows), pod.Name, err)
	}
	for _, row := range rows {
		if text := strings.Join(
			append(row.PortSecurity, row.Addresses...),
			" ",
		); strings.Contains(
			strings.ToLower(text),
			strings.ToLower(virtualRouterWord),
		) {
			t.Errorf("%s has %q", row.Name, text)
		}
		identity, err := recordOf(t.Context(), row.Name)
		if err != nil {
			t.Fatal(err)
		}
		plain := func(entry string) bool {
			return len(
				excessOf(
					&ovn.Port{Addresses: []string{strings.Join(words(identity), " ")}, PortSecurity: []string{entry}},
					identity,
				),
			) == 0
		}
		if !slices.ContainsFunc(row.PortSecurity, plain) {
			t.Errorf("%s has port_security %q, and none that is its own", row.Name, row.PortSecurity)
		}
	}
}

// A tenant cannot bring the word into port_security by any annotation that reaches it, on a new or a running pod, on
// any NIC.
func TestThreat16VirtualRouterByAnnotation(t *testing.T) {
	p, attached := tenant(t), newNetwork(t)
	pod := allocatedPod(t, p, map[string]string{kubeovn.Networks: attached.name})
	own, second := pod.Annotations[ipAddress], strings.TrimSuffix(string(attached.provider), ".ovn")+".kubernetes.io/"
	keys := []string{kubeovn.AAPs, second + "ip_address.net1", second + "mac_address.net1"}
	for _, provider := range []kubeovn.Provider{kubeovn.DefaultProvider, attached.provider} {
		for _, suffix := range []kubeovn.Suffix{kubeovn.IPAddress, kubeovn.MACAddress, kubeovn.PortVIPs, kubeovn.VIP} {
			keys = append(keys, provider.Key(suffix))
		}
	}
	for _, value := range []string{
		virtualRouterWord, virtualRouterWord + " " + pod.Annotations[macAddress] + " 00:00:5e:00:01:07 10.16.0.7",
		own + "," + virtualRouterWord,
	} {
		for _, key := range keys {
			wish{
				name:        key + "=" + value,
				annotations: map[string]string{kubeovn.Networks: attached.name, key: value},
				refused:     key,
			}.tryPod(
				t,
				p,
			)
			mustRefuse(t, key+"="+value+" later", p.patch(t.Context(), pod, map[string]any{key: value}), key)
		}
		for _, field := range []string{`"mac":"` + value + `"`, `"ips":["` + value + `"]`} {
			networks := `[{"name":"` + attached.name + `",` + field + `}]`
			wish{
				name:        networks,
				annotations: map[string]string{kubeovn.Networks: networks},
				refused:     kubeovn.Networks,
			}.tryPod(
				t,
				p,
			)
			mustRefuse(
				t,
				networks+" later",
				p.patch(t.Context(), pod, map[string]any{kubeovn.Networks: networks}),
				kubeovn.Networks,
			)
		}
	}
	unchanged(t, pod)
	mustLackVirtualRouterWord(t, pod)
	// A template is not refused, but its pods are.
	wish{
		name:        "through workloads",
		annotations: map[string]string{portVIPs: virtualRouterWord},
		refused:     portVIPs,
	}.try(
		t,
		p,
	)
}

// A tenant's exception for a virtual router adds its MAC and address to the row as plain entries behind the port's own;
// none of its fields can contain the word.
func TestThreat16VirtualRouterByException(t *testing.T) {
	const mac, address = "00:00:5e:00:01:07", "10.120.0.7"
	ns, _ := repairNamespace(t)
	_, writer := granted(t, exceptionRights)
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	asks := func(pair v1alpha1.AddressPair) error {
		e := exceptionIn(ns)
		e.Spec.Class, e.Spec.Grant.Pairs = v1alpha1.ClassVRRP, []v1alpha1.AddressPair{pair}
		_, err := writer.do(t.Context(), http.MethodPost, path, e)
		return err
	}
	eventually(t, "the exception to be taken", func() (bool, error) { // admission follows the policy in a moment
		return asks(v1alpha1.AddressPair{MAC: mac, Prefix: address}) == nil, nil
	})
	if _, err := writer.do(t.Context(), http.MethodDelete, path+"/"+exceptionIn(ns).Name, nil); err != nil {
		t.Fatal(err)
	}
	for _, pair := range []v1alpha1.AddressPair{
		{MAC: virtualRouterWord, Prefix: address},
		{MAC: virtualRouterWord + " " + mac, Prefix: address},
		{MAC: mac, Prefix: virtualRouterWord},
		{MAC: mac, Prefix: virtualRouterWord + " " + address},
		{MAC: mac, Prefix: address + " " + virtualRouterWord},
		{Prefix: address + "," + virtualRouterWord},
	} {
		if err := asks(pair); err == nil {
			t.Errorf("a grant of %q was allowed", pair)
		}
	}
	if err := asks(v1alpha1.AddressPair{MAC: mac, Prefix: address}); err != nil {
		t.Fatal(err)
	}
	w := wish{labels: map[string]string{"app": "till"}}
	var pod *corev1.Pod
	t.Cleanup(func() { // its namespace's end would delete it later
		if pod != nil {
			deletePod(t, pod)
		}
	})
	eventually(t, "a pod to be made as the exception says", func() (bool, error) {
		if pod != nil {
			deletePod(t, pod)
		}
		made := &corev1.Pod{ObjectMeta: w.template().ObjectMeta, Spec: w.template().Spec}
		made.Name = unique("router")
		var err error
		pod, err = admin(t).CoreV1().Pods(ns).Create(t.Context(), made, metav1.CreateOptions{})
		return err == nil && pod.Annotations[layer2Forward] == kubeovn.True, err
	})
	virtual, err := portsec.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := recordOf(t.Context(), portOf(pod))
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr(address)
	want, err := portsec.GrantedSet(
		identity,
		[]portsec.AddressPair{{MAC: virtual, Prefix: netip.PrefixFrom(ip, ip.BitLen())}},
	)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the port to have what is granted", func() (bool, error) {
		rows, err := portsOf(t.Context(), ns, pod.Name)
		if err != nil || len(rows) != 1 {
			return false, err
		}
		for _, era := range portsec.Eras() {
			if !portsec.Parse(era, rows[0].PortSecurity).Set().Equal(want) {
				return false, nil
			}
		}
		return true, nil
	})
	mustLackVirtualRouterWord(t, pod)
}
