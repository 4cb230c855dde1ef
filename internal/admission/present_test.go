package admission

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// For some keys Kube-OVN only checks that they are present: an empty one makes the pod the target of a migration, or
// removes its default NIC.
func TestThreatT11EmptyKeysThatCountByBeingThere(t *testing.T) {
	for _, key := range []string{
		kubeovn.MigrationJob, migrates, "ovn.kubernetes.io/activation_strategy", kubeovn.DefaultNetwork,
	} {
		if key != migrates { // admission removes it from a new pod
			_, refused := create(t, newScene(), tenant, pod(key, ""))
			mustRefuse(t, refused, key)
		}
		old, p := running(), running(key, "")
		for _, path := range []string{"", "status", "binding"} {
			mustRefuse(t, update(t, newScene(), tenant, path, &old, &p), key)
		}
		for _, path := range []string{"", "status"} {
			mustRefuse(t, update(t, newScene(), tenant, path, &p, &old), key)
		}
		mustAllow(t, update(t, newScene(), virtualize, "", &old, &p))
	}
	// For the other keys it reads the value.
	for _, key := range []string{networks, lsp, vips, ip, "ovn.kubernetes.io/allocated", "ovn.kubernetes.io/eip"} {
		_, refused := create(t, newScene(), tenant, pod(key, ""))
		mustAllow(t, refused)
	}
}

// migrates is the key that Kube-OVN's documents up to 1.13 tell people to write in the templates of machines.
const migrates = "ovn.kubernetes.io/allow_live_migration"

// The key that asks for a migration counts on pods that KubeVirt makes, because KubeVirt copies it from a machine's
// template; it causes no other message about their addresses. The mutating webhook removes it from all other pods, and
// the guard refuses it if somebody adds it after that.
func TestThreatT11WishForAMigration(t *testing.T) {
	wish := pod(migrates, "true", "blue.t.ovn.kubernetes.io/allow_live_migration", "true", networks, "blue")
	after, refused := create(t, newScene(), tenant, wish)
	mustAllow(t, refused)
	for key := range after.Metadata.Annotations {
		if strings.Contains(key, "allow_live_migration") {
			t.Errorf("%s is left on a tenant's pod", key)
		}
	}
	req := request(tenant, "CREATE", "")
	req.Object = raw(t, &wish)
	change, last := ask(t, newScene(), MutatePods, req), ask(t, newScene(), GuardPods, req)
	if said := strings.Join(change.Warnings, "\n"); !strings.Contains(said, "was removed") {
		t.Errorf("warnings %q", said)
	}
	mustRefuse(t, refusal(last), migrates)

	after, refused = create(t, newScene(), virtualize, pod(migrates, "true"))
	mustAllow(t, refused)
	if after.Metadata.Annotations[migrates] != "true" {
		t.Errorf("KubeVirt's pod has %q", after.Metadata.Annotations)
	}
	s := newScene()
	s.inventory.SetRecord(&inventory.Record{Name: "web.shop", MAC: "0a:00:00:00:00:77", IPs: []string{"10.16.0.77"}})
	_, refused = create(t, s, virtualize, pod(migrates, "true", ip, "10.16.0.77"))
	mustRefuse(t, refused, ip)
}

// Anybody may ask for a device and a VPC when the pod is made, and for nothing else of it afterwards.
func TestWishesOfANewPod(t *testing.T) {
	for key, value := range map[string]string{
		"ovn.kubernetes.io/logical_router": "vpc-1", "ovn.kubernetes.io/pod_nic_type": "dpdk",
	} {
		after, refused := create(t, newScene(), tenant, pod(key, value))
		mustAllow(t, refused)
		if after.Metadata.Annotations[key] != value {
			t.Errorf("%s became %q", key, after.Metadata.Annotations[key])
		}
		old, p := running(), running(key, value)
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
		mustRefuse(t, update(t, newScene(), tenant, "status", &p, &old), key)
		mustAllow(t, update(t, newScene(), kubeOVN, "", &old, &p))
	}
}

// An unknown key is allowed with a warning; it is not silently taken for harmless.
func TestUnknownKeyIsTold(t *testing.T) {
	const typo = "ovn.kubernetes.io/port_secutity"
	p := pod(typo, "true")
	_, refused := create(t, newScene(), tenant, p)
	mustAllow(t, refused)
	req := request(tenant, "CREATE", "")
	req.Object = raw(t, &p)
	told := append(ask(t, newScene(), GuardPods, req).Warnings, ask(t, newScene(), MutatePods, req).Warnings...)
	if said := strings.Join(told, "\n"); strings.Count(said, typo) != 1 || !strings.Contains(said, "does not know") {
		t.Errorf("warnings %q", said)
	}
}

// A key of a NIC that is unplugged no longer affects the pod's ports; a key of a NIC that the pod has stays, and only
// Kube-OVN may remove it.
func TestKeysOfAnUnpluggedNIC(t *testing.T) {
	key := kubeovn.AttachmentProvider("t", "blue").Key(kubeovn.PortSecurity)
	old, p := running(key, "true"), running()
	mustAllow(t, update(t, newScene(), kubeOVN, "", &old, &p))
	mustAllow(t, update(t, newScene(), tenant, "", &old, &p))
	old, p = running(networks, "blue", key, "true"), running(networks, "blue")
	mustAllow(t, update(t, newScene(), kubeOVN, "", &old, &p))
	mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
}

