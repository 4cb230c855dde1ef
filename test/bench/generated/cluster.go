// Package generated makes a cluster in memory for benchmarks: pods with all that belongs to them.
package generated

import (
	"fmt"
	"net/netip"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Shape of the generated cluster.
const (
	PodsPerNamespace = 100
	nodes            = 100
	// One pod in dualEvery has two addresses, and one in DriftEvery has a wrong port.
	dualEvery  = 4
	DriftEvery = 1000
)

// Object is one pod of the generated cluster with everything that belongs to it.
type Object struct {
	Pod     *inventory.Pod
	Record  *inventory.Record
	Row     *inventory.Row
	Binding *inventory.Binding
}

func namespaceName(i int) string { return fmt.Sprintf("team-%04d", i) }

func chassisID(i int) string { return fmt.Sprintf("00000000-0000-4000-a000-%012x", i%nodes) }

// Generate returns the i-th pod, new in memory each time as from an API server and a database.
func Generate(i int) Object {
	namespace, name := namespaceName(i/PodsPerNamespace), fmt.Sprintf("web-%06d-7d9f8b6c5-x2x4z", i)
	mac := fmt.Sprintf("0a:00:%02x:%02x:%02x:%02x", byte(i>>24), byte(i>>16), byte(i>>8), byte(i))
	v4 := netip.AddrFrom4([4]byte{10, byte(16 + i>>16), byte(i >> 8), byte(i)}).String()
	ips, identity, annotation := []string{v4}, mac+" "+v4, v4
	if i%dualEvery == 0 {
		v6 := fmt.Sprintf("fd00:10:16::%x:%x", i>>16+1, i&0xffff+1)
		ips, identity, annotation = append(ips, v6), identity+" "+v6, v4+","+v6
	}
	port := kubeovn.PortName(name, namespace, kubeovn.DefaultProvider)
	key := kubeovn.DefaultProvider.Key
	o := Object{
		Pod: &inventory.Pod{
			PodKey: inventory.PodKey{
				Namespace: namespace,
				Name:      name,
			},
			UID:    fmt.Sprintf("11111111-2222-4333-8444-%012x", i),
			Owner:  name,
			Labels: map[string]string{"app": "web", "pod-template-hash": "7d9f8b6c5"},
			Annotations: map[string]string{
				key(kubeovn.PortSecurity):  kubeovn.True,
				key(kubeovn.Allocated):     kubeovn.True,
				key(kubeovn.MACAddress):    mac,
				key(kubeovn.IPAddress):     annotation,
				key(kubeovn.LogicalSwitch): "ovn-default",
				key(kubeovn.Routed):        kubeovn.True,
			},
			Inherited: []kubeovn.Provider{kubeovn.DefaultProvider},
		},
		Record: &inventory.Record{Name: port, MAC: mac, IPs: ips, Subnet: "ovn-default"},
		Row: &inventory.Row{
			UUID:         fmt.Sprintf("22222222-2222-4333-8444-%012x", i),
			Name:         port,
			Switch:       "ovn-default",
			Addresses:    []string{identity},
			PortSecurity: []string{identity},
			ExternalIDs: map[string]string{
				kubeovn.ExternalIDVendor: kubeovn.Vendor,
				kubeovn.ExternalIDPod:    namespace + "/" + name,
				kubeovn.ExternalIDSwitch: "ovn-default",
			},
		},
		Binding: &inventory.Binding{
			UUID: fmt.Sprintf(
				"33333333-2222-4333-8444-%012x",
				i,
			),
			Port:         port,
			PortSecurity: []string{identity},
			Up:           true,
			Chassis:      []string{chassisID(i)},
		},
	}
	if i%DriftEvery == DriftEvery-1 {
		o.Row.PortSecurity, o.Binding.PortSecurity = nil, nil
	}
	return o
}

// Fill enters a cluster of that many pods, with everything that belongs to it.
func Fill(inv *inventory.Inventory, pods int) {
	for i := range nodes {
		inv.SetChassis(
			inventory.Chassis{
				UUID:   chassisID(i),
				Name:   fmt.Sprintf("node-%03d", i),
				Config: map[string]string{"fdb-timestamp": "true"},
			},
		)
	}
	inv.SetOVN(portsec.OVN{Version: "24.03.2"})
	inv.SetPolicy(policy.Policy{Name: "teams", Priority: 1, Level: policy.Strict, Repair: policy.RepairLog})
	for i := range (pods + PodsPerNamespace - 1) / PodsPerNamespace {
		inv.SetNamespace(NamespaceOf(i, "production"))
	}
	for i := range pods {
		o := Generate(i)
		inv.SetPod(o.Pod)
		inv.SetRecord(o.Record)
		inv.SetRow(o.Row)
		inv.SetBinding(o.Binding)
	}
}

// NamespaceOf returns the i-th namespace, with a label.
func NamespaceOf(i int, stage string) policy.Namespace {
	return policy.Namespace{
		Name:   namespaceName(i),
		Labels: map[string]string{"kubernetes.io/metadata.name": namespaceName(i), "stage": stage},
	}
}
