package admission

import (
	"cmp"
	"maps"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// loosenings are changes of a running pod that would make Kube-OVN loosen its port.
var loosenings = map[string][2]string{
	"switched off":        {ps, "false"},
	"look-alike":          {ps, "True"},
	"emptied":             {ps, ""},
	"forwarding":          {l2, "true"},
	"victim's address":    {ip, "10.16.0.5"},
	"everybody's address": {ip, "0.0.0.0/0"},
	"victim's MAC":        {hw, "0a:00:00:00:00:05"},
	"MAC that OVN drops":  {hw, "0a-00-00-00-00-20"},
	"allocate again":      {"ovn.kubernetes.io/allocated", "false"},
	"route again":         {"ovn.kubernetes.io/routed", ""},
	"another switch":      {lsp, "theirs"},
	"another router":      {"ovn.kubernetes.io/logical_router", "island"},
	"whole range":         {"ovn.kubernetes.io/cidr", "0.0.0.0/0"},
	"VIP of nobody":       {vips, "10.16.0.5"},
	"poisoned VIP":        {vips, "10.16.0.100,::ffff:10.16.0.5"},
	"foreign Vip":         {kubeovn.AAPs, "foreign"},
	"take a Vip":          {"ovn.kubernetes.io/vip", "foreign"},
	"a machine's port":    {"ovn.kubernetes.io/virtualmachine", "vm1"},
	"migration":           {kubeovn.MigrationJob, "job"},
	"external address":    {"ovn.kubernetes.io/eip", "203.0.113.9"},
	"another network":     {networks, "n/nad"},
	"no default network":  {kubeovn.DefaultNetwork, "n/nad"},
	"interface's address": {"nad.n.kubernetes.io/ip_address.net1", "10.16.0.5"},
	"network's level":     {"nad.n.ovn.kubernetes.io/port_security", "false"},
	"network's address":   {"nad.n.ovn.kubernetes.io/ip_address", "10.16.0.5"},
	"pool":                {"ovn.kubernetes.io/ip_pool", "10.16.0.5"},
}

// before returns the running pod that a key is written to, with the network of that key.
func before(key string) Pod {
	if strings.HasPrefix(key, "nad.n.") {
		return running(networks, "n/nad", "nad.n.ovn.kubernetes.io/port_security", "true")
	}
	return running()
}

// with returns a pod with one annotation changed.
func with(p Pod, key, value string) Pod {
	p.Metadata.Annotations = maps.Clone(p.Metadata.Annotations)
	p.Metadata.Annotations[key] = value
	return p
}

// everyPathRefuses checks that every path to a running pod's annotations refuses the loosenings.
func everyPathRefuses(t *testing.T, path string) {
	t.Helper()
	for name, change := range loosenings {
		t.Run(name, func(t *testing.T) {
			old := before(change[0])
			p := with(old, change[0], change[1])
			mustRefuse(t, update(t, newScene(), tenant, path, &old, &p), change[0])
			if change[0] == ps || change[0] == l2 || kubeovn.ClassOf(change[0]) == kubeovn.EgressKey {
				mustRefuse(
					t,
					update(t, newScene(), virtualize, path, &old, &p),
					change[0],
				) // KubeVirt may not write it either
			}
		})
	}
}

func TestThreat03UpdateAfterCreate(t *testing.T) {
	everyPathRefuses(t, "")
	for _, key := range []string{ps, ip, hw, lsp, "ovn.kubernetes.io/allocated", "ovn.kubernetes.io/routed"} {
		old := running()
		p := without(old, key)
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
	}
}

func TestThreat04Status(t *testing.T) { everyPathRefuses(t, "status") }

func TestThreat05Binding(t *testing.T) { everyPathRefuses(t, "binding") }

func TestThreatT25OtherPaths(t *testing.T) {
	// A scheduler that only binds is allowed, and so is a kubelet that reports.
	old := running()
	for _, path := range []string{"status", "binding"} {
		p := running("example.com/note", "x")
		mustAllow(t, update(t, newScene(), tenant, path, &old, &p))
	}
	// A pod that cannot be read cannot be bound with annotations.
	req := request(tenant, admissionv1.Create, "binding")
	binding := pod(ps, "false")
	req.Object = raw(t, &binding)
	mustRefuse(t, refusal(ask(t, newScene(), GuardPods, req)), "try again")
	// The old resource for bindings is the same path.
	req.SubResource, req.Resource.Resource = "", "bindings"
	s := newScene()
	s.pods["t/p"] = &old
	mustRefuse(t, refusal(ask(t, s, GuardPods, req)), ps)
}

func TestThreat08AnnotationFedRebuild(t *testing.T) {
	// Kube-OVN's own accounts may write the frozen keys; nobody else may, whatever their group or name.
	old := running()
	for _, change := range [][2]string{
		{ip, "10.16.0.21"}, {hw, "0a:00:00:00:00:21"}, {"ovn.kubernetes.io/allocated", "false"}, {lsp, "ours"},
	} {
		p := running(change[0], change[1])
		for _, user := range []string{
			tenant, virtualize, replicas, "system:serviceaccount:t:ovn", "system:serviceaccount:kube-system:ovn2",
			"system:admin", "",
		} {
			mustRefuse(t, update(t, newScene(), user, "", &old, &p), change[0], "Kube-OVN")
		}
		for _, user := range DefaultAccounts().KubeOVN {
			mustAllow(t, update(t, newScene(), user, "", &old, &p))
		}
	}
}

func TestThreatT03ArbitraryIdentity(t *testing.T) {
	for _, key := range []string{
		ip, "nad.n.ovn.kubernetes.io/ip_address", "nad.n.ovn.net1.kubernetes.io/ip_address",
		"nad.n.kubernetes.io/ip_address.net1",
	} {
		old := before(key)
		p := with(old, key, "0.0.0.0/0")
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), key)
	}
	// At creation it is read as well.
	for _, value := range []string{"0.0.0.0/0", "10.16.0.20/16", "10.16.0.20,0.0.0.0/0", "::ffff:10.16.0.20"} {
		_, refused := create(t, newScene(), tenant, pod(ip, value))
		mustRefuse(t, refused, ip)
		_, refused = create(
			t,
			newScene(),
			tenant,
			pod(networks, "n/nad@net1,n/nad@net2", "nad.n.kubernetes.io/ip_address.net1", value),
		)
		mustRefuse(t, refused, "ip_address.net1")
	}
}

