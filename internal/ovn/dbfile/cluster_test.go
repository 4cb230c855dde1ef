package dbfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func entry(index, term int, data string) string {
	return fmt.Sprintf(`{"term":%d,"index":%d,"eid":"%s","data":[null,%s]}`, term, index, id(100+index), data)
}

func commit(index int) string { return fmt.Sprintf(`{"commit_index":%d}`, index) }

func named(n int, name string) string {
	return fmt.Sprintf(`{"_is_diff":true,"_date":%d,"T":{"%s":{"name":%q}}}`, 1700000000000+n, id(n), name)
}

// names describes the rows of T.
func names(d *Database) map[string]string {
	out := make(map[string]string)
	for uuid, r := range d.Rows("T") {
		out[strings.TrimLeft(uuid[len(uuid)-4:], "0")] = r.String("name")
	}
	return out
}

// Only entries that the servers agreed on count. The rows do not have an entry that a new leader replaced, or that is
// not agreed on yet.
func TestClusterCommits(t *testing.T) {
	d := mustRead(t, clustered(named(1, "snapshot"),
		`{"term":2}`, `{"term":2,"vote":"`+id(1)+`"}`, `{"term":2,"leader":"`+id(1)+`"}`,
		entry(11, 2, named(2, "agreed")),
		`{"term":2,"index":12,"servers":{"`+id(1)+`":"tcp:a:1","`+id(4)+`":"tcp:b:1"}}`,
		commit(12),
		entry(13, 2, named(3, "given up")), entry(14, 2, named(4, "given up")),
		entry(13, 3, named(5, "its successor")), commit(13),
		entry(14, 3, named(6, "open")),
		`{"note":"transfer leadership"}`, `{"note":"left"}`,
	))
	if d.Loss != nil {
		t.Fatal(d.Loss)
	}
	if diff := cmp.Diff(map[string]string{"1": "snapshot", "2": "agreed", "5": "its successor"}, names(d)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	want := &Cluster{
		ClusterID: id(
			2,
		),
		ServerID:      id(1),
		LocalAddress:  "tcp:127.0.0.1:6643",
		Servers:       map[string]string{id(1): "tcp:a:1", id(4): "tcp:b:1"},
		Term:          3,
		SnapshotIndex: 10,
		CommitIndex:   13,
		LastIndex:     14,
		Left:          true,
	}
	if diff := cmp.Diff(want, d.Cluster); diff != "" || d.Cluster.Uncommitted() != 1 {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
	if d.Written.UnixMilli() != 1700000000005 {
		t.Errorf("written %d: an entry that is not agreed on does not count", d.Written.UnixMilli())
	}
}

func TestClusterSchemaChanges(t *testing.T) {
	other := strings.NewReplacer(`"1.2.3"`, `"2.0.0"`, `"name":{"type":"string"},`,
		`"name":{"type":{"key":"string","min":0}},"more":{"type":"string"},`,
		`"n":{"type":{"key":{"type":"integer","minInteger":0},"min":0,"max":1}}`, `"n":{"type":"string"}`).
		Replace(smallSchema)
	withData := mustRead(
		t,
		clustered(named(1, "before"), `{"term":1,"index":11,"data":[`+other+`,`+named(2, "after")+`]}`, commit(11)),
	)
	if diff := cmp.Diff(map[string]string{"2": "after"}, names(withData)); diff != "" || withData.Version != "2.0.0" {
		t.Errorf("schema with contents: version %s (-want +got):\n%s", withData.Version, diff)
	}
	alone := mustRead(
		t,
		clustered(`{"T":{"`+id(1)+`":{"name":"before","n":5}}}`, `{"term":1,"index":11,"data":[`+other+`,null]}`,
			entry(12, 1, `{"T":{"`+id(1)+`":{"more":"x"}}}`), commit(12)),
	)
	r := row(t, alone, 1)
	if alone.Loss != nil || r.String("name") != "before" || r.String("more") != "x" || r.String("n") != "" {
		t.Errorf(
			"schema alone: loss %v, name %q, more %q, n %q",
			alone.Loss,
			r.String("name"),
			r.String("more"),
			r.String("n"),
		)
	}
}

func TestClusterDamage(t *testing.T) {
	for name, c := range map[string]struct {
		records []string
		at      int
		say     string
	}{
		"gap": {[]string{entry(12, 1, named(2, "x"))}, 1, "follows on entry 10"},
		"agreed entry": {
			[]string{entry(11, 1, named(2, "kept")), commit(11), entry(11, 1, named(2, "y"))}, 3, "comes again",
		},
		"commit backwards": {[]string{entry(11, 1, named(2, "kept")), commit(11), commit(10)}, 3, "agreed on up to 10"},
		"commit too far":   {[]string{commit(12)}, 1, "agreed on up to 12"},
		"term backwards":   {[]string{entry(11, 3, named(2, "open")), entry(12, 2, named(3, "x"))}, 2, "of term 3"},
		"no term":          {[]string{`{"index":11}`}, 1, "no term"},
		"odd data":         {[]string{`{"term":1,"index":11,"data":[null]}`, commit(11)}, 1, "parts"},
		"bad entry":        {[]string{entry(11, 1, `{"X":{}}`), `{"term":1}`, commit(11)}, 1, `no table "X"`},
		"bad schema":       {[]string{`{"term":1,"index":11,"data":[{"name":"x"},null]}`, commit(11)}, 1, "no tables"},
		"bad contents": {
			[]string{`{"term":1,"index":11,"data":[` + smallSchema + `,{"X":{}}]}`, commit(11)}, 1, "X",
		},
		"nothing known": {[]string{`{"comment":"x"}`}, 1, "no known kind"},
		"index text":    {[]string{`{"index":"x"}`}, 1, "index"},
	} {
		t.Run(name, func(t *testing.T) {
			text := clustered(named(1, "snapshot"), c.records...)
			d := mustRead(t, text)
			if d.Loss == nil {
				t.Fatal("nothing is said to be lost")
			}
			offset := len(clustered(named(1, "snapshot"), c.records[:c.at-1]...))
			if !errors.Is(d.Loss.Err, ErrContent) || !strings.Contains(d.Loss.String(), c.say) ||
				d.Loss.Record != c.at ||
				d.Loss.Offset != offset ||
				d.Loss.Bytes != len(text)-offset {
				t.Errorf("got %v, want record %d at %d with %q", d.Loss, c.at, offset, c.say)
			}
			if names(d)["1"] != "snapshot" {
				t.Errorf("the snapshot is gone: %v", names(d))
			}
		})
	}
}
