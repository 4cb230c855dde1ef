package admission

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Kube-OVN asks of some keys whether they are there: an empty one makes the pod the target of a migration, or takes its default NIC.
func TestThreatT11EmptyKeysThatCountByBeingThere(t *testing.T) {
	for _, key := range []string{kubeovn.MigrationJob, "ovn.kubernetes.io/allow_live_migration", kubeovn.DefaultNetwork} {
		_, refused := create(t, newScene(), tenant, pod(key, ""))
		mustRefuse(t, refused, key)
		old, p := running(), running(key, "")
		for _, path := range []string{"", "status", "binding"} {
			mustRefuse(t, update(t, newScene(), tenant, path, &old, &p), key)
		}
		for _, path := range []string{"", "status"} {
			mustRefuse(t, update(t, newScene(), tenant, path, &p, &old), key)
		}
		mustAllow(t, update(t, newScene(), virtualize, "", &old, &p))
	}
	// Of the others it asks for the value.
	for _, key := range []string{networks, lsp, vips, ip, "ovn.kubernetes.io/allocated", "ovn.kubernetes.io/eip"} {
		_, refused := create(t, newScene(), tenant, pod(key, ""))
		mustAllow(t, refused)
	}
}

// Kube-OVN takes away what was about a NIC that is unplugged; a tenant does not.
func TestKeysOfAnUnpluggedNIC(t *testing.T) {
	key := kubeovn.AttachmentProvider("t", "blue").Key(kubeovn.PortSecurity)
	old, p := running(key, "true"), running()
	mustAllow(t, update(t, newScene(), kubeOVN, "", &old, &p))
	mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
}

// Where it cannot be told which NICs a pod has, the policy that does most about any of them counts.
func TestUnreadableNetworksUnderEachMode(t *testing.T) {
	many := strings.Repeat("n/nad,", maxAttachments) + "n/nad"
	for name, c := range map[string]struct {
		policies []policy.Policy
		refused  bool
		warned   bool
	}{
		"built in": {nil, true, false},
		"warned":   {[]policy.Policy{{Name: "w", Mode: policy.Warn}}, false, true},
		"audited":  {[]policy.Policy{{Name: "a", Mode: policy.Audit}}, false, false},
		"audited, but for one network": {[]policy.Policy{
			{Name: "a", Mode: policy.Audit}, {Name: "b", Priority: 1, Providers: policy.Providers{"blue.t.ovn"}},
		}, true, false},
		"audited on the default network alone": {[]policy.Policy{{Name: "a", Mode: policy.Audit, Providers: policy.Providers{"ovn"}}}, true, false},
		"audited, but for such pods": {[]policy.Policy{
			{Name: "a", Mode: policy.Audit}, {Name: "b", Priority: 1, Pods: func(l map[string]string) bool { return l["app"] == "web" }},
		}, true, false},
		"audited, but for other pods": {[]policy.Policy{
			{Name: "a", Mode: policy.Audit}, {Name: "b", Priority: 1, Pods: func(l map[string]string) bool { return l["app"] == "db" }},
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{"[{", many} {
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