func TestThreatT12LabelsAndAddress(t *testing.T) {
	old := running()
	p := running(ip, "10.16.0.5")
	p.Metadata.Labels = map[string]string{"app": "victim"}
	mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), ip)
}

// A key that makes Kube-OVN write port security waits until Kube-OVN has allocated, by every path, and no longer.
func TestThreatT27BeforeTheAddress(t *testing.T) {
	const allocated, second, third = "ovn.kubernetes.io/allocated", "nad.n.ovn.kubernetes.io/",
		"nad.n.ovn.net1.kubernetes.io/"
	early := []string{allocated, "ovn.kubernetes.io/routed", ip, hw}
	twice := []string{
		networks,
		"n/nad@net1,n/nad@net2",
		second + "port_security",
		"true",
		third + "port_security",
		"true",
		"nad.n.ovn.net2.kubernetes.io/port_security",
		"true",
	}
	attached := func(s *scene, ports ...string) {
		for _, port := range ports {
			s.inventory.SetRecord(&inventory.Record{Name: port, Subnet: "blue"})
		}
	}
	for name, c := range map[string]struct {
		old    Pod
		change [2]string
		// about is a NIC that the refusal names; "" where the request is allowed.
		about string
		user  string
		edit  func(*scene)
	}{
		"groups": {
			old: without(running(), early...), change: [2]string{groups, "web"}, about: "ovn",
		},
		"groups taken away": {
			old: without(running(groups, "web"), early...), change: [2]string{groups, ""}, about: "ovn",
		},
		"a Vip of its own": {
			old: without(running(), early...), change: [2]string{kubeovn.AAPs, "mine"}, about: "ovn",
		},
		"VIPs taken away": {
			old: without(running(vips, "10.16.0.100"), early...), change: [2]string{vips, ""}, about: "ovn",
		},
		"as a controller": {
			old: without(running(), early...), change: [2]string{groups, "web"}, user: replicas, about: "ovn",
		},
		"as KubeVirt": {
			old: without(running(), early...), change: [2]string{groups, "web"}, user: virtualize, about: "ovn",
		},
		"allocated, by a lookalike": {old: running(allocated, "True"), change: [2]string{groups, "web"}, about: "ovn"},
		"another NIC's": {
			old:    without(running(networks, "n/nad", second+"port_security", "true"), early...),
			change: [2]string{second + "security_groups", "web"}, about: "ovn",
		},
		"of a NIC that came later": {
			old: running(networks, "n/nad", second+"port_security", "true"), change: [2]string{groups, "web"},
			about: "nad.n.ovn",
		},
		"an open one's besides it": {
			old:    without(running(ps, "", networks, "n/nad", second+"port_security", "true"), early...),
			change: [2]string{groups, "web"}, about: "nad.n.ovn",
		},
		"one of two of a network": {
			old: running(append(twice, third+"allocated", "true")...), change: [2]string{groups, "web"},
			about: "nad.n.ovn.net2",
		},
		"both of two of a network": {
			old: running(twice...), change: [2]string{groups, "web"}, about: "nad.n.ovn.net1",
		},
		"a claim about another NIC": {
			old:    without(running(networks, "n/nad", second+"allocated", "true"), early...),
			change: [2]string{groups, "web"}, about: "ovn",
		},
		"a claim, and a port before": {
			old:    without(running(networks, "n/nad", second+"allocated", "true"), early...),
			change: [2]string{groups, "web"}, about: "ovn",
			edit: func(s *scene) { attached(s, "p.t", "p.t.nad.n.ovn") },
		},

		"allocated":    {old: running(), change: [2]string{groups, "web"}},
		"as Kube-OVN":  {old: without(running(), early...), change: [2]string{groups, "web"}, user: kubeOVN},
		"of no effect": {old: without(running(), early...), change: [2]string{"example.com/note", "x"}},
		"of a NIC that is not": {
			old: without(running(), early...), change: [2]string{second + "security_groups", "web"},
		},
		"a port that was open": {old: without(running(ps, ""), early...), change: [2]string{ps, "true"}},
		"an open one's groups": {old: without(running(ps, ""), early...), change: [2]string{groups, "web"}},
		"with a foreign second": {
			old:    running(networks, "n/nad", second+"port_security", "true"),
			change: [2]string{groups, "web"}, edit: func(s *scene) {
				s.inventory.SetAttachment(kubeovn.Attachment{Namespace: "n", Name: "nad"}, kubeovn.KindForeign)
			},
		},
		"where Kube-OVN makes attachments alone": {
			old: without(
				running(networks, "n/nad", second+"port_security", "true", second+"allocated", "true"), early...,
			),
			change: [2]string{second + "security_groups", "web"}, edit: func(s *scene) { attached(s, "p.t.nad.n.ovn") },
		},
		"where a release spells it otherwise": {
			old: running(
				append(twice, third+"allocated", "true", "nad.n.ovn.net2.kubernetes.io/allocated", "true")...,
			),
			change: [2]string{groups, "web"},
		},
		"where an older release does": {
			old: running(append(twice, second+"allocated", "true")...), change: [2]string{groups, "web"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"", "status", "binding"} {
				if path == "binding" && c.change[1] == "" {
					continue // it takes nothing away
				}
				s := newScene()
				if c.edit != nil {
					c.edit(s)
				}
				p := c.old
				p.Metadata.Annotations = maps.Clone(c.old.Metadata.Annotations)
				p.Metadata.Annotations[c.change[0]] = c.change[1]
				refused := update(t, s, cmp.Or(c.user, tenant), path, &c.old, &p)
				if c.about == "" {
					mustAllow(t, refused)
				} else {
					mustRefuse(t, refused, c.change[0], "allocated", "open", "NIC "+c.about+" ")
				}
			}
		})
	}
}

