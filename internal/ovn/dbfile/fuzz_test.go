package dbfile

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzRead reads arbitrary bytes. They may only cause errors or losses; and the part before a loss reads the same when
// the rest is cut off.
func FuzzRead(f *testing.F) {
	f.Add([]byte(standalone(named(1, "a"), `{"T":{"`+id(1)+`":null}}`)))
	f.Add(
		[]byte(
			standalone(
				`{"_is_diff":true,"T":{"` + id(
					1,
				) + `":{"tags":["set",["a"]],"ids":["map",[["a","b"]]],"peer":["uuid","` + id(
					1,
				) + `"]}}}`,
			),
		),
	)
	f.Add([]byte(clustered(named(1, "a"), entry(11, 1, named(2, "b")), commit(11))))
	f.Add([]byte(`{"caption":"T table","data":[[["uuid","` + id(1) + `"],"a"]],"headings":["_uuid","name"]}`))
	f.Fuzz(func(t *testing.T, data []byte) { readBoth(t, string(data)) })
}

// FuzzRecord puts a body into a record with the right checksum, so that it gets past the checksum.
func FuzzRecord(f *testing.F) {
	for _, body := range []string{
		named(1, "a"), entry(11, 1, named(2, "b")), commit(11),
		`{"T":{"` + id(1) + `":{"ids":["map",[["a","b"]]],"some":["set",[1,2]]}}}`, smallSchema,
	} {
		f.Add(body, body, false)
		f.Add(body, body, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, cluster bool) {
		if cluster {
			readBoth(t, clustered("{}", first, second, commit(11), commit(12)))
			readBoth(t, clustered(first, second))
			return
		}
		readBoth(t, standalone(first, second))
		readBoth(t, rec("JSON", first)+rec("JSON", second))
	})
}

func readBoth(t *testing.T, text string) {
	d, err := Read(text)
	if err != nil {
		if d != nil {
			t.Fatal("a database beside an error")
		}
		return
	}
	if d.Loss == nil {
		return
	}
	if d.Loss.Offset < 0 || d.Loss.Offset+d.Loss.Bytes != len(text) {
		t.Fatalf("%v does not end with the file of %d bytes", d.Loss, len(text))
	}
	if d.Format == Clustered && d.Loss.Record < d.Records {
		return // an entry that proved bad when it was agreed on: the entries between count as cluster state
	}
	sound, err := Read(text[:d.Loss.Offset])
	if err != nil || sound.Loss != nil {
		t.Fatalf("what is before %v is said to be sound and gives %v, %v", d.Loss, sound, err)
	}
	if diff := cmp.Diff(contents(sound), contents(d)); diff != "" {
		t.Fatalf("before %v (-alone +in the damaged file):\n%s", d.Loss, diff)
	}
}

// FuzzScanner checks that the scanner accepts the same JSON as the standard library.
func FuzzScanner(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-0.5e+3,"x\u00e9\n",true,false,null]}`, `[01]`, `"\x"`, `{"a":1,}`, ` "\ud800" `, `-`, `1.`, `tru`,
		`"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.Count(text, "[")+strings.Count(text, "{") > maxDepth {
			return
		}
		s := &scanner{text: text}
		_, err := s.skip()
		if err == nil {
			err = s.end()
		}
		if valid := json.Valid([]byte(text)); valid != (err == nil) {
			t.Fatalf("%q: the standard library says %v, the scanner %v", text, valid, err)
		}
	})
}
