package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// TestMembership covers the groups that a pod names and those that its port is in.
func TestMembership(t *testing.T) {
	inv := New()
	inv.KnowGroups()
	names := func(groups string) {
		inv.SetPod(pod("a", "p", func(p *Pod) {
			p.Annotations = map[string]string{"ovn.kubernetes.io/security_groups": groups}
		}))
	}
	names("web, db")
	inv.SetRow(&Row{UUID: "r", Name: "p.a"})
	says := func(what, missing, left string, unfiltered, denied bool, touched []string) {
		t.Helper()
		if touched != nil && !slices.Contains(touched, "p.a") {
			t.Errorf("%s touches %q", what, touched)
		}
		m := inv.Port("p.a", time.Time{}).Membership
		if m == nil {
			m = new(Membership)
		}
		if groupNames(m.Missing) != missing || groupNames(m.Left) != left || m.Unfiltered != unfiltered ||
			m.Denied != denied {
			t.Errorf("%s: %+v", what, m)
		}
	}
	members := func(group string, ports ...string) []string {
		return inv.SetPortGroup(&PortGroup{UUID: group, Group: group, Ports: persistent.SetOf(ports...)})
	}
	says("there are no groups", "", "", false, false, nil)
	says("a group that it is not in", "web", "", false, false, members("web"))
	says("not in that for all", "web", "", true, false, members(kubeovn.DenyAllGroup))
	says("in both", "", "", false, false, append(members("web", "r"), members(kubeovn.DenyAllGroup, "r")...))
	says("in one that it does not name", "", "x", false, false, members("x", "r"))
	names("")
	says("it names none", "", "web x", false, true, nil)
	members("web")
	inv.DeletePortGroup("x")
	says("in that for all alone", "", "", false, true, nil)
	says("in none", "", "", false, false, members(kubeovn.DenyAllGroup))
	names("web")
	says("the group that it is missing in goes", "", "", false, false, inv.DeletePortGroup("web"))
}

// TestTwoPortGroups covers a security group that two port groups claim: while one of them is left, it is known.
func TestTwoPortGroups(t *testing.T) {
	inv := New()
	inv.KnowGroups()
	inv.SetPod(pod("a", "p"))
	inv.SetRow(&Row{UUID: "r", Name: "p.a"})
	set := func(uuid, group string, ports ...string) {
		inv.SetPortGroup(&PortGroup{UUID: uuid, Group: group, Ports: persistent.SetOf(ports...)})
	}
	left := func(what, want string) {
		t.Helper()
		m := inv.Port("p.a", time.Time{}).Membership
		if m == nil || len(m.Left) != 1 || m.Left[0].PortGroup == nil || m.Left[0].PortGroup.UUID != want {
			t.Errorf("%s: %+v", what, m)
		}
	}
	set("1", "g", "r")
	set("2", "g")
	left("both", "1")
	inv.DeletePortGroup("2")
	left("one is gone", "1")
	set("2", "g")
	set("2", "h")
	left("one is another group's", "1")
	inv.DeletePortGroup("1")
	if m := inv.Port("p.a", time.Time{}).Membership; m != nil {
		t.Errorf("none is left: %+v", m)
	}
}

// TestRowsThatGo covers rows that go before their memberships: nothing is kept of them.
func TestRowsThatGo(t *testing.T) {
	inv := New()
	inv.KnowGroups()
	for _, group := range []string{"g", "h"} {
		inv.SetPortGroup(&PortGroup{UUID: group, Group: group, Ports: persistent.SetOf("r")})
	}
	inv.SetRow(&Row{UUID: "r", Name: "p.a"})
	inv.DeleteRow("p.a", "r")
	for _, group := range []string{"g", "h"} {
		inv.SetPortGroup(&PortGroup{UUID: group, Group: group})
	}
	if n := inv.grouped.Len() + inv.members.Len(); n > 0 {
		t.Errorf("%d are left", n)
	}
}

// TestThreat33GroupsOfNoNIC makes sure that a pod costs no more for what it says about NICs that it does not have. The
// API server alone bounds that, at 256 KiB.
func TestThreat33GroupsOfNoNIC(t *testing.T) {
	inv := New()
	inv.SetPod(pod("a", "p", func(p *Pod) {
		p.Annotations = map[string]string{
			"ovn.kubernetes.io/security_groups":         "web",
			"no.such.ovn.kubernetes.io/security_groups": "x,y",
		}
	}))
	if got := inv.pods.naming.Len(); got != 1 {
		t.Errorf("%d groups are named, want 1", got)
	}
	inv.DeletePod(PodKey{"a", "p"})
	if got := inv.pods.naming.Len() + len(inv.pods.named); got != 0 {
		t.Errorf("%d are left", got)
	}
}

func groupNames(groups []Group) string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
	}
	return strings.Join(names, " ")
}
