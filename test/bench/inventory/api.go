package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
)

// entries has what the controller keeps of objects of a kind with many objects.
type entries map[types.NamespacedName]*kube.Entry

// fillFromAPI enters the pods of a database's ports and their IP resources, each decoded from an API server's bytes,
// and returns what the controller would keep of them.
func fillFromAPI(m *monitor.Monitor, db kubeovndb.Database) ([]entries, error) {
	sources := make(map[string]kube.Source)
	for _, s := range kube.Sources() {
		sources[s.Kind.Kind] = s
	}
	pods, ips := make(entries), make(entries)
	enter := func(s kube.Source, into entries, object any) error {
		stripped, err := kube.Strip(object)
		if err != nil {
			return err
		}
		kept, ok := stripped.(*kube.Entry)
		if !ok {
			return fmt.Errorf("a %T is kept of a %T", stripped, object)
		}
		into[kept.NamespacedName] = kept
		m.Change(func(inv *inventory.Inventory) []string { return s.Set(inv, kept) })
		return nil
	}
	m.Change(func(inv *inventory.Inventory) []string {
		inv.SetPolicy(policy.Policy{Name: "teams", Priority: 1, Level: policy.Strict, Repair: policy.RepairLog})
		return nil
	})
	namespaces := make(map[string]bool)
	for n := range db.Ports {
		p := db.Port(n)
		namespace, name, _ := strings.Cut(p.Pod, "/")
		if !namespaces[namespace] {
			namespaces[namespace] = true
			m.Change(func(inv *inventory.Inventory) []string {
				return inv.SetNamespace(
					policy.Namespace{Name: namespace, Labels: map[string]string{corev1.LabelMetadataName: namespace}},
				)
			})
		}
		raw, err := json.Marshal(ipOf(p, n))
		if err != nil {
			return nil, err
		}
		ip := &unstructured.Unstructured{}
		if err := ip.UnmarshalJSON(raw); err != nil {
			return nil, err
		}
		if err := enter(sources["IP"], ips, ip); err != nil {
			return nil, err
		}
		if raw, err = podOf(p, namespace, name, n).Marshal(); err != nil {
			return nil, err
		}
		pod := &corev1.Pod{}
		if err := pod.Unmarshal(raw); err != nil {
			return nil, err
		}
		if err := enter(sources["Pod"], pods, pod); err != nil {
			return nil, err
		}
	}
	return []entries{pods, ips}, nil
}

// podOf returns a running pod: made by a ReplicaSet, and with Kube-OVN's annotations.
func podOf(p kubeovndb.Port, namespace, name string, n int) *corev1.Pod {
	key, owns := kubeovn.DefaultProvider.Key, true
	set := name[:strings.LastIndexByte(name, '-')]
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       namespace,
			Name:            name,
			GenerateName:    set + "-",
			UID:             types.UID(fmt.Sprintf("11111111-2222-4333-8444-%012x", n)),
			ResourceVersion: strconv.Itoa(1_000_000 + n),
			Labels: map[string]string{
				"app":                    "web",
				"app.kubernetes.io/name": "web",
				"pod-template-hash":      set[strings.LastIndexByte(set, '-')+1:],
			},
			Annotations: map[string]string{
				key(kubeovn.PortSecurity):  kubeovn.True,
				key(kubeovn.Allocated):     kubeovn.True,
				key(kubeovn.Routed):        kubeovn.True,
				key(kubeovn.MACAddress):    p.MAC,
				key(kubeovn.IPAddress):     p.IPs[0] + "," + p.IPs[1],
				key(kubeovn.LogicalSwitch): p.Switch,
				key(kubeovn.LogicalRouter): "ovn-cluster",
				key(kubeovn.CIDR):          "10.16.0.0/12,fd00:10:16::/48",
				key(kubeovn.Gateway):       "10.16.0.1,fd00:10:16::1",
				key(kubeovn.PodNICType):    "veth-pair",
				"checksum/config":          strings.Repeat("0123456789abcdef", 4),
				"prometheus.io/scrape":     "true",
			},
			OwnerReferences: []metav1.OwnerReference{
				{
					APIVersion:         "apps/v1",
					Kind:               "ReplicaSet",
					Name:               set,
					UID:                types.UID(fmt.Sprintf("44444444-2222-4333-8444-%012x", n/10)),
					Controller:         &owns,
					BlockOwnerDeletion: &owns,
				},
			},
		},
		Spec: corev1.PodSpec{
			NodeName:           "worker-1",
			ServiceAccountName: "default",
			RestartPolicy:      corev1.RestartPolicyAlways,
			Containers: []corev1.Container{
				{
					Name:  "web",
					Image: "registry.example.org/team/web:1.2.3",
					Env:   []corev1.EnvVar{{Name: "MODE", Value: "production"}},
				},
			},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: p.IPs[0], HostIP: "192.168.0.1"},
	}
}

// ipOf returns Kube-OVN's IP resource of a port.
func ipOf(p kubeovndb.Port, n int) *unstructured.Unstructured {
	namespace, name, _ := strings.Cut(p.Pod, "/")
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"podName":       name,
		"namespace":     namespace,
		"subnet":        p.Switch,
		"attachSubnets": []any{},
		"attachIps":     []any{},
		"attachMacs":    []any{},
		"nodeName":      "worker-1",
		"ipAddress":     p.IPs[0] + "," + p.IPs[1],
		"v4IpAddress":   p.IPs[0],
		"v6IpAddress":   p.IPs[1],
		"macAddress":    p.MAC,
		"containerID":   "",
		"podType":       "",
	}}}
	u.SetGroupVersionKind(kube.IPKind)
	u.SetName(p.Name)
	u.SetUID(types.UID(fmt.Sprintf("55555555-2222-4333-8444-%012x", n)))
	u.SetResourceVersion(strconv.Itoa(2_000_000 + n))
	return u
}
