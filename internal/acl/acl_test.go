package acl

import (
	"net/netip"
	"testing"

	"github.com/ovnguard/ovnguard/internal/ovnmatch"
)

func packet(from, to, src, dst string, port uint16) *ovnmatch.Packet {
	return &ovnmatch.Packet{
		InPort:  from,
		OutPort: to,
		EthType: ovnmatch.TypeIP4,
		IPSrc:   netip.MustParseAddr(src),
		IPDst:   netip.MustParseAddr(dst),
		Proto:   6,
		TTL:     64,
		SrcPort: 40000,
		DstPort: port,
	}
}

// policyLike is what Kube-OVN writes for a policy that admits web to the database on one port.
func policyLike() Database {
	return Database{
		ACLs: []ACL{
			{
				UUID:      "1",
				Direction: ToPort,
				Tier:      2,
				Priority:  2000,
				Action:    Drop,
				Match:     "outport == @db && ip",
				Group:     "db",
			},
			{
				UUID: "2", Direction: ToPort, Tier: 2, Priority: 2001, Action: AllowRelated, Group: "db",
				Match: "outport == @db && ip && ip4.src == $allow && ip4.src != $except && tcp.dst == 5432",
			},
		},
		Groups:   map[string][]string{"db": {"db-0.shop"}},
		Sets:     map[string][]string{"allow": {"10.16.0.5"}, "except": {}},
		SwitchOf: map[string]string{"db-0.shop": "s", "web-0.shop": "s", "other.x": "far"},
	}
}

func TestPolicy(t *testing.T) {
	table := New(policyLike())
	for _, c := range []struct {
		name   string
		packet *ovnmatch.Packet
		want   Action
		by     string
	}{
		{"admitted", packet("web-0.shop", "db-0.shop", "10.16.0.5", "10.16.0.9", 5432), Allow, "2"},
		{"another port", packet("web-0.shop", "db-0.shop", "10.16.0.5", "10.16.0.9", 22), Drop, "1"},
		{"another source", packet("web-0.shop", "db-0.shop", "10.16.0.6", "10.16.0.9", 5432), Drop, "1"},
		{"to another pod", packet("db-0.shop", "web-0.shop", "10.16.0.9", "10.16.0.5", 80), Allow, ""},
		{"on another switch", packet("x", "other.x", "10.16.0.9", "10.17.0.5", 80), Allow, ""},
	} {
		got := table.Arrive(c.packet)
		by := ""
		if got.ACL != nil {
			by = got.ACL.UUID
		}
		if got.Action != c.want || by != c.by || got.Unclear != nil {
			t.Errorf("%s: %s by %q, want %s by %q; %v", c.name, got.Action, by, c.want, c.by, got.Unclear)
		}
		if leave := table.Leave(c.packet); leave.Action != Allow {
			t.Errorf("%s: does not leave: %+v", c.name, leave)
		}
	}
}

// A tier that passes hands over to the next one; what is left over counts by default.
func TestTiersAndStages(t *testing.T) {
	db := policyLike()
	db.OnSwitch = map[string][]string{"a": {"s"}, "b": {"s"}, "c": {"s"}, "d": {"s"}}
	db.ACLs = []ACL{
		{UUID: "a", Direction: FromPort, Tier: 0, Priority: 10, Action: Pass, Match: "tcp.dst == 80"},
		{UUID: "b", Direction: FromPort, Tier: 0, Priority: 5, Action: Drop, Match: "tcp"},
		{UUID: "c", Direction: FromPort, Tier: 1, Priority: 1, Action: Allow, Match: "ip"},
		{
			UUID:      "d",
			Direction: FromPort,
			Tier:      0,
			Priority:  1,
			Action:    Reject,
			Match:     "ip4.dst == 10.16.0.66",
			AfterLB:   true,
		},
	}
	for _, drops := range []bool{false, true} {
		db.DropByDefault = drops
		table := New(db)
		left := Allow
		if drops {
			left = Drop
		}
		if got := table.Leave(packet("web-0.shop", "", "10.16.0.5", "10.16.0.9", 80)); got.Action != left {
			t.Errorf("passed: %+v", got)
		}
		if got := table.Leave(
			packet("web-0.shop", "", "10.16.0.5", "10.16.0.9", 81),
		); got.Action != Drop ||
			got.ACL.UUID != "b" {
			t.Errorf("dropped: %+v", got)
		}
		if got := table.Leave(packet("web-0.shop", "", "10.16.0.5", "10.16.0.66", 80)); got.Action != Reject {
			t.Errorf("after load balancing: %+v", got)
		}
		if got := table.Arrive(packet("x", "web-0.shop", "10.16.0.5", "10.16.0.9", 1)); got.Action != left {
			t.Errorf("no ACL in the stage: %+v", got)
		}
		if got := table.Arrive(packet("x", "other.x", "10.16.0.5", "10.16.0.9", 1)); got.Action != Allow {
			t.Errorf("no ACL on the switch: %+v", got)
		}
	}
}

