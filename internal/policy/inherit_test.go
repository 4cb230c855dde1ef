package policy

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// The policy that decides about the NIC lists the keys, as for the level. Guarded keys in its list are ignored.
func TestHandedDown(t *testing.T) {
	const (
		routes = "ovn.kubernetes.io/routes"
		rate   = "ovn.kubernetes.io/egress_rate"
		blue   = "blue.lab.ovn.kubernetes.io/routes"
	)
	says := map[string]string{
		routes: "[1]", rate: "", blue: "[2]", "ovn.kubernetes.io/port_security": "false",
		"ovn.kubernetes.io/vpc_nat_gw": "gw", "ovn.kubernetes.io/logical_switch": "other",
	}
	lists := func(keys ...string) Policy { return Policy{Name: "p", InheritedKeys: keys} }
	with := func(p Policy, change func(*Policy)) Policy { change(&p); return p }
	all := lists(routes, rate, blue)
	for name, c := range map[string]struct {
		policies []Policy
		provider kubeovn.Provider
		err      error
		want     map[string]string
	}{
		"no policy":                      {nil, "ovn", nil, nil},
		"no list":                        {[]Policy{lists()}, "ovn", nil, nil},
		"the default network":            {[]Policy{all}, "ovn", nil, map[string]string{routes: "[1]"}},
		"an attachment":                  {[]Policy{all}, "blue.lab.ovn", nil, map[string]string{blue: "[2]"}},
		"another attachment":             {[]Policy{all}, "red.lab.ovn", nil, nil},
		"one of its interfaces":          {[]Policy{all}, "blue.lab.ovn.net1", nil, nil},
		"a key that the namespace lacks": {[]Policy{lists("ovn.kubernetes.io/loss")}, "ovn", nil, nil},
		"not read":                       {[]Policy{all}, "ovn", errors.New("no answer"), nil},
		"whatever the mode": {
			[]Policy{with(all, func(p *Policy) { p.Mode = Audit })}, "ovn", nil, map[string]string{routes: "[1]"},
		},
		"the first counts alone": {[]Policy{lists(rate), all}, "ovn", nil, nil},
		"for other NICs": {
			[]Policy{with(lists(), func(p *Policy) { p.Providers = Providers{"blue.*"} }), all},
			"ovn", nil,
			map[string]string{routes: "[1]"},
		},
		"for other namespaces": {
			[]Policy{with(all, func(p *Policy) { p.Namespaces = func(map[string]string) bool { return false } })},
			"ovn", nil,
			nil,
		},
		"by labels of pods": {
			[]Policy{with(all, func(p *Policy) { p.Pods = everything }), lists(rate)}, "ovn", nil, nil,
		},
		"guarded": {
			[]Policy{lists("ovn.kubernetes.io/port_security", "ovn.kubernetes.io/vpc_nat_gw",
				"ovn.kubernetes.io/logical_switch", routes)},
			"ovn", nil,
			map[string]string{routes: "[1]"},
		},
	} {
		q := Query{
			Provider: c.provider, Policies: c.policies, Namespace: Namespace{Name: "t", Annotations: says, Err: c.err},
		}
		for form, q := range map[string]Query{"": q, " narrowed": q.Narrow()} {
			if diff := cmp.Diff(c.want, HandedDown(q)); diff != "" {
				t.Errorf("%s%s: -want, +got:\n%s", name, form, diff)
			}
		}
	}
}

// Explain names the annotations that new pods get, and the policy.
func TestInheritedSteps(t *testing.T) {
	q := Query{
		Provider:  "ovn",
		Policies:  []Policy{{Name: "routes", InheritedKeys: []string{"ovn.kubernetes.io/routes"}}},
		Namespace: Namespace{Annotations: map[string]string{"ovn.kubernetes.io/routes": "[]"}},
	}
	want := []Step{{
		Source: FromNamespace, Key: "ovn.kubernetes.io/routes", Value: "[]", Outcome: Copied,
		Detail: "policy routes hands it down to new pods without this key",
	}}
	if diff := cmp.Diff(want, InheritedSteps(q)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