// Where the NICs of a pod cannot be read, the policy with the strictest mode for any of them counts.
func TestUnreadableNetworksUnderEachMode(t *testing.T) {
	const unreadable = "n/nad/x"
	for name, c := range map[string]struct {
		policies []policy.Policy
		refused  bool
		warned   bool
	}{
		"built in": {nil, true, false},
		"warned":   {[]policy.Policy{{Name: "w", Mode: policy.Warn}}, false, true},
		"audited":  {[]policy.Policy{{Name: "a", Mode: policy.Audit}}, false, false},
		"audited, except for one network": {[]policy.Policy{
			{Name: "a", Mode: policy.Audit}, {Name: "b", Priority: 1, Providers: policy.Providers{"blue.t.ovn"}},
		}, true, false},
		"audited on the default network alone": {
			[]policy.Policy{{Name: "a", Mode: policy.Audit, Providers: policy.Providers{"ovn"}}}, true, false,
		},
		"audited, except for such pods": {[]policy.Policy{
			{Name: "a", Mode: policy.Audit},
			{Name: "b", Priority: 1, Pods: func(l map[string]string) bool { return l["app"] == "web" }},
		}, true, false},
		"audited, except for other pods": {[]policy.Policy{
			{Name: "a", Mode: policy.Audit},
			{Name: "b", Priority: 1, Pods: func(l map[string]string) bool { return l["app"] == "db" }},
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{"[{", unreadable} {
				s := newScene()
				for _, p := range c.policies {
					s.inventory.SetPolicy(p)
				}
				p := pod(networks, text)
				p.Metadata.Labels = map[string]string{"app": "web"}
				req := request(tenant, "CREATE", "")
				req.Object = raw(t, &p)
				change, last := ask(t, s, MutatePods, req), ask(t, s, GuardPods, req)
				for what, r := range map[string]bool{"changing": change.Allowed, "guarding": last.Allowed} {
					if r == c.refused {
						t.Errorf("%s: allowed %v", what, r)
					}
				}
				if (len(last.Warnings) > 0) != c.warned {
					t.Errorf("warnings %q", last.Warnings)
				}
				if last.AuditAnnotations[NoteViolation] == "" {
					t.Error("the audit log has nothing of it")
				}
				if c.refused {
					mustRefuse(t, refusal(change), "metadata.annotation")
					mustRefuse(t, refusal(last), "metadata.annotation")
				}
			}
		})
	}
}

// activation_strategy makes Kube-OVN bind the port to a second chassis, as if its machine migrated.
func TestThreatT35KeysOfAMigration(t *testing.T) {
	for _, key := range []string{
		"ovn.kubernetes.io/activation_strategy", "blue.t.ovn.kubernetes.io/activation_strategy",
	} {
		_, refused := create(t, newScene(), tenant, pod(networks, "blue", key, "rarp"))
		mustRefuse(t, refused, key)
		old, p := running(networks, "blue"), running(networks, "blue", key, "rarp")
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
		mustRefuse(t, update(t, newScene(), tenant, "status", &old, &p), key)
		mustAllow(t, update(t, newScene(), kubeOVN, "", &old, &p))
	}
}

// Since 1.16.2, Kube-OVN's daemon plugs a NIC into the port "<port>.<interface>" if there is an ip_address with the
// interface's name behind the provider, whatever its value. Such a port is not the pod's: it may belong to a pod with
// dots in its name.
func TestThreatT47PortOfAnotherName(t *testing.T) {
	for _, key := range []string{
		"ovn.eth0.kubernetes.io/ip_address", "blue.t.ovn.net1.kubernetes.io/ip_address",
		"blue.t.ovn.x.kubernetes.io/ip_address",
	} {
		for _, value := range []string{"", "10.16.0.30"} {
			_, refused := create(t, newScene(), tenant, pod(key, value, networks, "blue@x"))
			mustRefuse(t, refused, key, "another name")
			old, p := running(networks, "blue@x"), running(networks, "blue@x", key, value)
			for _, path := range []string{"", "status", "binding"} {
				mustRefuse(t, update(t, newScene(), tenant, path, &old, &p), key)
			}
		}
	}
	// A further network that would make the key an attachment's key as well hides nothing.
	_, refused := create(t, newScene(), tenant, pod("ovn.eth0.kubernetes.io/ip_address", "", networks, "eth0/ovn"))
	mustRefuse(t, refused, "ovn.eth0.kubernetes.io/ip_address", "another name")
	// Where the network is listed twice, the port does have that name. The form in Kube-OVN's documents has the interface
	// in another place.
	for _, p := range []Pod{
		pod("blue.t.ovn.x.kubernetes.io/ip_address", "", networks, "blue@x,blue@y"),
		pod(networks, "eth0/ovn"),
		pod("blue.t.kubernetes.io/ip_address.x", "", networks, "blue@x"),
		pod("red.t.ovn.x.kubernetes.io/ip_address", "", networks, "blue@x"),
	} {
		_, refused := create(t, newScene(), tenant, p)
		mustAllow(t, refused)
	}
}