// KubeVirt plugs a NIC into a pod without a port of Kube-OVN's so far, after the guard said that it is strict.
func TestNICPluggedInEarly(t *testing.T) {
	const second = "nad.n.ovn.kubernetes.io/port_security"
	old := without(running(), "ovn.kubernetes.io/allocated", ip, hw)
	p := without(running(networks, "n/nad", second, "true"), "ovn.kubernetes.io/allocated", ip, hw)
	mustAllow(t, update(t, newScene(), virtualize, "", &old, &p))
}

// A NIC under a policy that enforces is not loosened together with a NIC under a policy that does not, in either order.
func TestThreatT27ModeOfEachNIC(t *testing.T) {
	const second = "nad.n.ovn.kubernetes.io/"
	early := without(running(networks, "n/nad", second+"port_security", "true"), "ovn.kubernetes.io/allocated", ip, hw)
	both := []string{groups, second + "security_groups"}
	for mode, refuses := range map[policy.Mode]bool{policy.Enforce: true, policy.Warn: false, policy.Audit: false} {
		for _, lax := range []kubeovn.Provider{"ovn", "nad.n.ovn", "*"} {
			s := newScene().policy(func(p *policy.Policy) {
				if p.Mode = mode; lax != "*" {
					p.Providers = policy.Providers{string(lax)}
				}
			})
			for _, key := range both {
				p := early
				p.Metadata.Annotations = maps.Clone(early.Metadata.Annotations)
				p.Metadata.Annotations[key] = "web"
				refused := update(t, s, tenant, "", &early, &p)
				if refuses || lax != "*" {
					mustRefuse(t, refused, key)
				} else {
					mustAllow(t, refused)
				}
			}
		}
	}
}

