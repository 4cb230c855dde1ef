package admission

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Each refusal says what was refused, the rule, who may allow it or what to write instead, and, where one is needed,
// the command or object that allows it.
func TestRefusalsTeach(t *testing.T) {
	plain := running()
	owned := pod(ps, "true")
	owned.Metadata.Owners = []OwnerReference{
		{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "u", Controller: true},
	}
	launcher := pod(ps, "true")
	launcher.Metadata.Owners = []OwnerReference{
		{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm1", UID: "u", Controller: true},
	}
	dotted := pod(ps, "true")
	dotted.Metadata.Name = "victim.u.nad.n.ovn"
	router := func(keyValues ...string) Pod {
		p := pod(keyValues...)
		p.Metadata.Labels = map[string]string{"app": "router"}
		return p
	}
	strict := newScene
	cases := map[string]struct {
		scene *scene
		pod   Pod
		old   *Pod
		// what was refused, the rule, who may allow it or what to write, and the command or object
		field, rule, who, how string
	}{
		"unprotected": {
			strict(),
			pod(ps, "false"),
			nil,
			ps,
			"asks for strict",
			"ovnguard-exception-author",
			"PortSecurityException in namespace t",
		},
		"forwarding": {
			strict(),
			pod(ps, "true", l2, "true"),
			nil,
			l2,
			"forbids layer-2 forwarding",
			"ovnguard-exception-author",
			"layer2Forward: Allow",
		},
		"an address": {
			strict(),
			pod(ps, "true", vips, "10.16.0.5"),
			nil,
			vips,
			"no exception grants it",
			"ovnguard-exception-author",
			"Vip with spec.namespace t",
		},
		"another's Vip": {
			strict(),
			pod(ps, "true", "ovn.kubernetes.io/vip", "foreign"),
			nil,
			"ovn.kubernetes.io/vip",
			"has no such Vip",
			"with spec.namespace t",
			"kubectl create",
		},
		"external, default": {
			strict(),
			pod(ps, "true", "ovn.kubernetes.io/eip", "203.0.113.7"),
			nil,
			"eip",
			"does not allow pods",
			"an administrator",
			"spec.externalAddresses",
		},
		"external, by a policy": {
			strict().policy(func(*policy.Policy) {}),
			pod(ps, "true", "ovn.kubernetes.io/snat", "203.0.113.7"),
			nil,
			"snat",
			"PortSecurityPolicy test",
			"an administrator",
			"spec.externalAddresses",
		},
		"security groups": {
			strict().exception(func(*policy.Exception) {}),
			router(ps, "true", groups, "g"),
			nil,
			groups,
			"more than its own addresses",
			"another pod",
			"NetworkPolicy",
		},
		"another's subnet": {
			strict(),
			pod(ps, "true", lsp, "theirs"),
			nil,
			lsp,
			"for other namespaces",
			"a user who may edit it",
			"kubectl patch subnet theirs",
		},
		"another's pool": {
			strict(),
			pod(ps, "true", "ovn.kubernetes.io/ip_pool", "their-pool"),
			nil,
			"ip_pool",
			"for other namespaces",
			"a user who may edit it",
			"kubectl patch ippool their-pool",
		},
		"no such subnet": {
			strict(),
			pod(ps, "true", lsp, "nowhere"),
			nil,
			lsp,
			"there is no subnet",
			"create it first",
			"name an existing subnet",
		},
		"another's address": {
			strict(),
			pod(ps, "true", ip, "10.16.0.5"),
			nil,
			ip,
			"is taken",
			"leave it to Kube-OVN",
			"choose another address",
		},
		"another's MAC": {
			strict(),
			pod(ps, "true", hw, "0a:00:00:00:00:05"),
			nil,
			hw,
			"00:05 is taken",
			"leave it to Kube-OVN",
			"choose another MAC",
		},
		"a MAC with dashes": {
			strict(),
			pod(ps, "true", hw, "0a-00-00-00-00-01"),
			nil,
			hw,
			"check nothing",
			"leave it to Kube-OVN",
			"0a:58:0a:10:00:07",
		},
		"Kube-OVN's own": {
			strict(),
			pod(ps, "true", "ovn.kubernetes.io/allocated", "true"),
			nil,
			"allocated",
			"trusts its value",
			"Kube-OVN writes this annotation itself",
			"leave it out",
		},
		"KubeVirt's own": {
			strict(),
			pod(ps, "true", "kubevirt.io/migrationJobName", "x"),
			nil,
			"migrationJobName",
			"address of another port",
			"accounts of KubeVirt",
			"leave it out",
		},
		"another's workload": {
			strict(),
			owned,
			nil,
			"metadata.ownerReferences",
			"gets the grants",
			"the account of its controller",
			"leave the owner out",
		},
		"another's machine": {
			strict(),
			launcher,
			nil,
			"metadata.ownerReferences",
			"gets the port of that machine",
			"accounts of KubeVirt",
			"leave the owner out",
		},
		"a name with dots": {
			strict(),
			dotted,
			nil,
			"metadata.name",
			"would be named",
			"could not tell the two apart",
			"a name without dots",
		},
		"an address later": {
			strict(),
			running(ip, "0.0.0.0/0"),
			&plain,
			ip,
			"reads this annotation again",
			"only accounts of Kube-OVN",
			"create the pod again",
		},
		"networks later": {
			strict(),
			running(networks, "t/blue"),
			&plain,
			networks,
			"cannot change after it is created",
			"",
			"create the pod again",
		},
		"protection later": {
			strict(),
			without(running(), ps),
			&plain,
			ps,
			"asks for strict",
			"ovnguard-exception-author",
			`write "true"`,
		},
		"a network outside OVN": {
			strict().policy(func(p *policy.Policy) { p.ForbidsOthers = true }),
			pod(ps, "true", "n.t.ovn.kubernetes.io/port_security", "true", networks, "n"),
			nil,
			networks,
			"PortSecurityPolicy test forbids",
			"an administrator",
			"spec.otherNetworks",
		},
		"a label later": {
			strict().exception(func(*policy.Exception) {}),
			router(ps, "true", networks, ""),
			new(pod(ps, "true")),
			"metadata.labels",
			"would become looser",
			"in the exception",
			"create the pod again",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var refused string
			if c.old != nil {
				refused = update(t, c.scene, tenant, "", c.old, &c.pod)
			} else {
				refused = guard(t, c.scene, tenant, &c.pod)
			}
			if refused == "" {
				t.Fatal("allowed")
			}
			if strings.Contains(refused, "portsecuritypolicy ") {
				t.Errorf("it gives whoever makes pods a command that changes policy:\n%s", refused)
			}
			for what, words := range map[string]string{"what was refused": c.field, "the rule": c.rule, "who may " +
				"allow it": c.who, "what would": c.how} {
				if !strings.Contains(refused, words) {
					t.Errorf("it does not say %s (%q):\n%s", what, words, refused)
				}
			}
		})
	}
}
