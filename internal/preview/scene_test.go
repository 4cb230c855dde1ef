package preview

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// Keys of the tests.
const (
	ps   = "ovn.kubernetes.io/port_security"
	l2   = "ovn.kubernetes.io/layer2_forward"
	ip   = "ovn.kubernetes.io/ip_address"
	hw   = "ovn.kubernetes.io/mac_address"
	lsp  = "ovn.kubernetes.io/logical_switch"
	vips = "ovn.kubernetes.io/port_vips"
	eip  = "ovn.kubernetes.io/eip"
	pool = "ovn.kubernetes.io/ip_pool"
)

// town returns a cluster with two tenants: namespace "t" and its neighbour "u".
func town() *inventory.Inventory {
	inv := inventory.New()
	for _, ns := range []string{"t", "u"} {
		inv.SetNamespace(policy.Namespace{Name: ns, Annotations: map[string]string{lsp: "ovn-default"}})
	}
	for _, s := range []inventory.Subnet{
		{Name: "ovn-default", Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")}},
		{Name: "theirs", Namespaces: []string{"u"}},
		{Name: "join"},
		{Name: "their-blue", Provider: "blue.u.ovn", Namespaces: []string{"u"}},
	} {
		inv.SetSubnet(s)
	}
	inv.SetPool(inventory.Pool{Name: "their-pool", Subnet: "ovn-default", Namespaces: []string{"u"}})
	inv.SetVip(inventory.Vip{
		Name:      "mine",
		Namespace: "t",
		Subnet:    "ovn-default",
		Addresses: []netip.Addr{netip.MustParseAddr("10.16.0.100")},
	})
	inv.SetAttachment(kubeovn.Attachment{Namespace: "t", Name: "green"}, kubeovn.KindOVN)
	inv.SetAttachment(kubeovn.Attachment{Namespace: "t", Name: "macvlan"}, kubeovn.KindForeign)
	inv.SetAttachment(kubeovn.Attachment{Namespace: "u", Name: "blue"}, kubeovn.KindOVN)
	starts(inv, pod("u", "victim"), "10.16.0.5", "0a:00:00:00:00:05")
	return inv
}

// pod returns a pod with annotations, written as key, value, key, value.
func pod(namespace, name string, keyValues ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-" + name), Annotations: map[string]string{},
	}}
	for i := 0; i < len(keyValues); i += 2 {
		p.Annotations[keyValues[i]] = keyValues[i+1]
	}
	return p
}

// owned has an object make the pod.
func owned(p *corev1.Pod, apiVersion, kind, name string) *corev1.Pod {
	p.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: new(true)},
	}
	return p
}

// enters enters the pod as it is.
func enters(inv *inventory.Inventory, p *corev1.Pod) { inv.SetPod(kube.PodOf(p)) }

// starts enters the pod as Kube-OVN leaves it, with the address.
func starts(inv *inventory.Inventory, p *corev1.Pod, address, mac string) {
	for key, value := range map[kubeovn.Suffix]string{
		kubeovn.IPAddress: address, kubeovn.MACAddress: mac, kubeovn.LogicalSwitch: "ovn-default",
		kubeovn.CIDR: "10.16.0.0/16", kubeovn.Gateway: "10.16.0.1", kubeovn.Allocated: "true", kubeovn.Routed: "true",
		kubeovn.LogicalRouter: "ovn-cluster", kubeovn.PodNICType: "veth-pair",
	} {
		p.Annotations[kubeovn.DefaultProvider.Key(key)] = value
	}
	facts := kube.PodOf(p)
	keeper := ""
	if len(p.OwnerReferences) > 0 && p.OwnerReferences[0].Kind == "StatefulSet" {
		keeper = "StatefulSet"
	}
	inv.SetRecord(&inventory.Record{
		Name: kubeovn.PortName(facts.Owner, p.Namespace, kubeovn.DefaultProvider), MAC: mac, IPs: []string{address},
		Subnet: "ovn-default", Keeper: keeper, Of: inventory.PodKey{Namespace: p.Namespace, Name: facts.Owner},
	})
	inv.SetPod(facts)
}

// foresee judges the cluster, with the templates of objects.
func foresee(t testing.TB, inv *inventory.Inventory, objects ...js) map[string]inventory.Foreseen {
	t.Helper()
	var templates []Template
	for _, o := range objects {
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		template, ok, err := TemplateOf(raw)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			templates = append(templates, template)
		}
	}
	c := Cluster{
		Inventory: inv.Snapshot(), Accounts: admission.DefaultAccounts(), LeftOut: "ovnguard-system", Now: now,
	}
	out := make(map[string]inventory.Foreseen)
	for subject, f := range c.Foresee(templates) {
		out[subject.Name] = f
	}
	return out
}

type js = map[string]any

// workload returns an object with a template that has these annotations.
func workload(apiVersion, kind, name string, annotations map[string]string) js {
	template := js{"metadata": js{"annotations": annotations}, "spec": js{}}
	o := js{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": js{"namespace": "t", "name": name, "uid": "uid-" + name},
		"spec":     js{"template": template},
	}
	switch kind {
	case "CronJob":
		o["spec"] = js{"jobTemplate": js{"spec": js{"template": template}}}
	case "VirtualMachineInstance":
		o["spec"] = js{}
		o["metadata"].(js)["annotations"] = annotations
	}
	return o
}

// madeFrom has an object made from another one.
func madeFrom(o js, apiVersion, kind, name string) js {
	o["metadata"].(js)["ownerReferences"] = []js{
		{"apiVersion": apiVersion, "kind": kind, "name": name, "uid": "uid-" + name, "controller": true},
	}
	return o
}

// exists says that a workload is there, with what it is made from.
func exists(inv *inventory.Inventory, kind, name string, parent *policy.Owner) {
	inv.SetWorkload(inventory.Workload{
		Object:    policy.Owner{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "uid-" + name},
		Namespace: "t", Parent: parent,
	})
}

// exceptionFor grants 192.0.2.0/24 to the pods of an owner.
func exceptionFor(o *policy.Owner) policy.Exception {
	return policy.Exception{
		Namespace: "t", Name: "grant", Owner: o, Asked: now.Add(-time.Hour), Expires: now.Add(time.Hour),
		Level: policy.Extended,
		Pairs: []portsec.AddressPair{{Prefix: netip.MustParsePrefix("192.0.2.0/24")}},
	}
}
