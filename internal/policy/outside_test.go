package policy

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Which policies forbid a network outside OVN, from the decision for the NIC that it would be.
func TestThreat12OtherNetworks(t *testing.T) {
	forbids := func(name string, change ...func(*Policy)) Policy {
		p := Policy{Name: name, ForbidsOthers: true}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	allows := func(name string, change ...func(*Policy)) Policy {
		p := forbids(name, change...)
		p.ForbidsOthers = false
		return p
	}
	first := func(p *Policy) { p.Priority = 1 }
	elsewhere := func(p *Policy) { p.Namespaces = func(map[string]string) bool { return false } }
	mine := func(p *Policy) { p.Pods = func(l map[string]string) bool { return l["app"] == "web" } }
	others := func(p *Policy) { p.Pods = func(l map[string]string) bool { return l["app"] == "db" } }
	forBlue := func(p *Policy) { p.Providers = Providers{"blue.*"} }
	forOVN := func(p *Policy) { p.Providers = Providers{"ovn"} }
	unread := errors.New("timeout")
	cases := map[string]struct {
		policies []Policy
		err      error
		want     []string
	}{
		"no policy":                    {},
		"allowed":                      {policies: []Policy{allows("a")}},
		"forbidden":                    {policies: []Policy{forbids("a")}, want: []string{"a"}},
		"forbidden elsewhere":          {policies: []Policy{forbids("a", elsewhere)}},
		"the first by priority allows": {policies: []Policy{forbids("a"), allows("b", first)}},
		"the first by priority forbids": {
			policies: []Policy{allows("a"), forbids("b", first)},
			want:     []string{"b"},
		},
		"forbidden for such pods": {
			policies: []Policy{allows("a"), forbids("b", first, mine)},
			want:     []string{"b"},
		},
		"forbidden for other pods":    {policies: []Policy{allows("a"), forbids("b", first, others)}},
		"for such pods, and no other": {policies: []Policy{forbids("b", mine)}, want: []string{"b"}},
		"allowed for such pods": {
			policies: []Policy{forbids("a"), allows("b", first, mine)},
			want:     []string{"a"},
		},
		"forbidden by both": {
			policies: []Policy{forbids("a"), forbids("b", first, mine)},
			want:     []string{"a", "b"},
		},
		"for this network": {
			policies: []Policy{allows("a"), forbids("b", first, forBlue)},
			want:     []string{"b"},
		},
		"this network is allowed": {policies: []Policy{forbids("a"), allows("b", first, forBlue)}},
		"for the default network": {policies: []Policy{forbids("a", forOVN)}},
		"namespace not read": {
			policies: []Policy{allows("a"), forbids("b", elsewhere), forbids("c", forOVN), forbids("d", first)},
			err:      unread,
			want:     []string{"d", "b"},
		},
		"namespace not read, all is free": {policies: []Policy{allows("a")}, err: unread},
		"namespace not read, no policy":   {err: unread},
		"forbidden by one that cannot read": {
			policies: []Policy{forbids("a", func(p *Policy) { p.Err = unread })},
			want:     []string{"a"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			SortPolicies(c.policies)
			q := Query{
				Provider:  "blue.ns.ovn",
				Namespace: Namespace{Name: "ns", Err: c.err},
				Pod:       Pod{Labels: map[string]string{"app": "web"}},
				Policies:  c.policies,
			}
			d := Decide(q)
			if diff := cmp.Diff(c.want, d.OthersForbiddenBy); diff != "" || d.ForbidsOthers() != (len(c.want) > 0) {
				t.Errorf("forbidden by: -want +got\n%s", diff)
			}
			var steps []string
			for _, s := range d.Steps {
				if s.Value == forbiddenOthers {
					steps = append(steps, s.Name)
				}
			}
			if diff := cmp.Diff(c.want, steps); diff != "" {
				t.Errorf("the steps that say so: -want +got\n%s", diff)
			}
			free := q
			free.Policies = nil
			if !d.Looser(Decide(free)) && Decide(free).Looser(d) != (len(c.want) > 0) {
				t.Error("that other networks are allowed is not looser")
			}
		})
	}
}

// No namespace, pod, exception or other policy for pods allows a network that the best policy without a podSelector
// forbids.
func TestThreat12OtherNetworksAreOnlyTightened(t *testing.T) {
	forbidden := 0
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t)
		bare := Query{Provider: kubeovn.DefaultProvider, Namespace: Namespace{Name: q.Namespace.Name}}
		bare.Policies = slices.DeleteFunc(slices.Clone(q.Policies), func(p Policy) bool { return p.Pods != nil })
		floor, d := Decide(bare), Decide(q)
		if floor.ForbidsOthers() {
			forbidden++
			if !d.ForbidsOthers() {
				t.Fatalf("%s forbids other networks, and then they are allowed:\n%+v", floor.OthersForbiddenBy, d.Steps)
			}
		}
		q.Namespace.Err = errors.New("timeout")
		if Decide(
			q,
		).ForbidsOthers() !=
			slices.ContainsFunc(
				q.Policies,
				func(p Policy) bool { return p.ForbidsOthers },
			) {
			t.Fatalf("of a namespace that cannot be read: %+v", Decide(q).Steps)
		}
	})
	if forbidden == 0 {
		t.Error("the draw forbids nothing")
	}
}
