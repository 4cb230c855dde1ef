package dbfile

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// recorded returns the database of a real controller.
func recorded(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("../../../testdata/recorded/nb.db.gz")
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
	return data
}

func jsonText(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// pasted returns a file of testdata/pasted.
func pasted(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/pasted/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What people paste into threads is read: one port, in four forms.
func TestPasted(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		cells  map[string]string
	}{
		"dump.txt":  {Dump, map[string]string{"addresses": "0a:00:00:00:36:01 10.16.0.36", "port_security": ""}},
		"list.json": {List, map[string]string{"addresses": "0a:00:00:00:36:01 10.16.0.36", "port_security": ""}},
		"paste.txt": {List, map[string]string{
			"addresses":     "0a:00:00:00:36:01 10.16.0.36|unknown",
			"port_security": "0a:00:00:00:36:01 10.16.0.36", "external_ids": "ls|pod|vendor",
		}},
		"show.txt": {Show, map[string]string{"addresses": "0a:00:00:00:36:01 10.16.0.36"}},
	} {
		for _, before := range []string{"", "root@node:~# kubectl ko nbctl list logical-switch-port\n" +
			"Defaulted container \"ovn-central\" out of: ovn-central, hostpath-init (init)\n"} {
			if before != "" && name == "dump.txt" {
				continue
			}
			d := mustRead(t, before+pasted(t, name)+"\nroot@node:~#")
			if d.Format != c.format || len(d.Unread) > 0 || d.Loss != nil {
				t.Errorf("%s: %s, unread %v, %v", name, d.Format, d.Unread, d.Loss)
			}
			rows := d.Rows("Logical_Switch_Port")
			if len(rows) != 1 {
				t.Fatalf("%s: %d ports", name, len(rows))
			}
			for _, row := range rows {
				if row.String("name") != "vpn.default" {
					t.Errorf("%s: its name is %q", name, row.String("name"))
				}
				for column, want := range c.cells {
					if got := strings.Join(row.Strings(column), "|"); got != want {
						t.Errorf("%s: %s is %q, want %q", name, column, got, want)
					}
				}
			}
		}
	}
}

// A row that cannot be read is left out with its line, and the others are kept.
func TestUnreadLines(t *testing.T) {
	port := func(n int, name string) string {
		return "_uuid               : " + id(n) + "\nname                : " + name + "\nport_security       : []\n"
	}
	for name, c := range map[string]struct {
		text string
		rows int
		says []string
	}{
		"cut":     {port(1, "a") + "\n" + port(2, "[b"), 1, []string{"line 5", "column name"}},
		"wrapped": {port(1, "a") + "and more\n\n" + port(2, "b"), 1, []string{"line 1", `line 4 is not understood: "and more"`}},
		"between": {port(1, "a") + "\n(output omitted)\n\n" + port(2, "b"), 2, []string{"line 5", "(output omitted)"}},
		"bare":    {port(1, "a") + "\n" + port(2, "a b"), 1, []string{"line 5", "--data=bare"}},
		"csv": {
			"_uuid,name,port_security\n" + id(1) + ",a,[]\n" + id(2) + ",b\n" + id(3) + ",c,[]\n", 2,
			[]string{"line 3", "2 columns", "3 headings"},
		},
		"table": {
			"_uuid name port_security\n----- ---- -------------\n" + id(1) + " a []\n" + id(2) + " b\n", 1,
			[]string{"line 4", "port_security"},
		},
		"JSON": {
			`{"headings":["_uuid","name","port_security"],"data":[[["uuid","` + id(1) + `"],"a",["set",[]]]]}` + "\n{\n\n}\n" +
				port(2, "b"), 1, nil,
		},
		"no table": {
			port(1, "a") + "\n_uuid               : " + id(2) + "\nname                : x\n", 1,
			[]string{"line 5", "cannot be told", "all columns"},
		},
		"no UUID": {
			port(1, "a") + "\nname                : x\nport_security       : []\n", 1,
			[]string{"line 5", "_uuid", "all columns"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustRead(t, c.text)
			if got := len(d.Rows("Logical_Switch_Port")); got != c.rows {
				t.Errorf("%d rows, want %d", got, c.rows)
			}
			if name == "JSON" {
				if d.Loss == nil || d.Loss.Record != 1 {
					t.Errorf("loss %v, want one of record 1", d.Loss)
				}
				return
			}
			if len(d.Unread) != 1 {
				t.Fatalf("unread %v, want one line", d.Unread)
			}
			for _, want := range c.says {
				if !strings.Contains(d.Unread[0].String(), want) {
					t.Errorf("%q does not say %q", d.Unread[0].String(), want)
				}
			}
		})
	}
}

// Several answers about one table make one table, and lines are counted across JSON.
func TestAnswersAfterEachOther(t *testing.T) {
	one := func(n int, name string) string {
		return `{"headings":["_uuid","name","port_security"],` + "\n" + `"data":[[["uuid","` + id(
			n,
		) + `"],"` + name + `",["set",[]]]]}`
	}
	d := mustRead(t, one(1, "a")+one(2, "b")+"\n\nstrange\n_uuid               : "+id(3)+
		"\ntype                : \"\"\nname                : c\nport_security       : []\n")
	var names []string
	for _, row := range d.Rows("Logical_Switch_Port") {
		names = append(names, row.String("name"))
	}
	if len(names) != 3 || len(d.Unread) != 1 || d.Unread[0].Number != 5 {
		t.Errorf("rows %q, unread %v; want three rows and line 5", names, d.Unread)
	}
}

// FuzzText reads arbitrary text with the readers of the tools' layouts: it never fails otherwise than by an error, and
// a database that was read holds rows with UUIDs and known columns alone.
func FuzzText(f *testing.F) {
	for _, name := range []string{"dump.txt", "list.json", "paste.txt", "show.txt"} {
		f.Add(pasted(f, name))
	}
	f.Add("T table\n_uuid,name\n" + id(1) + ",\"\"\"a b\"\"\"\n")
	f.Add(
		"$ ovn-nbctl find Logical_Switch_Port\n_uuid : " + id(
			1,
		) + "\nids : {a=b, \"c d\"=\"e\"}\nset : [\"uuid\", x]\n",
	)
	f.Add("router " + id(1) + " (r)\n    port r-s\n        mac: \"00:00:00:00:00:01\"\n    nat x\n        type: snat\n")
	f.Fuzz(func(t *testing.T, text string) {
		readBoth(t, text)
		d, err := Read(text)
		if err != nil {
			return
		}
		for name, table := range d.Tables {
			for uuid, row := range table.Rows {
				if row.UUID != uuid || row.table != table {
					t.Fatalf("%s: row %q has UUID %q", name, uuid, row.UUID)
				}
				for _, c := range row.cells {
					if table.Columns[c.column.Name] != c.column {
						t.Fatalf("%s: row %q has a column %q of its own", name, uuid, c.column.Name)
					}
				}
			}
		}
	})
}

// FuzzNotation reads arbitrary text as a value. What it gives, printed again as the tools print it, reads the same.
func FuzzNotation(f *testing.F) {
	for _, text := range []string{`[]`, `{a=b, "c d"="e"}`, `["a b", c]`, `""`, `["set",["a"]]`, `["uuid","` + id(1) + `"]`, `x`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // Read refuses it
		}
		var a arena
		c := &Column{Name: "c", Key: Unknown, Max: Unlimited}
		v, err := only(text, c, &a)
		if err != nil {
			return
		}
		var parts []string
		for i, k := range v.Keys {
			part := jsonText(k)
			if v.Values != nil {
				part += "=" + jsonText(v.Values[i])
			}
			parts = append(parts, part)
		}
		printed := "[" + strings.Join(parts, ", ") + "]"
		if v.Values != nil {
			printed = "{" + strings.Join(parts, ", ") + "}"
		}
		again, err := only(printed, c, &a)
		if err != nil {
			t.Fatalf("%q gives %q, which is no value: %v", text, printed, err)
		}
		if diff := cmp.Diff(v, again); diff != "" {
			t.Fatalf("%q, printed as %q (-first +again):\n%s", text, printed, diff)
		}
	})
}
