//go:build integration

package e2e

import (
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

func TestThreat01PodOptsOut(t *testing.T) {
	wish{
		name:        "false",
		annotations: map[string]string{portSecurity: "false"},
		keeps:       map[string]string{portSecurity: "true"},
	}.try(
		t,
		tenant(t),
	)
}

func TestThreat02Truthiness(t *testing.T) {
	p := tenant(t)
	for _, value := range []string{"True", " true", "true ", "1", "TRUE", "yes"} {
		wish{
			name:        value,
			annotations: map[string]string{portSecurity: value},
			keeps:       map[string]string{portSecurity: "true"},
		}.tryPod(
			t,
			p,
		)
	}
	wish{
		name:        "through workloads",
		annotations: map[string]string{portSecurity: "True "},
		keeps:       map[string]string{portSecurity: "true"},
	}.try(
		t,
		p,
	)
	wish{name: "garbage", annotations: map[string]string{portSecurity: "tru"}, refused: portSecurity}.try(t, p)
}

func TestThreat07VIPInflation(t *testing.T) {
	p := tenant(t)
	neighbour := allocatedPod(t, p, nil).Annotations[ipAddress]
	for name, value := range map[string]string{
		"a neighbour's": neighbour, "a gateway's": "10.16.0.1", "anybody's": "192.0.2.7", "poison": "::ffff:10.16.0.9",
		"a range": "10.16.0.0/16", "junk": "junk", "with a blank": " 10.16.0.9", "one good one bad": "192.0.2.7,x",
	} {
		wish{name: name, annotations: map[string]string{portVIPs: value}, refused: portVIPs}.tryPod(t, p)
	}
	wish{name: "through workloads", annotations: map[string]string{portVIPs: neighbour}, refused: portVIPs}.try(t, p)
}

func TestThreat09ChosenAddress(t *testing.T) {
	p := tenant(t)
	taken := allocatedPod(t, p, nil)
	wish{
		name:        "a neighbour's address",
		annotations: map[string]string{ipAddress: taken.Annotations[ipAddress]},
		refused:     ipAddress,
	}.try(
		t,
		p,
	)
	wish{
		name:        "a neighbour's MAC",
		annotations: map[string]string{macAddress: taken.Annotations[macAddress]},
		refused:     macAddress,
	}.try(
		t,
		p,
	)
	wish{
		name:        "the gateway's address",
		annotations: map[string]string{ipAddress: "10.16.0.1"},
		refused:     ipAddress,
	}.tryPod(
		t,
		p,
	)

	// Addresses of others than pods: routers, Vips, nodes and Services.
	mac, err := world.Nbctl(t.Context(), "get", "logical_router_port", "ovn-cluster-ovn-default", "mac")
	if err != nil {
		t.Fatal(err)
	}
	mac = strings.Trim(mac, "\"\n ")
	isTaken := " is taken" // only the audit log names the holder
	wish{
		name:        "the MAC of the gateway",
		annotations: map[string]string{macAddress: mac},
		refused:     mac + isTaken,
	}.try(
		t,
		p,
	)
	wish{
		name:        "the gateway's MAC in the networks annotation",
		annotations: map[string]string{kubeovn.Networks: `[{"name":"blue","mac":"` + mac + `"}]`}, refused: isTaken,
	}.tryPod(t, p)
	vip, vipAddress := makeVip(t, namespace(t, nil))
	nodes, err := world.Kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 || len(nodes.Items[0].Status.Addresses) == 0 {
		t.Fatalf("no node with an address: %v, %v", nodes, err)
	}
	service, err := world.Kube.CoreV1().
		Services(metav1.NamespaceDefault).
		Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for address, whose := range map[string]string{
		vipAddress: "Vip " + vip, nodes.Items[0].Status.Addresses[0].Address: "node " + nodes.Items[0].Name,
		service.Spec.ClusterIP: "service default/kubernetes",
	} {
		annotations := map[string]string{ipAddress: address}
		eventually(t, "the program to know whose "+address+" is", func() (bool, error) {
			_, err := p.dryRun(t.Context(), tenantNamespace, annotations)
			return err != nil && strings.Contains(err.Error(), isTaken), nil
		})
		wish{name: whose, annotations: annotations, refused: address + isTaken}.try(t, p)
	}
	body, err := admin(t).do(t.Context(), http.MethodGet, vipsPath+"/"+vip, nil)
	if err != nil {
		t.Fatal(err)
	}
	wish{
		name:        "a Vip's MAC",
		annotations: map[string]string{macAddress: fieldOf(t, body, "status", "mac")},
		refused:     isTaken,
	}.try(
		t,
		p,
	)
}

func TestThreat10Layer2Forward(t *testing.T) {
	wish{
		name:        "true",
		annotations: map[string]string{layer2Forward: "true"},
		keeps:       map[string]string{layer2Forward: "", portSecurity: "true"},
	}.try(
		t,
		tenant(t),
	)
}

func TestThreat22FakeOwner(t *testing.T) {
	p := tenant(t)
	yes := true
	wish{
		name:    "a virtual machine",
		refused: "VirtualMachineInstance",
		owners: []metav1.OwnerReference{
			{
				APIVersion: "kubevirt.io/v1",
				Kind:       "VirtualMachineInstance",
				Name:       "db",
				UID:        "7b1f6d4e-0000-4000-8000-000000000001",
				Controller: &yes,
			},
		},
	}.try(t, p)
	wish{
		name:    "in a group that begins like KubeVirt's",
		refused: "VirtualMachineInstance",
		owners: []metav1.OwnerReference{
			{
				APIVersion: "kubevirt.io.example.org/v1",
				Kind:       "VirtualMachineInstance",
				Name:       "db",
				UID:        "7b1f6d4e-0000-4000-8000-000000000001",
			},
		},
	}.try(t, p)
	pod := allocatedPod(t, p, nil)
	_, err := p.do(
		t.Context(),
		http.MethodPatch,
		"/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name,
		map[string]any{"metadata": map[string]any{
			"ownerReferences": []metav1.OwnerReference{
				{
					APIVersion: "kubevirt.io/v1",
					Kind:       "VirtualMachineInstance",
					Name:       "db",
					UID:        "7b1f6d4e-0000-4000-8000-000000000001",
				},
			},
		}},
	)
	mustRefuse(t, "a virtual machine afterwards", err, "VirtualMachineInstance db")
	unchanged(t, pod)
}

func TestThreat26SelfExemptLabel(t *testing.T) {
	p := tenant(t)
	for key, value := range map[string]string{
		"cozystack.io/system": "true", "app": "kube-ovn-webhook", "app.kubernetes.io/name": "kube-ovn-webhook",
		"ovnguard.io/level":            "open",
		"ovn.kubernetes.io/vpc-nat-gw": "true", "ovn.kubernetes.io/vpc-egress-gateway": "true",
		"app.kubernetes.io/part-of": "ovnguard",
	} {
		wish{
			name:        key,
			labels:      map[string]string{key: value},
			annotations: map[string]string{portSecurity: "false"},
			keeps:       map[string]string{portSecurity: "true"},
		}.tryPod(
			t,
			p,
		)
	}
	wish{
		name:        "through workloads",
		labels:      map[string]string{"cozystack.io/system": "true", "ovnguard.io/level": "open"},
		annotations: map[string]string{portSecurity: "false"},
		keeps:       map[string]string{portSecurity: "true"},
	}.try(t, p)
}

func TestThreatT04ControllersOwnKeys(t *testing.T) {
	p := tenant(t)
	for _, suffix := range []kubeovn.Suffix{
		kubeovn.Allocated, kubeovn.Routed, kubeovn.CIDR, kubeovn.Gateway, "virtualmachine", "vlan_id",
		"provider_network",
	} {
		key := kubeovn.DefaultProvider.Key(suffix)
		wish{name: key, annotations: map[string]string{key: "true"}, refused: key}.tryPod(t, p)
	}
	key := kubeovn.DefaultProvider.Key(kubeovn.Allocated)
	wish{name: "through workloads", annotations: map[string]string{key: "true"}, refused: key}.try(t, p)
}

func TestThreatT07ForeignVIPs(t *testing.T) {
	p := tenant(t)
	wish{name: "aaps", annotations: map[string]string{kubeovn.AAPs: "someones-vip"}, refused: kubeovn.AAPs}.try(t, p)
	wish{
		name:        "vip",
		annotations: map[string]string{"ovn.kubernetes.io/vip": "someones-vip"},
		refused:     "ovn.kubernetes.io/vip",
	}.try(
		t,
		p,
	)
}

func TestThreatT08MACForms(t *testing.T) {
	p := tenant(t)
	for _, mac := range []string{
		"0a-58-0a-10-00-99", "0a58.0a10.0099", "0a:58:0a:10:00:99:00:01", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff",
		"00:00:00:00:00:00",
	} {
		wish{name: mac, annotations: map[string]string{macAddress: mac}, refused: macAddress}.tryPod(t, p)
	}
	wish{
		name: "in the networks annotation",
		annotations: map[string]string{
			kubeovn.Networks: `[{"name":"blue","mac":"0a-58-0a-10-00-99"}]`,
		},
		refused: kubeovn.Networks,
	}.tryPod(t, p)
	wish{
		name:        "through workloads",
		annotations: map[string]string{macAddress: "0a-58-0a-10-00-99"},
		refused:     macAddress,
	}.try(
		t,
		p,
	)
}

// Kube-OVN assigns addresses of any pool that a pod names, and puts NICs on any network; admission enforces the
// namespaces of a pool or a subnet.
func TestThreatT09ForeignPoolAndNetwork(t *testing.T) {
	const kubeovnPath = "/apis/kubeovn.io/v1/"
	p, name := tenant(t), unique("theirs")
	elsewhere := []string{namespace(t, nil)}
	for path, object := range map[string]map[string]any{
		"ippools": {
			"kind": "IPPool",
			"spec": map[string]any{
				"subnet": "ovn-default", "namespaces": elsewhere, "ips": []string{"10.16.200.1..10.16.200.9"},
			},
		},
		"subnets": {
			"kind": "Subnet",
			"spec": map[string]any{
				"cidrBlock": "10.77.0.0/24", "gateway": "10.77.0.1", "provider": name + "." + elsewhere[0] + ".ovn",
				"namespaces": elsewhere,
			},
		},
	} {
		object["apiVersion"], object["metadata"] = "kubeovn.io/v1", map[string]any{"name": name}
		if _, err := admin(t).do(t.Context(), http.MethodPost, kubeovnPath+path, object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := admin(t).do(cleanup(t), http.MethodDelete, kubeovnPath+path+"/"+name, nil); err != nil {
				t.Error(err)
			}
		})
	}
	nodes := kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)
	wish{
		name:        "the nodes' subnet",
		annotations: map[string]string{nodes: kubeovn.JoinSubnet},
		refused:     nodes,
	}.tryPod(
		t,
		p,
	)
	pool := kubeovn.DefaultProvider.Key(kubeovn.IPPool)
	for key, value := range map[string]string{
		pool: name, kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): name,
		kubeovn.Networks: elsewhere[0] + "/" + name, kubeovn.DefaultNetwork: elsewhere[0] + "/" + name,
	} {
		annotations := map[string]string{key: value}
		eventually(t, "the program to know for whom "+name+" is", func() (bool, error) {
			_, err := p.dryRun(t.Context(), tenantNamespace, annotations)
			return err != nil && strings.Contains(err.Error(), "for other namespaces"), nil
		})
		wish{name: key, annotations: annotations, refused: key}.try(t, p)
		if _, err := admin(t).dryRun(t.Context(), elsewhere[0], annotations); err != nil {
			t.Errorf("%s in the namespace that it is for: %v", key, err)
		}
	}
}

func TestThreatT10VirtualMachineKey(t *testing.T) {
	key := kubeovn.DefaultProvider.Key("virtualmachine")
	wish{name: key, annotations: map[string]string{key: "db"}, refused: key}.try(t, tenant(t))
}

func TestThreatT11MigrationJob(t *testing.T) {
	wish{
		name:        "plain pod",
		annotations: map[string]string{kubeovn.MigrationJob: "job-1"},
		refused:     kubeovn.MigrationJob,
	}.try(
		t,
		tenant(t),
	)
}

func TestThreatT16ExternalAddresses(t *testing.T) {
	p := tenant(t)
	for _, suffix := range []kubeovn.Suffix{"eip", "snat", "north_gateway"} {
		key := kubeovn.DefaultProvider.Key(suffix)
		wish{name: key, annotations: map[string]string{key: "203.0.113.7"}, refused: key}.tryPod(t, p)
	}
	key := kubeovn.DefaultProvider.Key("eip")
	wish{name: "through workloads", annotations: map[string]string{key: "203.0.113.7"}, refused: key}.try(t, p)
}
