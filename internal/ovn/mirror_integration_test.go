//go:build integration

package ovn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// allNB are all tables of the Northbound database that can be followed.
var allNB = []Table{TablePort, TableSwitch, TablePortGroup, TableAddressSet, TableACL, TableRouterPort, TableNBGlobal}

func TestFollowsChanges(t *testing.T) {
	s := newNB(t)
	s.nbctl(
		"ls-add",
		"sw",
		"--",
		"lsp-add",
		"sw",
		"p1",
		"--",
		"lsp-set-addresses",
		"p1",
		"0a:00:00:00:00:01 10.0.0.1 fd00::1",
		"unknown",
		"--",
		"set",
		"Logical_Switch_Port",
		"p1",
		"external_ids:pod=ns/web",
		"options:a=b",
		"--",
		"set",
		"NB_Global",
		".",
		"options:northd_internal_version=23.03.1-20.27.0-70.6",
	)
	f := follow(t, Config{Endpoints: s.Endpoint(), Tables: allNB, Log: testr.New(t)})
	f.settle(s.Server)
	now := f.Snapshot()
	if now.Version() != "23.03.1" || now.Schema != "7.0.0" {
		t.Errorf("version %q, schema %q", now.Version(), now.Schema)
	}
	p := now.Port("p1")
	if p == nil || p.Switch != "sw" || p.ExternalIDs["pod"] != "ns/web" ||
		!slices.Equal(p.Addresses, []string{"0a:00:00:00:00:01 10.0.0.1 fd00::1", "unknown"}) {
		t.Fatalf("port %+v", p)
	}
	steps := [][]string{
		{"lsp-set-port-security", "p1", "0a:00:00:00:00:01 10.0.0.1", "0a:00:00:00:00:02", "--", "lsp-add", "sw", "p2"},
		{"lsp-set-port-security", "p1", "0a:00:00:00:00:02", "0a:00:00:00:00:03"},
		{
			"set",
			"Logical_Switch_Port",
			"p1",
			"external_ids:pod=ns/other",
			"external_ids:more=1",
			"enabled=false",
			"up=true",
			"tag=7",
		},
		{
			"remove",
			"Logical_Switch_Port",
			"p1",
			"external_ids",
			"more",
			"--",
			"clear",
			"Logical_Switch_Port",
			"p1",
			"enabled",
		},
		{
			"clear",
			"Logical_Switch_Port",
			"p1",
			"tag",
			"--",
			"set",
			"Logical_Switch_Port",
			"p1",
			"type=router",
			"parent_name=q",
			`external_ids:"odd \" key"="ü\\ 	"`,
		},
		{"lsp-set-port-security", "p1", "--", "lsp-del", "p2"},
		{"set", "Logical_Switch", "sw", "name=renamed", "other_config:x=y"},
		{"pg-add", "pg", "p1", "--", "create", "Address_Set", "name=as", `addresses="10.0.0.1","10.0.0.2"`},
		{
			"acl-add",
			"renamed",
			"to-lport",
			"100",
			"ip4",
			"drop",
			"--",
			"acl-add",
			"pg",
			"from-lport",
			"5",
			"ip6.src == $as",
			"allow-related",
		},
		{
			"add",
			"Address_Set",
			"as",
			"addresses",
			`"10.0.0.3"`,
			"--",
			"remove",
			"Address_Set",
			"as",
			"addresses",
			`"10.0.0.1"`,
		},
		{"clear", "Port_Group", "pg", "ports", "--", "acl-del", "renamed"},
		{"ls-del", "renamed"},
	}
	for _, step := range steps {
		before := f.Snapshot()
		s.nbctl(step...)
		f.settle(s.Server)
		if f.Snapshot().Revision <= before.Revision {
			t.Errorf("%v: the revision stayed at %d", step, before.Revision)
		}
	}
	// The first snapshot is unchanged.
	if q := now.Port("p1"); q != p || q.Switch != "sw" || q.Type != "" || now.Ports().Len() != 1 {
		t.Errorf("an old snapshot changed: %+v", q)
	}
	if f.Snapshot().Ports().Len() != 0 {
		t.Errorf("%d ports are left", f.Snapshot().Ports().Len())
	}
}

