package governance

import (
	"encoding/json"
	"maps"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func vipRequest(t testing.TB, name string, spec, old object) *admissionv1.AdmissionRequest {
	t.Helper()
	var before any
	if old != nil {
		before = object{"metadata": object{"name": name}, "spec": old}
	}
	req := request(t, "vips.kubeovn.io", object{"metadata": object{"name": name}, "spec": spec}, before)
	req.Name = name
	return req
}

func TestThreatT07Vips(t *testing.T) {
	own := object{"namespace": "shop", "subnet": "ovn-default", "v4ip": "10.16.0.77"}
	with := func(key string, value any) object {
		o := object{}
		maps.Copy(o, own)
		o[key] = value
		return o
	}
	cases := map[string]struct {
		name      string
		spec, old object
		words     []string
	}{
		"own":                 {spec: own},
		"another's namespace": {spec: with("namespace", "bank"), words: []string{"spec.namespace", "bank"}},
		"given away": {
			spec:  with("namespace", "bank"),
			old:   own,
			words: []string{"spec.namespace", "bank", "give it addresses"},
		},
		"taken from another": {
			spec:  own,
			old:   with("namespace", "bank"),
			words: []string{"spec.namespace", "bank", "take its Vip"},
		},
		"taken from the cluster": {
			spec:  own,
			old:   with("namespace", ""),
			words: []string{"spec.namespace", "without a namespace", "ovn-default"},
		},
		"given to the cluster": {
			spec:  with("namespace", ""),
			old:   own,
			words: []string{"spec.namespace", "without a namespace", "ovn-default"},
		},
		"without a namespace": {
			spec:  object{"subnet": "ovn-default"},
			words: []string{"spec.namespace", "without a namespace", "update subnet"},
		},
		"of none, by right": {spec: object{"subnet": "bank-net"}},
		"of none, by one's pods": {
			spec:  object{"namespace": "", "subnet": "ovn-default", "v4ip": "10.16.0.77"},
			words: []string{"spec.namespace", "without a namespace"},
		},
		"no such subnet": {
			spec:  with("subnet", "nowhere"),
			words: []string{"spec.subnet", `no subnet "nowhere"`, "create it first"},
		},
		"no subnet": {spec: object{"namespace": "shop"}, words: []string{"spec.subnet", `no subnet ""`}},
		"of none, on no subnet": {
			spec:  object{"subnet": "later"},
			words: []string{"spec.subnet", `no subnet "later"`},
		},
		"moved to none such": {
			spec:  with("subnet", "nowhere"),
			old:   own,
			words: []string{"spec.subnet", `no subnet "nowhere"`},
		},
		"a MAC that OVN ignores": {
			spec:  with("macAddress", "0a-00-00-00-00-09"),
			words: []string{"spec.macAddress", "would check nothing"},
		},
		"a group's MAC": {
			spec:  with("macAddress", "01:00:5e:00:00:09"),
			words: []string{"spec.macAddress", "a unicast address"},
		},
		"another's subnet": {
			spec:  with("subnet", "bank-net"),
			words: []string{"spec.subnet", "spec.namespaces"},
		},
		"the nodes' subnet":       {spec: with("subnet", "join"), words: []string{"spec.subnet", "is for nodes only"}},
		"another's address":       {spec: with("v4ip", "10.16.0.20"), words: []string{"port web-0.bank"}},
		"gateway":                 {spec: with("v4ip", "10.16.0.1"), words: []string{"gateway"}},
		"node":                    {spec: with("v4ip", "192.168.7.1"), words: []string{"node node-1"}},
		"mapped":                  {spec: with("v6ip", "::ffff:10.16.0.20"), words: []string{"spec.v6ip"}},
		"another's address later": {spec: with("v4ip", "10.16.0.20"), old: own, words: []string{"web-0.bank"}},
		"another's MAC":           {spec: with("macAddress", "00:00:00:00:00:02"), words: []string{"web-0.bank"}},
		"a gateway's MAC": {
			spec:  with("macAddress", "00:00:00:00:00:fe"),
			words: []string{"spec.macAddress", "the gateway of subnet ovn-default"},
		},
		"another Vip's MAC": {
			spec:  with("macAddress", "00:00:00:00:00:bb"),
			words: []string{"spec.macAddress", "Vip bank-vip"},
		},
		"a Service outside":      {spec: with("v4ip", "203.0.113.7"), words: []string{"service bank/ledger"}},
		"own Service outside":    {spec: with("v4ip", "203.0.113.8")},
		"a gateway, by its name": {name: "ovn-default", spec: with("v4ip", "10.16.0.1"), words: []string{"gateway"}},
		"of a balancer": {
			spec:  with("type", "switch_lb_vip"),
			words: []string{"spec.type", "switch_lb_vip", "update subnet"},
		},
		"of a machine": {
			spec:  with("type", "kube_host_vm_vip"),
			words: []string{"spec.type", "kube_host_vm_vip"},
		},
		"of a balancer, for none": {
			spec:  object{"subnet": "ovn-default", "type": "switch_lb_vip"},
			words: []string{"spec.type"},
		},
		"made one of a balancer": {spec: with("type", "switch_lb_vip"), old: own, words: []string{"spec.type"}},
		"no longer a balancer's": {spec: own, old: with("type", "switch_lb_vip"), words: []string{"spec.type"}},
		"a balancer's, moved": {
			spec:  object{"namespace": "shop", "subnet": "shop-net", "type": "switch_lb_vip"},
			old:   with("type", "switch_lb_vip"),
			words: []string{"spec.type"},
		},
		"a balancer's, by right": {spec: object{"subnet": "bank-net", "type": "switch_lb_vip"}},
		"a balancer's, on join": {
			spec:  object{"subnet": "join", "type": "switch_lb_vip"},
			words: []string{"spec.subnet", "is for nodes only"},
		},
		"own address again": {name: "shop-vip", spec: with("v4ip", "10.16.0.100"), old: own},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cluster := honouring()
			cluster.rights = []string{
				"alice create pods. shop/",
				"alice update subnets.kubeovn.io /bank-net",
				"alice update subnets.kubeovn.io /join",
				"alice update subnets.kubeovn.io /later",
			}
			if c.name == "" {
				c.name = "mine"
			}
			a, err := guardOf(cluster).Vip(t.Context(), vipRequest(t, c.name, c.spec, c.old))
			expect(t, a, err, c.words...)
			req := vipRequest(t, c.name, c.spec, c.old)
			req.UserInfo.Username = "system:serviceaccount:kube-system:ovn"
			a, err = guardOf(cluster).Vip(t.Context(), req)
			expect(t, a, err)
		})
	}
	// The author of a Vip may not write the address that it was given, by any path.
	req := vipRequest(t, "mine", own, own)
	req.SubResource = "status"
	raw, err := json.Marshal(
		object{"metadata": object{"name": "mine"}, "spec": own, "status": object{"v4ip": "10.16.0.1"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	req.Object = runtime.RawExtension{Raw: raw}
	a, err := guardOf(honouring()).Vip(t.Context(), req)
	expect(t, a, err, "status")
}

func TestThreatT21VipNames(t *testing.T) {
	for name, why := range map[string]string{
		"web-0.bank": "without dots", "a.b": "without dots",
		"node-node-1": "a node's port", "node-later": "a node's port", "node-1": "a node's port",
		"ovn-default-ovn-cluster": "subnet ovn-default", "ovn-cluster-ovn-default": "subnet ovn-default",
		"join-ovn-cluster": "subnet join", "later-ovn-cluster": "ovn-cluster",
		"eth": "a port on switch ovn-default", "worker": "a port on switch join", "float": "a port on switch " +
			"ovn-default",
	} {
		a, err := guardOf(
			mayUpdate("ovn-default"),
		).Vip(t.Context(), vipRequest(t, name, object{"subnet": "ovn-default"}, nil))
		expect(t, a, err, "metadata.name", why)
		// An existing Vip keeps its name.
		a, err = guardOf(
			mayUpdate("ovn-default", "other"),
		).Vip(t.Context(), vipRequest(t, name, object{"subnet": "ovn-default"}, object{"subnet": "other"}))
		expect(t, a, err)
	}
	for _, name := range []string{"plain", "was-vip"} {
		a, err := guardOf(
			mayUpdate("ovn-default"),
		).Vip(t.Context(), vipRequest(t, name, object{"subnet": "ovn-default"}, nil))
		expect(t, a, err)
	}
}

// mayUpdate returns a cluster in which alice may change these subnets.
func mayUpdate(subnets ...string) *tableCluster {
	c := honouring()
	for _, name := range subnets {
		c.rights = append(c.rights, "alice update subnets.kubeovn.io /"+name)
	}
	return c
}

// whole returns a request for a Vip with everything that its author may write. With the old one it is a change.
func whole(t *testing.T, now, old object) *admissionv1.AdmissionRequest {
	t.Helper()
	var before any
	if old != nil {
		before = old
	}
	req := request(t, "vips.kubeovn.io", now, before)
	req.Name = "mine"
	return req
}

// Every field of a Vip counts when it is changed: its selector says which pods send from its addresses, and it is
// deleted together with its owners.
func TestThreatT38VipChanged(t *testing.T) {
	spec := func(pairs ...any) object {
		o := object{"namespace": "bank", "subnet": "bank-net", "v4ip": "10.17.0.77"}
		for i := 0; i < len(pairs); i += 2 {
			o[pairs[i].(string)] = pairs[i+1]
		}
		return o
	}
	meta := func(pairs ...any) object {
		o := object{"name": "mine"}
		for i := 0; i < len(pairs); i += 2 {
			o[pairs[i].(string)] = pairs[i+1]
		}
		return o
	}
	was := object{
		"metadata": meta("labels", object{"ovn.kubernetes.io/ip_reserved": "web-0.bank"}),
		"spec":     spec("selector", []string{"app:db"}),
	}
	for name, c := range map[string]struct {
		now     object
		changes bool
	}{
		"nothing": {was, false},
		"a label of one's own": {
			object{
				"metadata": meta("labels", object{"ovn.kubernetes.io/ip_reserved": "web-0.bank", "team": "x"}),
				"spec":     was["spec"],
			},
			false,
		},
		"what says nothing": {
			object{
				"metadata": was["metadata"],
				"spec":     spec("selector", []string{"app:db"}, "attachSubnets", []string{}, "v6ip", "", "type", nil),
				"status":   object{"v4ip": ""},
			},
			false,
		},
		"the selector": {
			object{"metadata": was["metadata"], "spec": spec("selector", []string{"app:web"})}, true,
		},
		"no selector": {object{"metadata": was["metadata"], "spec": spec()}, true},
		"attached subnets": {
			object{
				"metadata": was["metadata"],
				"spec":     spec("selector", []string{"app:db"}, "attachSubnets", []string{"x"}),
			},
			true,
		},
		"a field of tomorrow": {
			object{"metadata": was["metadata"], "spec": spec("selector", []string{"app:db"}, "shared", true)}, true,
		},
		"the address": {
			object{"metadata": was["metadata"], "spec": spec("selector", []string{"app:db"}, "v4ip", "10.17.0.78")},
			true,
		},
		"Kube-OVN's note": {object{"metadata": meta(), "spec": was["spec"]}, true},
		"an owner that is gone": {
			object{
				"metadata": meta(
					"labels", object{"ovn.kubernetes.io/ip_reserved": "web-0.bank"}, "ownerReferences",
					[]object{{"uid": "1"}},
				),
				"spec": was["spec"],
			},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := guardOf(honouring()).Vip(t.Context(), whole(t, c.now, was))
			if !c.changes {
				expect(t, a, err)
				return
			}
			expect(t, a, err, "spec.namespace", "may not create pods in namespace bank")
			mine := honouring()
			mine.rights = []string{"alice create pods. bank/"}
			mine.namespaces["bank"] = policy.Namespace{Name: "bank"}
			a, err = guardOf(mine).Vip(t.Context(), whole(t, c.now, was))
			expect(t, a, err)
		})
	}
}

// Deleting a Vip frees its addresses, and deletes its port.
func TestThreatT38VipDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		spec  object
		words []string
	}{
		"another's": {
			object{"namespace": "bank", "subnet": "bank-net"}, []string{"spec.namespace", "bank", "delete its Vip"},
		},
		"one's own":                {object{"namespace": "shop", "subnet": "ovn-default"}, nil},
		"one's own, of a gone one": {object{"namespace": "shop", "subnet": "gone"}, nil},
		"the cluster's": {
			object{"subnet": "ovn-default"}, []string{"spec.namespace", "without a namespace", "ovn-default"},
		},
		"the cluster's, by right": {object{"subnet": "bank-net"}, nil},
		"a balancer's": {
			object{"namespace": "shop", "subnet": "ovn-default", "type": "switch_lb_vip"},
			[]string{"spec.type", "ovn-default"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := mayUpdate("bank-net")
			cluster.rights = append(cluster.rights, "alice create pods. shop/")
			req := request(t, "vips.kubeovn.io", nil, object{"metadata": object{"name": "x.y"}, "spec": c.spec})
			a, err := guardOf(cluster).Vip(t.Context(), req)
			expect(t, a, err, c.words...)
			for _, account := range []string{"system:serviceaccount:kube-system:ovn", collectors[0]} {
				req.UserInfo.Username = account
				a, err = guardOf(honouring()).Vip(t.Context(), req)
				expect(t, a, err)
			}
		})
	}
}

