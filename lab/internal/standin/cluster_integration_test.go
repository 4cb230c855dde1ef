//go:build integration

package standin

import (
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
)

// spec is the spec of a custom resource.
type spec = map[string]any

// makeCluster makes the objects that the cluster of the recordings had: namespaces, nodes, subnets, attachments, groups
// and Vips.
func (p *replay) makeCluster() {
	p.t.Helper()
	for _, node := range []string{"node-b", "node-a"} {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}
		_, err := p.kube.CoreV1().Nodes().Create(p.t.Context(), n, metav1.CreateOptions{})
		check(p.t, err)
	}
	p.make(crd.VPCs, "Vpc", "", "vpc1", spec{"namespaces": []any{"t-vpc"}})
	p.make(crd.Vlans, "Vlan", "", "vlan100", spec{"id": int64(100), "provider": "pn1"})
	p.make(crd.Vlans, "Vlan", "", "vlan200", spec{"id": int64(200), "provider": "pn1"})
	for name, s := range map[string]spec{
		"dual-net": {
			"cidrBlock": "10.20.0.0/16,fd00:20::/112", "gateway": "10.20.0.1,fd00:20::1", "namespaces": []any{"t-dual"},
			"vips": []any{"10.20.200.50"},
		},
		"nad1-net":     {"cidrBlock": "10.90.0.0/16", "provider": "nad1.t-nad.ovn"},
		"nad2-net":     {"cidrBlock": "10.91.0.0/16,fd00:91::/112", "provider": "nad2.t-nad.ovn"},
		"macvlan-net":  {"cidrBlock": "10.92.0.0/16", "provider": "macvlan1.t-nad"},
		"dhcp-net":     {"cidrBlock": "10.60.0.0/24,fd00:60::/112", "enableDHCP": true},
		"priv-net":     {"cidrBlock": "10.80.0.0/24", "private": true, "allowSubnets": []any{"10.16.0.0/16"}},
		"vpc1-net":     {"cidrBlock": "10.70.0.0/24", "vpc": "vpc1", "namespaces": []any{"t-vpc"}},
		"underlay-net": {"cidrBlock": "10.50.0.0/24", "vlan": "vlan100"},
		"maconly-net":  {"vlan": "vlan200"},
	} {
		p.make(crd.Subnets, "Subnet", "", name, s)
	}
	for _, name := range []string{"t-plain", "t-dual", "t-nad", "t-vpc", "t-upd", "t-drift", "t-np-a", "t-np-b"} {
		p.namespace(name, nil)
	}
	for name, team := range map[string]string{"t-np-a": "a", "t-np-b": "b", "t-dual": "dual", "t-plain": "plain"} {
		p.labelNamespace(name, map[string]any{"team": team})
	}
	p.namespace("t-nsann", map[string]string{
		"ovn.kubernetes.io/port_security": "true", "ovn.kubernetes.io/layer2_forward": "true",
		"ovn.kubernetes.io/port_vips": "10.16.201.9", "ovn.kubernetes.io/security_groups": "sg1",
	})
	for _, name := range []string{"nad1", "nad2"} {
		p.make(
			crd.NADs,
			"NetworkAttachmentDefinition",
			"t-nad",
			name,
			spec{"config": fmt.Sprintf(`{"cniVersion":"0.3.0","type":"kube-ovn","provider":"%s.t-nad.ovn"}`, name)},
		)
	}
	p.make(
		crd.NADs,
		"NetworkAttachmentDefinition",
		"t-nad",
		"macvlan1",
		spec{
			"config": `{"cniVersion":"0.3.0","type":"macvlan","master":"eth0","ipam":{"type":"kube-ovn","provider":"macvlan1.t-nad"}}`,
		},
	)
	p.make(crd.SecurityGroups, "SecurityGroup", "", "sg1", spec{
		"allowSameGroupTraffic": true,
		"ingressRules": []any{
			spec{
				"ipVersion": "ipv4", "protocol": "tcp", "priority": int64(1), "remoteType": "address",
				"remoteAddress": "10.16.0.0/16", "portRangeMin": int64(80), "portRangeMax": int64(443),
				"policy": "allow",
			},
			spec{
				"ipVersion": "ipv4", "protocol": "icmp", "priority": int64(2), "remoteType": "address",
				"remoteAddress": "0.0.0.0/0", "policy": "drop",
			},
		},
		"egressRules": []any{spec{
			"ipVersion": "ipv4", "protocol": "all", "priority": int64(10), "remoteType": "address",
			"remoteAddress": "0.0.0.0/0", "policy": "allow",
		}},
	})
	p.make(crd.SecurityGroups, "SecurityGroup", "", "sg2", spec{
		"ingressRules": []any{
			spec{
				"ipVersion": "ipv4", "protocol": "all", "priority": int64(1), "remoteType": "securityGroup",
				"remoteSecurityGroup": "sg1", "policy": "allow",
			},
			spec{
				"ipVersion": "ipv6", "protocol": "all", "priority": int64(1), "remoteType": "address",
				"remoteAddress": "::/0", "policy": "allow",
			},
		},
		"egressRules": []any{spec{
			"ipVersion": "ipv4", "protocol": "all", "priority": int64(10), "remoteType": "address",
			"remoteAddress": "10.0.0.0/8", "policy": "allow",
		}},
	})
	p.waitFor("subnets and groups", func() bool { // Vips take their addresses in the order of their creation
		for _, s := range p.standin.subnets.list() {
			if len(s.Status.Conditions) == 0 {
				return false
			}
		}
		return len(p.standin.subnets.list()) == 11 && len(p.standin.groups.list()) == 2 &&
			len(p.standin.nads.list()) == 3
	})
	for name, s := range map[string]spec{
		"vip-aap": {"namespace": "t-plain", "subnet": "ovn-default", "v4ip": "10.16.200.100"},
		"vip-aap-sel": {
			"namespace": "t-plain", "subnet": "ovn-default", "v4ip": "10.16.200.101", "selector": []any{"app: aapsel"},
		},
		"vip-otherns": {"namespace": "t-np-a", "subnet": "ovn-default", "v4ip": "10.16.200.102"},
		"vip-upd":     {"namespace": "t-upd", "subnet": "ovn-default", "v4ip": "10.16.200.110"},
		"vip-dual":    {"namespace": "t-dual", "subnet": "dual-net"},
	} {
		p.make(crd.Vips, "Vip", "", name, s)
	}
	p.waitFor("vips", func() bool {
		for _, v := range p.standin.vips.list() {
			if v.Status.MAC == "" {
				return false
			}
		}
		return len(p.standin.vips.list()) == 5
	})
	p.settle()
}

