package exception_test

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/exception"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

const ownMAC = "0a:00:00:00:00:01"

// world returns an inventory with pod edge/router-0, which has 10.16.0.5 and a row with these columns, and others.
func world(column, addresses []string, annotations map[string]string, others ...*inventory.Pod) *inventory.Inventory {
	inv := inventory.New()
	inv.SetNamespace(policy.Namespace{Name: "edge"})
	inv.SetPolicy(policy.Policy{
		Name: "p", ExceptionsIn: []string{"edge"},
		Limits: policy.Limits{Pairs: 8, Prefix4: 24, Prefix6: 64, Lifetime: 240 * time.Hour, Level: policy.MAC},
	})
	all := map[string]string{
		kubeovn.DefaultProvider.Key(kubeovn.Allocated):  kubeovn.True,
		kubeovn.DefaultProvider.Key(kubeovn.MACAddress): ownMAC,
		kubeovn.DefaultProvider.Key(kubeovn.IPAddress):  "10.16.0.5",
	}
	maps.Copy(all, annotations)
	inv.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{Namespace: "edge", Name: "router-0"}, UID: "u1", Owner: "router-0",
		Labels: map[string]string{"app": "router"}, Annotations: all,
	})
	for _, p := range others {
		inv.SetPod(p)
	}
	inv.SetRow(&inventory.Row{
		UUID:         "r1",
		Name:         "router-0.edge",
		Switch:       "ovn-default",
		PortSecurity: column,
		Addresses:    addresses,
		ExternalIDs: map[string]string{
			kubeovn.ExternalIDVendor: kubeovn.Vendor,
			kubeovn.ExternalIDPod:    "edge/router-0",
		},
	})
	return inv
}

func desk(annotations map[string]string) *inventory.Pod {
	return &inventory.Pod{
		PodKey: inventory.PodKey{Namespace: "shop", Name: "desk"}, UID: "u2", Owner: "desk", Annotations: annotations,
	}
}

// proposed returns the one proposal for the router's port.
func proposed(t *testing.T, inv *inventory.Inventory) exception.Proposal {
	t.Helper()
	state := inv.Snapshot()
	all := exception.Propose(state, []inventory.Port{state.Port("router-0.edge", now)}, []portsec.Era{portsec.E3}, now)
	if len(all) != 1 {
		t.Fatalf("%d proposals", len(all))
	}
	return all[0]
}

