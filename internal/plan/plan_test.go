package plan

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// What becomes of one port, by what is changed and how it is today.
func TestPortChanges(t *testing.T) {
	_, _, own := identity(1)
	router := own + " 10.20.0.0/24"
	for name, c := range map[string]struct {
		column  []string
		unknown bool
		wishes  []string
		before  func(*inventory.Inventory)
		change  func(*inventory.Inventory)
		want    *Port // When, columns and what is lost and gained; nil for no change
	}{
		"an open port is repaired": {
			change: func(inv *inventory.Inventory) { inv.SetPolicy(over("p")) },
			want: &Port{
				When: Now, After: State{PortSecurity: []string{own}},
				Lost: []string{"any MAC with any address"},
			},
		},
		"a port that is right stays": {
			column: []string{own}, wishes: []string{secure, "true"},
			change: func(inv *inventory.Inventory) { inv.SetPolicy(over("p")) },
		},
		"where repair only logs, nothing changes that is strict when made again": {
			change: func(inv *inventory.Inventory) {
				inv.SetPolicy(over("p", func(p *policy.Policy) { p.Repair = policy.RepairLog }))
			},
		},
		"a level counts when the pod is made again": {
			column: []string{own},
			change: func(inv *inventory.Inventory) {
				inv.SetPolicy(over("p", func(p *policy.Policy) { p.Level, p.Repair = policy.Open, policy.RepairOff }))
			},
			want: &Port{When: Later, Before: State{PortSecurity: []string{own}}, Gained: []string{"any MAC with any address"}},
		},
		"an exception opens": {
			column: []string{own}, wishes: []string{secure, "true"},
			before: func(inv *inventory.Inventory) { inv.SetPolicy(over("p")) },
			change: func(inv *inventory.Inventory) { inv.SetException(grant("e", "10.20.0.0/24")) },
			want: &Port{
				When: Now, Before: State{PortSecurity: []string{own}}, After: State{PortSecurity: []string{router}},
				Gained: []string{"0a:00:00:00:00:01 10.20.0.0/24"},
			},
		},
		"to take it away closes": {
			column: []string{router}, wishes: []string{secure, "true"},
			before: func(inv *inventory.Inventory) {
				inv.SetPolicy(over("p"))
				inv.SetException(grant("e", "10.20.0.0/24"))
			},
			change: func(inv *inventory.Inventory) { inv.DeleteException("t", "e") },
			want: &Port{
				When: Now, Before: State{PortSecurity: []string{router}}, After: State{PortSecurity: []string{own}},
				Lost: []string{"0a:00:00:00:00:01 10.20.0.0/24"},
			},
		},
		"a port takes in less": {
			column: []string{own}, unknown: true, wishes: []string{secure, "true"},
			change: func(inv *inventory.Inventory) { inv.SetPolicy(over("p")) },
			want: &Port{
				When: Now, Before: State{PortSecurity: []string{own}}, After: State{PortSecurity: []string{own}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := town()
			if c.before != nil {
				c.before(inv)
			}
			port := runs(inv, "t", 1, c.column, c.unknown, c.wishes...)
			r := planned(inv, func() { c.change(inv) })
			got := r.portNamed(port)
			if (got == nil) != (c.want == nil) {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
			if got == nil {
				return
			}
			type seen struct {
				When                        When
				Before, After, Lost, Gained []string
			}
			of := func(p *Port) seen {
				return seen{
					p.When,
					slices.Clip(p.Before.PortSecurity),
					slices.Clip(p.After.PortSecurity),
					p.Lost,
					p.Gained,
				}
			}
			want, is := of(c.want), of(got)
			for _, s := range []*seen{&want, &is} {
				if len(s.Before) == 0 {
					s.Before = nil
				}
				if len(s.After) == 0 {
					s.After = nil
				}
			}
			if diff := cmp.Diff(want, is); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if c.unknown && !got.Loses() {
				t.Error("a port that takes in less loses nothing")
			}
		})
	}
}

// Signs that a port forwards for others, each by itself. A command is there only where it has something to propose.
func TestForwards(t *testing.T) {
	_, _, own := identity(1)
	for name, c := range map[string]struct {
		column  []string
		unknown bool
		wishes  []string
		also    func(*inventory.Inventory)
		want    string
		command bool
	}{
		"no sign":    {want: ""},
		"unknown":    {unknown: true, want: "MACs that nobody has"},
		"by hand":    {column: []string{own + " 10.9.0.0/16"}, want: "10.9.0.0/16 besides its identity", command: true},
		"an address": {wishes: []string{vips, "10.16.0.99"}, want: "shares address 10.16.0.99", command: true},
		"a route": {
			also: func(inv *inventory.Inventory) {
				inv.SetVPC(inventory.VPC{Name: "ovn-cluster", Routes: []inventory.Route{
					{Matches: "192.0.2.0/24", NextHop: netip.MustParseAddr("10.16.0.1")},
				}})
			},
			want: "VPC ovn-cluster sends to 10.16.0.1: 192.0.2.0/24",
		},
		"a route of another VPC": {
			also: func(inv *inventory.Inventory) {
				inv.SetVPC(inventory.VPC{Name: "other", Routes: []inventory.Route{
					{Matches: "192.0.2.0/24", NextHop: netip.MustParseAddr("10.16.0.1")},
				}})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := town()
			if c.also != nil {
				c.also(inv)
			}
			port := runs(inv, "t", 1, c.column, c.unknown, c.wishes...)
			r := planned(inv, func() { inv.SetPolicy(over("p")) })
			p := r.portNamed(port)
			if p == nil || !p.Loses() {
				t.Fatalf("the port loses nothing: %+v", p)
			}
			if text := strings.Join(
				p.Forwards,
				"\n",
			); !strings.Contains(text, c.want) ||
				(c.want == "") != (text == "") {
				t.Errorf("signs are %q, want %q", text, c.want)
			}
			if (p.Exception == "ovnguard exception generate --port="+port) != c.command {
				t.Errorf("the command is %q", p.Exception)
			}
			if r.Summary.Forward != len(strings.Fields(c.want))/max(1, len(strings.Fields(c.want))) {
				t.Errorf("%d ports forward", r.Summary.Forward)
			}
		})
	}
}

// A policy that others come before is named on the side where it never decides, with and without a podSelector.
func TestShadowed(t *testing.T) {
	inv := town()
	runs(inv, "t", 1, nil, false)
	inv.SetPolicy(over("low"))
	inv.SetPolicy(over("low-web", func(p *policy.Policy) {
		p.Pods = func(l map[string]string) bool { return l["app"] == "web" }
	}))
	r := planned(inv, func() {
		inv.SetPolicy(over("high", func(p *policy.Policy) { p.Priority = 9 }))
	})
	want := []Shadowed{
		{Policy: "low", Before: []string{}, After: []string{"high"}},
		{Policy: "low-web", Before: []string{"low"}, After: []string{"high"}},
	}
	if diff := cmp.Diff(want, r.Shadowed); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !r.Shadowed[0].Changes() || r.Shadowed[1].Changes() {
		t.Error("low alone comes to be shadowed")
	}
}

// Of an exception it is said for how many ports it counts, and why not.
func TestExceptions(t *testing.T) {
	inv := town()
	runs(inv, "t", 1, nil, false)
	runs(inv, "u", 2, nil, false)
	inv.SetPolicy(over("p", func(p *policy.Policy) { p.Approval = true }))
	e := grant("e", "10.20.0.0/24")
	e.RequestedBy = "ann"
	inv.SetException(e)
	key := inventory.PodKey{Namespace: "t", Name: "e"}
	idle := planned(inv, func() {}, key)
	if len(idle.Exceptions) != 1 || idle.Exceptions[0].After != 0 ||
		!strings.Contains(idle.Exceptions[0].Why, "approves") {
		t.Errorf("not approved: %+v", idle.Exceptions)
	}
	e.ApprovedBy = "bob"
	r := planned(inv, func() { inv.SetException(e) })
	want := []Exception{{Namespace: "t", Name: "e", After: 1}}
	if diff := cmp.Diff(want, r.Exceptions); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	nobody := grant("nobody", "10.21.0.0/24")
	nobody.ApprovedBy, nobody.RequestedBy = "bob", "ann"
	nobody.Pods = func(map[string]string) bool { return false }
	r = planned(inv, func() { inv.SetException(nobody) }, inventory.PodKey{Namespace: "t", Name: "nobody"})
	if len(r.Exceptions) != 1 || !strings.Contains(r.Exceptions[0].Why, "no port") {
		t.Errorf("for nobody: %+v", r.Exceptions)
	}
}

// The workload that loses most comes first, and a namespace is told alone where that is asked for.
func TestOrderAndNamespace(t *testing.T) {
	inv := town()
	_, _, own := identity(1)
	runs(inv, "t", 1, []string{own}, false) // strict already
	runs(inv, "t", 2, nil, false)
	runs(inv, "t", 3, nil, true)
	runs(inv, "u", 4, nil, true)
	all := func(p *policy.Policy) { p.Namespaces = nil }
	q := Question{Before: sideOf(inv), Eras: eras}
	inv.SetPolicy(over("p", all))
	q.After = sideOf(inv)
	r := Compare(q)
	var names []string
	for _, w := range r.Workloads {
		names = append(names, w.Namespace+"/"+w.Name)
	}
	if diff := cmp.Diff([]string{"t/p3", "u/p4", "t/p2"}, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want := Summary{Ports: 4, Workloads: 3, Changes: 3, Now: 3, Lose: 3, Forward: 2}
	if diff := cmp.Diff(want, r.Summary); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	q.Namespace = "u"
	if r := Compare(q); len(r.Workloads) != 1 || r.Workloads[0].Name != "p4" || r.Summary.Ports != 1 {
		t.Errorf("of one namespace: %+v", r.Summary)
	}
}