func (p *replay) waitFor(what string, ready func() bool) {
	p.t.Helper()
	for end := time.Now().Add(settleTimeout); !ready() || !p.standin.queue.idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("no %s after %v", what, settleTimeout)
		}
	}
}

// makePod makes the pod of a recording.
func (p *replay) makePod(r *recording) {
	p.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   r.Namespace,
			Name:        r.Pod,
			Labels:      r.Labels,
			Annotations: map[string]string{},
		},
		Spec: corev1.PodSpec{NodeName: r.Node, HostNetwork: r.HostNetwork},
	}
	maps.Copy(pod.Annotations, r.Given)
	if r.ID == "U22" {
		pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	}
	if kind, name, ok := strings.Cut(r.Owner, "/"); ok {
		yes := true
		owner := metav1.OwnerReference{
			APIVersion: "apps/v1",
			Kind:       kind,
			Name:       name,
			UID:        types.UID(name),
			Controller: &yes,
		}
		if kind == "VirtualMachineInstance" {
			owner.APIVersion = "kubevirt.io/v1"
			pod.Annotations["kubevirt.io/domain"] = name // KubeVirt's own
		}
		pod.OwnerReferences = []metav1.OwnerReference{owner}
	}
	p.pod(pod)
}

// playActors makes pods that are not among the recorded cases but take part in experiments on others.
func (p *replay) playActors() {
	for _, r := range []recording{
		{
			Namespace: "t-plain", Pod: "e02-aap-ps",
			Given: map[string]string{"ovn.kubernetes.io/port_security": "true", "ovn.kubernetes.io/aaps": "vip-aap"},
		},
		{
			Namespace: "t-plain", Pod: "e07-aap-vips",
			Given: map[string]string{
				"ovn.kubernetes.io/aaps": "vip-aap", "ovn.kubernetes.io/port_vips": "10.16.200.77",
			},
		},
		{Namespace: "t-dual", Pod: "e06-aap-dual", Given: map[string]string{"ovn.kubernetes.io/aaps": "vip-dual"}},
	} {
		r.Node = "node-a"
		p.makePod(&r)
	}
	p.settle()
}