// What is not understood is said, and what decides before it is not touched by it.
func TestUnclear(t *testing.T) {
	db := policyLike()
	db.ACLs = append(db.ACLs, ACL{
		UUID:      "3",
		Direction: ToPort,
		Tier:      1,
		Priority:  7,
		Action:    Allow,
		Match:     "outport == @db && ct_label == 1",
		Group:     "db",
	})
	got := New(db).Arrive(packet("web-0.shop", "db-0.shop", "10.16.0.6", "10.16.0.9", 5432))
	if got.Action != Drop || len(got.Unclear) != 1 || got.Unclear[0].ACL.UUID != "3" ||
		got.Unclear[0].What[0] != "ct_label" {
		t.Errorf("%+v", got)
	}
	got = New(db).Arrive(packet("db-0.shop", "web-0.shop", "10.16.0.6", "10.16.0.9", 5432))
	if got.Unclear != nil {
		t.Errorf("the ACL is about another port: %+v", got)
	}
	db = policyLike()
	db.Sets["allow"] = []string{"nonsense"}
	table := New(db)
	got = table.Arrive(packet("web-0.shop", "db-0.shop", "10.16.0.5", "10.16.0.9", 5432))
	if len(table.BadSets) != 1 || len(got.Unclear) != 1 {
		t.Errorf("%q, %+v", table.BadSets, got)
	}
}

// Neighbour discovery passes whatever ACLs say.
func TestAlwaysLetThrough(t *testing.T) {
	p := &ovnmatch.Packet{
		OutPort: "db-0.shop", EthType: ovnmatch.TypeIP6, IPSrc: netip.MustParseAddr("fe80::1"),
		IPDst: netip.MustParseAddr("fe80::2"), Proto: 58, TTL: 255, ICMPType: 136,
	}
	if got := New(policyLike()).Arrive(p); got.Action != Allow {
		t.Errorf("%+v", got)
	}
	if p.TTL = 64; New(policyLike()).Arrive(p).Action != Drop {
		t.Error("from beyond a router it is as any other packet")
	}
}

// An expression may name the addresses of a port group, which no row of the Northbound database has.
func TestSetsOfGroups(t *testing.T) {
	db := Database{
		ACLs: []ACL{
			{
				UUID: "node", Direction: ToPort, Tier: 2, Priority: 3000, Action: AllowRelated, Group: "node.n1",
				Match: "ip4.src == 192.0.2.1 && ip4.dst == $node.n1_ip4",
			},
			{
				UUID: "six", Direction: ToPort, Tier: 2, Priority: 3000, Action: AllowRelated, Group: "node.n1",
				Match: "ip4.src == 192.0.2.6 && ip6.dst == $node.n1_ip6",
			},
			{
				UUID: "own", Direction: ToPort, Tier: 2, Priority: 3000, Action: AllowRelated, Group: "node.n1",
				Match: "ip4.src == 192.0.2.2 && ip4.dst == $far_ip4",
			},
			{UUID: "drop", Direction: ToPort, Tier: 2, Priority: 2000, Action: Drop, Match: "ip", Group: "node.n1"},
		},
		Groups:   map[string][]string{"node.n1": {"a", "b"}, "far": {"b"}},
		Sets:     map[string][]string{"far_ip4": {"10.16.0.5"}},
		SwitchOf: map[string]string{"a": "s", "b": "s", "c": "s"},
		Addresses: map[string][]string{
			"a": {"0a:00:00:00:00:01 10.16.0.5 fd00::5", "unknown"}, "b": {"0a:00:00:00:00:02 10.16.0.6"},
			"c": {"0a:00:00:00:00:03 10.16.0.7"},
		},
	}
	table := New(db)
	for _, c := range []struct {
		name, source, to, destination string
		want                          Action
	}{
		{"a member of the group", "192.0.2.1", "a", "10.16.0.5", Allow},
		{"another member", "192.0.2.1", "b", "10.16.0.6", Allow},
		{"no member", "192.0.2.1", "c", "10.16.0.7", Drop},
		{"another family", "192.0.2.6", "a", "10.16.0.5", Drop},
		{"in a set that a row has", "192.0.2.2", "a", "10.16.0.5", Allow},
		{"only in the group of that name", "192.0.2.2", "b", "10.16.0.6", Drop},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := table.Arrive(packet("x", c.to, c.source, c.destination, 80))
			if d.Action != c.want || len(d.Unclear) > 0 {
				t.Errorf("%s by %v, unclear %v; want %s", d.Action, d.ACL, d.Unclear, c.want)
			}
		})
	}
}

// Of two ACLs of one priority OVN takes either, so that nothing is said where they differ.
func TestSamePriority(t *testing.T) {
	at := func(uuid string, priority int, action Action, match string) ACL {
		return ACL{UUID: uuid, Direction: ToPort, Tier: 2, Priority: priority, Action: action, Match: match, Group: "g"}
	}
	table := New(Database{
		ACLs: []ACL{
			at("a", 20, AllowRelated, "tcp.dst == 80"), at("b", 20, Drop, "ip4.src == 10.16.0.6"),
			at("c", 20, Allow, "ip4.src == 10.16.0.5"), at("d", 10, Drop, "ip"), at("e", 10, Reject, "ip4"),
		},
		Groups: map[string][]string{"g": {"p"}}, SwitchOf: map[string]string{"p": "s"},
	})
	for _, c := range []struct {
		name, source string
		port         uint16
		want         Action
		unclear      int
	}{
		{"one that drops and one that allows", "10.16.0.6", 80, Drop, 1},
		{"two that allow", "10.16.0.5", 80, Allow, 0},
		{"only one matches", "10.16.0.6", 22, Drop, 0},
		{"two that refuse", "10.16.0.7", 22, Drop, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := table.Arrive(packet("x", "p", c.source, "10.16.0.9", c.port))
			if d.Action != c.want || len(d.Unclear) != c.unclear {
				t.Errorf("%s, unclear %v; want %s, %d", d.Action, d.Unclear, c.want, c.unclear)
			}
		})
	}
}
