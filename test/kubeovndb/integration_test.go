//go:build integration

package kubeovndb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// A real server accepts both forms of the file, and serves the same from both: exactly the ports of Port.
func TestServerTakesTheFiles(t *testing.T) {
	dir, err := os.MkdirTemp("", "kdb")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db := kubeovndb.Database{Ports: 2000}
	for name, write := range map[string]func(path, schema string) error{
		"compact": db.Write, "history": db.WriteHistory,
	} {
		file := filepath.Join(dir, name+".db")
		if err := write(file, ovsdbserver.NorthboundSchema); err != nil {
			t.Fatal(err)
		}
		server := ovsdbserver.New(dir, name, file)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		dump, err := server.Dump(t.Context(), "OVN_Northbound")
		server.Kill()
		if err != nil {
			t.Fatal(err)
		}
		d, err := dbfile.Read(string(dump))
		if err != nil {
			t.Fatal(err)
		}
		check(t, name, db, d)
	}
}

// A real server accepts the Southbound half, with a binding for each port.
func TestServerTakesTheSouthboundFile(t *testing.T) {
	dir, err := os.MkdirTemp("", "kdb")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db := kubeovndb.Database{Ports: 500, Secured: true}
	file := filepath.Join(dir, "sb.db")
	if err := db.WriteSouthbound(file, ovsdbserver.SouthboundSchema); err != nil {
		t.Fatal(err)
	}
	server := ovsdbserver.New(dir, "sb", file)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer server.Kill()
	p := db.Port(db.Ports - 1)
	answer, err := server.Transact(
		t.Context(),
		fmt.Sprintf(
			`["OVN_Southbound",{"op":"select","table":"Port_Binding","where":[["port_security","==",%q]],"columns":["logical_port","up"]},`+
				`{"op":"select","table":"Port_Binding","where":[["chassis","==",["set",[]]]],"columns":["_uuid"]}]`,
			p.Addresses(),
		),
	)
	if want := fmt.Sprintf(
		`[{"rows":[{"logical_port":%q,"up":true}]},{"rows":[]}]`,
		p.Name,
	); err != nil ||
		strings.TrimSpace(answer) != want {
		t.Errorf("%s, %v; want %s", answer, err, want)
	}
	if err := (kubeovndb.Database{Ports: 200_000}).WriteSouthbound(
		filepath.Join(dir, "large.db"),
		ovsdbserver.SouthboundSchema,
	); err == nil {
		t.Error("more ports than a datapath has room for were written")
	}
}

func check(t *testing.T, name string, db kubeovndb.Database, d *dbfile.Database) {
	t.Helper()
	ports, switches, groups := d.Rows("Logical_Switch_Port"), d.Rows("Logical_Switch"), d.Rows("Port_Group")
	pods := 0
	for _, p := range ports {
		if p.Map("external_ids")["pod"] != "" {
			pods++
		}
	}
	if pods != db.Ports || len(switches) != db.Subnets()+1 {
		t.Fatalf(
			"%s: %d ports of pods on %d switches, want %d on %d",
			name,
			pods,
			len(switches),
			db.Ports,
			db.Subnets()+1,
		)
	}
	for n := range db.Ports {
		p := db.Port(n)
		row := ports[p.UUID]
		if row == nil {
			t.Fatalf("%s: port %d is missing", name, n)
		}
		if !slices.Equal(row.Strings("addresses"), []string{p.Addresses()}) ||
			(len(row.Strings("port_security")) == 1) != p.Strict ||
			row.Map("external_ids")["pod"] != p.Pod {
			t.Fatalf("%s: port %d is not as announced: %v", name, n, row.Strings("addresses"))
		}
		if !slices.Contains(switches[p.SwitchUUID].Strings("ports"), p.UUID) {
			t.Fatalf("%s: %s does not hold port %d", name, p.Switch, n)
		}
		for _, g := range p.Groups {
			if !slices.Contains(groups[g].Strings("ports"), p.UUID) {
				t.Fatalf("%s: group %s does not hold port %d", name, g, n)
			}
		}
	}
}
