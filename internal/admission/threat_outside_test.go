package admission

import (
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// forbidding returns the scene of the tests with a policy that forbids other networks than OVN's, and one definition of
// each kind.
func forbidding(change ...func(*policy.Policy)) *scene {
	s := newScene().policy(func(p *policy.Policy) {
		p.ForbidsOthers = true
		for _, c := range change {
			c(p)
		}
	})
	for name, kind := range map[string]kubeovn.AttachmentKind{
		"ovn": kubeovn.KindOVN, "macvlan": kubeovn.KindForeign, "both": kubeovn.KindMixed, "file": kubeovn.KindUnknown,
	} {
		s.inventory.SetAttachment(kubeovn.Attachment{Namespace: "t", Name: name}, kind)
	}
	return s
}

func TestThreat12ForbiddenNetworks(t *testing.T) {
	cases := map[string]struct {
		key, value string
		why        string // "" where the pod is made
	}{
		"none":                   {},
		"of OVN":                 {networks, "ovn", ""},
		"of OVN, twice":          {networks, "ovn@net1,t/ovn@net2", ""},
		"of OVN as the default":  {kubeovn.DefaultNetwork, "t/ovn", ""},
		"outside":                {networks, "macvlan", "t/macvlan is not on OVN"},
		"outside, with its name": {networks, "t/macvlan", "nothing in the spec.config"},
		"outside, in JSON": {
			networks,
			`[{"name":"macvlan","interface":"net7"}]`,
			"t/macvlan is not on OVN",
		},
		"outside, behind another":   {networks, "ovn,macvlan", "t/macvlan is not on OVN"},
		"outside as the default":    {kubeovn.DefaultNetwork, "t/macvlan", "t/macvlan is not on OVN"},
		"outside beside OVN":        {networks, "both", "may create a further NIC outside OVN"},
		"by a file on the node":     {networks, "file", "may be outside OVN"},
		"not there":                 {networks, "gone", "has no NetworkAttachmentDefinition, and"},
		"not there, of a neighbour": {networks, "u/gone", "u/gone has no NetworkAttachmentDefinition"},
		"a default without a namespace": {
			kubeovn.DefaultNetwork,
			"ovn",
			"Multus looks for it in Multus' own default namespace",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := pod()
			if c.key != "" {
				p = pod(c.key, c.value)
			}
			_, refused := create(t, forbidding(), tenant, p)
			if c.why == "" {
				mustAllow(t, refused)
			} else {
				mustRefuse(
					t,
					refused,
					c.key,
					c.why,
					"PortSecurityPolicy test forbids NICs outside OVN",
					"an administrator",
					"spec.otherNetworks",
				)
			}
			_, refused = create(t, newScene().policy(func(*policy.Policy) {}), tenant, p)
			mustAllow(t, refused)
			_, refused = create(
				t,
				forbidding(func(p *policy.Policy) { p.Namespaces = func(map[string]string) bool { return false } }),
				tenant,
				p,
			)
			mustAllow(t, refused)
			// Kubernetes' controllers and KubeVirt may not make such pods for their users either.
			for _, user := range []string{replicas, virtualize} {
				if _, refused = create(t, forbidding(), user, p); (refused == "") != (c.why == "") {
					t.Errorf("%s: %q", user, refused)
				}
			}
		})
	}
}

// The definition counts as the API server has it, and not as a cache does: a moment ago somebody may have deleted it
// and made it again with another type.
func TestThreat12DefinitionAsItIsNow(t *testing.T) {
	for name, c := range map[string]struct {
		now Definition
		why string
	}{
		"another kind": {Definition{Kind: kubeovn.KindForeign, Found: true}, "is not on OVN"},
		"gone":         {Definition{}, "has no NetworkAttachmentDefinition"},
		"no answer":    {Definition{Err: errors.New("timeout")}, "could not be read (timeout)"},
	} {
		s := forbidding()
		s.definitions = map[string]Definition{"t/ovn": c.now}
		_, refused := create(t, s, tenant, pod(networks, "ovn"))
		if mustRefuse(t, refused, networks, c.why); c.now.Err != nil {
			mustRefuse(t, refused, "try again")
		}
		s.definitions = map[string]Definition{"t/macvlan": {Kind: kubeovn.KindOVN, Found: true}}
		_, refused = create(t, s, tenant, pod(networks, "macvlan"))
		if mustAllow(t, refused); refused != "" {
			t.Errorf("%s: a definition that is of OVN by now", name)
		}
	}
}

