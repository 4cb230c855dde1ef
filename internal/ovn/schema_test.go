package ovn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// schemaText returns a Northbound schema with the tables of ports and switches. Some columns have another type than in
// OVN; a column with type "" is left out.
func schemaText(changed map[string]string) []byte {
	const set = `{"key":"string","min":0,"max":"unlimited"}`
	const dict = `{"key":"string","value":"string","min":0,"max":"unlimited"}`
	optional := func(of string) string { return fmt.Sprintf(`{"key":%q,"min":0,"max":1}`, of) }
	tables := map[string]map[string]string{
		"Logical_Switch_Port": {
			"name":          `"string"`,
			"type":          `"string"`,
			"addresses":     set,
			"port_security": set,
			"external_ids":  dict,
			"options":       dict,
			"enabled": optional(
				"boolean",
			),
			"up":          optional("boolean"),
			"parent_name": optional("string"),
			"tag":         optional("integer"),
		},
		"Logical_Switch": {
			"name":         `"string"`,
			"acls":         `{"key":{"type":"uuid","refTable":"ACL","refType":"strong"},"min":0,"max":"unlimited"}`,
			"other_config": dict,
			"external_ids": dict,
			"ports":        `{"key":{"type":"uuid","refTable":"Logical_Switch_Port","refType":"strong"},"min":0,"max":"unlimited"}`,
		},
	}
	var texts []string
	for table, columns := range tables {
		var list []string
		for name, columnType := range columns {
			if other, ok := changed[table+"."+name]; ok {
				columnType = other
			}
			if columnType != "" {
				list = append(list, fmt.Sprintf(`%q:{"type":%s}`, name, columnType))
			}
		}
		texts = append(texts, fmt.Sprintf(`%q:{"columns":{%s}}`, table, strings.Join(list, ",")))
	}
	return []byte(`{"name":"OVN_Northbound","version":"9.9.9","tables":{` + strings.Join(texts, ",") + `}}`)
}

func useSchema(t *testing.T, text []byte) (*store, error) {
	t.Helper()
	st, err := newStore(Northbound, []Table{TablePort, TableSwitch})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := parseSchema(text)
	if err != nil {
		return st, err
	}
	return st, st.setSchema(schema)
}

// Before OVN 22.06 Port_Binding had no column port_security.
func TestMissingOptionalColumnIsEmpty(t *testing.T) {
	schema, err := parseSchema(
		[]byte(`{"name":"OVN_Southbound","version":"20.21.0","tables":{"Port_Binding":{"columns":{
		"logical_port":{"type":"string"},"type":{"type":"string"},"up":{"type":{"key":"boolean","min":0,"max":1}},
		"chassis":{"type":{"key":"uuid","min":0,"max":1}}}}}}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	st, err := newStore(Southbound, []Table{TablePortBinding})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.setSchema(schema); err != nil {
		t.Fatal(err)
	}
	if columns := st.layouts[TablePortBinding].columns; slices.Contains(columns, "port_security") {
		t.Errorf("the server is asked for %v", columns)
	}
	if _, err := st.apply([]byte(`{"Port_Binding":{"u":{"insert":{"logical_port":"p"}}}}`), false, ""); err != nil {
		t.Fatal(err)
	}
	if b := st.snapshot.PortBindings().Get("u"); b == nil || b.LogicalPort != "p" || b.PortSecurity != nil {
		t.Errorf("port binding %+v", b)
	}
}

func TestWrongSchemas(t *testing.T) {
	for name, c := range map[string]struct {
		changed map[string]string
		want    []string
	}{
		"a column is missing": {
			map[string]string{"Logical_Switch_Port.port_security": ""},
			[]string{"Logical_Switch_Port", "port_security", "9.9.9"},
		},
		"the set of ports too": {map[string]string{"Logical_Switch.ports": ""}, []string{"Logical_Switch", "ports"}},
		"a set became a map": {
			map[string]string{
				"Logical_Switch_Port.port_security": `{"key":"string","value":"string","min":0,"max":"unlimited"}`,
			},
			[]string{"port_security", "a map from string to string", "want a set"},
		},
		"a string became a set": {
			map[string]string{"Logical_Switch_Port.name": `{"key":"string","min":0,"max":3}`},
			[]string{"column name", "a set of string", "want a string"},
		},
		"a string became a number": {map[string]string{"Logical_Switch_Port.type": `"integer"`}, []string{"column " +
			"type", "have integer"}},
		"a truth value became text": {
			map[string]string{"Logical_Switch_Port.enabled": `{"key":"string","min":0,"max":1}`},
			[]string{"enabled", "want a truth value"},
		},
		"a number became a fraction": {
			map[string]string{"Logical_Switch_Port.tag": `{"key":"real","min":0,"max":1}`},
			[]string{"Logical_Switch_Port", "tag", "have real"},
		},
	} {
		_, err := useSchema(t, schemaText(c.changed))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q does not say %q", name, err, want)
			}
		}
	}
}

// A column with at most one value, where OVN allows many, can still be read.
func TestNarrowerSet(t *testing.T) {
	st, err := useSchema(
		t,
		schemaText(map[string]string{"Logical_Switch_Port.port_security": `{"key":"string","min":0,"max":1}`}),
	)
	if err != nil {
		t.Fatal(err)
	}
	const uuid = "3f2c1a7e-0000-4000-8000-000000000001"
	for _, change := range []string{
		`{"Logical_Switch_Port":{"` + uuid + `":{"insert":{"name":"p","port_security":"a"}}}}`,
		`{"Logical_Switch_Port":{"` + uuid + `":{"modify":{"port_security":"b"}}}}`, // sent whole, and no difference
	} {
		if _, err := st.apply([]byte(change), false, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := st.snapshot.Port("p").PortSecurity; len(got) != 1 || got[0] != "b" {
		t.Errorf("port security %q", got)
	}
}

// Odd schemas are errors; the library's decoder panics on some of them.
func TestOddSchemas(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `{"tables":null}`, `{"tables":{"Logical_Switch_Port":null}}`,
		`{"tables":{"Logical_Switch_Port":{"columns":{"name":null}}}}`,
		`{"tables":{"Logical_Switch_Port":{"columns":{"name":{}}}}}`,
		`{"tables":{"Logical_Switch_Port":{"columns":{"name":{"type":{}}}}}}`,
		`{"tables":{"Logical_Switch_Port":{"columns":{"name":{"type":{"value":"string"}}}}}}`,
		`{"tables":{"Logical_Switch_Port":{"columns":{"name":{"type":{"key":{"type":"string","enum":3}}}}}}}`,
	} {
		if _, err := useSchema(t, []byte(text)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func FuzzSchema(f *testing.F) {
	f.Add(schemaText(nil))
	f.Add(
		[]byte(
			`{"name":"x","tables":{"Logical_Switch_Port":{"columns":{"name":{"type":{"key":{"type":"uuid","refTable":"x"}}}}}}}`,
		),
	)
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = useSchema(t, text) // the test is that it does not panic
	})
}
