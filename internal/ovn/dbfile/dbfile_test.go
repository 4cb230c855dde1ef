package dbfile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustRead(t *testing.T, text string, tables ...string) *Database {
	t.Helper()
	d, err := Read(text, tables...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func row(t *testing.T, d *Database, n int) *Row {
	t.Helper()
	r := d.Rows("T")[id(n)]
	if r == nil {
		t.Fatalf("row %d is not there", n)
	}
	return r
}

func TestStandalone(t *testing.T) {
	d := mustRead(t, standalone(
		`{"_date":1700000000,"T":{"`+id(
			1,
		)+`":{"name":"a \"b\" \u00e9","n":7,"tags":["set",["y","x"]],"real":1.50,"on":true,"peer":["uuid","`+strings.ToUpper(
			id(2),
		)+`"],"ids":["map",[["k","v"],["a","b"]]],"one":["map",[["z",1e3]]]}}}`,
		`{"_date":1700000000123,"_comment":"why \"_is_diff\":true","T":{"`+id(
			2,
		)+`":{},"`+id(
			1,
		)+`":{"tags":"z"}},"U":{"`+id(
			3,
		)+`":{"x":-0}}}`,
		`{"T":{"`+id(2)+`":null}}`,
	))
	if d.Loss != nil {
		t.Fatal(d.Loss)
	}
	if d.Format != Standalone || d.Name != "Small" || d.Version != "1.2.3" || d.Records != 4 {
		t.Errorf("got %s %s %s, %d records", d.Format, d.Name, d.Version, d.Records)
	}
	if want := time.UnixMilli(1700000000123).UTC(); !d.Written.Equal(want) {
		t.Errorf("written %s, want %s", d.Written, want)
	}
	want := map[string]map[string]map[string]string{
		"T": {id(1): {
			"name": `["a \"b\" é"] []`,
			"n":    `["7"] []`,
			"tags": `["z"] []`,
			"some": `["0"] []`,
			"real": `["1.5"] []`,
			"on":   `["true"] []`,
			"peer": `["` + id(2) + `"] []`,
			"ids":  `["a" "k"] ["b" "v"]`,
			"one":  `["z"] ["1000"]`,
		}},
		"U": {id(3): {"x": `["0"] []`}},
	}
	if diff := cmp.Diff(want, contents(d)); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}

func TestTypedAccess(t *testing.T) {
	r := row(
		t,
		mustRead(t, standalone(`{"T":{"`+id(1)+`":{"name":"a","tags":["set",["y","x"]],"ids":["map",[["k","v"]]]}}}`)),
		1,
	)
	if got := r.String("name"); got != "a" {
		t.Errorf("name %q", got)
	}
	if diff := cmp.Diff([]string{"x", "y"}, r.Strings("tags")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"k": "v"}, r.Map("ids")); diff != "" {
		t.Error(diff)
	}
	if r.String("n") != "" || r.Strings("peer") != nil || r.Map("one") != nil || r.String("live") != "0" {
		t.Error("columns that were not written do not have their defaults")
	}
	if _, ok := r.Value("nothing"); ok {
		t.Error("a column that the schema does not have is there")
	}
}

// A difference is symmetric for sets and maps, and the new value where the column has at most one.
func TestDifferences(t *testing.T) {
	for name, c := range map[string]struct{ before, diff, column, want string }{
		"set":              {`"tags":["set",["a","b"]]`, `"tags":["set",["b","c"]]`, "tags", `["a" "c"] []`},
		"set from empty":   {``, `"tags":"a"`, "tags", `["a"] []`},
		"set to empty":     {`"tags":"a"`, `"tags":"a"`, "tags", `[] []`},
		"set from default": {``, `"some":["set",[0,5]]`, "some", `["5"] []`},
		"map takes value": {
			`"ids":["map",[["a","1"],["b","2"]]]`, `"ids":["map",[["a","9"]]]`, "ids", `["a" "b"] ["9" "2"]`,
		},
		"map loses key": {`"ids":["map",[["a","1"],["b","2"]]]`, `"ids":["map",[["a","1"]]]`, "ids", `["b"] ["2"]`},
		"map gets key": {
			`"ids":["map",[["b","2"]]]`, `"ids":["map",[["a","1"],["c","3"]]]`, "ids", `["a" "b" "c"] ["1" "2" "3"]`,
		},
		"optional cleared":  {`"n":3`, `"n":["set",[]]`, "n", `[] []`},
		"optional changed":  {`"n":3`, `"n":3`, "n", `["3"] []`},
		"map of one":        {`"one":["map",[["a",1]]]`, `"one":["map",[["a",1]]]`, "one", `["a"] ["1"]`},
		"scalar":            {`"name":"a"`, `"name":""`, "name", `[""] []`},
		"untouched columns": {`"name":"a"`, `"n":1`, "name", `["a"] []`},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustRead(t, standalone(
				`{"T":{"`+id(1)+`":{`+c.before+`}}}`,
				`{"T":{"`+id(1)+`":{`+c.diff+`}},"_is_diff":true}`)) // the mark may come last
			if d.Loss != nil {
				t.Fatal(d.Loss)
			}
			if got := contents(d)["T"][id(1)][c.column]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Whatever the damage, everything before it is read, and the loss says where it begins and why.
func TestDamage(t *testing.T) {
	first := `{"T":{"` + id(1) + `":{"name":"kept"}}}`
	sound := standalone(first)
	for name, c := range map[string]struct {
		tail string
		err  error
		say  string
	}{
		"half a header":     {"OVSDB JS", ErrTruncated, "header"},
		"half a body":       {rec("JSON", `{"T":{}}`)[:60], ErrTruncated, "9 bytes, and 6"},
		"zeros":             {strings.Repeat("\x00", 4096), ErrHeader, ""},
		"another kind":      {rec("CLUSTER", `{}`), ErrHeader, `"CLUSTER"`},
		"no length":         {"OVSDB JSON x 0\n", ErrHeader, "length"},
		"negative length":   {"OVSDB JSON -5 0\n", ErrHeader, "length"},
		"huge length":       {"OVSDB JSON 9223372036854775807 " + strings.Repeat("0", 40) + "\n{}", ErrTruncated, ""},
		"short hash":        {"OVSDB JSON 3 abc\n{}\n", ErrHeader, "hash"},
		"flipped byte":      {strings.Replace(rec("JSON", first), "kept", "Kept", 1), ErrChecksum, ""},
		"not JSON":          {rec("JSON", `{"T":`), ErrContent, "end"},
		"more than JSON":    {rec("JSON", `{} {}`), ErrContent, "follows"},
		"not UTF-8":         {rec("JSON", "{\"_comment\":\"\xff\"}"), ErrContent, "UTF-8"},
		"control character": {rec("JSON", "{\"_comment\":\"\x01\"}"), ErrContent, "control"},
		"unknown table":     {rec("JSON", `{"X":{}}`), ErrContent, `no table "X"`},
		"unknown column":    {rec("JSON", `{"T":{"`+id(1)+`":{"x":1}}}`), ErrContent, `no column "x"`},
		"bad UUID":          {rec("JSON", `{"T":{"1":{}}}`), ErrContent, "UUID"},
		"ghost deleted":     {rec("JSON", `{"T":{"`+id(9)+`":null}}`), ErrContent, "deleted"},
		"wrong type":        {rec("JSON", `{"T":{"`+id(1)+`":{"n":"x"}}}`), ErrContent, ""},
		"twice":             {rec("JSON", `{"T":{"`+id(1)+`":{"tags":["set",["a","a"]]}}}`), ErrContent, "twice"},
		"too many":          {rec("JSON", `{"T":{"`+id(1)+`":{"n":["set",[1,2]]}}}`), ErrContent, "2 values"},
		"too few":           {rec("JSON", `{"T":{"`+id(1)+`":{"name":["set",[]]}}}`), ErrContent, "0 values"},
		"fraction":          {rec("JSON", `{"T":{"`+id(1)+`":{"n":1.5}}}`), ErrContent, "no integer"},
		"too large":         {rec("JSON", `{"T":{"`+id(1)+`":{"n":9223372036854775808}}}`), ErrContent, "64 bits"},
		"no map":            {rec("JSON", `{"T":{"`+id(1)+`":{"ids":"x"}}}`), ErrContent, "map"},
		"all or nothing":    {rec("JSON", `{"T":{"`+id(1)+`":{"name":"changed"},"`+id(9)+`":null}}`), ErrContent, ""},
		"too deep":          {rec("JSON", `{"_comment":`+strings.Repeat("[", 9999)+`}`), ErrContent, "nested"},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustRead(t, sound+c.tail)
			if d.Loss == nil {
				t.Fatal("nothing is said to be lost")
			}
			if !errors.Is(d.Loss.Err, c.err) || !strings.Contains(d.Loss.String(), c.say) {
				t.Errorf("got %v, want %v with %q", d.Loss, c.err, c.say)
			}
			if d.Loss.Record != 2 || d.Loss.Offset != len(sound) || d.Loss.Bytes != len(c.tail) || d.Records != 2 {
				t.Errorf(
					"got record %d, offset %d, %d bytes; want 2, %d, %d",
					d.Loss.Record,
					d.Loss.Offset,
					d.Loss.Bytes,
					len(sound),
					len(c.tail),
				)
			}
			if diff := cmp.Diff(contents(mustRead(t, sound)), contents(d)); diff != "" {
				t.Errorf("what is before the damage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoDatabase(t *testing.T) {
	for name, c := range map[string]struct{ text, say string }{
		"empty":          {"", "empty"},
		"something else": {"\x7fELF", "want"},
		"foreign JSON":   {`{"kind":"List","items":[]}`, `"kind"`},
		"other kind":     {rec("BINARY", "{}"), "BINARY"},
		"no schema":      {rec("JSON", `{"T":{}}`), "name"},
		"no type":        {rec("JSON", `{"name":"x","tables":{"T":{"columns":{"c":{}}}}}`), `"c"`},
		"null column":    {rec("JSON", `{"name":"x","tables":{"T":{"columns":{"c":null}}}}`), `"c"`},
		"odd type":       {rec("JSON", `{"name":"x","tables":{"T":{"columns":{"c":{"type":"float"}}}}}`), "float"},
		"value only": {
			rec("JSON", `{"name":"x","tables":{"T":{"columns":{"c":{"type":{"value":"string"}}}}}}`), "key",
		},
		"odd bounds": {
			rec("JSON", `{"name":"x","tables":{"T":{"columns":{"c":{"type":{"key":"string","min":2,"max":3}}}}}}`),
			"min 2",
		},
		"not joined": {
			rec(
				"CLUSTER",
				`{"server_id":"`+id(1)+`","name":"Small","local_address":"tcp:a:1","remote_addresses":["tcp:b:1"]}`,
			),
			"joined",
		},
		"no snapshot": {rec("CLUSTER", `{"server_id":"`+id(1)+`","name":"Small"}`), "snapshot"},
		"cut schema":  {rec("JSON", smallSchema)[:100], "ends"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Read(c.text)
			if !errors.Is(err, ErrNoDatabase) || !strings.Contains(err.Error(), c.say) || d != nil {
				t.Errorf("got %v, %v; want ErrNoDatabase with %q", d, err, c.say)
			}
		})
	}
}

func TestChosenTables(t *testing.T) {
	d := mustRead(t, standalone(`{"U":{"`+id(3)+`":{"x":"not looked into"}},"T":{"`+id(1)+`":{}}}`), "T", "Nowhere")
	if len(d.Rows("T")) != 1 || len(d.Rows("U")) != 0 || d.Rows("Nowhere") != nil || d.Loss != nil {
		t.Errorf("rows %v %v, loss %v", d.Rows("T"), d.Rows("U"), d.Loss)
	}
}

func TestDump(t *testing.T) {
	dump := `{"caption":"T table","data":[[["uuid","` + id(
		1,
	) + `"],"a",["set",[]],["map",[["k",1],["a",2]]],true,0.50,100000000000000000000]],"headings":["_uuid","name","n","one","on","real","big"]}` +
		"\n\n" + `{"caption":"U table","data":[],"headings":["_uuid","x"]}` + "\n"
	d := mustRead(t, dump)
	want := map[string]map[string]map[string]string{"T": {id(1): {
		"name": `["a"] []`,
		"n":    `[] []`,
		"one":  `["a" "k"] ["2" "1"]`,
		"on":   `["true"] []`,
		"real": `["0.5"] []`,
		"big":  `["1e+20"] []`,
	}}, "U": {}}
	if diff := cmp.Diff(want, contents(d)); diff != "" || d.Loss != nil || d.Format != Dump {
		t.Errorf("%v (-want +got):\n%s", d.Loss, diff)
	}
	cut := mustRead(t, dump[:len(dump)-9])
	if cut.Loss == nil || cut.Loss.Record != 1 || len(cut.Rows("T")) != 1 {
		t.Errorf("a dump that is cut: loss %v", cut.Loss)
	}
	for _, bad := range []string{
		`{"caption":"T","data":[],"headings":[]}`,
		`{"caption":"T table","data":[["a","b"]],"headings":["x"]}`,
		`{"caption":"T table","data":[["a"]],"headings":["x","y"]}`,
		`{"caption":"T table","data":[["a"]],"headings":["_uuid"]}`,
	} {
		if _, err := Read(bad); !errors.Is(err, ErrNoDatabase) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
