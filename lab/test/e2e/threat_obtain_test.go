//go:build integration

package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

const (
	logicalSwitch = "ovn.kubernetes.io/logical_switch"
	takenVip      = "ovn.kubernetes.io/vip"
	ipPool        = "ovn.kubernetes.io/ip_pool"
)

// sharedSubnet makes a subnet of the default VPC for pods of all namespaces, with a shared VIP.
func sharedSubnet(t *testing.T) string {
	t.Helper()
	name := unique("mall")
	makeKubeOVNObject(
		t,
		"subnets",
		"Subnet",
		name,
		map[string]any{"cidrBlock": "10.81.0.0/24", "gateway": "10.81.0.1", "vips": []string{"10.81.0.200"}},
	)
	eventually(t, "Kube-OVN to make switch "+name, func() (bool, error) {
		_, err := world.Nbctl(t.Context(), "get", "logical_switch", name, "name")
		return err == nil, nil
	})
	return name
}

// awaitRefusedIn waits until a pod of the namespace is refused with these words, which shows that the program has read
// the objects behind the refusal.
func awaitRefusedIn(t *testing.T, ns string, annotations map[string]string, key string) {
	t.Helper()
	var err error
	eventually(t, "a pod to be refused for "+key, func() (bool, error) {
		_, err = admin(t).dryRun(t.Context(), ns, annotations)
		return err != nil && strings.Contains(err.Error(), key), nil
	})
	mustRefuse(t, key, err, key)
	for line := range strings.Lines(err.Error()) {
		t.Log(strings.TrimSpace(line))
	}
}

// awaitAllowedIn waits until such a pod would be made.
func awaitAllowedIn(t *testing.T, ns string, annotations map[string]string) {
	t.Helper()
	var last error
	defer func() {
		if last != nil {
			t.Log(last)
		}
	}()
	eventually(t, "a pod to be allowed", func() (bool, error) {
		_, last = admin(t).dryRun(t.Context(), ns, annotations)
		return last == nil, nil
	})
}

// refuseNothing makes a policy for the namespace that refuses nothing, as if admission had not been asked.
func refuseNothing(t *testing.T, ns string) {
	t.Helper()
	name := unique("looks-on")
	policy := strings.NewReplacer("NAMESPACE", ns, "NAME", name).Replace(`apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityPolicy
metadata: {name: NAME}
spec: {priority: 90, mode: audit, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}}
`)
	if err := world.Apply(t.Context(), []byte(policy)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, policiesPath+"/"+name, nil); err != nil {
			t.Error(err)
		}
	})
}