func TestPortsAndTheirSwitches(t *testing.T) {
	s := newNB(t)
	s.nbctl("ls-add", "a", "--", "ls-add", "b", "--", "lsp-add", "a", "p", "--", "lsp-add", "a", "q")
	f := follow(t, Config{Endpoints: s.Endpoint()})
	uuid := strings.TrimSpace(s.nbctl("get", "Logical_Switch_Port", "p", "_uuid"))
	for _, step := range []struct {
		do   []string
		want string
	}{
		{
			[]string{"remove", "Logical_Switch", "a", "ports", uuid, "--", "add", "Logical_Switch", "b", "ports", uuid},
			"b",
		},
		{
			[]string{"add", "Logical_Switch", "a", "ports", uuid, "--", "remove", "Logical_Switch", "b", "ports", uuid},
			"a",
		},
		{[]string{"add", "Logical_Switch", "b", "ports", uuid}, "a"}, // on both switches, which ovn-northd would refuse
		{[]string{"remove", "Logical_Switch", "a", "ports", uuid}, "b"},
		{[]string{"add", "Logical_Switch", "a", "ports", uuid}, "b"},
		{[]string{"ls-del", "b"}, "a"},
		{[]string{"set", "Logical_Switch", "a", "name=c"}, "c"},
	} {
		before := f.Snapshot().Revision
		s.nbctl(step.do...)
		until(t, "the change is seen", func() bool { return f.Snapshot().Revision > before })
		if got := f.Snapshot().Port("p").Switch; got != step.want {
			t.Fatalf("after %v the port is on %q, want %q", step.do, got, step.want)
		}
	}
	f.settle(s.Server)
}

// A change while the server was away comes as an event, also a deleted row, and the state says so meanwhile.
func TestServerKilled(t *testing.T) {
	s := newNB(t)
	s.nbctl("ls-add", "sw", "--", "lsp-add", "sw", "stays", "--", "lsp-add", "sw", "goes")
	f := follow(t, Config{Endpoints: s.Endpoint()})
	f.settle(s.Server)
	if st := f.State(); st.Phase != Synced || st.Endpoint != s.Endpoint() || st.Revision == 0 {
		t.Errorf("state %+v", st)
	}
	stays, before := f.Snapshot().Port("stays"), time.Now()
	s.Kill()
	until(t, "the mirror is stale", func() bool { return f.State().Phase == Stale })
	if st := f.State(); st.Err == nil || st.Since.Before(before) || st.Endpoint != "" {
		t.Errorf("state %+v", st)
	}
	if f.Snapshot().Port("stays") != stays {
		t.Error("what was known is gone")
	}
	// Another server changes the file, unseen by the mirror.
	other := &nb{ovsdbserver.New(tempDir(t), "other", s.File), t}
	other.start()
	other.nbctl("lsp-del", "goes", "--", "lsp-add", "sw", "comes")
	other.Kill()
	s.start()
	f.settle(s.Server)
	if f.Snapshot().Port("stays") != stays {
		t.Error("a row that did not change was made again")
	}
	var kinds []string
	for _, e := range f.seen {
		_, now := e.Ports()
		if now != nil {
			kinds = append(kinds, e.Kind.String()+" "+now.Name)
		} else if old, _ := e.Ports(); old != nil {
			kinds = append(kinds, e.Kind.String()+" "+old.Name)
		} else if e.Kind == Resynchronised {
			kinds = append(kinds, e.Kind.String())
		}
	}
	for _, want := range []string{"delete goes", "insert comes"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("%q is not among %q", want, kinds)
		}
	}
	if kinds[len(kinds)-1] != "resynchronised" {
		t.Errorf("%q does not end with resynchronised", kinds)
	}
}

