package admission

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// A user who asks for something that another has hears that it is taken. Only the audit log, and refusals in the
// holder's own namespace, name the holder.
func TestThreat45RefusalsNameNobodyElse(t *testing.T) {
	named := func(name string) Pod {
		p := pod(ps, "true", networks, "m/n", "n.m.ovn.kubernetes.io/port_security", "true")
		p.Metadata.Name = name
		return p
	}
	crowded := func() *scene {
		s := newScene()
		s.inventory.SetRecord(
			&inventory.Record{
				Name:   "web.t",
				MAC:    "0a:00:00:00:00:11",
				IPs:    []string{"10.16.0.11"},
				Subnet: "ovn-default",
			},
		)
		s.inventory.SetPod(&inventory.Pod{PodKey: inventory.PodKey{Namespace: "t", Name: "web"}, Owner: "web"})
		s.inventory.SetPod(&inventory.Pod{
			PodKey: inventory.PodKey{Namespace: "n.m.ovn", Name: "x.t"}, Owner: "x.t",
		})
		s.inventory.SetRecord(&inventory.Record{
			Name: "kept.t.n.m.ovn", Keeper: "StatefulSet", Of: inventory.PodKey{Namespace: "b", Name: "a-0"},
		})
		return s
	}
	const strict = "true"
	for name, c := range map[string]struct {
		pod Pod
		// said goes to the user; noted is only in the audit log, and empty where both have the same text.
		said, noted string
	}{
		"a port's address": {pod(ps, strict, ip, "10.16.0.5"), "10.16.0.5 is taken", "port victim.u"},
		"in a list": {pod(ps, strict, "ovn.kubernetes.io/ip_pool", "10.16.0.1,10.16.0.90"), "10.16.0.1 " +
			"is taken", "the gateway of subnet ovn-default"},
		"by an attachment": {
			pod(ps, strict, networks, `[{"name":"nad","namespace":"n","ips":["10.16.0.5"]}]`), "10.16.0.5 is taken",
			"port victim.u",
		},
		"a gateway's": {pod(ps, strict, ip, "10.16.0.1"), "10.16.0.1 is taken", "the gateway of subnet " +
			"ovn-default"},
		"a node's":            {pod(ps, strict, ip, "172.18.0.2"), "172.18.0.2 is taken", "node node1"},
		"a Service's":         {pod(ps, strict, ip, "10.96.0.7"), "10.96.0.7 is taken", "service u/db"},
		"a Service's outside": {pod(ps, strict, ip, "203.0.113.7"), "203.0.113.7 is taken", "service u/db"},
		"a Vip's":             {pod(ps, strict, ip, "10.16.0.101"), "10.16.0.101 is taken", "Vip foreign"},
		"a port's MAC":        {pod(ps, strict, hw, "0a:00:00:00:00:05"), "00:05 is taken", "port victim.u"},
		"a gateway's MAC": {pod(ps, strict, hw, "0a:00:00:00:00:fe"), "00:fe is taken", "the gateway of " +
			"subnet ovn-default"},
		"a router's MAC": {pod(ps, strict, hw, "0a:00:00:00:00:fc"), "00:fc is taken", "router port somewhere"},
		"a Vip's MAC":    {pod(ps, strict, hw, "0a:00:00:00:00:99"), "00:99 is taken", "Vip foreign"},
		"a port's name":  {named("x"), "x.t.n.m.ovn, and that name is taken", "taken by a port of pod n.m.ovn/x.t"},
		"a kept port's name": {named("kept"), "kept.t.n.m.ovn, and that name is taken", "taken by a StatefulSet for " +
			"its pod b/a-0"},
		"one's own port's":     {pod(ps, strict, ip, "10.16.0.11"), "10.16.0.11 is taken by port web.t", ""},
		"one's own port's MAC": {pod(ps, strict, hw, "0a:00:00:00:00:11"), "00:11 is taken by port web.t", ""},
		"one's own Vip's":      {pod(ps, strict, ip, "10.16.0.100"), "10.16.0.100 is taken by Vip mine", ""},
		"what another pool is": {pod(ps, strict, "ovn.kubernetes.io/ip_pool", "their-pool"), "IPPool their-pool is " +
			"for other namespaces", ""},
		"what another subnet is": {pod(ps, strict, lsp, "theirs"), "subnet theirs is for other namespaces", ""},
		"another's Vip": {
			pod(ps, strict, "ovn.kubernetes.io/vip", "foreign"), "namespace t has no such Vip", "",
		},
		"another's addresses": {pod(ps, strict, vips, "10.16.0.101"), "no exception grants it", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []policy.Mode{policy.Enforce, policy.Warn} {
				s := crowded().policy(func(p *policy.Policy) { p.Mode = mode })
				req := request(tenant, admissionv1.Create, "")
				req.Object = raw(t, &c.pod)
				r := ask(t, s, GuardPods, req)
				told := r.Result.Message + "\n" + strings.Join(r.Warnings, "\n")
				if !strings.Contains(told, c.said) || c.noted != "" && strings.Contains(told, c.noted) {
					t.Errorf(
						"mode %s: whoever asked is told\n%s\nwant %q in it, and %q not",
						mode,
						told,
						c.said,
						c.noted,
					)
				}
				if noted := r.AuditAnnotations[NoteViolation]; !strings.Contains(noted, c.noted) || noted == "" {
					t.Errorf("mode %s: the audit log has\n%s\nwhich lacks %q", mode, noted, c.noted)
				}
			}
		})
	}
}

