//go:build integration

package ovn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// A backup that is restored into the running database brings every row back with another UUID.
func TestRestoredWhileRunning(t *testing.T) {
	c := newCluster(t)
	backup := filepath.Join(tempDir(t), "backup")
	c.do("back up", c.leader().Backup(t.Context(), c.Database, backup))
	f := c.follow()
	before := f.Snapshot().Port("p0")
	c.nbctl("lsp-add", "sw", "later", "--", "lsp-del", "p2")
	f.settle(c.leader())
	c.do("restore", c.leader().Restore(t.Context(), c.Database, backup))
	f.settle(c.leader())
	now := f.Snapshot()
	if p := now.Port("p0"); p == nil || p.UUID == before.UUID || p.Switch != "sw" {
		t.Errorf("port p0 was %+v, is %+v", before, p)
	}
	if now.Port("later") != nil || now.Port("p2") == nil {
		t.Error("the state is not that of the backup")
	}
}

// The database was lost, and a new cluster begins: empty at first, then with a backup. The old state is gone for good.
func TestClusterFoundedAnew(t *testing.T) {
	c := newCluster(t)
	backup := filepath.Join(tempDir(t), "backup")
	c.do("back up", c.leader().Backup(t.Context(), c.Database, backup))
	c.nbctl("lsp-add", "sw", "later", "--", "lsp-del", "p2")
	f := c.follow()
	for _, contents := range []string{ovsdbserver.NorthboundSchema, backup} {
		for _, s := range c.Servers {
			s.Kill()
		}
		c.do("begin again", c.Found(t.Context(), contents))
		f.settle(c.leader())
	}
	if f.Snapshot().Port("later") != nil || f.Snapshot().Ports().Len() != 3 {
		t.Errorf("%d ports, want those of the backup", f.Snapshot().Ports().Len())
	}
}

// convert makes a server convert to the machine's schema with some text replaced, under another version.
func convert(t *testing.T, s *ovsdbserver.Server, version, text, by string) {
	t.Helper()
	data, err := os.ReadFile(ovsdbserver.NorthboundSchema)
	if err != nil {
		t.Fatalf("%v (is OVN installed? `make deps`)", err)
	}
	schema := string(data)
	for old, replacement := range map[string]string{text: by, `"version": "7.0.0"`: `"version": "` + version + `"`} {
		if !strings.Contains(schema, old) {
			t.Fatalf("the schema of this machine is another than this test knows: it lacks %s", old)
		}
		schema = strings.Replace(schema, old, replacement, 1)
	}
	path := filepath.Join(tempDir(t), "schema")
	if err := os.WriteFile(path, []byte(schema), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Convert(t.Context(), path); err != nil {
		t.Fatal(err)
	}
}

// The servers change to another schema while they run, as in an upgrade of OVN and its rollback.
func TestConvertedWhileRunning(t *testing.T) {
	const (
		priority = `"priority": {`
		tier     = `"tier": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 3}}}, ` + priority
		enabled  = `"enabled": {"type": {"key": "boolean", "min": 0, "max": 1}},`
		text     = `"enabled": {"type": {"key": "string", "min": 0, "max": 1}},`
	)
	for _, clustered := range []bool{false, true} {
		name := map[bool]string{false: "one server", true: "cluster"}[clustered]
		t.Run(name, func(t *testing.T) {
			var f *follower
			var s *ovsdbserver.Server
			if clustered {
				c := newCluster(t)
				f, s = c.follow(), c.leader()
			} else {
				n := newNB(t)
				n.nbctl("ls-add", "sw", "--", "lsp-add", "sw", "p0")
				f, s = follow(t, Config{Endpoints: n.Endpoint(), Tables: allNB}), n.Server
			}
			insert := func(port string) {
				t.Helper()
				if _, err := s.Transact(
					t.Context(),
					`["OVN_Northbound",{"op":"insert","table":"Logical_Switch_Port","uuid-name":"p","row":{"name":"`+port+`"}},
					{"op":"mutate","table":"Logical_Switch","where":[],"mutations":[["ports","insert",["named-uuid","p"]]]}]`,
				); err != nil {
					t.Fatal(err)
				}
			}
			insert("before")
			f.settle(s)

			convert(t, s, "7.90.0", priority, tier)
			until(t, "the other schema", func() bool { return f.State().Synced() && f.Snapshot().Schema == "7.90.0" })
			insert("after")
			f.settle(s)

			// A required column has another type: no row may be believed, and the error says why.
			convert(t, s, "7.90.1", enabled, text)
			until(t, "an error that names the column", func() bool {
				st := f.State()
				return st.Phase == Stale && st.Err != nil && strings.Contains(st.Err.Error(), "Logical_Switch_Port") &&
					strings.Contains(st.Err.Error(), "enabled")
			})

			convert(t, s, "7.90.2", priority, priority)
			f.settle(s)
			if v := f.Snapshot().Schema; v != "7.90.2" {
				t.Errorf("schema %s", v)
			}
		})
	}
}
