package cli

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// emptySchema is a Northbound schema with everything that an audit reads.
const emptySchema = `{"name":"OVN_Northbound","version":"7.0.0","tables":{` +
	`"Logical_Switch_Port":{"columns":{"name":{"type":"string"},"type":{"type":"string"},` +
	`"addresses":{"type":{"key":"string","min":0,"max":"unlimited"}},"port_security":{"type":{"key":"string","min":0,"max":"unlimited"}},` +
	`"external_ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},"enabled":{"type":{"key":"boolean","min":0,"max":1}}}},` +
	`"Logical_Switch":{"columns":{"name":{"type":"string"},"ports":{"type":{"key":"uuid","min":0,"max":"unlimited"}}}}}}`

// An audit without findings is clean only if it could look at everything.
func TestIncompleteAudit(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	record := func(text string) string {
		text += "\n"
		return fmt.Sprintf("OVSDB JSON %d %x\n%s", len(text), sha1.Sum([]byte(text)), text)
	}
	pod := func(spec string) string {
		return `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns"}},` +
			`{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"ns","name":"p"},"spec":{` + spec + `}}]}`
	}
	whole, cut := write("whole.db", record(emptySchema)), write("cut.db", record(emptySchema)+record("{}")[:50])
	onNode, waiting := write("node.json", pod(`"hostNetwork":true`)), write("waiting.json", pod(`"nodeName":"n"`))
	const accept = "--accept-incomplete"
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"all was seen": {[]string{"--nb", whole, "--kubernetes", onNode}, exitOK, nil},
		"a port is unknown": {[]string{"--nb", whole, "--kubernetes", waiting}, exitIncomplete, []string{"1 ports " +
			"could not be judged", accept}},
		"damage": {
			[]string{"--nb", cut, "--kubernetes", onNode}, exitIncomplete, []string{"damaged", "record 1", accept},
		},
		"both": {[]string{"--nb", cut, "--kubernetes", waiting}, exitIncomplete, []string{"1 ports " +
			"could not be judged", "damaged"}},
		"both, which is known": {[]string{"--nb", cut, "--kubernetes", waiting, accept}, exitOK, nil},
	} {
		var stdout, stderr bytes.Buffer
		if code := Main(
			append([]string{"audit"}, c.args...),
			&stdout,
			&stderr,
		); code != c.code ||
			(code == exitOK) != (stderr.Len() == 0) {
			t.Errorf("%s: exit code %d, want %d; said %q\n%s", name, code, c.code, stderr.String(), stdout.String())
		}
		for _, want := range c.says {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%s: %q does not say %q", name, stderr.String(), want)
			}
		}
	}
}

// The audit warns of a database that anybody on the path can change.
func TestThreatT22PlaintextDatabase(t *testing.T) {
	for endpoints, want := range map[string]string{
		"tcp:10.0.0.1:6641,ssl:10.0.0.2:6641": "Northbound database is reached without TLS at tcp:10.0.0.1:6641:",
		"tcp:127.0.0.1:6641,unix:/x":          "",
		"ssl:10.0.0.2:6641":                   "",
	} {
		got := strings.Join(plaintextNotes("Northbound", endpoints), "\n")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: note %q, want %q", endpoints, got, want)
		}
	}
}
