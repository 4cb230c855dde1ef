package admission

import (
	"encoding/json"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestThreat09ChosenAddress(t *testing.T) {
	for value, whose := range map[string]string{
		"10.16.0.5": "port victim.u", "10.16.0.1": "gateway of subnet ovn-default", "172.18.0.2": "node node1",
		"10.96.0.7":   "service u/db",
		"10.16.0.101": "Vip foreign", "203.0.113.7": "service u/db", "10.19.0.3": "subnet wide",
		"10.16.0.30,10.16.0.5": "port victim.u",
	} {
		_, refused := create(t, newScene(), tenant, pod(ip, value))
		mustRefuse(t, refused, ip, whose)
		first, _, _ := strings.Cut(value, ",")
		if first == value {
			_, refused = create(
				t,
				newScene(),
				tenant,
				pod(networks, `[{"name":"nad","namespace":"n","ips":["`+value+`/16"]}]`),
			)
			mustRefuse(t, refused, networks, whose)
		}
	}
	for key, value := range map[string]string{
		hw: "0a:00:00:00:00:05", "nad.n.ovn.kubernetes.io/mac_address": "0A:00:00:00:00:05",
	} {
		_, refused := create(t, newScene(), tenant, pod(key, value, networks, "n/nad"))
		mustRefuse(t, refused, key, "port victim.u")
	}
	// The gateways' MACs, and the MACs of other things on a switch than pods.
	for mac, whose := range map[string]string{
		"0a:00:00:00:00:fe": "the gateway of subnet ovn-default", "0A:00:00:00:00:FE": "the gateway of subnet " +
			"ovn-default",
		"0a:00:00:00:00:fc": "router port somewhere", "0a:00:00:00:00:fb": "subnet wide", "0a:00:00:00:00:99": "Vip " +
			"foreign",
	} {
		_, refused := create(t, newScene(), tenant, pod(hw, mac))
		mustRefuse(t, refused, hw, whose)
		_, refused = create(t, newScene(), tenant, pod(networks, `[{"name":"nad","namespace":"n","mac":"`+mac+`"}]`))
		mustRefuse(t, refused, networks, whose)
	}
	// A load balancer's address belongs to the pods of the Service's namespace.
	_, refused := create(t, newScene(), tenant, pod(ip, "203.0.113.8"))
	mustAllow(t, refused)
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/ip_pool", "10.16.0.31;10.16.0.1"))
	mustRefuse(t, refused, "ip_pool", "gateway")
	// An address of a network that no router connects to the pod's network is a different address.
	_, refused = create(t, newScene(), tenant, pod(ip, "10.16.0.9", lsp, "ours"))
	mustAllow(t, refused)
	_, refused = create(t, newScene(), tenant, pod(hw, "0a:00:00:00:00:fd", lsp, "ours"))
	mustAllow(t, refused)
	// The pods of one workload share a list, and some of its addresses are taken; a StatefulSet's pod finds its own again.
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/ip_pool", "10.16.0.5,10.16.0.31"))
	mustAllow(t, refused)
	again := pod(ip, "10.16.0.7", hw, "0a:00:00:00:00:07")
	again.Metadata.Name = "web-0"
	_, refused = create(t, newScene(), tenant, again)
	mustAllow(t, refused)
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/ip_pool", "named-pool"))
	mustAllow(t, refused)
}

func TestThreatT08MACForms(t *testing.T) {
	for _, text := range []string{
		"0a-00-00-00-00-30", "0a00.0000.0030", "0a:00:00:00:00:30:00:01", "0a:00:00:00:00", "a:0:0:0:0:30",
		"01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", " 0a:00:00:00:00:30", "x",
	} {
		for _, key := range []string{
			hw, "nad.n.ovn.kubernetes.io/mac_address", "nad.n.kubernetes.io/mac_address.net1",
		} {
			_, refused := create(t, newScene(), tenant, pod(key, text, networks, "n/nad"))
			mustRefuse(t, refused, key)
		}
		entry, err := json.Marshal([]map[string]string{{"name": "nad", "namespace": "n", "mac": text}})
		if err != nil {
			t.Fatal(err)
		}
		_, refused := create(t, newScene(), tenant, pod(networks, string(entry)))
		mustRefuse(t, refused, networks)
	}
	for _, text := range []string{"0a:00:00:00:00:30", "0A:00:00:00:00:30"} {
		_, refused := create(t, newScene(), tenant, pod(hw, text))
		mustAllow(t, refused)
	}
}

func TestThreatT09ForeignSwitch(t *testing.T) {
	for _, key := range []string{lsp, "nad.n.ovn.kubernetes.io/logical_switch"} {
		for _, value := range []string{"theirs", "ours,theirs", "theirs,ours", "nowhere", " ours"} {
			_, refused := create(t, newScene(), tenant, pod(key, value, networks, "n/nad"))
			mustRefuse(t, refused, key)
		}
		for _, value := range []string{"ours", "ovn-default", "island"} {
			_, refused := create(t, newScene(), tenant, pod(key, value, networks, "n/nad"))
			mustAllow(t, refused)
		}
	}
	// Packets from the nodes' subnet pass to private subnets. It is recognised by its usual name, and by the nodes on it.
	for _, value := range []string{"join", "nodes"} {
		_, refused := create(t, newScene(), tenant, pod(lsp, value))
		mustRefuse(t, refused, lsp, "is for nodes only")
	}
	// Kube-OVN writes on the namespace which subnets are bound to it by label, and its own gateways need the subnets of
	// other namespaces.
	s := newScene()
	s.namespace.Annotations = map[string]string{lsp: "ovn-default,theirs"}
	_, refused := create(t, s, tenant, pod(lsp, "theirs"))
	mustAllow(t, refused)
	s = newScene()
	s.namespace.Name = "kube-system"
	req := request("system:serviceaccount:kube-system:statefulset-controller", admissionv1.Create, "")
	gateway := pod(ps, "true", lsp, "theirs", "ovn.kubernetes.io/vpc_nat_gw", "true")
	req.Namespace, req.Object = "kube-system", raw(t, &gateway)
	mustAllow(t, refusal(ask(t, s, GuardPods, req)))
}

func TestThreatT09ForeignPool(t *testing.T) {
	for _, key := range []string{"ovn.kubernetes.io/ip_pool", "nad.n.ovn.kubernetes.io/ip_pool"} {
		for name, words := range map[string][]string{
			"their-pool": {"other namespaces", "spec.namespaces"}, "far-pool": {"theirs", "other namespaces"},
			"no-pool": {"no IPPool"}, "their-pool,": {"their-pool"},
		} {
			_, refused := create(t, newScene(), tenant, pod(key, name, networks, "n/nad"))
			mustRefuse(t, refused, append(words, key)...)
		}
		for _, name := range []string{"our-pool", "named-pool"} {
			_, refused := create(t, newScene(), tenant, pod(key, name, networks, "n/nad"))
			mustAllow(t, refused)
		}
	}
	// Kube-OVN writes on the namespace which pools are bound to it.
	s := newScene()
	s.namespace.Annotations = map[string]string{"ovn.kubernetes.io/ip_pool": "other,their-pool"}
	_, refused := create(t, s, tenant, pod("ovn.kubernetes.io/ip_pool", "their-pool"))
	mustAllow(t, refused)
}

func TestThreatT09ForeignNetwork(t *testing.T) {
	for _, c := range []struct{ key, value string }{
		{networks, "u/blue"},
		{networks, "u/green,u/blue@net7"},
		{networks, `[{"name":"blue","namespace":"u"}]`},
		{kubeovn.DefaultNetwork, "u/blue"},
	} {
		_, refused := create(t, newScene(), tenant, pod(c.key, c.value))
		mustRefuse(t, refused, c.key, "their-blue", "other namespaces")
	}
	_, refused := create(t, newScene(), tenant, pod(networks, "u/green,n/nad"))
	mustAllow(t, refused)
	// A switch that the pod names for the NIC is judged separately.
	_, refused = create(
		t,
		newScene(),
		tenant,
		pod(networks, "u/blue", "blue.u.ovn.kubernetes.io/logical_switch", "ours"),
	)
	mustAllow(t, refused)
}

// Kube-OVN 1.16 names a NIC by its interface where an attachment is listed more than once. The keys of the attachment
// hold for it, and no interface name makes it pass for another attachment's NIC.
func TestThreat11AttachmentListedTwice(t *testing.T) {
	const key = "green.u.ovn.net1.kubernetes.io/port_security"
	open := func() *scene { return newScene().policy(func(p *policy.Policy) { p.Level = policy.Open }) }
	twice := pod(networks, "u/green@net1,u/green@net2", key, "false")
	for what, s := range map[string]*scene{"policy": open(), "namespace": open()} {
		if what == "policy" {
			s.inventory.SetPolicy(policy.Policy{Name: "green", Priority: 9, Providers: policy.Providers{"green.u.ovn"}})
		} else {
			s.namespace.Annotations = map[string]string{"green.u.ovn.kubernetes.io/port_security": "true"}
		}
		stored, refused := create(t, s, tenant, twice)
		mustAllow(t, refused)
		if got := stored.Metadata.Annotations[key]; got != "true" {
			t.Errorf("tightened by %s: %q", what, got)
		}
	}
	for _, name := range []string{"ovn", "x.ovn", "ovn.x", "a.ovn.b"} {
		_, refused := create(t, newScene(), tenant, pod(networks, "u/green@net1,u/green@"+name))
		mustRefuse(t, refused, networks)
	}
}

// An interface that is plugged into a running machine is judged like one of a new pod; the networks that the machine
// had before are not judged again.
func TestThreatT09ForeignNetworkPlugged(t *testing.T) {
	const blue, green = `{"name":"blue","namespace":"u"}`, `{"name":"green","namespace":"u","mac":"0a:00:00:00:00:05"}`
	old, p := running(
		networks,
		"["+blue+"]",
	), running(
		networks,
		"["+blue+","+green+"]",
		"green.u.ovn.kubernetes.io/port_security",
		"true",
	)
	mustRefuse(t, update(t, newScene(), virtualize, "", &old, &p), networks, "victim.u")
	p.Metadata.Annotations[networks] = "[" + blue + `,{"name":"green","namespace":"u"}]`
	mustAllow(t, update(t, newScene(), virtualize, "", &old, &p))
	mustRefuse(
		t,
		update(
			t,
			newScene(),
			virtualize,
			"",
			&p,
			&Pod{Metadata: Metadata{Name: "p", Annotations: map[string]string{networks: "[{"}}},
		),
		networks,
	)
}

func TestThreatT04ControllersOwnKeys(t *testing.T) {
	for _, suffix := range []string{
		"allocated", "routed", "cidr", "gateway", "vlan_id", "provider_network", "virtualmachine",
	} {
		for _, provider := range []kubeovn.Provider{"ovn", "nad.n.ovn", "nad.n.ovn.net1"} {
			key := provider.Key(kubeovn.Suffix(suffix))
			for _, user := range []string{tenant, virtualize, replicas} {
				_, refused := create(t, newScene(), user, pod(key, "true", networks, "n/nad"))
				mustRefuse(t, refused, key)
			}
		}
	}
}

func TestThreatT16ExternalAddresses(t *testing.T) {
	for _, suffix := range []kubeovn.Suffix{"eip", "snat", "north_gateway"} {
		key := kubeovn.DefaultProvider.Key(suffix)
		_, refused := create(t, newScene(), tenant, pod(key, "203.0.113.9"))
		mustRefuse(t, refused, key, "spec.externalAddresses")
		allowing := newScene().policy(func(p *policy.Policy) { p.ExternalAddresses = true })
		_, refused = create(t, allowing, tenant, pod(key, "203.0.113.9"))
		mustAllow(t, refused)
	}
}

func TestThreat21PortNameCollision(t *testing.T) {
	s := newScene()
	s.namespace.Name = "ovn"
	req := request(tenant, admissionv1.Create, "")
	for _, name := range []string{"victim.u.nad.n", "later.u.nad.n"} { // the second one's victim does not exist yet
		p := pod(ps, "true")
		p.Metadata.Name = name
		req.Namespace, req.Object = "ovn", raw(t, &p)
		mustRefuse(t, refusal(ask(t, s, GuardPods, req)), "metadata.name", name+".ovn")
	}
	// With dots in names of attachments there are more ways; a port of a running pod is not given to another pod.
	s = newScene()
	s.inventory.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{
			Namespace: "y",
			Name:      "x",
		},
		Owner:       "x",
		Attachments: []kubeovn.Attachment{{Namespace: "q", Name: "t.p"}},
	})
	p := pod(networks, "q/p")
	p.Metadata.Name = "x.y"
	_, refused := create(t, s, tenant, p)
	mustRefuse(t, refused, "metadata.name", "x.y.t.p.q.ovn", "pod y/x")
}