// What a port shows becomes the narrowest exception: pairs where they do, level mac only where none do, never open.
func TestPropose(t *testing.T) {
	own := ownMAC + " 10.16.0.5"
	routes := kubeovn.DefaultProvider.Key("routes")
	for name, c := range map[string]struct {
		column, addresses []string
		annotations       map[string]string
		other             map[string]string
		class             policy.Class
		pairs             []string
		says              string // among evidence, doubts, unseen, or why nothing is proposed
	}{
		"as Kube-OVN writes it": {column: []string{own}, says: "nothing shows"},
		"a range in the column": {
			column: []string{own, ownMAC + " 10.20.0.0/24"}, class: policy.Router,
			pairs: []string{"10.20.0.0/24"}, says: `has "` + ownMAC + ` 10.20.0.0/24"`,
		},
		"another machine behind it": {
			column: []string{own, "52:54:00:00:00:01 10.30.0.11"}, class: policy.NestedVirtualization,
			pairs: []string{"52:54:00:00:00:01 10.30.0.11"}, says: "52:54:00:00:00:01",
		},
		"a virtual MAC": {
			column: []string{own, "00:00:5e:00:01:0a 10.40.0.1"}, class: policy.VRRP,
			pairs: []string{"00:00:5e:00:01:0a 10.40.0.1"}, says: "lets it send it now",
		},
		"a shared address": {
			column:      []string{own},
			annotations: map[string]string{kubeovn.DefaultProvider.Key(kubeovn.PortVIPs): "10.40.0.9"},
			class:       policy.VRRP, pairs: []string{"10.40.0.9"}, says: "asks for it by",
		},
		"open": {says: "does not tell what the port needs"},
		"open, with a route by it": {
			other: map[string]string{routes: `[{"dst":"10.50.0.0/24","gw":"10.16.0.5"},{"dst":"10.60.0.0/24","gw":"10.16.0.6"}]`},
			class: policy.Router, pairs: []string{"10.50.0.0/24"}, says: "pod shop/desk has a route by it",
		},
		"a default route by it": {
			column: []string{own}, other: map[string]string{routes: `[{"dst":"0.0.0.0/0","gw":"10.16.0.5"}]`},
			class: policy.NATGateway, says: "answers come from any address",
		},
		"a north gateway": {
			column: []string{own}, other: map[string]string{kubeovn.DefaultProvider.Key("north_gateway"): "10.16.0.5"},
			class: policy.NATGateway, says: "answers to that pod",
		},
		"its MAC alone": {column: []string{ownMAC}, class: policy.NATGateway, says: "narrower"},
		"its MAC alone, with a route by it": {
			column: []string{ownMAC}, other: map[string]string{routes: `[{"dst":"10.50.0.0/24","gw":"10.16.0.5"}]`},
			class: policy.Router, pairs: []string{"10.50.0.0/24"}, says: "from any address with its own MAC now",
		},
		"another MAC with any address": {
			column: []string{own, "52:54:00:00:00:01"}, says: "no pair grants that",
		},
		"wider than policy grants": {
			column: []string{own, ownMAC + " 10.20.0.0/16"}, class: policy.Router, pairs: []string{"10.20.0.0/16"},
			says: "it would be refused",
		},
		"one range in another": {
			column: []string{own, ownMAC + " 10.20.0.0/24 10.20.0.7"}, class: policy.Router, pairs: []string{"10.20.0.0/24"},
			says: "10.20.0.0/24",
		},
		"an address of addresses": {
			column: []string{own}, addresses: []string{own, "52:54:00:00:00:02 10.30.0.12"},
			class: policy.NestedVirtualization, pairs: []string{"52:54:00:00:00:02 10.30.0.12"}, says: "OVN answers for it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var others []*inventory.Pod
			if c.other != nil {
				others = append(others, desk(c.other))
			}
			p := proposed(t, world(c.column, c.addresses, c.annotations, others...))
			var pairs, texts []string
			texts = slices.Concat(p.Evidence, p.Doubts, p.Unseen, p.LeftOut, []string{p.Needless})
			for _, pair := range p.Pairs {
				text := exception.PrefixText(pair.Prefix)
				if pair.MAC != (portsec.MAC{}) {
					text = pair.MAC.String() + " " + text
				}
				pairs, texts = append(pairs, text), append(texts, pair.Evidence...)
				if len(pair.Evidence) == 0 {
					t.Errorf("pair %s has no evidence", text)
				}
			}
			if p.Class != c.class || !slices.Equal(pairs, c.pairs) || p.Level == policy.Open {
				t.Errorf("class %q, level %s, pairs %q; want %q, %q", p.Class, p.Level, pairs, c.class, c.pairs)
			}
			if (p.Needless != "") != (c.class == "") {
				t.Errorf("nothing is proposed: %q", p.Needless)
			}
			if !strings.Contains(strings.Join(texts, "\n"), c.says) {
				t.Errorf("%q is not among\n%s", c.says, strings.Join(texts, "\n"))
			}
			if c.class == "" {
				return
			}
			if _, _, err := p.Class.Complete(policy.Grant{Pairs: p.Compiled(now).Pairs}); err != nil {
				t.Errorf("the class does not fit: %v", err)
			}
			if p.Expires.Sub(now) > 240*time.Hour || !p.Expires.After(now) {
				t.Errorf("it lasts until %s", p.Expires)
			}
		})
	}
}

