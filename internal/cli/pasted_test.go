package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What people paste of a database is read as far as it goes, and the notes name the command that gives the rest. A pod
// whose row is not in a part of the database has no finding for that.
func TestAuditOfPastedText(t *testing.T) {
	isolate(t)
	for file, c := range map[string]struct {
		code  int
		notes []string
		// port is the state of the pod's own port.
		unknown bool
	}{
		"dump.txt":  {exitFindings, []string{"dump; it does not say"}, false},
		"list.json": {exitFindings, []string{"list; it does not say", "no Logical_Switch:", "list Logical_Switch`"}, true},
		"paste.txt": {exitFindings, []string{"no Logical_Switch:", "no column enabled"}, true},
		"show.txt":  {exitFindings, []string{"no port_security, external_ids of ports", "list Logical_Switch_Port`"}, true},
	} {
		code, out, errs := runMain(
			"audit", "--nb", "../ovn/dbfile/testdata/pasted/"+file, "--from", "testdata/pasted/k8s.yaml", "-o", "json",
		)
		var r auditReport
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%s: exit code %d, %v, %s", file, code, err, errs)
		}
		notes := strings.Join(r.Notes, "\n")
		for _, want := range c.notes {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: %q is missing from\n%s", file, want, notes)
			}
		}
		_, unknown := r.Unknown["nginx5.default"]
		missing := false
		for _, f := range r.Findings {
			missing = missing || f.Rule == "OVG007" && f.Port == "nginx5.default"
		}
		if unknown != c.unknown || missing == c.unknown {
			t.Errorf(
				"%s: the pod's port is unknown: %t, has no row: %t; want unknown: %t",
				file,
				unknown,
				missing,
				c.unknown,
			)
		}
	}
}

// Text that cannot be read leads to the commands that give what can be.
func TestUnreadableTextNamesCommands(t *testing.T) {
	isolate(t)
	for _, text := range []string{"hello\n", "name                : a b\n", `{"kind":"List"}`, "_uuid : x\n"} {
		code, _, errs := runMain("audit", "--nb", written(t, "nb.txt", text), "--from", "testdata/pasted/k8s.yaml")
		if code != exitUsage || !strings.Contains(errs, "`ovn-nbctl --format=json list`") ||
			!strings.Contains(errs, "ovsdb-client backup") {
			t.Errorf("%q: exit code %d, %s", text, code, errs)
		}
	}
}

// A packed file, a directory and standard input lead to the answer of the plain file, in all commands that read.
func TestFormsOfFrom(t *testing.T) {
	isolate(t)
	plainFile := unpack(t, recordedCluster)
	dir := filepath.Join(t.TempDir(), "in")
	if err := os.MkdirAll(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(recordedCluster)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"below/cluster.json.gz": packed, "nb.json": []byte(`{"caption":"T table","headings":[],"data":[]}`), "notes.txt": []byte("{"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{
		{"audit"}, {"status"}, {"doctor"}, {"explain", "t-drift/d01-d"}, {"check", "-f", "testdata/web.yaml"},
	} {
		answer := func(from string) (int, string) {
			code, out, errs := runMain(append(command, "--from", from, "--nb", recordedDatabase, "-o", "json")...)
			if code == exitUsage {
				t.Fatalf("%s --from %s: %s", command, from, errs)
			}
			return code, passed.ReplaceAllString(strings.ReplaceAll(out, from, "FROM"), "")
		}
		code, want := answer(plainFile)
		for _, from := range []string{recordedCluster, dir} {
			if gotCode, got := answer(from); gotCode != code || len(got) < len(want)/2 ||
				command[0] == "explain" && got != want {
				t.Errorf("%s --from %s: exit code %d, want %d\n%.500s", command, from, gotCode, code, got)
			}
		}
	}
	in, err := os.Open(recordedCluster)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	before := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = before }()
	if code, out, errs := runMain("audit", "--from", "-", "--nb", recordedDatabase); code != exitFindings {
		t.Errorf("standard input: exit code %d, %s%s", code, out, errs)
	}
	if code, _, errs := runMain(
		"check",
		"-f",
		"-",
		"--from",
		"-",
	); code != exitUsage ||
		!strings.Contains(errs, "--from") {
		t.Errorf("standard input twice: exit code %d, %s", code, errs)
	}
}
