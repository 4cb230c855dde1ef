//go:build integration

package rows

import (
	"compress/gzip"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// followRecorded follows a server with the rows of a real Kube-OVN controller.
func followRecorded(t *testing.T) *follower {
	t.Helper()
	packed, err := os.Open("../../testdata/recorded/nb.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "recorded.db")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return followServer(t, ovn.Northbound, ovsdbserver.New(dir, "nb", file))
}

// fresh returns an inventory that was given a state of the database as a whole.
func fresh(n *ovn.Snapshot) *inventory.State {
	inv := inventory.New()
	inv.KnowACLs()
	for _, e := range Missed(inv.Snapshot(), n) {
		Apply(inv, e)
	}
	return inv.Snapshot()
}

func first[T any](all iter.Seq[T]) (one T) {
	for one = range all {
		return one
	}
	return one
}

// The running database, its file, and what tools print of it say the same of ACLs.
func TestACLsOfEachSource(t *testing.T) {
	s := followRecorded(t)
	s.inv.KnowACLs()
	s.until("the recorded rows", func(n *ovn.Snapshot) bool { return n.ACLs().Len() > 0 })
	want := s.inv.Snapshot().ACLs()
	if len(want.ACLs) < 20 || len(want.Sets) < 20 || len(want.Groups) < 10 {
		t.Fatalf("%d ACLs, %d sets, %d groups", len(want.ACLs), len(want.Sets), len(want.Groups))
	}
	sameACLs(t, "file", ofFile(t, recorded(t)).ACLs(), want)
	var dumped strings.Builder
	if err := Dump(&dumped, s.state); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"export": dumped.String()}
	for _, format := range []string{"json", "csv", "list", "table"} {
		out, err := ovsdbserver.Tool(
			t.Context(),
			"ovsdb-client",
			"--format="+format,
			"dump",
			s.Endpoint(),
			"OVN_Northbound",
		)
		if err != nil {
			t.Fatal(err)
		}
		texts["ovsdb-client dump --format="+format] = out
	}
	for name, text := range texts {
		d, err := dbfile.Read(text, FileTables()...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameACLs(t, name, ofFile(t, d).ACLs(), want)
	}
	var list strings.Builder
	for _, table := range FileTables() {
		out, err := ovsdbserver.Tool(t.Context(), "ovn-nbctl", "--db="+s.Endpoint(), "--format=json", "list", table)
		if err != nil {
			t.Fatal(err)
		}
		list.WriteString(out)
	}
	d, err := dbfile.Read(list.String(), FileTables()...)
	if err != nil {
		t.Fatal(err)
	}
	got := ofFile(t, d).ACLs()
	if d.Tables[aclTable].Columns[tierColumn] == nil { // an ovn-nbctl that is older than the schema
		want.ACLs = slices.Clone(want.ACLs)
		for i := range want.ACLs {
			want.ACLs[i].Tier = 0
		}
	}
	sameACLs(t, "ovn-nbctl list", got, want)
}

// Changes lead to what a whole reading has, whatever changes.
func TestACLsFollowChanges(t *testing.T) {
	s := followRecorded(t)
	s.inv.KnowACLs()
	s.until("the recorded rows", func(n *ovn.Snapshot) bool { return n.ACLs().Len() > 0 })
	random := rand.New(rand.NewPCG(7, 24))
	pick := func(of []string) string { return of[random.IntN(len(of))] }
	var ports, groups, acls, sets []string
	for p := range s.state.Ports().All() {
		ports = append(ports, p.UUID)
	}
	for g := range s.state.PortGroups().All() {
		groups = append(groups, g.UUID)
	}
	for a := range s.state.ACLs().All() {
		acls = append(acls, a.UUID)
	}
	for a := range s.state.AddressSets().All() {
		sets = append(sets, a.UUID)
	}
	for _, list := range [][]string{ports, groups, acls, sets} {
		slices.Sort(list)
	}
	kept := s.inv.Snapshot()
	before := kept.ACLs()
	revision := kept.FilterRevision()
	for n := range 150 {
		where := func(uuid string) string { return `"where":[["_uuid","==",["uuid","` + uuid + `"]]]` }
		op := pick([]string{"insert", "delete"})
		var text string
		switch random.IntN(8) {
		case 0, 1:
			text = fmt.Sprintf(`{"op":"mutate","table":"Port_Group",%s,"mutations":[["ports",%q,["uuid",%q]]]}`,
				where(pick(groups)), op, pick(ports))
		case 2:
			text = fmt.Sprintf(`{"op":"mutate","table":"Address_Set",%s,"mutations":[["addresses",%q,"10.9.0.%d"]]}`,
				where(pick(sets)), op, random.IntN(20))
		case 3:
			text = fmt.Sprintf(`{"op":"update","table":"ACL",%s,"row":{"priority":%d,"action":%q}}`,
				where(pick(acls)), random.IntN(1000), pick([]string{"allow", "drop", "pass"}))
		case 4:
			text = fmt.Sprintf(`{"op":"mutate","table":"Port_Group",%s,"mutations":[["acls",%q,["uuid",%q]]]}`,
				where(pick(groups)), op, pick(acls))
		case 5:
			text = fmt.Sprintf(
				`{"op":"insert","table":"ACL","uuid-name":"a","row":{"direction":"to-lport","priority":%d,"match":"ip4","action":"drop"}},
				{"op":"mutate","table":"Logical_Switch","where":[["name","==",%q]],"mutations":[["acls","insert",["named-uuid","a"]]]}`,
				n,
				pick([]string{"ovn-default", "join"}),
			)
		case 6:
			text = fmt.Sprintf(
				`{"op":"update","table":"Logical_Switch","where":[["name","==",%q]],"row":{"acls":["set",[]]}}`,
				pick([]string{"ovn-default", "join"}),
			)
		case 7:
			text = fmt.Sprintf(
				`{"op":"mutate","table":"NB_Global","where":[],"mutations":[["options","delete",["set",["default_acl_drop"]]],["options","insert",["map",[["default_acl_drop",%q]]]]]}`,
				pick([]string{"true", "false"}),
			)
		}
		out, err := s.Transact(t.Context(), `["OVN_Northbound",`+text+`]`)
		if err != nil || strings.Contains(out, `"error":"syntax`) {
			t.Fatalf("%s: %s, %v", text, out, err)
		}
		if strings.Contains(out, `"error"`) {
			acls = slices.DeleteFunc(
				acls,
				func(a string) bool { return strings.Contains(text, a) },
			) // it went with its group
		}
	}
	s.transact(`,{"op":"insert","table":"Address_Set","row":{"name":"last"}}`)
	s.until("the last change", func(n *ovn.Snapshot) bool {
		for a := range n.AddressSets().All() {
			if a.Name == "last" {
				return true
			}
		}
		return false
	})
	now := s.inv.Snapshot()
	sameACLs(t, "after changes", now.ACLs(), fresh(s.state).ACLs())
	if now.FilterRevision() == revision {
		t.Error("changes were not counted")
	}
	sameACLs(t, "an earlier state", kept.ACLs(), before)

	a := *ACLOf(first(s.state.ACLs().All()))
	a.Priority += 7
	s.inv.SetACL(&a)
	s.expectLost("another ACL", 1)
	s.inv.DeleteACL(a.UUID)
	s.expectLost("an ACL less", 1)
	a.UUID = "none"
	s.inv.SetACL(&a)
	s.inv.SetSwitch(inventory.Switch{UUID: "none", Name: "none", ACLs: []string{"none"}})
	s.expectLost("an ACL and a switch that nobody has", 2)
}
