//go:build integration

package rows

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// limit is the longest time for any state to be reached.
const limit = 30 * time.Second

// follower is a real server, and an inventory that follows it.
type follower struct {
	*ovsdbserver.Server
	t       *testing.T
	mirror  *ovn.Mirror
	changes *ovn.Subscription
	inv     *inventory.Inventory
	// state is the result of the changes, and touched has the ports that they affected since the last call of took.
	state   *ovn.Snapshot
	touched []string
}

func follow(t *testing.T, database ovn.Database, schema string, tables ...ovn.Table) *follower {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, err := ovsdbserver.Create(t.Context(), dir, "db", schema)
	if err != nil {
		t.Fatal(err)
	}
	return followServer(t, database, server, tables...)
}

// followServer starts a server and follows it.
func followServer(t *testing.T, database ovn.Database, server *ovsdbserver.Server, tables ...ovn.Table) *follower {
	t.Helper()
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	all := Northbound()
	if database == ovn.Southbound {
		all = Southbound()
	}
	mirror, err := ovn.Open(
		ovn.Config{
			Endpoints: server.Endpoint(),
			Database:  database,
			Tables:    all,
			Log:       logr.Discard(),
			Probe:     500 * time.Millisecond,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { mirror.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	s := &follower{Server: server, t: t, mirror: mirror, changes: mirror.Subscribe(tables...), inv: inventory.New()}
	t.Cleanup(s.changes.Close)
	return s
}

// until applies changes until wanted accepts the state.
func (s *follower) until(what string, wanted func(*ovn.Snapshot) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	for s.state == nil || !wanted(s.state) {
		events, state, err := s.changes.Next(ctx)
		if err != nil {
			s.t.Fatalf("wait for %s: %v", what, err)
		}
		for _, e := range events {
			s.touched = append(s.touched, Apply(s.inv, e)...)
		}
		s.state = state
	}
	if missed := Missed(s.inv.Snapshot(), s.state); len(missed) > 0 {
		s.t.Errorf("after %s the inventory lacks %v", what, missed)
	}
}

// takeTouched returns the ports that were affected since the last call, each once, in order.
func (s *follower) takeTouched() []string {
	slices.Sort(s.touched)
	names := slices.Compact(s.touched)
	s.touched = nil
	return names
}

// expectLost expects that many differences after the inventory was changed without events, and none after they were
// applied.
func (s *follower) expectLost(what string, want int) {
	s.t.Helper()
	missed := Missed(s.inv.Snapshot(), s.state)
	if len(missed) != want {
		s.t.Errorf("%s: %d differences %v, want %d", what, len(missed), missed, want)
	}
	for _, e := range missed {
		Apply(s.inv, e)
	}
	if left := Missed(s.inv.Snapshot(), s.state); len(left) > 0 {
		s.t.Errorf("%s: differences are left: %v", what, left)
	}
}

func (s *follower) transact(operations string) {
	s.t.Helper()
	name := `"` + string(s.mirror.Snapshot().Database) + `"`
	if out, err := s.Transact(s.t.Context(), "["+name+operations+"]"); err != nil || strings.Contains(out, `"error"`) {
		s.t.Fatalf("%.300s: %v", out, err)
	}
}

func TestNorthbound(t *testing.T) {
	s := follow(
		t,
		ovn.Northbound,
		ovsdbserver.NorthboundSchema,
		ovn.TablePort,
		ovn.TableRouterPort,
		ovn.TablePortGroup,
		ovn.TableAddressSet,
		ovn.TableNBGlobal,
	)
	s.until("an empty database", func(*ovn.Snapshot) bool { return true })
	s.transact(
		`,{"op":"insert","table":"Logical_Switch_Port","uuid-name":"a","row":{"name":"a.ns","addresses":"0a:00:00:00:00:01 10.16.0.1","external_ids":["map",[["pod","ns/a"]]]}},
		{"op":"insert","table":"Logical_Switch_Port","uuid-name":"b","row":{"name":"b.ns","addresses":"0a:00:00:00:00:02 10.16.0.2"}},
		{"op":"insert","table":"Logical_Switch","row":{"name":"sw","ports":["set",[["named-uuid","a"],["named-uuid","b"]]]}}`,
	)
	s.until("two ports", func(n *ovn.Snapshot) bool { return n.Ports().Len() == 2 })
	if diff := cmp.Diff([]string{"a.ns", "b.ns"}, s.takeTouched()); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	s.transact(
		`,{"op":"insert","table":"Port_Group","row":{"name":"node.n1","external_ids":["map",[["node","n1"]]],"ports":["set",[["uuid","` + s.inv.Row(
			"a.ns",
		).UUID + `"]]]}},
		{"op":"insert","table":"Port_Group","row":{"name":"ovn.sg.web","external_ids":["map",[["sg","web"],["type","security_group"]]],"ports":["set",[["uuid","` + s.inv.Row(
			"a.ns",
		).UUID + `"]]]}},
		{"op":"insert","table":"Address_Set","row":{"name":"other","addresses":["set",["10.0.0.1"]]}},
		{"op":"insert","table":"Address_Set","row":{"name":"ovn.sg.web.associated.v4","external_ids":["map",[["sg","web"]]],"addresses":["set",["10.16.0.1","10.16.66.66"]]}}`,
	)
	s.until("a security group", func(n *ovn.Snapshot) bool { return n.AddressSets().Len() == 2 })
	if diff := cmp.Diff([]string{"a.ns"}, s.takeTouched()); diff != "" {
		t.Errorf("touched by the group (-want +got):\n%s", diff)
	}
	if n := s.state.PortGroups().Len(); n != 2 {
		t.Errorf("%d port groups are read, want that of the security group and that of the node", n)
	}
	if p := s.inv.Port(
		"a.ns",
		time.Now(),
	); len(p.Groups) != 1 || p.Groups[0].Name != "web" || len(p.Groups[0].Sets) != 1 ||
		len(p.Groups[0].Sets[0].Addresses) != 2 {
		t.Errorf("groups %+v", p.Groups)
	}
	var group *inventory.PortGroup
	var set *inventory.AddressSet
	s.inv.EachGroup(func(g *inventory.PortGroup) {
		if g.Group != "" {
			group = g
		}
	}, func(a *inventory.AddressSet) {
		if a.Group != "" {
			set = a
		}
	})
	s.inv.DeletePortGroup(group.UUID)
	s.inv.DeleteAddressSet(set.UUID)
	s.inv.SetPortGroup(&inventory.PortGroup{UUID: "none", Group: "db"})
	s.expectLost("another group", 3)
	s.transact(
		`,{"op":"update","table":"Port_Group","where":[["name","==","ovn.sg.web"]],"row":{"external_ids":["map",[]]}},
		{"op":"update","table":"Address_Set","where":[["name","==","ovn.sg.web.associated.v4"]],"row":{"external_ids":["map",[]]}}`,
	)
	s.until(
		"the end of the group",
		func(n *ovn.Snapshot) bool { return n.PortGroups().Get(group.UUID).ExternalIDs == nil },
	)
	if p := s.inv.Port("a.ns", time.Now()); len(p.Groups) > 0 {
		t.Errorf("groups %+v of one that is a security group's no more", p.Groups)
	}
	s.takeTouched()

	s.transact(
		`,{"op":"insert","table":"Logical_Router_Port","uuid-name":"p","row":{"name":"lr-sw","mac":"0a:00:00:00:00:01"}},
		{"op":"insert","table":"Logical_Router","row":{"name":"lr","ports":["named-uuid","p"]}},
		{"op":"insert","table":"Logical_Switch_Port","uuid-name":"l","row":{"name":"sw-lr","type":"router","addresses":"router"}},
		{"op":"mutate","table":"Logical_Switch","where":[["name","==","sw"]],"mutations":[["ports","insert",["named-uuid","l"]]]}`,
	)
	s.until("a router", func(n *ovn.Snapshot) bool { return n.RouterPorts().Len() == 1 && n.Port("sw-lr") != nil })
	if diff := cmp.Diff([]string{"a.ns", "sw-lr"}, s.takeTouched()); diff != "" {
		t.Errorf("touched by the gateway's MAC (-want +got):\n%s", diff)
	}
	end, _ := s.inv.RouterPort("lr-sw")
	s.inv.DeleteRouterPort(end.Name, end.UUID)
	s.inv.SetRouterPort(inventory.RouterPort{UUID: "none", Name: "other"})
	s.expectLost("another end", 2)
	s.transact(`,{"op":"update","table":"Logical_Router_Port","where":[],"row":{"mac":"0a:00:00:00:00:02"}}`)
	s.until(
		"another MAC",
		func(n *ovn.Snapshot) bool { return n.RouterPorts().Get(end.UUID).MAC == "0a:00:00:00:00:02" },
	)
	if diff := cmp.Diff([]string{"a.ns", "b.ns"}, s.takeTouched()); diff != "" {
		t.Errorf("touched by another MAC (-want +got):\n%s", diff)
	}
	s.transact(`,{"op":"delete","table":"Logical_Router","where":[]}`)
	s.until("the router's end", func(n *ovn.Snapshot) bool { return n.RouterPorts().Len() == 0 })
	if diff := cmp.Diff([]string{"b.ns"}, s.takeTouched()); diff != "" {
		t.Errorf("touched by its end (-want +got):\n%s", diff)
	}

	s.transact(`,{"op":"insert","table":"NB_Global","row":{"options":["map",[["version_compatibility","22.03"]]]}}`)
	s.until("an option", func(n *ovn.Snapshot) bool { return n.NBGlobal() != nil })
	if got := s.inv.Port("a.ns", time.Now()).NotChecking; got != "22.03" {
		t.Errorf("the option is %q", got)
	}
	s.inv.SetOptions(nil)
	s.expectLost("another option", 1)
	s.transact(`,{"op":"delete","table":"NB_Global","where":[]}`)
	s.until("the option's end", func(n *ovn.Snapshot) bool { return n.NBGlobal() == nil })
	if got := s.inv.Port("a.ns", time.Now()).NotChecking; got != "" {
		t.Errorf("the option is still %q", got)
	}

	s.inv.SetRow(&inventory.Row{UUID: "none", Name: "c.ns", Type: "virtual"})
	s.expectLost("a row that nobody has", 1)
	a := *s.inv.Row("a.ns")
	a.PortSecurity = []string{"0a:00:00:00:00:01"}
	s.inv.SetRow(&a)
	s.expectLost("another column", 1)
	s.inv.DeleteRow("a.ns", a.UUID)
	s.expectLost("a row less", 1)
	b := *s.inv.Row("b.ns")
	s.inv.DeleteRow("b.ns", b.UUID)
	b.Name = "d.ns"
	s.inv.SetRow(&b)
	s.expectLost("another name", 2)
}

func TestSouthbound(t *testing.T) {
	s := follow(t, ovn.Southbound, ovsdbserver.SouthboundSchema, ovn.TablePortBinding, ovn.TableChassis)
	s.until("an empty database", func(*ovn.Snapshot) bool { return true })
	s.transact(`,{"op":"insert","table":"Datapath_Binding","uuid-name":"dp","row":{"tunnel_key":3}},
		{"op":"insert","table":"Encap","uuid-name":"en","row":{"type":"geneve","ip":"127.0.0.1","chassis_name":"n1"}},
		{"op":"insert","table":"Encap","uuid-name":"em","row":{"type":"geneve","ip":"127.0.0.2","chassis_name":"n2"}},
		{"op":"insert","table":"Chassis","uuid-name":"ch","row":{"name":"n1","hostname":"node1","encaps":["named-uuid","en"]}},
		{"op":"insert","table":"Chassis","uuid-name":"cj","row":{"name":"n2","hostname":"node2","encaps":["named-uuid","em"]}},
		{"op":"insert","table":"Port_Binding","row":{"logical_port":"a.ns","datapath":["named-uuid","dp"],"tunnel_key":1,"chassis":["named-uuid","ch"],"additional_chassis":["named-uuid","cj"],"up":true,"port_security":"0a:00:00:00:00:01"}},
		{"op":"insert","table":"Port_Binding","row":{"logical_port":"b.ns","datapath":["named-uuid","dp"],"tunnel_key":2}}`)
	s.until("two bindings", func(n *ovn.Snapshot) bool { return n.PortBindings().Len() == 2 && n.Chassis().Len() == 2 })
	if diff := cmp.Diff([]string{"a.ns", "b.ns"}, s.takeTouched()); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	p := s.inv.Port("a.ns", time.Now())
	if p.Binding == nil || !p.Binding.Up || !slices.Equal(p.Binding.PortSecurity, []string{"0a:00:00:00:00:01"}) ||
		len(p.Chassis) != 2 || p.Chassis[0].Host != "node1" || len(p.Eras) == 0 {
		t.Errorf("binding %+v on %+v", p.Binding, p.Chassis)
	}
	if p := s.inv.Port("b.ns", time.Now()); p.Binding == nil || p.Binding.Up || len(p.Chassis) > 0 {
		t.Errorf("binding %+v on %+v", p.Binding, p.Chassis)
	}

	s.transact(
		`,{"op":"update","table":"Port_Binding","where":[["logical_port","==","a.ns"]],"row":{"additional_chassis":["set",[]]}}`,
	)
	s.until("the end of the move", func(*ovn.Snapshot) bool { return len(s.inv.Binding("a.ns").Chassis) == 1 })
	if diff := cmp.Diff([]string{"a.ns"}, s.takeTouched()); diff != "" {
		t.Errorf("touched by the end of the move (-want +got):\n%s", diff)
	}
	s.transact(
		`,{"op":"update","table":"Chassis","where":[["name","==","n1"]],"row":{"other_config":["map",[["fdb-timestamp","true"]]]}}`,
	)
	s.until("another chassis", func(*ovn.Snapshot) bool {
		return s.inv.Port("a.ns", time.Now()).Chassis[0].Config["fdb-timestamp"] == "true"
	})

	bound := *s.inv.Binding("a.ns")
	changed := bound
	changed.Up = false
	s.inv.SetBinding(&changed)
	s.expectLost("another binding", 1)
	s.inv.DeleteBinding("a.ns", bound.UUID)
	s.expectLost("a binding less", 1)
	s.inv.SetBinding(&inventory.Binding{UUID: "none", Port: "c.ns"})
	s.expectLost("a binding that nobody has", 1)
	s.inv.DeleteChassis(bound.Chassis[0])
	s.inv.SetChassis(inventory.Chassis{UUID: "none", Name: "n3"})
	s.expectLost("one chassis for another", 2)

	s.takeTouched()
	s.transact(`,{"op":"delete","table":"Port_Binding","where":[]},{"op":"delete","table":"Chassis","where":[]}`)
	s.until("nothing", func(n *ovn.Snapshot) bool { return n.PortBindings().Len() == 0 && n.Chassis().Len() == 0 })
	if diff := cmp.Diff([]string{"a.ns", "b.ns"}, s.takeTouched()); diff != "" {
		t.Errorf("touched by the end (-want +got):\n%s", diff)
	}
}