// actorOn makes a pod on a subnet with a socket on its NIC.
func actorOn(t *testing.T, ns, subnet string, annotations map[string]string) *scene.Actor {
	t.Helper()
	all := map[string]string{logicalSwitch: subnet, portSecurity: "true"}
	maps.Copy(all, annotations)
	a, err := scene.OpenActor(run(t, ns, all), kubeovn.DefaultProvider, "eth0")
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

// ownArrives sends the actor's own frames, which its port allows although it must not have the address: for this reason
// nobody may get it.
func ownArrives(t *testing.T, from, to *scene.Actor, address string) {
	t.Helper()
	if from.V4.IP.String() != address {
		t.Fatalf("%s has %s, want %s", from.Port, from.V4.IP, address)
	}
	settle(t)
	probes, err := scene.Probes(from, to, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range probes {
		if passed, err := p.Send(t.Context(), from, to); !p.Forged && (err != nil || !passed) {
			t.Errorf("%s from %s: passed %v, %v", p.Name, from.Port, passed, err)
		}
	}
}

// awaitFinding waits until the audit has a finding about a pod's port.
func awaitFinding(t *testing.T, a *scene.Actor, rule, words string) {
	t.Helper()
	eventually(t, rule+" for "+a.Port, func() (bool, error) {
		return slices.ContainsFunc(audit(t).Findings, func(f finding) bool {
			return f.Rule == rule && f.Namespace == a.Pod.Namespace && f.Pod == a.Pod.Name &&
				strings.Contains(f.Message, words)
		}), nil
	})
}

// A tenant has a Vip with a victim's address in a VPC of its own with the same addresses, and a pod on the victim's
// switch that names the Vip. Kube-OVN assigns the victim's address to the pod there, and its frames arrive.
func TestThreatT29VipOfAVPCOfOnesOwn(t *testing.T) {
	street, vpc := sharedSubnet(t), unique("island")
	attackers := namespace(t, nil)
	victim := actorOn(t, namespace(t, nil), street, nil)
	address := victim.V4.IP.String()
	makeKubeOVNObject(t, "vpcs", "Vpc", vpc, map[string]any{})
	makeKubeOVNObject(
		t,
		"subnets",
		"Subnet",
		vpc,
		map[string]any{
			"cidrBlock":  "10.81.0.0/24",
			"gateway":    "10.81.0.1",
			"vpc":        vpc,
			"namespaces": []string{attackers},
		},
	)
	vip := unique("vip")
	spec := map[string]any{"namespace": attackers, "subnet": vpc, "v4ip": address}
	eventually(t, "a Vip of that address to be allowed in the other VPC", func() (bool, error) {
		_, err := admin(
			t,
		).do(t.Context(), http.MethodPost, vipsPath+dryRun, map[string]any{
			"apiVersion": "kubeovn.io/v1",
			"kind":       "Vip", "metadata": map[string]any{"name": vip}, "spec": spec,
		})
		return err == nil, nil
	})
	makeKubeOVNObject(t, "vips", "Vip", vip, spec)
	eventually(t, "the Vip to have the victim's address", func() (bool, error) {
		body, err := admin(t).do(t.Context(), http.MethodGet, vipsPath+"/"+vip, nil)
		return err == nil && fieldOf(t, body, "status", "v4ip") == address, err
	})
	// On the network of the Vip, its pod may have the address.
	awaitAllowedIn(t, attackers, map[string]string{takenVip: vip, logicalSwitch: vpc})
	posing := map[string]string{takenVip: vip, logicalSwitch: street}
	awaitRefusedIn(t, attackers, posing, takenVip)

	refuseNothing(t, attackers)
	awaitAllowedIn(t, attackers, posing)
	thief := actorOn(t, attackers, street, posing)
	ownArrives(t, thief, actorOn(t, victim.Pod.Namespace, street, nil), address)
	awaitFinding(t, thief, "OVG013", address)
	awaitFinding(t, victim, "OVG013", address)
	before := len(audit(t).Findings)
	deletePod(t, thief.Pod)
	eventually(t, "the findings to be gone", func() (bool, error) { return len(audit(t).Findings) < before, nil })
}

// Kube-OVN assigns addresses that an IPPool keeps for another namespace, or that a subnet keeps for sharing, to every
// pod that asks for them: it only checks that they are free.
func TestThreatT30ReservedByPoolAndSubnet(t *testing.T) {
	const pooled, shared = "10.81.0.26", "10.81.0.200"
	street, pool := sharedSubnet(t), unique("pool")
	owners, others := namespace(t, nil), namespace(t, nil)
	makeKubeOVNObject(
		t,
		"ippools",
		"IPPool",
		pool,
		map[string]any{"subnet": street, "namespaces": []string{owners}, "ips": []string{"10.81.0.24/29"}},
	)
	on := func(key, value string) map[string]string { return map[string]string{key: value, logicalSwitch: street} }
	for _, annotations := range []map[string]string{
		on(ipAddress, pooled), on(ipPool, "10.81.0.27,10.81.0.28"), on(ipPool, pool), on(ipAddress, shared),
		on(ipPool, "10.81.0.77;"+shared),
	} {
		for key := range annotations {
			if key != logicalSwitch {
				awaitRefusedIn(t, others, annotations, key)
			}
		}
	}
	// The pods that it is kept for get it, and pods of the subnet share what it shares.
	awaitAllowedIn(t, owners, on(ipAddress, pooled))
	awaitAllowedIn(t, owners, on(ipPool, pool))
	awaitAllowedIn(t, others, on(portVIPs, shared))
	awaitAllowedIn(t, others, on(ipAddress, "10.81.0.77"))

	refuseNothing(t, others)
	to := actorOn(t, namespace(t, nil), street, nil)
	for address, words := range map[string]string{pooled: "IPPool " + pool, shared: "shared VIPs of subnet " + street} {
		awaitAllowedIn(t, others, on(ipAddress, address))
		thief := actorOn(t, others, street, on(ipAddress, address))
		ownArrives(t, thief, to, address)
		awaitFinding(t, thief, "OVG026", words)
		deletePod(t, thief.Pod)
	}
	eventually(t, "OVG026 to be gone", func() (bool, error) { return standing(t, "OVG026") == 0, nil })
}

// A key that lacks ".ovn" behind its attachment has no effect on the NIC: its author gets a warning, and nothing is
// refused for it, neither by the program nor by the API server's own policies.
func TestKeysThatLackOVN(t *testing.T) {
	ns, p := namespace(t, nil), admin(t)
	for _, name := range []string{"net-1", "net-2"} {
		definition := strings.NewReplacer("NAMESPACE", ns, "NAME", name).Replace(`apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: NAME, namespace: NAMESPACE}
spec: {config: '{"cniVersion":"0.3.0","type":"kube-ovn","server_socket":"/run/openvswitch/kube-ovn-daemon.sock","provider":"NAME.NAMESPACE.ovn"}'}
`)
		if err := world.Apply(t.Context(), []byte(definition)); err != nil {
			t.Fatal(err)
		}
	}
	mac, level := "net-2."+ns+".kubernetes.io/mac_address", "net-1."+ns+".kubernetes.io/port_security"
	annotations := map[string]string{
		kubeovn.Networks: ns + "/net-1," + ns + "/net-2",
		mac:              "00:00:00:AA:AA:AA",
		level:            "false",
	}
	for _, name := range []string{"net-1", "net-2"} {
		annotations[kubeovn.AttachmentProvider(ns, name).Key(kubeovn.LogicalSwitch)] = "ovn-default"
	}
	eventually(t, "the program to know the networks", func() (bool, error) {
		p.warnings.Take()
		pod, err := p.dryRun(t.Context(), ns, annotations)
		if err != nil {
			return false, err
		}
		for _, provider := range []kubeovn.Provider{
			kubeovn.DefaultProvider, kubeovn.AttachmentProvider(ns, "net-1"), kubeovn.AttachmentProvider(ns, "net-2"),
		} {
			if got := pod.Annotations[provider.Key(kubeovn.PortSecurity)]; got != "true" {
				t.Errorf("NIC %s: port_security %q", provider, got)
			}
		}
		said := strings.Join(p.warnings.Take(), "\n")
		return strings.Contains(said, mac) && strings.Contains(said, level), nil
	})
}
