package dbfile

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
)

// rec writes one record as a server would.
func rec(kind, body string) string {
	body += "\n"
	return fmt.Sprintf("OVSDB %s %d %x\n%s", kind, len(body), sha1.Sum([]byte(body)), body)
}

// standalone writes a file of the small schema with transactions.
func standalone(transactions ...string) string {
	var b strings.Builder
	b.WriteString(rec("JSON", smallSchema))
	for _, t := range transactions {
		b.WriteString(rec("JSON", t))
	}
	return b.String()
}

// clustered writes a clustered file of the small schema with records after its snapshot.
func clustered(snapshot string, records ...string) string {
	var b strings.Builder
	b.WriteString(
		rec(
			"CLUSTER",
			`{"server_id":"`+id(1)+`","local_address":"tcp:127.0.0.1:6643","name":"Small","cluster_id":"`+id(2)+
				`","prev_term":1,"prev_index":10,"prev_servers":{"`+id(1)+`":"tcp:127.0.0.1:6643"},"prev_eid":"`+id(3)+`","prev_data":[`+smallSchema+`,`+snapshot+`]}`,
		),
	)
	for _, r := range records {
		b.WriteString(rec("CLUSTER", r))
	}
	return b.String()
}

// id returns the UUID with the number at its end.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

const smallSchema = `{"name":"Small","version":"1.2.3","cksum":"1 2","tables":{
 "T":{"columns":{
  "name":{"type":"string"},
  "n":{"type":{"key":{"type":"integer","minInteger":0},"min":0,"max":1}},
  "tags":{"type":{"key":"string","min":0,"max":"unlimited"}},
  "some":{"type":{"key":"integer","min":1,"max":9}},
  "real":{"type":"real"},
  "on":{"type":"boolean"},
  "peer":{"type":{"key":{"type":"uuid","refTable":"T","refType":"weak"},"min":0}},
  "live":{"type":"integer","ephemeral":true},
  "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
  "one":{"type":{"key":"string","value":"integer","min":0,"max":1}}}},
 "U":{"columns":{"x":{"type":"integer"}}}}}`

// contents returns everything in a database, column by column: table, row, column, words.
func contents(d *Database) map[string]map[string]map[string]string {
	return contentsWithout(d, func(string, string) bool { return false })
}

// contentsWithout leaves out the keys of columns that drop names.
func contentsWithout(d *Database, drop func(column, key string) bool) map[string]map[string]map[string]string {
	out := make(map[string]map[string]map[string]string)
	for name, t := range d.Tables {
		rows := make(map[string]map[string]string)
		for uuid, r := range t.Rows {
			cells := make(map[string]string)
			for column, c := range t.Columns {
				if c.Ephemeral {
					continue
				}
				v, _ := r.Value(column)
				keys := slices.DeleteFunc(slices.Clone(v.Keys), func(k string) bool { return drop(column, k) })
				cells[column] = fmt.Sprintf("%q %q", keys, v.Values)
			}
			rows[uuid] = cells
		}
		out[name] = rows
	}
	return out
}
