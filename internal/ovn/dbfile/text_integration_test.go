//go:build integration

package dbfile

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// hostile are values that a careless reader of text takes for something else.
var hostile = []string{
	"plain",
	"",
	"true",
	"12",
	"a b",
	"a,b",
	`quote"d`,
	`back\slash`,
	"new\nline",
	"tab\t",
	"[x]",
	"{k=v}",
	"k=v",
	"é",
	"00000000-0000-4000-8000-000000000001",
	"set",
	"_uuid",
	"Logical_Switch table",
	"name : x",
	"switch x (y)",
	"-----",
	"\x1b[31m",
}

// What the tools print of one real database has the same rows, whatever the layout.
func TestTextOfTheTools(t *testing.T) {
	file := filepath.Join(shortDir(t), "nb.db")
	if err := os.WriteFile(file, recorded(t), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, file)
	for i, text := range hostile {
		key := fmt.Sprintf("%q", text)
		if !s.transact(
			"OVN_Northbound",
			fmt.Sprintf(`{"op":"insert","table":"Logical_Switch_Port","uuid-name":"p","row":{"name":%s,"type":%s,`+
				`"addresses":["set",[%[2]s,"x %d"]],"port_security":%[2]s,"external_ids":["map",[[%[2]s,%[2]s],["ls","x"]]]}}`,
				jsonText(fmt.Sprintf("%d %s", i, text)), jsonText(text), i),
			fmt.Sprintf(
				`{"op":"insert","table":"Logical_Switch","row":{"name":%s,"ports":["named-uuid","p"]}}`,
				jsonText(text),
			),
		) {
			t.Fatalf("%s cannot be inserted", key)
		}
	}
	dump := s.dump("OVN_Northbound")
	tables := []string{
		"Logical_Switch_Port", "Logical_Switch", "Logical_Router_Port", "NB_Global", "Port_Group", "Address_Set", "ACL",
	}
	list := func(args ...string) string {
		var all strings.Builder
		for _, table := range tables {
			line := append(append([]string{"--db=" + s.Endpoint(), "--timeout=30"}, args...), "list", table)
			out, err := ovsdbserver.Tool(t.Context(), "ovn-nbctl", line...)
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(
				"$ kubectl ko nbctl list " + table + "\nDefaulted container \"ovn-central\" out of: ovn-central\n" + out + "\n",
			)
		}
		return all.String()
	}
	unnamed := func(text string) string { // without the lines that name the table
		var all strings.Builder
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "$ ") && !strings.HasPrefix(line, "Defaulted") {
				all.WriteString(line)
			}
		}
		return all.String()
	}
	for name, text := range map[string]string{
		"dump":              s.ask("dump", "OVN_Northbound"),
		"dump, csv":         s.ask("dump", "--format=csv", "OVN_Northbound"),
		"dump, list":        s.ask("dump", "--format=list", "OVN_Northbound"),
		"dump, data json":   s.ask("dump", "--data=json", "OVN_Northbound"),
		"dump, csv as json": s.ask("dump", "--format=csv", "--data=json", "OVN_Northbound"),
		"list":              list(),
		"list, unnamed":     unnamed(list()),
		"list, JSON":        list("--format=json"),
		"JSON, unnamed":     unnamed(list("--format=json")),
		"list, csv":         list("--format=csv"),
		"list, table":       list("--format=table"),
		"list, data json":   list("--data=json"),
		"CRLF":              strings.ReplaceAll(list(), "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			want, err := Read(dump)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read(text, tables...)
			if err != nil {
				t.Fatal(err)
			}
			if got.Loss != nil || len(got.Unread) > 0 {
				t.Fatalf("loss %v, unread %v", got.Loss, got.Unread)
			}
			have, wanted := contents(got), contents(want)
			for _, table := range tables {
				if len(wanted[table]) == 0 {
					t.Fatalf("the database has no %s", table)
				}
				// The recorded database is of a later release than ovn-nbctl, which knows fewer columns.
				for _, rows := range []map[string]map[string]string{wanted[table], have[table]} {
					for _, row := range rows {
						maps.DeleteFunc(row, func(c, _ string) bool {
							return got.Tables[table].Columns[c] == nil || want.Tables[table].Columns[c] == nil
						})
						if row["name"] == "" && table != "NB_Global" {
							t.Fatalf("%s: a row has no name: %v", table, row)
						}
					}
				}
				if diff := cmp.Diff(wanted[table], have[table]); diff != "" {
					t.Errorf("%s (-JSON of dump +text):\n%.3000s", table, diff)
				}
			}
		})
	}
}

// What `ovn-nbctl show` prints of ports is what the database has of them.
func TestShowOfTheTools(t *testing.T) {
	file := filepath.Join(shortDir(t), "nb.db")
	if err := os.WriteFile(file, recorded(t), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, file)
	text, err := ovsdbserver.Tool(t.Context(), "ovn-nbctl", "--db="+s.Endpoint(), "show")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(text)
	if err != nil || len(got.Unread) > 0 {
		t.Fatalf("%v, unread %v", err, got.Unread)
	}
	facts := func(d *Database, table string, columns ...string) map[string]string {
		out := make(map[string]string)
		for _, row := range d.Rows(table) {
			columns := columns
			var cells []string
			if row.String("type") == "router" {
				columns = []string{"type"} // show leaves out addresses that follow from it
			}
			for _, c := range columns {
				cells = append(cells, fmt.Sprintf("%q", row.Strings(c)))
			}
			out[row.String("name")] = strings.Join(cells, " ")
		}
		return out
	}
	want := s.read()
	for table, columns := range map[string][]string{
		"Logical_Switch_Port": {"type", "addresses"}, "Logical_Router_Port": {"mac"}, "Logical_Switch": nil,
	} {
		if diff := cmp.Diff(facts(want, table, columns...), facts(got, table, columns...)); diff != "" {
			t.Errorf("%s (-file +show):\n%.3000s", table, diff)
		}
	}
}