// A network that KubeVirt plugs into a running machine is judged like a new pod's request; the networks that the
// machine had before are not judged again.
func TestThreat12ForbiddenNetworkPlugged(t *testing.T) {
	old := running(networks, `[{"name":"macvlan"}]`)
	for value, why := range map[string]string{
		`[{"name":"macvlan"},{"name":"ovn"}]`:                     "",
		`[{"name":"macvlan"},{"name":"both"}]`:                    "t/both may create",
		`[{"name":"macvlan"},{"name":"macvlan","interface":"x"}]`: "t/macvlan is not on OVN",
		`[]`: "",
	} {
		p := running(
			networks,
			value,
			"ovn.t.ovn.kubernetes.io/port_security",
			"true",
			"both.t.ovn.kubernetes.io/port_security",
			"true",
			"macvlan.t.ovn.kubernetes.io/port_security",
			"true",
			"macvlan.t.ovn.x.kubernetes.io/port_security",
			"true",
		)
		refused := update(t, forbidding(), virtualize, "", &old, &p)
		if why == "" {
			mustAllow(t, refused)
		} else {
			mustRefuse(t, refused, networks, why, "PortSecurityPolicy test")
		}
	}
	s := forbidding()
	s.definitions = map[string]Definition{"t/ovn": {}}
	p := running(networks, `[{"name":"macvlan"},{"name":"ovn"}]`, "ovn.t.ovn.kubernetes.io/port_security", "true")
	mustRefuse(t, update(t, s, virtualize, "", &old, &p), "t/ovn has no NetworkAttachmentDefinition")
}

// A policy that selects pods by their labels may forbid what another allows, and a pod cannot leave it: not through
// another policy for such pods, and not by giving the label up.
func TestThreat12ForbiddenForSuchPods(t *testing.T) {
	web := func(p *policy.Policy) {
		p.Name, p.Priority, p.Pods = "web", 1, func(l map[string]string) bool { return l["app"] == "web" }
	}
	p := pod(networks, "macvlan")
	p.Metadata.Labels = map[string]string{"app": "web"}
	s := forbidding(web).policy(func(*policy.Policy) {})
	_, refused := create(t, s, tenant, p)
	mustRefuse(t, refused, "PortSecurityPolicy web", "spec.otherNetworks")
	_, refused = create(t, s, tenant, pod(networks, "macvlan"))
	mustAllow(t, refused)
	_, refused = create(t, forbidding().policy(web), tenant, p)
	mustRefuse(t, refused, "PortSecurityPolicy test")
	_, refused = create(t, forbidding(web).policy(func(p *policy.Policy) { p.ForbidsOthers = true }), tenant, p)
	mustRefuse(t, refused, "PortSecurityPolicy test and PortSecurityPolicy web", "spec.otherNetworks")
	old, relabelled := running(), running()
	old.Metadata.Labels = map[string]string{"app": "web"}
	mustRefuse(
		t,
		update(t, s, tenant, "", &old, &relabelled),
		"metadata.labels",
		"no longer be under PortSecurityPolicy web",
	)
}

func TestThreat12ForbiddenByMode(t *testing.T) {
	for mode, warned := range map[policy.Mode]bool{policy.Warn: true, policy.Audit: false} {
		s := forbidding(func(p *policy.Policy) { p.Mode = mode })
		p := pod(ps, "true", networks, "macvlan")
		req := request(tenant, admissionv1.Create, "")
		req.Object = raw(t, &p)
		r := ask(t, s, GuardPods, req)
		if !r.Allowed || (len(r.Warnings) > 0) != warned ||
			!strings.Contains(r.AuditAnnotations[NoteViolation], "t/macvlan is not on OVN") {
			t.Errorf("%s: allowed %v, warnings %q, notes %q", mode, r.Allowed, r.Warnings, r.AuditAnnotations)
		}
	}
}

// Where the namespace cannot be read, each policy that forbids may be for it.
func TestThreat12ForbiddenWhereNothingIsKnown(t *testing.T) {
	s := forbidding(func(p *policy.Policy) { p.Namespaces = func(map[string]string) bool { return false } })
	s.namespace.Err = errors.New("no answer")
	_, refused := create(t, s, tenant, pod(networks, "macvlan"))
	mustRefuse(t, refused, networks, "namespace t could not be read", "try again")
	_, refused = create(t, s, tenant, pod(networks, "ovn"))
	mustAllow(t, refused)
	unread := newScene()
	unread.namespace.Err = errors.New("no answer")
	_, refused = create(t, unread, tenant, pod(networks, "macvlan"))
	mustAllow(t, refused)
}

// A pod on its node's network is the business of Pod Security admission: Multus adds no networks to it.
func TestThreat12HostNetworkIsNotAsked(t *testing.T) {
	p := pod(networks, "macvlan")
	p.Spec.HostNetwork = true
	_, refused := create(t, forbidding(), tenant, p)
	mustAllow(t, refused)
}