// The port of a Vip with a type has the name of a pod's port, if such a pod exists.
func TestThreatT21VipsWithPorts(t *testing.T) {
	typed := func(name, namespace, subnet string) *admissionv1.AdmissionRequest {
		return vipRequest(t, name, object{"namespace": namespace, "subnet": subnet, "type": "kube_host_vm_vip"}, nil)
	}
	judge := func(req *admissionv1.AdmissionRequest, words ...string) {
		t.Helper()
		cluster := mayUpdate("ovn-default", "blue")
		cluster.rights = append(cluster.rights, "alice create pods. shop/", "alice create pods. bank/")
		g := guardOf(cluster)
		g.feed(func(inv *inventory.Inventory) {
			inv.SetSubnet(inventory.Subnet{Name: "blue", Provider: "blue.lab"})
			inv.SetRecord(&inventory.Record{Name: "db.shop.blue.lab", Subnet: "blue", IPs: []string{"10.44.0.5"}})
		})
		a, err := g.Vip(t.Context(), req)
		expect(t, a, err, words...)
	}
	judge(typed("web-0", "shop", "ovn-default"), "metadata.name", "web-0.shop", "pod shop/web-0")
	judge(typed("db", "shop", "blue"), "metadata.name", "db.shop.blue.lab", "an IP resource")
	judge(typed("web-1", "shop", "ovn-default"))
	judge(typed("db", "shop", "ovn-default"))
	judge(
		vipRequest(t, "web-0", object{"namespace": "shop", "subnet": "ovn-default"}, nil),
	) // pods share it, so it has no such port
}