// Two holders with the same text are said once to the user, and both are in the audit log.
func TestTakenIsSaidOnce(t *testing.T) {
	s := newScene()
	s.inventory.SetRecord(
		&inventory.Record{
			Name:   "second.u",
			MAC:    "0a:00:00:00:00:05",
			IPs:    []string{"10.16.0.5"},
			Subnet: "ovn-default",
		},
	)
	req := request(tenant, admissionv1.Create, "")
	req.Object = raw(t, new(pod(ps, "true", ip, "10.16.0.5")))
	r := ask(t, s, GuardPods, req)
	if n := strings.Count(r.Result.Message, "is taken"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.Result.Message)
	}
	for _, name := range []string{"victim.u", "second.u"} {
		if noted := r.AuditAnnotations[NoteViolation]; !strings.Contains(noted, name) {
			t.Errorf("the audit log lacks %s:\n%s", name, noted)
		}
	}
}

// A holder is named in the namespace that it belongs to, and in no other.
func TestWhose(t *testing.T) {
	inv := town()
	for _, c := range []struct {
		holder inventory.Holder
		in     string
	}{
		{inventory.Holder{Kind: inventory.HeldByVip, Name: "mine"}, "t"},
		{inventory.Holder{Kind: inventory.HeldByVip, Name: "foreign"}, "u"},
		{inventory.Holder{Kind: inventory.HeldByVip, Name: "nobody's"}, ""},
		{inventory.Holder{Kind: inventory.HeldByService, Name: "u/db"}, "u"},
		{inventory.Holder{Kind: inventory.HeldByBalancer, Name: "t/lb"}, "t"},
		{
			inventory.Holder{
				Kind: inventory.HeldByPort, Name: kubeovn.PortName("victim", "u", kubeovn.DefaultProvider),
			},
			"u",
		},
		{inventory.Holder{Kind: inventory.HeldByPort, Name: "nowhere.u"}, ""},
		{inventory.Holder{Kind: inventory.HeldByGateway, Name: "ovn-default"}, ""},
		{inventory.Holder{Kind: inventory.HeldByNode, Name: "node1"}, ""},
	} {
		for _, namespace := range []string{"t", "u", ""} {
			got := Whose(inv.Snapshot(), namespace, c.holder)
			if isNamed := got.Public == got.Whole; isNamed != (c.in != "" && c.in == namespace) {
				t.Errorf("%v in namespace %q: told %q", c.holder, namespace, got.Public)
			}
			if got.Whole != "taken by "+c.holder.String() {
				t.Errorf("%v: noted %q", c.holder, got.Whole)
			}
		}
	}
}