// Ordinary changes of a running pod by anybody stay allowed.
func TestOrdinaryChanges(t *testing.T) {
	old := running(
		networks,
		"n/nad",
		"nad.n.ovn.kubernetes.io/port_security",
		"true",
		"nad.n.ovn.kubernetes.io/allocated",
		"true",
	)
	for name, change := range map[string]func(*Pod){
		"a note":             func(p *Pod) { p.Metadata.Annotations["example.com/note"] = "x" },
		"a label":            func(p *Pod) { p.Metadata.Labels = map[string]string{"app": "web"} },
		"Multus reports":     func(p *Pod) { p.Metadata.Annotations["k8s.v1.cni.cncf.io/network-status"] = "[]" },
		"shaping":            func(p *Pod) { p.Metadata.Annotations["ovn.kubernetes.io/ingress_rate"] = "3" },
		"a security group":   func(p *Pod) { p.Metadata.Annotations[groups] = "web" },
		"a Vip of its own":   func(p *Pod) { p.Metadata.Annotations[kubeovn.AAPs] = "mine" },
		"forwarding refused": func(p *Pod) { p.Metadata.Annotations[l2] = "false" },
		"nothing":            func(*Pod) {},
	} {
		t.Run(name, func(t *testing.T) {
			p := old
			p.Metadata.Annotations = maps.Clone(old.Metadata.Annotations)
			change(&p)
			mustAllow(t, update(t, newScene(), tenant, "", &old, &p))
		})
	}
	// Anyone who may write to pods from before can put them right.
	before := without(running(), ps, policy.RecordAnnotation)
	right := running()
	mustAllow(t, update(t, newScene(), tenant, "", &before, &right))
	noted := without(running("example.com/note", "x"), ps, policy.RecordAnnotation)
	mustAllow(t, update(t, newScene(), tenant, "", &before, &noted))
	// Addresses that they share without a grant can be taken away.
	sharing := running(vips, "10.16.0.5")
	mustAllow(t, update(t, newScene(), tenant, "", &sharing, &right))
}

// Giving up a label on a running pod does not take it out of a policy that enforces for pods with the label.
func TestThreat26EnforcedLabelGivenUp(t *testing.T) {
	s := newScene().policy(func(p *policy.Policy) { p.Mode = policy.Warn })
	s.inventory.SetPolicy(
		policy.Policy{Name: "tills", Priority: 1, Pods: func(l map[string]string) bool { return l["app"] == "till" }},
	)
	old, p := running(), running()
	old.Metadata.Labels = map[string]string{"app": "till"}
	mustRefuse(t, update(t, s, tenant, "", &old, &p), "metadata.labels", "enforce", "warn")
	mustAllow(t, update(t, s, tenant, "", &p, &old))
}

// Without their definitions, all policies and exceptions are gone from the cluster: pods are then strict, and the
// webhooks answer.
func TestThreat32DefinitionsGone(t *testing.T) {
	s := newScene().exception(func(e *policy.Exception) {
		e.Pods,
			e.Level = func(map[string]string) bool { return true }, policy.Open
	})
	s.policy(func(p *policy.Policy) { p.ExceptionsIn, p.Level = []string{"t"}, policy.Open })
	stored, refused := create(t, s, tenant, pod())
	mustAllow(t, refused)
	if stored.Metadata.Annotations[ps] != "false" {
		t.Fatalf("port_security %q under an open policy: the scene shows nothing", stored.Metadata.Annotations[ps])
	}
	s.inventory.DeletePolicy("test")
	s.inventory.DeleteException("t", "grant")
	stored, refused = create(t, s, tenant, pod(ps, "false"))
	mustAllow(t, refused)
	if stored.Metadata.Annotations[ps] != "true" {
		t.Errorf("port_security %q, want true", stored.Metadata.Annotations[ps])
	}
	mustRefuse(t, guard(t, s, tenant, new(pod(ps, "false"))), ps)
}