// Addresses of others are named with whose they are, and what nobody can share is left out.
func TestProposeAddressesOfOthers(t *testing.T) {
	inv := world([]string{ownMAC + " 10.16.0.5 10.16.0.1 10.16.0.77"}, nil, nil)
	inv.SetSubnet(inventory.Subnet{
		Name: "ovn-default", UID: "s1", VPC: kubeovn.DefaultVPC, Provider: kubeovn.DefaultProvider,
		CIDRs:    []netip.Prefix{netip.MustParsePrefix("10.16.0.0/16")},
		Gateways: []netip.Addr{netip.MustParseAddr("10.16.0.1")},
	})
	p := proposed(t, inv)
	if len(p.Pairs) != 1 || p.Pairs[0].SharedWith != "ovn-default" || p.Pairs[0].Prefix.String() != "10.16.0.77/32" {
		t.Errorf("pairs %+v", p.Pairs)
	}
	if len(p.LeftOut) != 1 || !strings.Contains(p.LeftOut[0], "10.16.0.1") {
		t.Errorf("left out: %q", p.LeftOut)
	}
}

// The state of an exception is its standing in a word, and what ended is expired whatever else there is.
func TestStateOf(t *testing.T) {
	later, before := now.Add(time.Hour), now.Add(-time.Hour)
	for _, c := range []struct {
		reason  policy.Reason
		expires time.Time
		want    exception.State
	}{
		{policy.InEffect, later, exception.Approved},
		{policy.InEffect, before, exception.Expired},
		{policy.NotApproved, later, exception.Pending},
		{policy.NotShared, later, exception.Pending},
		{policy.NotYet, later, exception.Pending},
		{policy.PrefixTooWide, later, exception.Refused},
		{policy.NamespaceNotNamed, before, exception.Expired},
	} {
		if got := exception.StateOf(c.reason, c.expires, now); got != c.want {
			t.Errorf("%s until %s: %s, want %s", c.reason, c.expires, got, c.want)
		}
	}
}

// An exception that ends soon is told by when it ends, and one of no use by why.
func TestListed(t *testing.T) {
	inv := world(nil, nil, nil)
	labels := func(app string) policy.Selector {
		return func(l map[string]string) bool { return l["app"] == app }
	}
	for name, e := range map[string]policy.Exception{
		"soon":   {Pods: labels("router"), Level: policy.MAC, Expires: now.Add(48 * time.Hour)},
		"late":   {Pods: labels("router"), Level: policy.MAC, Expires: now.Add(200 * time.Hour)},
		"ended":  {Pods: labels("router"), Level: policy.MAC, Expires: now.Add(-time.Hour)},
		"unused": {Pods: labels("gone"), Level: policy.MAC, Expires: now.Add(200 * time.Hour)},
	} {
		e.Namespace, e.Name, e.Asked = "edge", name, now.Add(-time.Hour)
		inv.SetException(e)
	}
	got := make(map[string]exception.Listed)
	for _, l := range exception.List(inv.Snapshot(), "edge", now) {
		got[l.Name] = l
	}
	for name, want := range map[string]struct {
		state         exception.State
		ends, useless bool
		ports         int
	}{
		"soon": {exception.Approved, true, false, 1}, "late": {exception.Approved, false, false, 1},
		"ended": {exception.Expired, false, true, 1}, "unused": {exception.Approved, false, true, 0},
	} {
		l := got[name]
		if l.State != want.state || l.Ends(72*time.Hour, now) != want.ends || (l.Useless(now) != "") != want.useless ||
			len(l.Ports) != want.ports {
			t.Errorf("%s: %s (%s), ends soon %v, of no use %q, ports %q; want %+v",
				name, l.State, l.Why, l.Ends(72*time.Hour, now), l.Useless(now), l.Ports, want)
		}
	}
	if len(exception.List(inv.Snapshot(), "shop", now)) != 0 {
		t.Error("exceptions of another namespace")
	}
}