// The mirror notices a server that is there but does not answer.
func TestServerFrozen(t *testing.T) {
	s := newNB(t)
	s.nbctl("ls-add", "sw")
	f := follow(t, Config{Endpoints: s.Endpoint(), Probe: 200 * time.Millisecond})
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	until(t, "the mirror is stale", func() bool { return f.State().Phase == Stale })
	if err := f.State().Err; err == nil || !strings.Contains(err.Error(), "silent") {
		t.Errorf("error %v", err)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	s.nbctl("lsp-add", "sw", "p")
	f.settle(s.Server)
}

// A quiet server is not mistaken for a dead one. It has a second for each answer, which is long even on a busy machine.
func TestQuietServer(t *testing.T) {
	s := newNB(t)
	f := follow(t, Config{Endpoints: s.Endpoint(), Probe: time.Second})
	since := f.State().Since
	time.Sleep(3 * time.Second)
	if st := f.State(); st.Phase != Synced || st.Since != since {
		t.Errorf("state %+v, synced since %v at first", st, since)
	}
}

// burst changes ports p0, p1, ... of 100 ports that many times, in few transactions.
func burst(t *testing.T, s *ovsdbserver.Server, changes int) {
	t.Helper()
	const ports = 100
	var ops []string
	for i := range changes {
		ops = append(
			ops,
			fmt.Sprintf(
				`{"op":"update","table":"Logical_Switch_Port","where":[["name","==","p%d"]],"row":{"port_security":"0a:00:00:00:00:01 10.%d.%d.%d"}}`,
				i%ports,
				i/65025,
				i/255%255,
				i%255,
			),
		)
	}
	for chunk := range slices.Chunk(ops, ports) {
		if _, err := s.Transact(t.Context(), `["OVN_Northbound",`+strings.Join(chunk, ",")+`]`); err != nil {
			t.Fatal(err)
		}
	}
}

func addPorts(s *nb, n int) {
	s.t.Helper()
	args := []string{"ls-add", "sw"}
	for i := range n {
		args = append(args, "--", "lsp-add", "sw", fmt.Sprintf("p%d", i))
	}
	s.nbctl(args...)
}

// A late reader gets every event in order, and one that is too late gets an error.
func TestSlowReaders(t *testing.T) {
	s := newNB(t)
	addPorts(s, 100)
	f := follow(t, Config{Endpoints: s.Endpoint()})
	f.settle(s.Server)
	late := f.Subscribe(TablePort)
	defer late.Close()
	late.limit = 1000
	late.Take()
	begin := time.Now()
	burst(t, s.Server, 20000)
	t.Logf("20000 changes in %v", time.Since(begin))
	begin = time.Now()
	until(t, "the last change is seen", func() bool {
		ps := f.Snapshot().Port("p99").PortSecurity
		return len(ps) == 1 && strings.HasSuffix(ps[0], fmt.Sprintf("10.%d.%d.%d", 0, 19999/255%255, 19999%255))
	})
	t.Logf("seen %v after the last", time.Since(begin))
	before := len(f.seen)
	f.settle(s.Server)
	if got := len(f.seen) - before; got != 20000 {
		t.Errorf("%d events for 20000 changes", got)
	}
	events, state := late.Take()
	if len(events) != 101 || events[100].Kind != Resynchronised || state != f.Snapshot() {
		t.Errorf("%d events, want one for each of 100 ports and Resynchronised", len(events))
	}
	for _, e := range events[:100] {
		if old, now := e.Ports(); e.Kind != Update || old == nil || len(old.PortSecurity) != 0 ||
			now != state.Port(now.Name) {
			t.Fatalf("event %+v", e)
		}
	}
	if events, _ := late.Take(); len(events) != 0 {
		t.Errorf("%d events more", len(events))
	}
}

func TestSubscriptionEnds(t *testing.T) {
	s := newNB(t)
	f := follow(t, Config{Endpoints: s.Endpoint()})
	sub := f.Subscribe()
	sub.Take()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := sub.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	go sub.Close()
	if _, _, err := sub.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	f := start(t, Config{Endpoints: "unix:/nonexistent/nb.sock"})
	until(t, "an attempt was made", func() bool { return f.State().Err != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := f.WaitSynced(ctx); err == nil || !strings.Contains(err.Error(), "/nonexistent/nb.sock") {
		t.Errorf("error %v, want one that names the endpoint", err)
	}
	if st := f.State(); st.Synced() || st.Revision != 0 {
		t.Errorf("state %+v", st)
	}
}

func TestWrongDatabase(t *testing.T) {
	s := newNB(t)
	f := start(t, Config{Endpoints: s.Endpoint(), Database: Southbound})
	until(t, "an error that names the database", func() bool {
		err := f.State().Err
		return err != nil && strings.Contains(err.Error(), string(Southbound))
	})
}

func TestSouthbound(t *testing.T) {
	srv, err := ovsdbserver.Create(t.Context(), tempDir(t), "sb", ovsdbserver.SouthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	s := &nb{srv, t}
	s.start()
	f := follow(
		t,
		Config{
			Endpoints: s.Endpoint(),
			Database:  Southbound,
			Tables:    []Table{TablePortBinding, TableChassis, TableSBGlobal},
		},
	)
	for _, ops := range []string{
		`{"op":"insert","table":"Datapath_Binding","uuid-name":"dp","row":{"tunnel_key":3,"external_ids":["map",[["name","sw"]]]}},
		 {"op":"insert","table":"Encap","uuid-name":"en","row":{"type":"geneve","ip":"10.0.0.1","chassis_name":"n1"}},
		 {"op":"insert","table":"Chassis","uuid-name":"ch","row":{"name":"n1","hostname":"node1","encaps":["named-uuid","en"]}},
		 {"op":"insert","table":"Port_Binding","row":{"logical_port":"p","datapath":["named-uuid","dp"],"tunnel_key":1,"mac":"not followed","chassis":["named-uuid","ch"],"up":true,"port_security":["set",["a","b"]]}},
		 {"op":"insert","table":"SB_Global","row":{"nb_cfg":4,"options":["map",[["northd_internal_version","24.03.2-1"]]]}}`,
		`{"op":"mutate","table":"Port_Binding","where":[],"mutations":[["port_security","delete",["set",["a"]]],["port_security","insert",["set",["c"]]]]},
		 {"op":"update","table":"Port_Binding","where":[],"row":{"chassis":["set",[]],"up":false}}`,
		`{"op":"delete","table":"Port_Binding","where":[]},{"op":"delete","table":"Chassis","where":[]}`,
	} {
		if _, err := s.Transact(t.Context(), `["OVN_Southbound",`+ops+`]`); err != nil {
			t.Fatal(err)
		}
		f.settle(s.Server)
	}
	if v := f.Snapshot().Version(); v != "24.03.2" {
		t.Errorf("version %q", v)
	}
}
