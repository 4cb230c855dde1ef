package rows

import (
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
)

// recorded returns the Northbound database of a real Kube-OVN controller, with ports that were changed by hand.
func recorded(t *testing.T) *dbfile.Database {
	t.Helper()
	f, err := os.Open("../../testdata/recorded/nb.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dbfile.Read(string(data), FileTables()...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPortsOfARecordedFile(t *testing.T) {
	d := recorded(t)
	if d.Name != "OVN_Northbound" || d.Version != "7.11.0" || d.Loss != nil ||
		d.Written.UTC().Format("2006-01-02 15:04:05") != "2026-11-22 23:42:52" {
		t.Errorf("%s %s, loss %v, written %s", d.Name, d.Version, d.Loss, d.Written)
	}
	ports, version, err := Ports(d)
	if err != nil {
		t.Fatal(err)
	}
	if version != "23.03.1" {
		t.Errorf("version %q", version)
	}
	byName := make(map[string]*ovn.Port)
	for _, p := range ports {
		if byName[p.Name] != nil || p.Switch == "" {
			t.Errorf("port %+v", p)
		}
		byName[p.Name] = p
	}
	off := false
	for name, want := range map[string]*ovn.Port{
		"d03-d.t-drift": {
			Switch: "ovn-default", Addresses: []string{"1a:cc:ca:8b:65:39 10.16.0.115"},
			PortSecurity: []string{"00:00:00:00:be:ef 10.16.9.10", "1a:cc:ca:8b:65:39 10.16.0.115"},
		},
		"d06-d.t-drift":    {Switch: "ovn-default", Addresses: []string{"fe:2b:7a:d4:d2:20 10.16.0.118", "unknown"}},
		"d10-d.t-drift":    {Switch: "ovn-default", Enabled: &off},
		"d12-d.t-drift":    {Switch: "ovn-default", Type: "virtual"},
		"join-ovn-cluster": {Switch: "join", Type: "router", Addresses: []string{"router"}},
	} {
		got := byName[name]
		if got == nil {
			t.Errorf("%s is not there", name)
			continue
		}
		if got.Switch != want.Switch || got.Type != want.Type ||
			want.Addresses != nil && !cmp.Equal(got.Addresses, want.Addresses) ||
			want.PortSecurity != nil && !cmp.Equal(got.PortSecurity, want.PortSecurity) ||
			!cmp.Equal(got.Enabled, want.Enabled) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if got := byName["d01-d.t-drift"].ExternalIDs["pod"]; got != "t-drift/d01-d" {
		t.Errorf("external_ids:pod %q", got)
	}
}

func TestPortsOfAnotherDatabase(t *testing.T) {
	if _, _, err := Ports(
		&dbfile.Database{Name: "OVN_Southbound"},
	); err == nil ||
		!strings.Contains(err.Error(), "OVN_Southbound") {
		t.Errorf("error %v, want one that names the database", err)
	}
	if _, _, err := Ports(&dbfile.Database{}); err == nil || !strings.Contains(err.Error(), "table") {
		t.Errorf("error %v, want one that names a table", err)
	}
	d := recorded(t)
	delete(d.Tables[portTable].Columns, portSecurityColumn)
	if _, _, err := Ports(d); err == nil || !strings.Contains(err.Error(), portSecurityColumn) {
		t.Errorf("error %v, want one that names the column", err)
	}
}

// Of a text that has not all of a database, what it lacks is said, and rows are not judged by what they seem to be.
func TestDoubtOfTexts(t *testing.T) {
	const uuid = "00000000-0000-4000-8000-00000000000"
	all := "type : \"\"\naddresses : []\nport_security : []\nexternal_ids : {ls=s1}\nenabled : []\n"
	port := func(n, columns string) string {
		return "_uuid : " + uuid + n + "\nname : p" + n + "\n" + columns + "\n"
	}
	of := func(ports string) string {
		return "_uuid : " + uuid + "9\nname : s\nother_config : {}\nports : [" + ports + "]\n\n"
	}
	for name, c := range map[string]struct {
		text     string
		want     inventory.RowDoubt
		says     []string
		onSwitch string
	}{
		"all": {
			port("1", all) + of(uuid+"1"), inventory.RowDoubt{}, []string{"NB_Global", "Address_Set"}, "s",
		},
		"no switches": {
			port("1", all), inventory.RowDoubt{Some: true}, []string{"no Logical_Switch", "list Logical_Switch`"}, "s1",
		},
		"a part": {
			port("1", all) + of(uuid+"1, "+uuid+"2"),
			inventory.RowDoubt{Some: true},
			[]string{"does not hold", "list Logical_Switch_Port`"},
			"s",
		},
		"columns": {
			port("1", "port_security : []\n") + of(uuid+"1"),
			inventory.RowDoubt{Lacks: "type, addresses, external_ids", Some: true},
			[]string{"no type, addresses, external_ids"},
			"s",
		},
		"show": {
			"switch " + uuid + "9 (s)\n    port p1\n        addresses: [\"unknown\"]\n",
			inventory.RowDoubt{Lacks: "port_security, external_ids", Some: true},
			[]string{"no port_security, external_ids of ports", "--format=json list Logical_Switch_Port`"},
			"s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := dbfile.Read(c.text, FileTables()...)
			if err != nil {
				t.Fatal(err)
			}
			ports, _, err := Ports(d)
			if err != nil || len(ports) != 1 || ports[0].Switch != c.onSwitch {
				t.Fatalf("ports %v, %v; want one on switch %s", ports, err, c.onSwitch)
			}
			doubt, notes := Doubt(d)
			if doubt != c.want {
				t.Errorf("doubt %+v, want %+v", doubt, c.want)
			}
			for _, want := range c.says {
				if !strings.Contains(strings.Join(notes, "\n"), want) {
					t.Errorf("%q is missing from %q", want, notes)
				}
			}
		})
	}
	if doubt, notes := Doubt(recorded(t)); doubt != (inventory.RowDoubt{}) || notes != nil {
		t.Errorf("a database file: %+v, %q", doubt, notes)
	}
}
